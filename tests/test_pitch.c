// SPDX-License-Identifier: GPL-3.0-or-later
//
// The pitch tracker on sounds whose pitch is known. Its values against the training code are the
// golden case "pitch".
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pitch.h"

enum { RATE_HZ = 16000, LENGTH = 2 * RATE_HZ };

static float samples[LENGTH];

// A tone of ten falling harmonics.
static void voice_of(float hertz, float loudness)
{
  for (size_t i = 0; i < LENGTH; i++) {
    double sum = 0.0;
    for (int k = 1; k <= 10; k++)
      sum += sin(6.283185307179586 * k * hertz * (double)i / RATE_HZ + k) / k;
    samples[i] = loudness * (float)sum;
  }
}

static void test_tones(void **state)
{
  static const float tones[] = {70.0f, 100.0f, 146.8f, 220.0f, 330.0f, 440.0f};
  (void)state;
  for (size_t i = 0; i < sizeof tones / sizeof *tones; i++) {
    float octaves = 0.0f;
    voice_of(tones[i], 0.2f);
    assert_int_equal(pitch_mean(&octaves, samples, LENGTH, NULL), MW_OK);
    assert_true(fabsf(octaves - log2f(tones[i])) < 0.01f);
  }
}

static void test_unvoiced(void **state)
{
  float octaves = 0.0f;
  pitch_tracker *p = NULL;
  (void)state;
  memset(samples, 0, sizeof samples);
  assert_int_equal(pitch_mean(&octaves, samples, LENGTH, NULL), MW_OK);
  assert_true(isnan(octaves));
  // softer than the floor is silence, whatever its shape
  voice_of(200.0f, 1e-4f);
  assert_int_equal(pitch_mean(&octaves, samples, LENGTH, NULL), MW_OK);
  assert_true(isnan(octaves));
  uint32_t seed = 1;
  double voicing = 0.0;
  for (size_t i = 0; i < LENGTH; i++) {
    seed = seed * 1664525u + 1013904223u;
    samples[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
  }
  assert_int_equal(pitch_tracker_new(&p, NULL), MW_OK);
  enum { FRAMES = 150 };
  for (size_t i = 0; i < FRAMES; i++) voicing += pitch_track(p, samples + i * 160).voicing;
  assert_true(voicing / FRAMES < 0.3);
  pitch_tracker_free(p);
}

// A creak, every second pulse soft, that becomes a clear voice an octave up within half a second:
// the tracker goes with it. Who only looks at the frame before stays in the octave below for ever.
static void test_creak(void **state)
{
  enum { HERTZ = 160, PERIOD = RATE_HZ / HERTZ, CREAK = RATE_HZ / 2, HOP = 160 };
  pitch_tracker *p = NULL;
  (void)state;
  double ring = 0.0;
  double before = 0.0;
  for (size_t i = 0; i < LENGTH; i++) {
    double pulse = i % PERIOD == 0 ? 0.1 : 0.0;
    if (i % (2 * PERIOD) == 0 && i < CREAK) pulse *= 0.4 + 0.6 * (double)i / CREAK;
    double next = pulse + 1.88 * ring - 0.95 * before; // a resonance of 670 Hz
    before = ring;
    ring = next;
    samples[i] = (float)next;
  }
  assert_int_equal(pitch_tracker_new(&p, NULL), MW_OK);
  for (size_t i = 0; i + PITCH_WINDOW <= LENGTH; i += HOP) {
    float octaves = pitch_track(p, samples + i).octaves;
    if (i > 5 * HOP && i < CREAK / 4) assert_true(fabsf(octaves - log2f(HERTZ) + 1.0f) < 0.02f);
    if (i > CREAK) assert_true(fabsf(octaves - log2f(HERTZ)) < 0.02f);
  }
  pitch_tracker_free(p);
}

// A reset tracker knows nothing of what it heard; a frame of no numbers leaves nothing behind.
static void test_reset(void **state)
{
  enum { COUNT = 3 * PITCH_AHEAD };
  pitch_tracker *p = NULL;
  float broken[PITCH_WINDOW];
  (void)state;
  voice_of(120.0f, 0.2f);
  assert_int_equal(pitch_tracker_new(&p, NULL), MW_OK);
  pitch_value first[COUNT];
  pitch_value again[COUNT];
  for (size_t i = 0; i < COUNT; i++) first[i] = pitch_track(p, samples + 777 * i);
  for (size_t i = 0; i < PITCH_WINDOW; i++) broken[i] = NAN;
  for (size_t i = 0; i <= PITCH_AHEAD; i++) pitch_track(p, broken);
  assert_true(pitch_track(p, samples).voicing == 0.0f);
  pitch_tracker_reset(p);
  for (size_t i = 0; i < COUNT; i++) again[i] = pitch_track(p, samples + 777 * i);
  assert_memory_equal(first, again, sizeof first);
  pitch_tracker_free(p);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tones),
      cmocka_unit_test(test_unvoiced),
      cmocka_unit_test(test_creak),
      cmocka_unit_test(test_reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
