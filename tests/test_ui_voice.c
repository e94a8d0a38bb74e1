// SPDX-License-Identifier: GPL-3.0-or-later
//
// The window of Meanwave Voice on a screen, with the plugin and the default model behind it: what
// is chosen, saved, dropped and clicked arrives there, and what the plugin says is seen.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <lv2/atom/atom.h>

#include "lv2_voice.h"
#include "x11_hostile.h"

#define FILE_KEY MONO ":file"
#define MODEL_KEY MONO ":model"
#define MESSAGE_KEY MONO ":message"
#define VOICES_KEY MONO ":voices"
#define FILES_KEY MONO ":files"
#define SAVE_KEY MONO ":save"

// Places in the window as it opens.
enum {
  WIDTH = 660,
  HEIGHT = 430,
  LIST_X = 100,
  FIRST_Y = 81, // of the model's voices
  ROW = 24,
  NAME_Y = 334,
  BUTTONS_Y = 367,
  LOAD_X = 70,
  SAVE_X = 180,
  RIGHT_X = 450,
  ENABLED_X = 273,
  ENABLED_Y = 57,
  PITCH_Y = 160,
};

static x11_host *open_window(lv2_host **h, const char *uri, uint32_t background)
{
  *h = host_open(uri, RATE, HOST_EVERYTHING, LONGEST);
  host_activate(*h);
  settle(*h);
  return x11_open(*h, background, 0.0f);
}

static void voices_are_chosen(void **state)
{
  (void)state;
  const char *const uris[2] = {MONO, STEREO};
  for (int i = 0; i < 2; i++) {
    lv2_host *h;
    x11_host *x = open_window(&h, uris[i], X11_DARK);
    assert_true(host_value(h, "voice") == 0.0f);
    x11_picture before = x11_look(x, "voice-first");
    x11_click(x, LIST_X, FIRST_Y + ROW, 1);
    assert_true(host_value(h, "voice") == 2.0f);
    x11_key(x, XK_Down, "");
    assert_true(host_value(h, "voice") == 3.0f);
    x11_key(x, XK_Up, "");
    x11_key(x, XK_Up, "");
    x11_key(x, XK_Up, ""); // no further than the first
    assert_true(host_value(h, "voice") == 1.0f);
    x11_click(x, LIST_X, FIRST_Y - ROW, 1); // a title
    assert_true(host_value(h, "voice") == 1.0f);
    x11_click(x, LIST_X, FIRST_Y + 2 * ROW, 1);
    x11_until_value(x, "status", READY, READY);
    assert_true(x11_look(x, "voice-third").print != before.print);
    x11_close_both(x);
  }
}

static void voices_are_saved_loaded_and_dropped(void **state)
{
  (void)state;
  char path[256];
  char uri[300];
  lv2_host *h;
  x11_host *x = open_window(&h, MONO, X11_DARK);
  snprintf(path, sizeof path, "%s/.local/share/meanwave/voices/my own.voice", folder);
  x11_click(x, LIST_X, FIRST_Y + ROW, 1);
  x11_until_value(x, "status", READY, READY);
  x11_click(x, LIST_X, NAME_Y, 1);
  x11_type(x, "my own");
  x11_click(x, SAVE_X, BUTTONS_Y, 1);
  x11_until_told(x, SAVE_KEY, path);
  x11_until_told(x, FILES_KEY, path);
  assert_int_equal(access(path, R_OK), 0);
  x11_look(x, "voice-saved");
  // a second time it is there already
  x11_click(x, LIST_X, NAME_Y, 1);
  x11_type(x, "my own");
  x11_click(x, SAVE_X, BUTTONS_Y, 1);
  x11_until_told(x, SAVE_KEY, "");
  assert_non_null(strstr(host_told(h, MESSAGE_KEY), "exists"));
  x11_look(x, "voice-message");
  // by name
  x11_click(x, LOAD_X, BUTTONS_Y, 1);
  x11_until_told(x, FILE_KEY, path);
  assert_true(host_value(h, "voice") == 0.0f);
  x11_until_value(x, "status", READY, READY);
  x11_click(x, LIST_X, FIRST_Y, 1);
  assert_true(host_value(h, "voice") == 1.0f);
  host_send_text(h, FILE_KEY, LV2_ATOM__Path, "");
  x11_until_told(x, FILE_KEY, "");
  // from the list, the last row of it
  x11_click(x, LIST_X, FIRST_Y, 1);
  for (int i = 0; i < 20; i++) x11_key(x, XK_Down, "");
  x11_until_told(x, FILE_KEY, path);
  assert_true(host_value(h, "voice") == 0.0f);
  // dropped
  host_send_text(h, FILE_KEY, LV2_ATOM__Path, "");
  x11_until_told(x, FILE_KEY, "");
  x11_click(x, LIST_X, FIRST_Y, 1);
  snprintf(uri, sizeof uri, "file://%s/.local/share/meanwave/voices/my%%20own.voice\r\n", folder);
  assert_true(x11_drop(x, uri));
  x11_until_told(x, FILE_KEY, path);
  x11_until_value(x, "voice", 0.0f, 0.0f);
  // what cannot be had is said
  x11_click(x, LIST_X, NAME_Y, 3);
  x11_type(x, "/nowhere/at.all\n");
  x11_until_value(x, "status", NO_VOICE, NO_VOICE);
  x11_look(x, "voice-none");
  x11_close_both(x);
}

