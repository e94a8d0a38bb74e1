// SPDX-License-Identifier: GPL-3.0-or-later
//
// What Meanwave Voice is told and tells, keeps and finds again: properties, voice files, state,
// presets, voices that are not there.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lv2_voice.h"
#include "meanwave.h"

#define FILE_KEY MONO ":file"
#define MODEL_KEY MONO ":model"
#define MESSAGE_KEY MONO ":message"
#define VOICES_KEY MONO ":voices"
#define FILES_KEY MONO ":files"
#define SAVE_KEY MONO ":save"
#define PATH "http://lv2plug.in/ns/ext/atom#Path"
#define STRING "http://lv2plug.in/ns/ext/atom#String"
#define FLOAT "http://lv2plug.in/ns/ext/atom#Float"

static void properties_are_told(void **state)
{
  (void)state;
  static const float garbage[4] = {1e30f, -1.0f, 0.0f, 3.0f};
  float sound[64] = {0};
  float *const out[1] = {sound};
  const float *const in[1] = {sound};
  lv2_host *h = host_open(MONO, RATE, HOST_EVERYTHING, 64);
  host_activate(h);
  host_run(h, in, out, 64, false);
  size_t count = host_told_count(h);
  host_send_get(h, NULL);
  host_run(h, in, out, 0, false);
  assert_int_equal(host_told_count(h), count + 2);
  assert_string_equal(host_told(h, FILE_KEY), "");
  assert_string_equal(host_told(h, MODEL_KEY), "");
  host_send_get(h, FILE_KEY);
  host_run(h, in, out, 64, false);
  assert_int_equal(host_told_count(h), count + 3);
  // hosts have no place for what they cannot write: only when asked for by name, or changed
  assert_null(host_told(h, MESSAGE_KEY));
  host_send_get(h, MESSAGE_KEY);
  host_run(h, in, out, 64, false);
  assert_string_equal(host_told(h, MESSAGE_KEY), "");
  assert_int_equal(host_told_count(h), count + 4);
  host_send_get(h, "urn:nobody:knows");
  host_run(h, in, out, 64, false);
  assert_int_equal(host_told_count(h), count + 4);
  // what is no path of the plugin's is not listened to
  host_send_text(h, FILE_KEY, STRING, "/a/string");
  host_send_number(h, FILE_KEY, FLOAT, 1.0);
  host_send_text(h, "urn:nobody:knows", PATH, "/a/path");
  host_send_bytes(h, "http://lv2plug.in/ns/ext/atom#Object", garbage, sizeof garbage);
  host_send_bytes(h, "http://lv2plug.in/ns/ext/atom#Object", garbage, 0);
  host_run(h, in, out, 64, false);
  assert_int_equal(host_value(h, "status"), READY);
  static char long_path[5000];
  memset(long_path, 'x', sizeof long_path - 1);
  host_send_text(h, FILE_KEY, PATH, long_path);
  host_run(h, in, out, 64, false);
  assert_int_equal(host_value(h, "status"), READY);
  host_close(h);
}

static void make_voice_file(const char *path, size_t index)
{
  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  mw_error error;
  if (mw_voice_model_open(&model, NULL, NULL, 1, &error) != MW_OK) fail_msg("%s", error.text);
  const char *name = mw_voice_model_voice(model, index);
  assert_int_equal(mw_voice_open(&voice, model, name, NULL, &error), MW_OK);
  if (mw_voice_save(voice, path, name, "", true, &error) != MW_OK) fail_msg("%s", error.text);
  mw_voice_close(voice);
  mw_voice_model_close(model);
}

// What an instance with a file makes is what one with that voice of the model makes.
static void sounds_like(lv2_host *h, float voice)
{
  size_t frames = SHORT;
  float *in = speech(frames, RATE);
  float *out = malloc(frames * sizeof(float));
  float *reference = converted(in, frames, voice);
  host_deactivate(h);
  host_set(h, "freewheel", 1.0f);
  host_activate(h);
  run_all(h, in, out, frames, 1024, false);
  assert_true(peak_of(out, frames) > 1e-3f);
  assert_memory_equal(out, reference, frames * sizeof(float));
  host_set(h, "freewheel", 0.0f);
  free(in);
  free(out);
  free(reference);
}

