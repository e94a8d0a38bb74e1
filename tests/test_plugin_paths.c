// SPDX-License-Identifier: GPL-3.0-or-later
//
// Paths of states and messages that name no file: pipes, which would be waited for, devices without
// an end, folders, and "-", which is the host's standard input. Each is refused with a line.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lv2_sound.h"

#define VOICE "urn:meanwave:voice"
enum { NO_VOICE = 3 }; // of Voice's status port

static char pipe_path[128];
static char preset_path[128]; // a pipe too

static int make_pipes(void **state)
{
  if (sound_make_folders(state) != 0) return 1;
  snprintf(pipe_path, sizeof pipe_path, "%s/pipe", sound_home);
  snprintf(preset_path, sizeof preset_path, "%s/pipe.preset", sound_home);
  return mkfifo(pipe_path, 0600) != 0 || mkfifo(preset_path, 0600) != 0;
}

static void run(lv2_host *h)
{
  static const float silence[LONGEST];
  host_run(h, (const float *[]){silence}, (float *[]){out[0], out[1]}, 1024, false);
  host_work(h);
}

static void logged(const lv2_host *h, const char *path)
{
  const char *line = host_logged(h);
  if (strstr(line, path) == NULL || strstr(line, "not a file") == NULL)
    fail_msg("%s: logged '%s'", path, line);
}

// A plugin whose state holds that path; the alarm is set.
static lv2_host *restored(const char *uri, const char *key, const char *path)
{
  host_table *table = host_table_of(key, PATH, path);
  lv2_host *h = host_open(uri, RATE, HOST_EVERYTHING, LONGEST);
  alarm(30);
  host_restore_plain(h, table);
  host_table_free(table);
  host_activate(h);
  return h;
}

static void a_state_names_no_pipe(void **state)
{
  (void)state;
  const char *const paths[4] = {pipe_path, "/dev/zero", sound_home, "-"};
  for (size_t i = 0; i < 4; i++) {
    lv2_host *h = restored(SOUND, CLIP_KEY, paths[i]);
    sound_settle(h);
    alarm(0);
    assert_int_not_equal(host_value(h, "status"), READY);
    logged(h, paths[i]);
    host_close(h);
  }
}

static void a_voice_is_no_pipe(void **state)
{
  (void)state;
  const char *const paths[2] = {pipe_path, "/dev/zero"};
  for (size_t i = 0; i < 2; i++) {
    lv2_host *h = restored(VOICE, VOICE ":file", paths[i]);
    run(h);
    host_table_free(host_save_plain(h)); // which looks at the file again
    alarm(0);
    assert_int_equal(host_value(h, "status"), NO_VOICE);
    logged(h, paths[i]);
    host_close(h);
  }
}

static void a_prompt_file_is_no_pipe(void **state)
{
  (void)state;
  const char *const paths[4] = {pipe_path, preset_path, "/dev/zero", "-"};
  for (size_t i = 0; i < 4; i++) {
    lv2_host *h = sound_open(HOST_EVERYTHING);
    alarm(30);
    host_send_text(h, SOUND ":file", PATH, paths[i]);
    sound_wait_for(h, MESSAGE_KEY, "not a file");
    alarm(0);
    assert_non_null(strstr(host_told(h, MESSAGE_KEY), paths[i]));
    host_close(h);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_state_names_no_pipe),
      cmocka_unit_test(a_voice_is_no_pipe),
      cmocka_unit_test(a_prompt_file_is_no_pipe),
  };
  return cmocka_run_group_tests(tests, make_pipes, sound_remove_folders);
}
