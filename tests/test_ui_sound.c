// SPDX-License-Identifier: GPL-3.0-or-later
//
// The window of Meanwave Sound on a screen, with the plugin behind it: what is written, chosen,
// dropped and clicked arrives there, and what the plugin says is seen.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <lv2/atom/atom.h>

#include "lv2_sound.h"
#include "meanwave.h"
#include "sound_folder.h"
#include "x11_hostile.h"

// Places in the window as it opens.
enum {
  WIDTH = 860,
  HEIGHT = 520,
  WORDS_X = 500,
  WORDS_Y = 90,
  GENERATE_X = 254,
  MAKING_Y = 204,
  DICE_X = 339,
  SEED_X = 400,
  LIST_X = 100,
  FIRST_Y = 81, // of the first group of presets
  ROW = 24,
  WAVE_X = 500,
  WAVE_Y = 340,
  PLAY_X = 230,
  LOOP_X = 292,
  KEYS_Y = 475,
};

// Presets of the dog's group, which comes first, that stand before it.
static void count_before(void *context, const char *path, const mw_preset *preset,
                         const char *problem)
{
  (void)path;
  (void)problem;
  const char *group = "animals and people";
  if (preset == NULL || preset->kind != MW_PRESET_SOUND) return;
  assert_true(strcmp(preset->group, group) >= 0);
  if (strcmp(preset->group, group) == 0 && strcmp(preset->name, "dog") < 0) ++*(int *)context;
}

static int dog_y(void)
{
  mw_error error;
  int before = 0;
  assert_int_equal(mw_presets_list(count_before, &before, &error), MW_OK);
  return FIRST_Y + ROW * before;
}

// The plugin, and its window in the host's colours. Nothing is generated unless it is asked for.
static x11_host *open_window(lv2_host **h, uint32_t background)
{
  *h = sound_open(HOST_EVERYTHING);
  host_set(*h, "auto_generate", 0.0f);
  return x11_open(*h, background, 0.0f);
}

static void what_is_written_arrives(void **state)
{
  (void)state;
  lv2_host *h;
  x11_host *x = open_window(&h, X11_DARK);
  x11_click(x, WORDS_X, WORDS_Y, 1);
  x11_type(x, "Rain on 2 tin_roofs");
  x11_until_told(x, PROMPT_KEY, "Rain on 2 tin_roofs");
  x11_key(x, XK_z, "C");
  x11_until_told(x, PROMPT_KEY, "Rain on 2 ");
  x11_key(x, XK_z, "CS");
  x11_until_told(x, PROMPT_KEY, "Rain on 2 tin_roofs");
  x11_key(x, XK_BackSpace, "C");
  x11_until_told(x, PROMPT_KEY, "Rain on 2 ");
  // to another program and from it
  x11_key(x, XK_Home, "");
  x11_key(x, XK_Right, "CS");
  x11_key(x, XK_c, "C");
  assert_string_equal(x11_ask(x), "Rain");
  x11_key(x, XK_x, "C");
  x11_until_told(x, PROMPT_KEY, " on 2 ");
  x11_offer("\xC3\x84pfel fallen\n");
  x11_key(x, XK_a, "C");
  x11_key(x, XK_v, "C");
  x11_until_told(x, PROMPT_KEY, "\xC3\x84pfel fallen\n");
  x11_type(x, "a\nb");
  x11_until_told(x, PROMPT_KEY, "\xC3\x84pfel fallen\na\nb");
  // nobody has anything in the clipboard
  x11_offer(NULL);
  x11_key(x, XK_v, "C");
  x11_type(x, "c");
  x11_until_told(x, PROMPT_KEY, "\xC3\x84pfel fallen\na\nbc");
  // three clicks choose all, two a word
  x11_click(x, WORDS_X, WORDS_Y, 3);
  x11_type(x, "dog");
  x11_until_told(x, PROMPT_KEY, "dog");
  x11_close_both(x);
}

