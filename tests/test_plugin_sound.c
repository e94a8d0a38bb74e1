// SPDX-License-Identifier: GPL-3.0-or-later
//
// Meanwave Sound in a strict host, with a small model in the published form.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "lv2_host.h"
#include "meanwave.h"
#include "sound_folder.h"

#define SOUND "urn:meanwave:sound"
#define PROMPT_KEY SOUND ":prompt"
#define MODEL_KEY SOUND ":model"
#define FILE_KEY SOUND ":file"
#define CLIP_KEY SOUND ":clip"
#define MESSAGE_KEY SOUND ":message"
#define PATH "http://lv2plug.in/ns/ext/atom#Path"
#define STRING "http://lv2plug.in/ns/ext/atom#String"

enum { EMPTY, READY, BUSY, NO_MODEL, FAILED }; // values of the status port
enum { RATE = 48000, LONGEST = 8192, FRAMES = RATE / 2, NOTE_ON = 0x90, NOTE_OFF = 0x80 };

static char model[TEMP_FOLDER_SIZE];
static char folder[TEMP_FOLDER_SIZE];
static float out[2][FRAMES];
static float reference[2][FRAMES];
static float rest[2][FRAMES]; // what nobody listens to

static void run_frames(lv2_host *h, float (*to)[FRAMES], size_t frames, uint32_t block)
{
  for (size_t at = 0; at < frames; at += block) {
    uint32_t count = (uint32_t)(frames - at < block ? frames - at : block);
    host_run(h, NULL, (float *[]){to[0] + at, to[1] + at}, count, false);
    host_work(h);
  }
  assert_null(host_trapped());
}

// Runs as long as a third of a second of sound, then until nothing is being generated.
static void settle(lv2_host *h)
{
  const struct timespec pause = {0, 5000000};
  run_frames(h, out, RATE / 3 + 2000, 1024);
  for (int i = 0; i < 4000 && host_value(h, "status") == BUSY; i++) {
    run_frames(h, out, 64, 64);
    nanosleep(&pause, NULL);
  }
  run_frames(h, out, 9600, 1024); // news come in, the old clip goes
  assert_int_not_equal(host_value(h, "status"), BUSY);
}

// Runs until the plugin has told a property that holds the words.
static void wait_for(lv2_host *h, const char *property, const char *words)
{
  const struct timespec pause = {0, 5000000};
  for (int i = 0; i < 4000; i++) {
    const char *told = host_told(h, property);
    if (told != NULL && strstr(told, words) != NULL) return;
    run_frames(h, out, 64, 64);
    nanosleep(&pause, NULL);
  }
  fail_msg("%s: not told '%s'", property, words);
}

static lv2_host *open_sound(unsigned features)
{
  lv2_host *h = host_open(SOUND, RATE, features, LONGEST);
  host_set(h, "seconds", 0.3f);
  host_set(h, "seed", 7.0f);
  host_activate(h);
  run_frames(h, out, RATE / 3 + 2000, 1024); // past the calm of the beginning
  host_send_text(h, MODEL_KEY, PATH, model);
  return h;
}

// A key of full velocity, from silence.
static void play_key(lv2_host *h, int key, float (*to)[FRAMES])
{
  host_send_midi(h, 100, NOTE_ON, (uint8_t)key, 127);
  run_frames(h, to, FRAMES, 1000);
  host_send_midi(h, 0, NOTE_OFF, (uint8_t)key, 0);
  run_frames(h, rest, 9600, 960);
}

static float peak(float (*x)[FRAMES])
{
  float most = 0.0f;
  for (size_t i = 0; i < FRAMES; i++) most = fmaxf(most, fabsf(x[0][i]));
  return most;
}

// What the core makes of the words, at the host's rate.
static mw_sound made_by_core(const char *prompt, uint64_t seed, double seconds)
{
  mw_sound_model *opened = NULL;
  mw_sound sound = {0};
  mw_error error;
  const mw_sound_wish wish = {.prompt = prompt, .seed = seed, .seconds = seconds};
  const mw_sound_finish finish = {.rate_hz = RATE};
  if (mw_sound_model_open(&opened, model, NULL, &error) != MW_OK ||
      mw_sound_generate(&sound, opened, &wish, &error) != MW_OK ||
      mw_sound_finish_up(&sound, &finish, &error) != MW_OK)
    fail_msg("%s", error.text);
  mw_sound_model_close(opened);
  return sound;
}

