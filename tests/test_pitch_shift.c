// SPDX-License-Identifier: GPL-3.0-or-later
#include "pitch_shift.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pitch.h"

enum { RATE = 16000, FRAMES = 3 * RATE, FROM = RATE };

static double window[FRAMES - FROM];

static int make_window(void **state)
{
  (void)state;
  for (int i = 0; i < FRAMES - FROM; i++)
    window[i] = 0.5 - 0.5 * cos(2 * M_PI * i / (FRAMES - FROM));
  return 0;
}

// Pulses at `hz` through two resonances: a vowel.
static void make_vowel(float *x, double hz)
{
  static const double formants[2][2] = {{700, 80}, {1800, 120}}; // Hz, bandwidth
  double phase = 0.0;
  double state[2][2] = {{0}};
  for (int i = 0; i < FRAMES; i++) {
    phase += hz / RATE;
    double value = phase >= 1.0 ? 0.3 : 0.0;
    phase -= floor(phase);
    for (int f = 0; f < 2; f++) {
      double r = exp(-M_PI * formants[f][1] / RATE);
      double made =
          value + 2 * r * cos(2 * M_PI * formants[f][0] / RATE) * state[f][0] - r * r * state[f][1];
      state[f][1] = state[f][0];
      state[f][0] = made;
      value = made;
    }
    x[i] = (float)(0.1 * value);
  }
}

static float noise(uint32_t *seed)
{
  *seed = *seed * 1664525u + 1013904223u;
  return (float)(int32_t)*seed / 2147483648.0f;
}

static void shift(const float *in, float *out, float semitones, size_t cut)
{
  pitch_shift *p = NULL;
  assert_int_equal(pitch_shift_new(&p, NULL), MW_OK);
  pitch_shift_set(p, semitones);
  pitch_shift_reset(p);
  for (size_t at = 0; at < FRAMES; at += cut)
    pitch_shift_run(p, in + at, out + at, cut < FRAMES - at ? cut : FRAMES - at);
  pitch_shift_free(p);
}

static double rms(const float *x)
{
  double sum = 0.0;
  for (int i = FROM; i < FRAMES; i++) sum += (double)x[i] * x[i];
  return sqrt(sum / (FRAMES - FROM));
}

// Power at a frequency over the last two seconds, under a Hann window: 1 Hz wide (Goertzel).
static double power_at(const float *x, double hz)
{
  double turn = 2 * cos(2 * M_PI * hz / RATE);
  double one = 0.0;
  double two = 0.0;
  for (int i = FROM; i < FRAMES; i++) {
    double now = window[i - FROM] * x[i] + turn * one - two;
    two = one;
    one = now;
  }
  return one * one + two * two - turn * one * two;
}

// The harmonic in 300..1200 Hz that is loudest, in Hz.
static double loudest_harmonic(const float *x, double f0)
{
  double best = 0.0;
  double at = 0.0;
  for (double hz = f0 * ceil(300 / f0); hz < 1200; hz += f0) {
    double power = power_at(x, hz);
    if (power <= best) continue;
    best = power;
    at = hz;
  }
  return at;
}

static void pitch_moves_and_formants_stay(void **state)
{
  (void)state;
  static float in[FRAMES];
  static float out[FRAMES];
  static const float steps[] = {-24, -12, -7, -4, -1, 1, 4, 7, 12, 24};
  static const double hertz[] = {110.0, 171.3, 240.0};
  for (size_t v = 0; v < 3; v++) {
    make_vowel(in, hertz[v]);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
      double f0 = hertz[v] * exp2((double)steps[i] / 12.0);
      shift(in, out, steps[i], FRAMES);
      // nearly all the power sits on the harmonics of the new pitch: nothing rough between them
      double on = 0.0;
      double off = 0.0;
      for (double hz = f0; hz < 2500; hz += f0) {
        for (int k = -2; k <= 2; k++) on += power_at(out, hz + k);
        for (int k = -2; k <= 2; k++) off += power_at(out, hz + f0 / 2 + k);
      }
      if (off > 0.02 * on)
        fail_msg("%g Hz, %g semitones: %g of the power is between the harmonics", hertz[v],
                 (double)steps[i], off / on);
      // loudness within a decibel
      double change = 20 * log10(rms(out) / rms(in));
      if (fabs(change) > 1.0)
        fail_msg("%g Hz, %g semitones: %g dB", hertz[v], (double)steps[i], change);
      // the first formant stays where it was, as near as harmonics can tell
      double formant = loudest_harmonic(out, f0);
      if (fabs(formant - 700) > 0.51 * f0 + 60)
        fail_msg("%g Hz, %g semitones: formant at %g", hertz[v], (double)steps[i], formant);
    }
  }
}