static void a_voice_comes_from_a_file(void **state)
{
  (void)state;
  char path[512];
  snprintf(path, sizeof path, "%s/third.voice", folder);
  make_voice_file(path, 2);
  for (int with_worker = 0; with_worker < 2; with_worker++) {
    lv2_host *h = host_open(MONO, RATE, with_worker ? HOST_EVERYTHING : 0, LONGEST);
    host_activate(h);
    settle(h);
    host_send_text(h, FILE_KEY, PATH, path);
    settle(h);
    assert_null(host_trapped());
    assert_string_equal(host_told(h, FILE_KEY), path);
    sounds_like(h, 3.0f);
    // a voice of the model goes before the file, and the file is there again after it
    host_set(h, "voice", 2.0f);
    settle(h);
    sounds_like(h, 2.0f);
    host_set(h, "voice", 0.0f);
    settle(h);
    assert_null(host_trapped());
    sounds_like(h, 3.0f);
    host_close(h);
  }
}

static void nothing_sounds_under_the_name_of_what_is_not_there(void **state)
{
  (void)state;
  size_t frames = SHORT;
  float *in = speech(frames, RATE);
  float *out = malloc(frames * sizeof(float));
  lv2_host *h = open_freewheeling(MONO, 0.0f);
  settle(h);
  host_send_text(h, FILE_KEY, PATH, "/nowhere/at/all.voice");
  settle(h);
  assert_int_equal(host_value(h, "status"), NO_VOICE);
  assert_string_equal(host_told(h, FILE_KEY), "");
  assert_non_null(strstr(host_told(h, MESSAGE_KEY), "/nowhere/at/all.voice"));
  assert_non_null(strstr(host_logged(h), "/nowhere/at/all.voice"));
  run_all(h, in, out, frames, 1024, false);
  assert_true(peak_of(out, frames) == 0.0f);
  // the file may come back: the state still names it
  host_table *table = host_save_plain(h);
  assert_string_equal(host_table_text(table, FILE_KEY), "/nowhere/at/all.voice");
  host_table_free(table);
  host_set(h, "voice", 1000.0f);
  settle(h);
  assert_int_equal(host_value(h, "status"), NO_VOICE);
  host_set(h, "voice", 1.0f);
  settle(h);
  assert_int_equal(host_value(h, "status"), READY);
  run_all(h, in, out, frames, 1024, false);
  assert_true(peak_of(out, frames) > 1e-3f);
  host_send_text(h, MODEL_KEY, PATH, folder);
  settle(h);
  assert_int_equal(host_value(h, "status"), NO_MODEL);
  host_send_text(h, MODEL_KEY, PATH, "");
  settle(h);
  assert_int_equal(host_value(h, "status"), READY);
  host_close(h);

  setenv("MEANWAVE_MODELS", "/nowhere", 1);
  h = open_freewheeling(MONO, 0.0f);
  run_all(h, in, out, frames, 1024, true);
  assert_int_equal(host_value(h, "status"), NO_MODEL);
  assert_true(peak_of(out, frames) == 0.0f);
  host_close(h);
  setenv("MEANWAVE_MODELS", models, 1);
  free(in);
  free(out);
}