static void every_subset_of_features_runs(void **state)
{
  (void)state;
  static const unsigned rates[3] = {44100, 48000, 96000};
  static const uint32_t blocks[6] = {1, 64, 688, 1024, 8192, 333};
  for (unsigned features = 0; features <= HOST_EVERYTHING; features++) {
    lv2_host *h = host_open(SOUND, rates[features % 3], features, LONGEST);
    host_activate(h);
    run_frames(h, out, 0, 1);
    host_send_midi(h, 0, NOTE_ON, 60, 100);
    run_frames(h, out, 9000, blocks[features % 6]);
    assert_true(peak(out) == 0.0f);
    assert_int_equal(host_value(h, "status"), EMPTY);
    host_deactivate(h);
    host_close(h);
  }
}

static void words_become_a_sound_on_the_keys(void **state)
{
  (void)state;
  mw_sound wanted = made_by_core("rain on a tin roof", 7, 0.3);
  for (int with_worker = 0; with_worker < 2; with_worker++) {
    lv2_host *h = open_sound(with_worker ? HOST_EVERYTHING : 0);
    host_send_text(h, PROMPT_KEY, STRING, "rain on a tin roof");
    settle(h);
    assert_int_equal(host_value(h, "status"), READY);
    assert_string_equal(host_told(h, PROMPT_KEY), "rain on a tin roof");
    assert_null(host_told(h, MESSAGE_KEY)); // it never changed; asked for by name it is told
    host_send_get(h, NULL);
    run_frames(h, out, 64, 64);
    assert_null(host_told(h, MESSAGE_KEY));
    host_send_get(h, MESSAGE_KEY);
    run_frames(h, out, 64, 64);
    assert_string_equal(host_told(h, MESSAGE_KEY), "");
    assert_true(fabsf(host_value(h, "clip_seconds") - 0.3f) < 0.001f);
    play_key(h, 60, reference);
    assert_true(wanted.frames + 100 < FRAMES);
    for (size_t i = 0; i < 100; i++) assert_true(reference[0][i] == 0.0f);
    assert_memory_equal(reference[0] + 100, wanted.samples, wanted.frames * sizeof(float));
    assert_memory_equal(reference[1], reference[0], sizeof reference[0]);
    // the trigger plays the same, and so do blocks of any size
    host_set(h, "trigger", 1.0f);
    run_frames(h, out, FRAMES, 333);
    assert_memory_equal(out[0], wanted.samples, wanted.frames * sizeof(float));
    host_set(h, "trigger", 0.0f);
    run_frames(h, out, 960, 1);
    // an octave lower it lasts twice as long
    play_key(h, 48, reference);
    assert_true(fabsf(reference[0][wanted.frames + wanted.frames / 2]) < 1.0f);
    float most = 0.0f;
    for (size_t i = wanted.frames + 500; i < FRAMES; i++)
      most = fmaxf(most, fabsf(reference[0][i]));
    assert_true(most > 0.0f);
    host_close(h);
  }
  mw_sound_free(&wanted);
}

static void changes_generate_by_themselves_unless_told_not_to(void **state)
{
  (void)state;
  lv2_host *h = open_sound(HOST_EVERYTHING);
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  settle(h);
  play_key(h, 60, reference);
  host_set(h, "seed", 8.0f);
  settle(h);
  play_key(h, 60, out);
  assert_memory_not_equal(out[0], reference[0], sizeof out[0]);
  host_set(h, "auto_generate", 0.0f);
  host_set(h, "seed", 7.0f);
  settle(h);
  play_key(h, 60, out);
  assert_memory_not_equal(out[0], reference[0], sizeof out[0]);
  host_set(h, "generate", 1.0f);
  run_frames(h, out, 64, 64);
  host_set(h, "generate", 0.0f);
  settle(h);
  play_key(h, 60, out);
  assert_memory_equal(out[0], reference[0], sizeof out[0]);
  host_close(h);
}