static void controls_set_ports_and_meters_move(void **state)
{
  (void)state;
  lv2_host *h;
  x11_host *x = open_window(&h, MONO, X11_LIGHT);
  x11_click(x, ENABLED_X, ENABLED_Y, 1);
  assert_true(host_value(h, "enabled") == 0.0f);
  x11_pull(x, RIGHT_X, PITCH_Y, RIGHT_X + 80, PITCH_Y);
  assert_true(host_value(h, "pitch") > 4.0f && host_value(h, "pitch") < 16.0f);
  x11_key(x, XK_Tab, "");
  x11_type(x, "37.6\n");
  assert_true(host_value(h, "mix") == 38.0f);
  x11_key(x, XK_Tab, "");
  x11_key(x, XK_End, "");
  assert_true(host_value(h, "gate") == 0.0f);
  x11_key(x, XK_Tab, "");
  x11_type(x, "-6.5\n");
  assert_true(host_value(h, "gain") == -6.5f);
  x11_picture silent = x11_look(x, "voice-silent");
  x11_feed(0.5f);
  x11_turn(x, 100);
  assert_true(fabsf(host_value(h, "level_in") + 6.02f) < 0.1f);
  x11_picture loud = x11_look(x, "voice-loud");
  assert_true(loud.print != silent.print);
  x11_feed(0.0f);
  x11_close_both(x);
}

static void it_looks_right_at_any_size(void **state)
{
  (void)state;
  lv2_host *h;
  x11_host *x = open_window(&h, MONO, X11_DARK);
  x11_look_at_sizes(x, "voice", WIDTH, HEIGHT, 240);
  x11_close_both(x);
}

static void dark_or_light_is_remembered(void **state)
{
  (void)state;
  enum { THEME_X = WIDTH - 26, THEME_Y = 16 };
  char path[256];
  char text[64] = "";
  lv2_host *h;
  x11_host *x = open_window(&h, MONO, X11_DARK);
  assert_true(x11_look(x, "voice-chosen").mean < 0.4);
  x11_click(x, THEME_X, THEME_Y, 1);
  assert_true(x11_look(x, "voice-chosen").mean > 0.6);
  x11_close_both(x);
  x = open_window(&h, STEREO, X11_DARK);
  assert_true(x11_look(x, "voice-chosen").mean > 0.6);
  x11_click(x, THEME_X, THEME_Y, 1);
  x11_close_both(x);
  x = open_window(&h, MONO, X11_LIGHT);
  assert_true(x11_look(x, "voice-chosen").mean < 0.4);
  x11_close_both(x);
  snprintf(path, sizeof path, "%s/.config/meanwave/windows", folder);
  FILE *file = fopen(path, "r+");
  assert_non_null(file);
  assert_non_null(fgets(text, sizeof text, file));
  assert_string_equal(text, "theme = dark\n");
  // what is no choice is none
  rewind(file);
  fputs("theme = pink\n", file);
  fclose(file);
  x = open_window(&h, MONO, X11_LIGHT);
  assert_true(x11_look(x, "voice-chosen").mean > 0.6);
  x11_close_both(x);
  x11_forget();
}

static void nothing_it_is_told_hurts(void **state)
{
  (void)state;
  static const char *const properties[] = {FILE_KEY,   MODEL_KEY, MESSAGE_KEY,
                                           VOICES_KEY, FILES_KEY, SAVE_KEY};
  lv2_host *h;
  x11_host *x = open_window(&h, MONO, X11_DARK);
  x11_be_hostile(x, properties, sizeof properties / sizeof properties[0]);
  x11_picture before = x11_look(x, "voice-hostile");
  x11_click(x, LIST_X, NAME_Y, 1);
  x11_type(x, "alive");
  assert_true(x11_look(x, "voice-alive").print != before.print);
  x11_close_both(x);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(voices_are_chosen),
      cmocka_unit_test(voices_are_saved_loaded_and_dropped),
      cmocka_unit_test(controls_set_ports_and_meters_move),
      cmocka_unit_test(it_looks_right_at_any_size),
      cmocka_unit_test(dark_or_light_is_remembered),
      cmocka_unit_test(nothing_it_is_told_hurts),
  };
  if (!x11_start(sizeof tests / sizeof tests[0])) return 0;
  int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);
  x11_stop();
  return failed;
}