static void the_state_brings_the_voice_back(void **state)
{
  (void)state;
  char path[512];
  char session[512];
  char command[1200];
  snprintf(path, sizeof path, "%s/second.voice", folder);
  snprintf(session, sizeof session, "%s/session", folder);
  make_voice_file(path, 1);
  lv2_host *h = host_open(MONO, RATE, HOST_EVERYTHING, LONGEST);
  host_activate(h);
  host_send_text(h, FILE_KEY, PATH, path);
  host_set(h, "pitch", 0.0f);
  host_set(h, "gain", -3.0f);
  settle(h);
  host_table *empty = host_table_of("urn:nobody:knows", STRING, "");
  LilvState *saved = host_save(h, session);
  host_table *plain = host_save_plain(h);
  host_close(h);

  for (int running = 0; running < 2; running++) { // restored before activate, and while it runs
    h = host_open(MONO, RATE, running ? 0 : HOST_EVERYTHING, LONGEST);
    if (running) {
      host_activate(h);
      settle(h);
    }
    host_restore(h, saved);
    host_restore(h, saved);
    assert_true(host_value(h, "gain") == -3.0f);
    host_set(h, "gain", 0.0f);
    if (!running) host_activate(h);
    settle(h);
    assert_non_null(strstr(host_told(h, FILE_KEY), "second.voice"));
    sounds_like(h, 2.0f);
    // a state without a file empties it
    host_restore_plain(h, empty);
    settle(h);
    assert_string_equal(host_told(h, FILE_KEY), "");
    sounds_like(h, 1.0f);
    // so does one that Carla saves over another, for it keeps what nothing is stored over
    host_table *over = host_table_of(FILE_KEY, PATH, path);
    host_save_over(h, over, "");
    host_restore_plain(h, over);
    settle(h);
    assert_string_equal(host_told(h, FILE_KEY), "");
    sounds_like(h, 1.0f);
    host_table_free(over);
    host_close(h);
  }

  // the file has moved to the user's voices
  snprintf(command, sizeof command,
           "mkdir -p %s/data/meanwave/voices && mv %s %s/data/meanwave/voices", folder, path,
           folder);
  assert_int_equal(system(command), 0);
  snprintf(command, sizeof command, "%s/data", folder);
  setenv("XDG_DATA_HOME", command, 1);
  h = host_open(MONO, RATE, HOST_EVERYTHING, LONGEST);
  host_restore_plain(h, plain);
  assert_non_null(strstr(host_logged(h), "is gone"));
  host_activate(h);
  sounds_like(h, 2.0f);
  host_close(h);
  // another file of that name is another voice
  snprintf(command, sizeof command, "echo >> %s/data/meanwave/voices/second.voice", folder);
  assert_int_equal(system(command), 0);
  h = host_open(MONO, RATE, HOST_EVERYTHING, LONGEST);
  host_restore_plain(h, plain);
  host_activate(h);
  settle(h);
  assert_int_equal(host_value(h, "status"), NO_VOICE);
  host_close(h);
  unsetenv("XDG_DATA_HOME");
  lilv_state_free(saved);
  host_table_free(plain);
  host_table_free(empty);
}

static void wait_a_little(lv2_host *h)
{
  settle(h);
  sleep_frames(960);
}

static void the_voice_goes_to_a_file_and_the_files_are_told(void **state)
{
  (void)state;
  char data[256];
  char path[512];
  snprintf(data, sizeof data, "%s/user", folder);
  snprintf(path, sizeof path, "%s/meanwave/voices/kept.voice", data);
  setenv("XDG_DATA_HOME", data, 1);
  for (int with_worker = 0; with_worker < 2; with_worker++) {
    lv2_host *h = host_open(MONO, RATE, with_worker ? HOST_EVERYTHING : 0, LONGEST);
    host_set(h, "voice", 2.0f);
    host_activate(h);
    settle(h);
    assert_null(host_told(h, VOICES_KEY));
    host_send_get(h, VOICES_KEY);
    settle(h);
    assert_non_null(strstr(host_told(h, VOICES_KEY), "cedar"));
    host_send_get(h, FILES_KEY);
    settle(h);
    assert_string_equal(host_told(h, FILES_KEY), "");
    host_send_text(h, SAVE_KEY, PATH, path); // into a folder that is not there
    for (int i = 0; i < 100 && host_told(h, SAVE_KEY) == NULL; i++) wait_a_little(h);
    assert_string_equal(host_told(h, SAVE_KEY), "");
    assert_non_null(strstr(host_told(h, MESSAGE_KEY), path));
    assert_int_equal(host_value(h, "status"), READY);
    char command[600];
    snprintf(command, sizeof command, "mkdir -p %s/meanwave/voices", data);
    assert_int_equal(system(command), 0);
    host_send_text(h, SAVE_KEY, PATH, path);
    for (int i = 0; i < 100 && strcmp(host_told(h, SAVE_KEY), path) != 0; i++) wait_a_little(h);
    assert_string_equal(host_told(h, SAVE_KEY), path);
    assert_string_equal(host_told(h, FILES_KEY), path);
    host_set(h, "voice", 0.0f);
    host_send_text(h, FILE_KEY, PATH, path);
    settle(h);
    sounds_like(h, 2.0f);
    host_close(h);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(strcat(data, "/meanwave/voices")), 0);
    snprintf(data, sizeof data, "%s/user", folder);
  }
  unsetenv("XDG_DATA_HOME");
}