static void a_cancelled_generation_leaves_the_sound(void **state)
{
  (void)state;
  lv2_host *h = open_sound(HOST_EVERYTHING);
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  settle(h);
  play_key(h, 60, reference);
  host_set(h, "seconds", 60.0f); // long enough to be caught at it
  host_set(h, "steps", 50.0f);
  for (int i = 0; i < 1000 && host_value(h, "status") != BUSY; i++) run_frames(h, out, 64, 64);
  assert_int_equal(host_value(h, "status"), BUSY);
  float progress = host_value(h, "progress");
  assert_true(progress >= 0.0f && progress <= 100.0f);
  host_set(h, "cancel", 1.0f);
  run_frames(h, out, 64, 64);
  assert_int_equal(host_value(h, "status"), READY);
  assert_true(host_value(h, "progress") == 0.0f);
  host_set(h, "cancel", 0.0f);
  settle(h);
  play_key(h, 60, out);
  assert_memory_equal(out[0], reference[0], sizeof out[0]);
  // and an instance may go while it generates
  host_set(h, "generate", 1.0f);
  run_frames(h, out, 64, 64);
  assert_int_equal(host_value(h, "status"), BUSY);
  host_close(h);
}

static void the_state_holds_the_sound_itself(void **state)
{
  (void)state;
  char session[128];
  snprintf(session, sizeof session, "%s/session", folder);
  lv2_host *h = open_sound(HOST_EVERYTHING);
  host_table *empty = host_save_plain(h);
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  settle(h);
  play_key(h, 60, reference);
  LilvState *saved = host_save(h, session);
  host_table *plain = host_save_plain(h);
  assert_null(host_table_text(plain, CLIP_KEY));
  host_close(h);
  for (int kind = 0; kind < 4; kind++) { // files and none, before activate and while it runs
    h = host_open(SOUND, RATE, kind == 1 ? 0 : HOST_EVERYTHING, LONGEST);
    if (kind >= 2) {
      host_activate(h);
      run_frames(h, out, 9600, 1024);
    }
    if (kind % 2)
      host_restore_plain(h, plain);
    else
      host_restore(h, saved);
    if (kind < 2) host_activate(h);
    for (int i = 0; i < 20; i++) {
      run_frames(h, out, 1000, 1000);
      assert_int_not_equal(host_value(h, "status"), BUSY); // nothing is generated again
    }
    assert_int_equal(host_value(h, "status"), READY);
    assert_string_equal(host_told(h, PROMPT_KEY), "dog barks");
    assert_string_not_equal(host_told(h, MODEL_KEY), ""); // lilv links to it from the session
    play_key(h, 60, out);
    assert_memory_equal(out[0], reference[0], sizeof out[0]);
    // a state without a sound takes it away
    host_restore_plain(h, empty);
    run_frames(h, out, 9600, 1000);
    assert_int_equal(host_value(h, "status"), EMPTY);
    assert_string_equal(host_told(h, PROMPT_KEY), "");
    play_key(h, 60, out);
    assert_true(peak(out) == 0.0f);
    host_close(h);
  }
  // the file is lost: the same words make the same sound
  char command[256];
  snprintf(command, sizeof command, "find %s -name '*.wav' -delete", session);
  assert_int_equal(system(command), 0);
  h = host_open(SOUND, RATE, HOST_EVERYTHING, LONGEST);
  host_restore(h, saved);
  assert_string_not_equal(host_logged(h), "");
  host_activate(h);
  settle(h);
  assert_int_equal(host_value(h, "status"), READY);
  play_key(h, 60, out);
  assert_memory_equal(out[0], reference[0], sizeof out[0]);
  host_close(h);
  lilv_state_free(saved);
  host_table_free(plain);
  host_table_free(empty);
}

