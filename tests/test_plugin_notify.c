// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the plugins tell in a buffer of any size: whole messages or none, no byte more than there is
// room for, and what had no room later.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "lv2_sound.h"

#define VOICE "urn:meanwave:voice"

typedef struct {
  const char *uri;
  const char *keys[4]; // of properties that are told to whom asks
} plugin;

static const plugin plugins[3] = {
    {VOICE, {VOICE ":file", VOICE ":model", VOICE ":message", VOICE ":voices"}},
    {VOICE "-stereo", {VOICE ":file", VOICE ":model", VOICE ":message", VOICE ":voices"}},
    {SOUND, {SOUND ":file", SOUND ":message", SOUND ":prompt", SOUND ":guidance"}},
};

static void run(lv2_host *h, uint32_t frames)
{
  static const float silence[LONGEST];
  host_run(h, (const float *[]){silence, silence}, (float *[]){out[0], out[1]}, frames, false);
  host_work(h);
}

static void ask_for_all(lv2_host *h, const plugin *p)
{
  for (size_t k = 0; k < 4; k++) host_send_get(h, p->keys[k]);
}

static void what_is_told_has_room(void **state)
{
  (void)state;
  static const uint32_t blocks[4] = {64, 0, 1, 1024};
  for (size_t i = 0; i < 3; i++) {
    const plugin *p = &plugins[i];
    lv2_host *h = host_open(p->uri, RATE, HOST_EVERYTHING, LONGEST);
    host_activate(h);
    run(h, 1024);
    for (size_t room = 24; room < 700; room += room < 400 ? 1 : 37) {
      host_narrow(h, room);
      ask_for_all(h, p);
      for (size_t b = 0; b < 4; b++) run(h, blocks[b]);
      // of the four, those that had no room are told now, and once
      size_t before = host_told_count(h);
      host_narrow(h, 0);
      run(h, 64);
      size_t late = host_told_count(h) - before;
      if (room < 64) assert_int_equal(late, 4);
      run(h, 64);
      assert_int_equal(host_told_count(h), before + late);
    }
    for (size_t k = 0; k < 4; k++)
      if (host_told(h, p->keys[k]) == NULL) fail_msg("%s was not told", p->keys[k]);
    assert_null(host_trapped());
    host_close(h);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_told_has_room)};
  return cmocka_run_group_tests(tests, sound_make_folders, sound_remove_folders);
}
