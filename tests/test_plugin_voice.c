// SPDX-License-Identifier: GPL-3.0-or-later
//
// Meanwave Voice in a strict host: every subset of features, any block, state, voices that are not
// there. Runs with the default model.
#include <math.h>
#include <pthread.h>
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
#include "lv2_trap.h"
#include "meanwave.h"

#define MONO "urn:meanwave:voice"
#define STEREO "urn:meanwave:voice-stereo"
#define FILE_KEY MONO ":file"
#define MODEL_KEY MONO ":model"
#define MESSAGE_KEY MONO ":message"
#define PATH "http://lv2plug.in/ns/ext/atom#Path"
#define STRING "http://lv2plug.in/ns/ext/atom#String"
#define FLOAT "http://lv2plug.in/ns/ext/atom#Float"

enum { READY, LOADING, NO_MODEL, NO_VOICE };          // values of the status port
enum { RATE = 48000, LONGEST = 8192, SHORT = 18000 }; // SHORT: more than the delay

static char folder[] = "/tmp/meanwave-plugin-XXXXXX";
static char models[1024];

// Syllables of a buzz, so that there is something to convert.
static float *speech(size_t frames, unsigned rate_hz)
{
  float *x = malloc((frames + 1) * sizeof(float));
  for (size_t i = 0; i < frames; i++) {
    double t = (double)i / rate_hz;
    double buzz = 0.0;
    for (int k = 1; k < 20; k++) buzz += sin(2.0 * M_PI * 120.0 * k * t) / k;
    x[i] = (float)(0.2 * buzz * fmax(0.0, sin(2.0 * M_PI * 3.0 * t)));
  }
  return x;
}

// Some seconds through a mono instance in blocks of a size; 0: of any size, also none.
static void run_all(lv2_host *h, const float *in, float *out, size_t frames, uint32_t block,
                    bool in_place)
{
  unsigned random = 1;
  for (size_t at = 0; at < frames;) {
    random = random * 1103515245u + 12345u;
    size_t count = block > 0 ? block : (random >> 16) % 3 == 0 ? 0 : (random >> 8) % (LONGEST + 1);
    if (count > frames - at) count = frames - at;
    host_run(h, (const float *[]){in + at}, (float *[]){out + at}, (uint32_t)count, in_place);
    host_work(h);
    at += count;
  }
}

static lv2_host *open_freewheeling(const char *uri, float voice)
{
  lv2_host *h = host_open(uri, RATE, HOST_EVERYTHING, LONGEST);
  host_set(h, "freewheel", 1.0f);
  host_set(h, "voice", voice);
  host_activate(h);
  return h;
}

// What a fresh instance makes of `in` with a voice.
static float *converted(const float *in, size_t frames, float voice)
{
  float *out = malloc((frames + 1) * sizeof(float));
  lv2_host *h = open_freewheeling(MONO, voice);
  run_all(h, in, out, frames, 1024, false);
  host_close(h);
  return out;
}

static float peak_of(const float *x, size_t frames)
{
  float peak = 0.0f;
  for (size_t i = 0; i < frames; i++) peak = fmaxf(peak, fabsf(x[i]));
  return peak;
}

static void sleep_frames(size_t frames)
{
  struct timespec wait = {0, (long)(frames * 1000000000ull / RATE)};
  nanosleep(&wait, NULL);
}

// Runs silence until the plugin has done what it was asked to, in a host with or without a worker.
static void settle(lv2_host *h)
{
  float silence[1024] = {0};
  for (int i = 0; i < 500; i++) {
    host_run(h, (const float *[]){silence, silence}, (float *[]){silence, silence}, 1024, false);
    memset(silence, 0, sizeof silence);
    host_work(h);
    if (host_value(h, "status") != LOADING) return;
    sleep_frames(480);
  }
  fail_msg("still loading");
}