// As programs give what is large.
static void what_comes_in_parts_is_written(void **state)
{
  (void)state;
  enum { LARGE = 100000, TOO_LARGE = 300000 };
  char path[256];
  char uri[300];
  char *large = malloc(TOO_LARGE + 1);
  for (size_t i = 0; i < TOO_LARGE; i++) large[i] = (char)('a' + i % 23);
  large[TOO_LARGE] = '\0';
  lv2_host *h;
  x11_host *x = open_window(&h, X11_DARK);
  x11_click(x, WORDS_X, WORDS_Y, 1);
  x11_give_in_parts(3, SIZE_MAX);
  x11_offer("rain on a roof");
  x11_key(x, XK_v, "C");
  x11_until_told(x, PROMPT_KEY, "rain on a roof");
  // more than was ever meant to come is nothing, and does not stand in the way
  x11_give_in_parts(60000, SIZE_MAX);
  x11_offer(large);
  x11_key(x, XK_v, "C");
  x11_turn(x, 200);
  x11_offer("!");
  x11_key(x, XK_v, "C");
  x11_until_told(x, PROMPT_KEY, "rain on a roof!");
  x11_give_in_parts(TOO_LARGE, SIZE_MAX);
  x11_offer(large);
  x11_key(x, XK_v, "C");
  x11_turn(x, 200);
  x11_type(x, "?");
  x11_until_told(x, PROMPT_KEY, "rain on a roof!?");
  // as much as a prompt holds of what is large
  large[LARGE] = '\0';
  x11_give_in_parts(7000, SIZE_MAX);
  x11_offer(large);
  x11_key(x, XK_a, "C");
  x11_key(x, XK_v, "C");
  large[MW_PROMPT_BYTES - 1] = '\0';
  x11_until_told(x, PROMPT_KEY, large);
  // a file's name
  snprintf(path, sizeof path, "%s/parts.txt", sound_home);
  FILE *file = fopen(path, "w");
  fputs("a bell in parts", file);
  fclose(file);
  snprintf(uri, sizeof uri, "file://%s\r\n", path);
  x11_give_in_parts(5, SIZE_MAX);
  assert_true(x11_drop(x, uri));
  x11_until_told(x, PROMPT_KEY, "a bell in parts");
  // who stops in the middle is waited for, but not for ever, and nothing else waits
  x11_give_in_parts(5, 2);
  x11_offer("never all of it");
  x11_key(x, XK_v, "C");
  x11_type(x, ".");
  x11_until_told(x, PROMPT_KEY, "a bell in parts.");
  x11_turn(x, 5100);
  x11_give_in_parts(0, 0);
  x11_offer("..");
  x11_key(x, XK_v, "C");
  x11_until_told(x, PROMPT_KEY, "a bell in parts...");
  x11_close_both(x);
  free(large);
}

static void what_others_say_is_written(void **state)
{
  (void)state;
  lv2_host *h;
  x11_host *x = open_window(&h, X11_DARK);
  x11_click(x, WORDS_X, WORDS_Y, 1);
  x11_type(x, "mine");
  x11_until_told(x, PROMPT_KEY, "mine");
  x11_turn(x, 100);
  host_send_text(h, PROMPT_KEY, STRING, "a bell");
  x11_until_told(x, PROMPT_KEY, "a bell");
  x11_turn(x, 100);
  x11_key(x, XK_a, "C");
  x11_key(x, XK_c, "C");
  assert_string_equal(x11_ask(x), "a bell");
  x11_key(x, XK_z, "C"); // and may be undone
  x11_until_told(x, PROMPT_KEY, "mine");
  x11_close_both(x);
}