static void meters_show_what_comes_and_goes(void **state)
{
  (void)state;
  float half[480];
  float heard[480];
  for (size_t i = 0; i < 480; i++) half[i] = i % 2 ? 0.5f : -0.5f;
  lv2_host *h = open_freewheeling(MONO, 1.0f);
  host_set(h, "enabled", 0.0f);
  host_run(h, (const float *[]){heard}, (float *[]){heard}, 0, false);
  assert_true(host_value(h, "level_in") == -90.0f && host_value(h, "level_out") == -90.0f);
  float delay = 1000.0f * host_value(h, "latency") / RATE;
  assert_true(fabsf(host_value(h, "delay") - delay) < 0.01f);
  for (size_t at = 0; at < RATE; at += 480)
    host_run(h, (const float *[]){half}, (float *[]){heard}, 480, false);
  assert_true(fabsf(host_value(h, "level_in") + 6.02f) < 0.01f);
  assert_true(fabsf(host_value(h, "level_out") + 6.02f) < 0.01f);
  memset(half, 0, sizeof half);
  for (size_t at = 0; at < RATE / 2; at += 480)
    host_run(h, (const float *[]){half}, (float *[]){heard}, 480, false);
  assert_true(fabsf(host_value(h, "level_in") + 16.02f) < 0.1f); // 20 dB a second
  host_close(h);
}

static void presets_name_voices_of_the_model(void **state)
{
  (void)state;
  mw_error error;
  mw_voice_model *model = NULL;
  if (mw_voice_model_open(&model, NULL, NULL, 1, &error) != MW_OK) fail_msg("%s", error.text);
  size_t cedar = 0;
  for (;; cedar++) {
    const char *name = mw_voice_model_voice(model, cedar);
    assert_non_null(name);
    if (strcmp(name, "cedar") == 0) break;
  }
  mw_voice_model_close(model);
  const char *const uris[2] = {MONO, STEREO};
  for (int i = 0; i < 2; i++) {
    char preset[128];
    snprintf(preset, sizeof preset, "%s:preset:deep", uris[i]);
    lv2_host *h = host_open(uris[i], RATE, HOST_EVERYTHING, LONGEST);
    host_load_preset(h, preset); // presets/voice/deep.preset: cedar, a third lower
    assert_true(host_value(h, "voice") == (float)(cedar + 1)); // 0: the voice of the path
    assert_true(host_value(h, "pitch") == -4.0f);
    assert_true(host_value(h, "mix") == 100.0f);
    assert_true(host_value(h, "gate") == -60.0f);
    host_close(h);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(properties_are_told),
      cmocka_unit_test(a_voice_comes_from_a_file),
      cmocka_unit_test(nothing_sounds_under_the_name_of_what_is_not_there),
      cmocka_unit_test(the_state_brings_the_voice_back),
      cmocka_unit_test(the_voice_goes_to_a_file_and_the_files_are_told),
      cmocka_unit_test(meters_show_what_comes_and_goes),
      cmocka_unit_test(presets_name_voices_of_the_model),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