static void write_file(const char *path, const char *text)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void prompts_come_from_files(void **state)
{
  (void)state;
  char text[128];
  char preset[128];
  snprintf(text, sizeof text, "%s/words.txt", folder);
  snprintf(preset, sizeof preset, "%s/words.preset", folder);
  write_file(text, "rain on a tin roof\n\n");
  write_file(preset, "about = a dog\nprompt = dog barks\n");
  for (int with_worker = 0; with_worker < 2; with_worker++) {
    lv2_host *h = open_sound(with_worker ? HOST_EVERYTHING : 0);
    host_send_text(h, FILE_KEY, PATH, text);
    wait_for(h, PROMPT_KEY, "rain");
    settle(h);
    assert_string_equal(host_told(h, FILE_KEY), text);
    assert_string_equal(host_told(h, PROMPT_KEY), "rain on a tin roof");
    assert_int_equal(host_value(h, "status"), READY);
    host_send_text(h, FILE_KEY, PATH, preset);
    wait_for(h, PROMPT_KEY, "dog");
    settle(h);
    assert_string_equal(host_told(h, PROMPT_KEY), "dog barks");
    host_send_text(h, FILE_KEY, PATH, "/nowhere/at.all");
    wait_for(h, MESSAGE_KEY, "/nowhere/at.all");
    settle(h);
    assert_string_equal(host_told(h, FILE_KEY), "");
    assert_string_equal(host_told(h, PROMPT_KEY), "dog barks");
    assert_non_null(strstr(host_told(h, MESSAGE_KEY), "/nowhere/at.all"));
    host_close(h);
  }
}

static void what_fails_is_said(void **state)
{
  (void)state;
  lv2_host *h = open_sound(HOST_EVERYTHING);
  host_send_text(h, MODEL_KEY, PATH, "/nowhere/at/all");
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  settle(h);
  assert_int_equal(host_value(h, "status"), NO_MODEL);
  assert_non_null(strstr(host_told(h, MESSAGE_KEY), "/nowhere/at/all"));
  assert_non_null(strstr(host_logged(h), "/nowhere/at/all"));
  host_send_text(h, MODEL_KEY, PATH, model);
  host_send_text(h, PROMPT_KEY, STRING, "\001\002");
  settle(h);
  assert_int_equal(host_value(h, "status"), FAILED);
  assert_string_not_equal(host_told(h, MESSAGE_KEY), "");
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  settle(h);
  assert_int_equal(host_value(h, "status"), READY);
  assert_string_equal(host_told(h, MESSAGE_KEY), "");
  // types that are not the property's, sizes that are not MIDI's
  host_send_text(h, PROMPT_KEY, PATH, "/a/path");
  host_send_number(h, PROMPT_KEY, "http://lv2plug.in/ns/ext/atom#Float", 1.0);
  host_send_bytes(h, "http://lv2plug.in/ns/ext/midi#MidiEvent", "\360\1\2\3\4\367", 6);
  host_send_bytes(h, "http://lv2plug.in/ns/ext/midi#MidiEvent", "", 0);
  host_send_get(h, NULL);
  settle(h);
  assert_string_equal(host_told(h, PROMPT_KEY), "dog barks");
  host_close(h);
}

static void it_can_be_started_a_hundred_times(void **state)
{
  (void)state;
  lv2_host *h = open_sound(0);
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  settle(h);
  play_key(h, 64, reference);
  for (int i = 0; i < 100; i++) {
    host_send_midi(h, 0, NOTE_ON, (uint8_t)(40 + i % 50), 100);
    run_frames(h, out, 500, 250);
    host_deactivate(h);
    host_activate(h);
  }
  play_key(h, 64, out);
  assert_memory_equal(out[0], reference[0], sizeof out[0]);
  host_close(h);
}

static int make_folders(void **state)
{
  (void)state;
  sound_folder_make(model);
  return !temp_folder_make(folder) || setenv("HOME", folder, 1) != 0;
}

static int remove_folders(void **state)
{
  (void)state;
  sound_folder_remove(model);
  return !temp_folder_remove(folder);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_subset_of_features_runs),
      cmocka_unit_test(words_become_a_sound_on_the_keys),
      cmocka_unit_test(changes_generate_by_themselves_unless_told_not_to),
      cmocka_unit_test(a_cancelled_generation_leaves_the_sound),
      cmocka_unit_test(the_state_holds_the_sound_itself),
      cmocka_unit_test(prompts_come_from_files),
      cmocka_unit_test(what_fails_is_said),
      cmocka_unit_test(it_can_be_started_a_hundred_times),
  };
  return cmocka_run_group_tests(tests, make_folders, remove_folders);
}