static void it_generates_and_cancels(void **state)
{
  (void)state;
  lv2_host *h;
  x11_host *x = open_window(&h, X11_DARK);
  x11_picture empty = x11_look(x, "sound-empty");
  x11_click(x, WORDS_X, WORDS_Y, 1);
  x11_type(x, "dog barks");
  x11_until_told(x, PROMPT_KEY, "dog barks");
  x11_click(x, GENERATE_X, MAKING_Y, 1);
  x11_until_value(x, "clip_seconds", 0.29f, 0.31f);
  x11_until_value(x, "generate", 0.0f, 0.0f); // it lets go
  x11_picture made = x11_look(x, "sound-made");
  assert_true(empty.print != made.print);
  host_set(h, "seconds", 60.0f);
  host_set(h, "steps", 50.0f);
  x11_key(x, XK_Return, "C");
  x11_until_value(x, "status", BUSY, BUSY);
  assert_true(x11_look(x, "sound-busy").print != made.print);
  x11_click(x, GENERATE_X, MAKING_Y, 1);
  x11_until_value(x, "status", READY, READY);
  x11_until_value(x, "cancel", 0.0f, 0.0f);
  x11_close_both(x);
}

static void presets_dice_and_numbers_set_ports(void **state)
{
  (void)state;
  lv2_host *h;
  x11_host *x = open_window(&h, X11_LIGHT);
  host_set(h, "steps", 7.0f);
  x11_click(x, LIST_X, dog_y(), 1);
  x11_until_told(x, PROMPT_KEY, "a dog barking");
  mw_preset dog;
  mw_error error;
  assert_int_equal(mw_preset_open(&dog, "dog", &error), MW_OK);
  float seed = host_value(h, "seed");
  assert_true(seed == (float)dog.seed);
  assert_true(host_value(h, "seconds") == 3.0f);
  assert_true(host_value(h, "steps") == 0.0f); // the model's own
  x11_click(x, DICE_X, MAKING_Y, 1);
  assert_true(host_value(h, "seed") != seed);
  float rolled = host_value(h, "seed");
  x11_click(x, DICE_X, MAKING_Y, 1);
  assert_true(host_value(h, "seed") != rolled);
  x11_click(x, SEED_X, MAKING_Y, 1);
  x11_type(x, "1234567\n");
  assert_true(host_value(h, "seed") == 1234567.0f);
  x11_key(x, XK_Up, "");
  assert_true(host_value(h, "seed") == 1234568.0f);
  x11_wheel(x, SEED_X, MAKING_Y, -2);
  assert_true(host_value(h, "seed") == 1234566.0f);
  x11_click(x, SEED_X, MAKING_Y, 2); // back to what is usual
  assert_true(host_value(h, "seed") == 0.0f);
  x11_click(x, LOOP_X, KEYS_Y, 1);
  assert_true(host_value(h, "loop") == 1.0f);
  // a prompt of the port is shown, and becomes the own one when it is written on
  host_set(h, "factory_prompt", 1.0f);
  x11_turn(x, 100);
  x11_click(x, WORDS_X, WORDS_Y, 1);
  x11_key(x, XK_End, "C");
  x11_type(x, "!");
  x11_until_value(x, "factory_prompt", 0.0f, 0.0f);
  x11_turn(x, 100);
  const char *prompt = host_told(h, PROMPT_KEY);
  assert_true(strlen(prompt) > 2 && prompt[strlen(prompt) - 1] == '!');
  x11_close_both(x);
}

static void keys_alone_reach_everything(void **state)
{
  (void)state;
  lv2_host *h;
  x11_host *x = open_window(&h, X11_DARK);
  x11_click(x, WIDTH / 2, 8, 1); // on nothing: the window has the keyboard, and no widget
  x11_keys_handed_up();
  x11_type(x, "q ");
  x11_turn(x, 50);
  assert_int_equal(x11_keys_handed_up(), 2); // they are the host's
  for (int i = 0; i < 3; i++) x11_key(x, XK_Tab, "");
  x11_type(x, "bell");
  x11_until_told(x, PROMPT_KEY, "bell");
  assert_int_equal(x11_keys_handed_up(), 0);
  x11_key(x, XK_Tab, ""); // to the button
  x11_key(x, XK_space, "");
  x11_until_value(x, "clip_seconds", 0.29f, 0.31f);
  for (int i = 0; i < 5; i++) x11_key(x, XK_Tab, "");
  x11_key(x, XK_space, "");
  assert_true(host_value(h, "auto_generate") == 1.0f);
  x11_key(x, XK_Tab, "S");
  x11_key(x, XK_Right, "");
  assert_true(host_value(h, "steps") == 1.0f);
  x11_key(x, XK_Escape, "");
  x11_type(x, "q");
  x11_turn(x, 50);
  assert_int_equal(x11_keys_handed_up(), 1);
  x11_close_both(x);
}

