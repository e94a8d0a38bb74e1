// SPDX-License-Identifier: GPL-3.0-or-later
#include "gate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { RATE = 16000, DELAY = 3200, FRAMES = 5 * RATE, SOUND_FROM = 2 * RATE, SOUND_TO = 3 * RATE };

// -60 dB of hum, and in it a second of 200 Hz at `db` (RMS).
static void make_sound(float *in, float db)
{
  float peak = sqrtf(2.0f) * powf(10.0f, db / 20.0f);
  for (int i = 0; i < FRAMES; i++) {
    in[i] = 1e-3f * sinf(0.02f * (float)i);
    if (i >= SOUND_FROM && i < SOUND_TO) in[i] += peak * sinf(0.0785398f * (float)i);
  }
}

static float *run(const float *in, float threshold_db, size_t cut)
{
  gate *g = NULL;
  float *gains = malloc(FRAMES * sizeof(float));
  assert_int_equal(gate_new(&g, RATE, DELAY, NULL), MW_OK);
  gate_set(g, threshold_db);
  gate_reset(g);
  for (size_t at = 0; at < FRAMES; at += cut)
    gate_run(g, in + at, gains + at, cut < FRAMES - at ? cut : FRAMES - at);
  gate_free(g);
  return gains;
}

static void opens_before_the_onset_and_closes_behind_the_end(void **state)
{
  (void)state;
  static float in[FRAMES];
  make_sound(in, -30.0f);
  float *gains = run(in, -40.0f, 160);
  // the frame i of the input is heard at i + DELAY
  for (int i = 0; i < SOUND_FROM + DELAY - RATE / 10; i++) assert_true(gains[i] == 0.0f);
  for (int i = SOUND_FROM - RATE / 20; i < SOUND_TO + RATE / 10; i++)
    assert_true(gains[i + DELAY] == 1.0f);
  for (int i = SOUND_TO + RATE / 2; i + DELAY < FRAMES; i++) assert_true(gains[i + DELAY] == 0.0f);
  // no step: opening takes 10 ms
  for (int i = 1; i < FRAMES; i++)
    assert_true(fabsf(gains[i] - gains[i - 1]) < 1.6f / (0.01f * RATE));
  free(gains);
}

static void the_threshold_is_in_db_of_full_scale(void **state)
{
  (void)state;
  static float in[FRAMES];
  // RMS over 10 ms ripples by half a decibel with the tone's own period
  for (int above = 0; above < 2; above++) {
    make_sound(in, above ? -29.0f : -31.0f);
    float *gains = run(in, -30.0f, 160);
    float most = 0.0f;
    for (int i = 0; i < FRAMES; i++) most = fmaxf(most, gains[i]);
    assert_true(most == (above ? 1.0f : 0.0f));
    free(gains);
  }
}

static void off_is_open_and_cutting_changes_no_bit(void **state)
{
  (void)state;
  static float in[FRAMES];
  make_sound(in, -30.0f);
  float *open = run(in, MW_GATE_OFF, 160);
  for (int i = 0; i < FRAMES; i++) assert_true(open[i] == 1.0f);
  float *whole = run(in, -40.0f, FRAMES);
  float *cut = run(in, -40.0f, 7);
  assert_memory_equal(whole, cut, FRAMES * sizeof(float));
  free(open);
  free(whole);
  free(cut);
}

static void a_delay_shorter_than_the_look_ahead(void **state)
{
  (void)state;
  gate *g = NULL;
  float in[1000];
  float gains[1000];
  for (int i = 0; i < 1000; i++) in[i] = 0.5f * sinf(0.3f * (float)i);
  for (size_t delay = 0; delay < 500; delay += 499) {
    assert_int_equal(gate_new(&g, RATE, delay, NULL), MW_OK);
    gate_set(g, -20.0f);
    gate_reset(g);
    gate_run(g, in, gains, 1000);
    assert_true(gains[0] < 0.1f && gains[400] == 1.0f);
    gate_free(g);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(opens_before_the_onset_and_closes_behind_the_end),
      cmocka_unit_test(the_threshold_is_in_db_of_full_scale),
      cmocka_unit_test(off_is_open_and_cutting_changes_no_bit),
      cmocka_unit_test(a_delay_shorter_than_the_look_ahead),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