static void every_subset_of_features_at_every_rate(void **state)
{
  (void)state;
  static const unsigned rates[3] = {44100, 48000, 96000};
  static const uint32_t blocks[6] = {1, 64, 688, 1024, 8192, 0};
  for (unsigned features = 0; features <= HOST_EVERYTHING; features++) {
    unsigned rate = rates[features % 3];
    size_t frames = rate / 8;
    float *in = speech(frames, rate);
    float *out = malloc(frames * sizeof(float));
    float *other = malloc(frames * sizeof(float));
    lv2_host *h = host_open(features & 1 ? STEREO : MONO, rate, features, LONGEST);
    host_activate(h);
    uint32_t block = blocks[features % 6] > 0 ? blocks[features % 6] : 333;
    for (size_t at = 0; at < frames; at += block) {
      uint32_t count = (uint32_t)(frames - at < block ? frames - at : block);
      host_run(h, (const float *[]){in + at, in + at}, (float *[]){out + at, other + at}, count,
               false);
    }
    assert_int_equal(host_value(h, "status"), READY);
    assert_true(host_value(h, "latency") > 0.0f);
    assert_null(host_trapped());
    host_deactivate(h);
    host_close(h);
    free(in);
    free(out);
    free(other);
  }
}

static void the_latency_port_is_the_delay(void **state)
{
  (void)state;
  static const unsigned rates[3] = {44100, 48000, 96000};
  for (int r = 0; r < 3; r++) {
    size_t frames = rates[r] / 2;
    float *in = speech(frames, rates[r]);
    float *out = malloc(frames * sizeof(float));
    for (int bypassed = 0; bypassed < 2; bypassed++) {
      lv2_host *h = host_open(MONO, rates[r], HOST_EVERYTHING, LONGEST);
      host_set(h, "freewheel", 1.0f);
      host_set(h, bypassed ? "enabled" : "mix", 0.0f);
      host_activate(h);
      // known before the first frame
      host_run(h, (const float *[]){in}, (float *[]){out}, 0, false);
      size_t latency = (size_t)host_value(h, "latency");
      assert_in_range(latency, 1, frames - 1);
      run_all(h, in, out, frames, 688, false);
      assert_int_equal(host_value(h, "latency"), latency);
      for (size_t i = 0; i < latency; i++) assert_true(out[i] == 0.0f);
      for (size_t i = latency; i < frames; i++) assert_true(out[i] == in[i - latency]);
      host_close(h);
    }
    free(in);
    free(out);
  }
}

static void blocks_change_no_bit(void **state)
{
  (void)state;
  static const uint32_t blocks[6] = {1, 64, 688, 1024, 8192, 0};
  size_t frames = RATE / 2;
  float *in = speech(frames, RATE);
  float *out = malloc(frames * sizeof(float));
  float *reference = converted(in, frames, 2.0f);
  assert_true(peak_of(reference, frames) > 1e-3f);
  for (int b = 0; b < 6; b++) {
    lv2_host *h = open_freewheeling(MONO, 2.0f);
    run_all(h, in, out, frames, blocks[b], b % 2 == 1);
    assert_memory_equal(out, reference, frames * sizeof(float));
    host_close(h);
  }
  free(in);
  free(out);
  free(reference);
}

// The export is the live result, and both are what the stream of the core makes of the file.
static void live_and_export_are_the_stream(void **state)
{
  (void)state;
  size_t frames = RATE;
  float *in = speech(frames, RATE);
  float *live = malloc(frames * sizeof(float));
  float *reference = converted(in, frames, 1.0f);
  size_t latency = 0;
  bool late = true;
  for (int attempt = 0; attempt < 5 && late; attempt++) { // the machine may be busy
    lv2_host *h = host_open(MONO, RATE, HOST_OPTIONS, 1024);
    host_set(h, "voice", 1.0f);
    host_activate(h);
    for (size_t at = 0; at < frames; at += 480) {
      uint32_t count = (uint32_t)(frames - at < 480 ? frames - at : 480);
      host_run(h, (const float *[]){in + at}, (float *[]){live + at}, count, false);
      sleep_frames(count);
    }
    latency = (size_t)host_value(h, "latency");
    late = host_value(h, "late_chunks") > 0.0f;
    assert_null(host_trapped());
    host_close(h);
  }
  assert_false(late);
  assert_memory_equal(live, reference, frames * sizeof(float));

  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  mw_stream *stream = NULL;
  mw_error error;
  if (mw_voice_model_open(&model, NULL, NULL, 1, &error) != MW_OK) fail_msg("%s", error.text);
  const char *name = mw_voice_model_voice(model, 0);
  assert_int_equal(mw_voice_open(&voice, model, name, NULL, &error), MW_OK);
  assert_int_equal(mw_stream_new(&stream, model, voice, RATE, 42, &error), MW_OK);
  float *whole = malloc(frames * sizeof(float));
  mw_stream_run(stream, in, whole, frames);
  size_t spare = latency - mw_stream_delay_frames(stream);
  for (size_t i = spare; i < frames; i++) assert_true(live[i] == whole[i - spare]);
  mw_stream_free(stream);
  mw_voice_close(voice);
  mw_voice_model_close(model);
  free(whole);
  free(in);
  free(live);
  free(reference);
}