static void it_looks_right_at_any_size(void **state)
{
  (void)state;
  lv2_host *h;
  x11_host *x = open_window(&h, X11_DARK);
  x11_click(x, WORDS_X, WORDS_Y, 1);
  x11_type(x, "rain on a tin roof, and further away a dog that barks at the thunder");
  x11_click(x, GENERATE_X, MAKING_Y, 1);
  x11_until_value(x, "clip_seconds", 0.29f, 0.31f);
  host_set(h, "loop", 1.0f);
  x11_look_at_sizes(x, "sound", WIDTH, HEIGHT, 300);
  x11_close_both(x);
  // the host's scale
  h = sound_open(HOST_EVERYTHING);
  x = x11_open(h, X11_LIGHT, 1.5f);
  x11_picture seen = x11_look(x, "sound-scaled");
  assert_int_equal(seen.width, WIDTH * 3 / 2);
  assert_true(seen.mean > 0.6);
  x11_close_both(x);
}

static void files_are_dropped_and_dragged_out(void **state)
{
  (void)state;
  char path[256];
  char uris[400];
  mw_sound sound;
  mw_error error;
  lv2_host *h;
  x11_host *x = open_window(&h, X11_DARK);
  snprintf(path, sizeof path, "%s/two words.txt", sound_home);
  FILE *file = fopen(path, "w");
  fputs("a dropped bell", file);
  fclose(file);
  snprintf(uris, sizeof uris, "# a comment\r\nhttp://else/where\r\nfile://%s/two%%20words.txt\r\n",
           sound_home);
  assert_true(x11_drop(x, uris));
  x11_until_told(x, PROMPT_KEY, "a dropped bell");
  // what names no file is no harm
  static const char *const bad[] = {"",
                                    "file://",
                                    "file:///a%00b",
                                    "file:///a%zz",
                                    "file:///a%2",
                                    "http://else/where",
                                    "\r\n\r\n\r\n",
                                    "file://host"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) x11_drop(x, bad[i]);
  x11_turn(x, 50);
  assert_string_equal(host_told(h, PROMPT_KEY), "a dropped bell");
  // nothing is dragged while there is nothing
  x11_peer_place(1000, 700, 200);
  x11_pull(x, WAVE_X, WAVE_Y, 1100, 800);
  assert_null(x11_peer_dropped());
  x11_click(x, GENERATE_X, MAKING_Y, 1);
  x11_until_value(x, "clip_seconds", 0.29f, 0.31f);
  for (int i = 1; i < 3; i++) {
    x11_peer_place(1000, 700, 200);
    x11_pull(x, WAVE_X, WAVE_Y, 1100, 800);
    x11_turn(x, 200);
    snprintf(path, sizeof path, "%s/.local/share/meanwave/sounds/a-dropped-bell-7-%d.wav",
             sound_home, i);
    snprintf(uris, sizeof uris, "file://%s\r\n", path);
    assert_non_null(x11_peer_dropped());
    assert_string_equal(x11_peer_dropped(), uris);
    assert_int_equal(mw_sound_read(&sound, path, 0, 0.0, &error), MW_OK);
    assert_true(sound.frames > 0);
    mw_sound_free(&sound);
  }
  // to where nobody takes it
  x11_pull(x, WAVE_X, WAVE_Y, 990, 600);
  x11_click(x, WORDS_X, WORDS_Y, 3);
  x11_type(x, "on");
  x11_until_told(x, PROMPT_KEY, "on");
  x11_close_both(x);
}

