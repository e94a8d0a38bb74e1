// SPDX-License-Identifier: GPL-3.0-or-later
//
// How Meanwave Voice sounds in a strict host, and when: every subset of features, any block, delay,
// switches, many instances. Runs with the default model.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "trap.h"
#include "lv2_cost.h"
#include "lv2_voice.h"
#include "meanwave.h"

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
  if (in_valgrind()) skip(); // always late
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

static void the_audio_thread_costs_little(void **state)
{
  (void)state;
  const char *const uris[2] = {MONO, STEREO};
  for (int i = 0; i < 2; i++) {
    lv2_host *h = host_open(uris[i], RATE, HOST_EVERYTHING, LONGEST);
    host_activate(h);
    settle(h);
    cost_is_small(cost_percent(h, 0.1f, uris[i]));
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
    assert_int_equal(host_value(h, "status"), READY);
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
      cmocka_unit_test(the_audio_thread_costs_little),
      cmocka_unit_test(it_can_be_started_a_hundred_times),
      cmocka_unit_test(a_crowd_shares_weights_and_nothing_else),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