static void at_zero_the_samples_pass_untouched(void **state)
{
  (void)state;
  static float in[FRAMES];
  static float out[FRAMES];
  make_vowel(in, 150);
  shift(in, out, 0.0f, FRAMES);
  for (int i = 0; i < PITCH_SHIFT_DELAY; i++) assert_true(out[i] == 0.0f);
  assert_memory_equal(out + PITCH_SHIFT_DELAY, in, (FRAMES - PITCH_SHIFT_DELAY) * sizeof(float));
}

// What has no pitch is not moved: a hiss stays the hiss it was, in time.
static void noise_stays(void **state)
{
  (void)state;
  static float in[FRAMES];
  static float out[FRAMES];
  uint32_t seed = 5;
  for (int i = 0; i < FRAMES; i++) in[i] = 0.2f * noise(&seed);
  shift(in, out, 7.0f, FRAMES);
  double product = 0.0;
  double power = 0.0;
  for (int i = FROM; i < FRAMES; i++) {
    product += (double)out[i] * in[i - PITCH_SHIFT_DELAY];
    power += (double)in[i - PITCH_SHIFT_DELAY] * in[i - PITCH_SHIFT_DELAY];
  }
  assert_true(product / power > 0.95 && product / power < 1.05);
}

static void cutting_changes_no_bit(void **state)
{
  (void)state;
  static float in[FRAMES];
  static float whole[FRAMES];
  static float cut[FRAMES];
  uint32_t seed = 9;
  make_vowel(in, 130);
  for (int i = RATE / 2; i < RATE; i++) in[i] = 0.1f * noise(&seed);
  shift(in, whole, -5.0f, FRAMES);
  shift(in, cut, -5.0f, 37);
  assert_memory_equal(whole, cut, sizeof whole);
}

// Turned up, down, to zero and on again while a vowel sounds: no sample steps further than those
// of the vowel at rest do, the pitch arrives, and at zero the input is back.
static void changes_do_not_click(void **state)
{
  (void)state;
  enum { EVERY = 12000, CHANGES = 4 };
  static float in[FRAMES];
  static float out[FRAMES];
  static const float steps[CHANGES] = {0.0f, 5.0f, -5.0f, 0.0f};
  pitch_shift *p = NULL;
  make_vowel(in, 140);
  float most = 0.0f;
  for (int i = 1; i < FRAMES; i++) most = fmaxf(most, fabsf(in[i] - in[i - 1]));
  assert_int_equal(pitch_shift_new(&p, NULL), MW_OK);
  for (int k = 0; k < CHANGES; k++) {
    pitch_shift_set(p, steps[k]);
    pitch_shift_run(p, in + k * EVERY, out + k * EVERY, EVERY);
  }
  pitch_shift_free(p);
  for (int i = 1; i < FRAMES; i++) assert_true(fabsf(out[i] - out[i - 1]) < 1.6f * most);
  assert_memory_equal(out + 3 * EVERY + 4000, in + 3 * EVERY + 4000 - PITCH_SHIFT_DELAY,
                      4000 * sizeof(float));
  pitch_tracker *t = NULL;
  assert_int_equal(pitch_tracker_new(&t, NULL), MW_OK);
  for (int k = 0; k < CHANGES; k++) {
    float octaves = 0.0f;
    for (int i = 0; i <= PITCH_AHEAD; i++)
      octaves = pitch_track(t, out + k * EVERY + 6000 + i * 160).octaves;
    assert_true(fabsf(octaves - log2f(140) - steps[k] / 12) < 0.02f);
  }
  pitch_tracker_free(t);
}

// Silence, an offset, full scale, single pulses, and a long run: numbers stay numbers.
static void nothing_breaks_it(void **state)
{
  (void)state;
  static float in[FRAMES];
  static float out[FRAMES];
  uint32_t seed = 3;
  for (int kind = 0; kind < 5; kind++) {
    for (int i = 0; i < FRAMES; i++)
      in[i] = kind == 0   ? 0.0f
              : kind == 1 ? 1.0f
              : kind == 2 ? (i % 97 < 48 ? 8.0f : -8.0f)
              : kind == 3 ? (i % 9000 == 0 ? 1.0f : 0.0f)
                          : noise(&seed) * (i % 400 < 200 ? 1.0f : 1e-20f);
    for (int k = -1; k <= 1; k += 2) {
      shift(in, out, 24.0f * (float)k, 160);
      for (int i = 0; i < FRAMES; i++) assert_true(isfinite(out[i]) && fabsf(out[i]) < 64.0f);
      if (kind == 0)
        for (int i = 0; i < FRAMES; i++) assert_true(out[i] == 0.0f);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pitch_moves_and_formants_stay),
      cmocka_unit_test(at_zero_the_samples_pass_untouched),
      cmocka_unit_test(noise_stays),
      cmocka_unit_test(cutting_changes_no_bit),
      cmocka_unit_test(changes_do_not_click),
      cmocka_unit_test(nothing_breaks_it),
  };
  return cmocka_run_group_tests(tests, make_window, NULL);
}