static void a_negative_prompt_where_it_has_a_say(void **state)
{
  (void)state;
  enum { NEGATIVE_Y = 198 };
  char guided[TEMP_FOLDER_SIZE];
  sound_folder_make(guided);
  sound_folder_replace(guided, "meanaudio_s_full.pth", NULL);
  sound_folder_replace(guided, "fluxaudio_s_full.pth",
                       "golden/meanaudio/flux_sampler/fluxaudio_tiny.pth");
  lv2_host *h;
  x11_host *x = open_window(&h, X11_DARK);
  x11_picture without = x11_look(x, "sound-without");
  host_send_text(h, MODEL_KEY, PATH, guided);
  x11_until_told(x, GUIDANCE_KEY, "4.5");
  assert_true(x11_look(x, "sound-guided").print != without.print);
  x11_click(x, WORDS_X, NEGATIVE_Y, 1);
  x11_type(x, "rain");
  x11_until_told(x, NEGATIVE_KEY, "rain");
  x11_close_both(x);
  sound_folder_remove(guided);
}

static void nothing_it_is_told_hurts(void **state)
{
  (void)state;
  static const char *const properties[] = {PROMPT_KEY, NEGATIVE_KEY, MESSAGE_KEY, MODEL_KEY,
                                           WAVE_KEY,   GUIDANCE_KEY, SAVE_KEY};
  lv2_host *h;
  x11_host *x = open_window(&h, X11_DARK);
  x11_be_hostile(x, properties, sizeof properties / sizeof properties[0]);
  x11_picture before = x11_look(x, "sound-hostile");
  x11_click(x, WORDS_X, WORDS_Y, 3);
  x11_type(x, "alive");
  x11_until_told(x, PROMPT_KEY, "alive");
  assert_true(x11_look(x, "sound-alive").print != before.print);
  x11_close_both(x);
}

static void windows_come_and_go(void **state)
{
  (void)state;
  enum { COUNT = 3 };
  lv2_host *h[COUNT];
  x11_host *x[COUNT];
  for (int i = 0; i < COUNT; i++) x[i] = open_window(&h[i], i % 2 ? X11_LIGHT : X11_DARK);
  x11_click(x[COUNT - 1], WORDS_X, WORDS_Y, 1); // on top
  x11_type(x[COUNT - 1], "one of three");
  x11_until_told(x[COUNT - 1], PROMPT_KEY, "one of three");
  for (int i = 0; i < COUNT - 1; i++) {
    x11_turn(x[i], 50);
    assert_string_equal(host_told(h[i], PROMPT_KEY), "");
    x11_close_both(x[i]);
  }
  for (int i = 0; i < 20; i++) {
    if (i % 2) x11_lose_parent(x[COUNT - 1]);
    if (i % 4 == 3) x11_turn(x[COUNT - 1], 20);
    x11_close(x[COUNT - 1]);
    x[COUNT - 1] = x11_open(h[COUNT - 1], X11_DARK, 0.0f);
  }
  x11_click(x[COUNT - 1], WORDS_X, WORDS_Y, 1);
  x11_key(x[COUNT - 1], XK_a, "C");
  x11_key(x[COUNT - 1], XK_c, "C");
  assert_string_equal(x11_ask(x[COUNT - 1]), "one of three");
  x11_close_both(x[COUNT - 1]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_arrives),
      cmocka_unit_test(what_comes_in_parts_is_written),
      cmocka_unit_test(what_others_say_is_written),
      cmocka_unit_test(it_generates_and_cancels),
      cmocka_unit_test(presets_dice_and_numbers_set_ports),
      cmocka_unit_test(keys_alone_reach_everything),
      cmocka_unit_test(it_looks_right_at_any_size),
      cmocka_unit_test(files_are_dropped_and_dragged_out),
      cmocka_unit_test(a_negative_prompt_where_it_has_a_say),
      cmocka_unit_test(nothing_it_is_told_hurts),
      cmocka_unit_test(windows_come_and_go),
  };
  unsetenv("XDG_DATA_HOME");
  if (!x11_start(sizeof tests / sizeof tests[0])) return 0;
  int failed = cmocka_run_group_tests(tests, sound_make_folders, sound_remove_folders);
  x11_stop();
  return failed;
}