static void stereo_keeps_the_sides_of_the_dry_sound(void **state)
{
  (void)state;
  size_t frames = SHORT;
  float *left = speech(frames, RATE);
  float *right = calloc(frames, sizeof(float));
  float *out[2] = {malloc(frames * sizeof(float)), malloc(frames * sizeof(float))};
  for (int bypassed = 0; bypassed < 2; bypassed++) {
    lv2_host *h = host_open(STEREO, RATE, 0, LONGEST);
    host_set(h, "freewheel", 1.0f);
    host_set(h, bypassed ? "enabled" : "mix", 0.0f);
    host_activate(h);
    for (size_t at = 0; at + 1000 <= frames; at += 1000)
      host_run(h, (const float *[]){left + at, right + at}, (float *[]){out[0] + at, out[1] + at},
               1000, at % 2000 == 0);
    size_t latency = (size_t)host_value(h, "latency");
    for (size_t i = latency; i < frames; i++) {
      assert_true(fabsf(out[0][i] - left[i - latency]) < 1e-6f);
      assert_true(fabsf(out[1][i]) < 1e-6f);
    }
    host_close(h);
  }
  // converted, it stands in the middle
  lv2_host *h = open_freewheeling(STEREO, 0.0f);
  for (size_t at = 0; at + 1000 <= frames; at += 1000)
    host_run(h, (const float *[]){left + at, right + at}, (float *[]){out[0] + at, out[1] + at},
             1000, false);
  assert_true(peak_of(out[0], frames) > 1e-3f);
  assert_memory_equal(out[0], out[1], frames * sizeof(float));
  host_close(h);
  free(left);
  free(right);
  free(out[0]);
  free(out[1]);
}

static void switching_does_not_click(void **state)
{
  (void)state;
  enum { BLOCK = 1000, BLOCKS = 96 };
  float out[BLOCK];
  float in[BLOCK];
  float before = 0.0f;
  float steepest[2] = {0.0f, 0.0f}; // while nothing is switched; while much is
  lv2_host *h = open_freewheeling(MONO, 1.0f);
  for (int b = 0; b < BLOCKS; b++) {
    for (int i = 0; i < BLOCK; i++)
      in[i] = 0.3f * (float)sin(2.0 * M_PI * 100.0 * (b * BLOCK + i) / RATE);
    if (b >= 48) {
      host_set(h, "enabled", (float)(b / 3 % 2));
      host_set(h, "voice", (float)(1 + b / 16 % 2));
      host_set(h, "mix", (float)(b / 5 % 2 * 100));
    }
    host_run(h, (const float *[]){in}, (float *[]){out}, BLOCK, false);
    host_work(h);
    for (int i = 0; i < BLOCK; before = out[i++])
      if (b > 20) steepest[b >= 48] = fmaxf(steepest[b >= 48], fabsf(out[i] - before));
  }
  host_close(h);
  assert_true(steepest[0] > 0.0f);
  // a switch without a fade would be a step of up to 0.6
  assert_true(steepest[1] < 2.0f * fmaxf(steepest[0], 0.3f * 2.0f * (float)M_PI * 100.0f / RATE));
}

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
  lv2_host *fresh = host_open(MONO, RATE, 0, 64);
  host_table *empty = host_save_plain(fresh);
  host_close(fresh);
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

static void it_can_be_started_a_hundred_times(void **state)
{
  (void)state;
  size_t frames = SHORT;
  float *in = speech(frames, RATE);
  float *out = malloc(frames * sizeof(float));
  float *reference = converted(in, frames, 0.0f);
  lv2_host *h = host_open(MONO, RATE, 0, LONGEST);
  for (int i = 0; i < 100; i++) {
    host_activate(h);
    run_all(h, in, out, 600, 300, false);
    host_deactivate(h);
  }
  // and begins each time as if it were the first
  host_set(h, "freewheel", 1.0f);
  host_activate(h);
  run_all(h, in, out, frames, 1024, false);
  assert_memory_equal(out, reference, frames * sizeof(float));
  host_deactivate(h);
  host_close(h);
  free(in);
  free(out);
  free(reference);
}

enum { CROWD = 8, CROWD_FRAMES = 18000 };
static lv2_host *crowd[CROWD];
static float *crowd_in;
static float *crowd_out[CROWD];

static void *run_half(void *half)
{
  size_t first = *(const size_t *)half;
  for (size_t at = 0; at < CROWD_FRAMES; at += 1000)
    for (size_t i = first; i < CROWD; i += 2)
      host_run(crowd[i], (const float *[]){crowd_in + at}, (float *[]){crowd_out[i] + at}, 1000,
               false);
  return NULL;
}

static size_t mappings_of(const char *name)
{
  char line[4096];
  size_t count = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps) != NULL) count += strstr(line, name) != NULL;
  fclose(maps);
  return count;
}

static void a_crowd_shares_weights_and_nothing_else(void **state)
{
  (void)state;
  static const size_t halves[2] = {0, 1};
  pthread_t other;
  crowd_in = speech(CROWD_FRAMES, RATE);
  for (size_t i = 0; i < CROWD; i++) {
    crowd[i] = open_freewheeling(MONO, (float)(1 + i % 3));
    crowd_out[i] = calloc(CROWD_FRAMES, sizeof(float));
  }
  assert_int_equal(mappings_of("/voice.safetensors"), 1);
  assert_int_equal(pthread_create(&other, NULL, run_half, (void *)&halves[1]), 0);
  run_half((void *)&halves[0]);
  pthread_join(other, NULL);
  for (size_t i = 0; i < CROWD; i++) {
    float *reference = converted(crowd_in, CROWD_FRAMES, (float)(1 + i % 3));
    assert_memory_equal(crowd_out[i], reference, CROWD_FRAMES * sizeof(float));
    free(reference);
    host_close(crowd[i]);
    free(crowd_out[i]);
  }
  assert_int_equal(mappings_of("/voice.safetensors"), 0);
  free(crowd_in);
}

static void the_trap_catches(void **state)
{
  (void)state;
  if (!trap_works()) skip();
  trap_set(true);
  void *volatile taken = malloc(1);
  trap_set(false);
  free(taken);
  assert_string_equal(trap_take(), "malloc");
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  trap_set(true);
  pthread_mutex_lock(&mutex);
  trap_set(false);
  assert_string_equal(trap_take(), "pthread_mutex_lock");
  assert_null(trap_take());
}

static int make_folder(void **state)
{
  (void)state;
  const char *given = getenv("MEANWAVE_MODELS");
  snprintf(models, sizeof models, "%s", given != NULL ? given : "models");
  setenv("MEANWAVE_MODELS", models, 1);
  unsetenv("XDG_DATA_HOME");
  unsetenv("XDG_CACHE_HOME");
  return mkdtemp(folder) == NULL || setenv("HOME", folder, 1) != 0;
}

static int remove_folder(void **state)
{
  (void)state;
  char command[512];
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_trap_catches),
      cmocka_unit_test(every_subset_of_features_at_every_rate),
      cmocka_unit_test(the_latency_port_is_the_delay),
      cmocka_unit_test(blocks_change_no_bit),
      cmocka_unit_test(live_and_export_are_the_stream),
      cmocka_unit_test(stereo_keeps_the_sides_of_the_dry_sound),
      cmocka_unit_test(switching_does_not_click),
      cmocka_unit_test(properties_are_told),
      cmocka_unit_test(a_voice_comes_from_a_file),
      cmocka_unit_test(nothing_sounds_under_the_name_of_what_is_not_there),
      cmocka_unit_test(the_state_brings_the_voice_back),
      cmocka_unit_test(presets_name_voices_of_the_model),
      cmocka_unit_test(it_can_be_started_a_hundred_times),
      cmocka_unit_test(a_crowd_shares_weights_and_nothing_else),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
