// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tones that last turn at their own frequency, all of a lobe together; what is short or noise keeps
// the phases it has.
#include "partials.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "random.h"
#include "trap.h"

enum { TRANSFORM = 640, HOP = 160, BINS = TRANSFORM / 2 + 1, RATE_HZ = 16000, FRAMES = 40 };

static float magnitudes[BINS];
static float phases[BINS];
static float given[BINS];

// Log magnitudes of a chord under a Hann window, of frame `f` of a glide by `glide` Hz a frame.
static void hear_chord(const double *hertz, int tones, double glide, int f)
{
  for (int k = 0; k < BINS; k++) {
    double re = 1e-4;
    double im = 0.0;
    for (int n = 0; n < TRANSFORM; n++) {
      double window = 0.5 - 0.5 * cos(2.0 * M_PI * n / TRANSFORM);
      double turn = -2.0 * M_PI * k * n / TRANSFORM;
      for (int i = 0; i < tones; i++) {
        double tone = cos(2.0 * M_PI * (hertz[i] + glide * f) * n / RATE_HZ + i);
        re += window * tone * cos(turn);
        im += window * tone * sin(turn);
      }
    }
    magnitudes[k] = (float)log(hypot(re, im));
  }
}

static void scatter(int f)
{
  random_stream random;
  random_seed(&random, (uint32_t)f);
  for (int k = 0; k < BINS; k++)
    phases[k] = (float)(2.0 * M_PI * 0x1p-32 * (double)random_next(&random));
  memcpy(given, phases, sizeof given);
}

static double wrapped(double radians)
{
  return radians - 2.0 * M_PI * rint(radians / (2.0 * M_PI));
}

// The frequency that bin k turns at from frame to frame, the one near `hertz`.
static double turning_hz(double before, double after, double hertz)
{
  double expected = 2.0 * M_PI * hertz * HOP / RATE_HZ;
  return hertz + wrapped(after - before - expected) * RATE_HZ / HOP / (2.0 * M_PI);
}

static partials *open_partials(void)
{
  partials *p = NULL;
  assert_int_equal(partials_new(&p, TRANSFORM, HOP, NULL), MW_OK);
  return p;
}

static void chords_turn_at_their_frequencies(void **state)
{
  (void)state;
  const double hertz[3] = {262.3, 391.1, 1001.9};
  partials *p = open_partials();
  double before[3] = {0.0};
  hear_chord(hertz, 3, 0.0, 0);
  for (int f = 0; f < FRAMES; f++) {
    scatter(f);
    trap_set(true);
    partials_follow(p, magnitudes, 0.2f, phases);
    trap_set(false);
    assert_null(trap_take());
    if (f < 2) assert_memory_equal(phases, given, sizeof given);
    for (int i = 0; i < 3; i++) {
      int k = (int)lrint(hertz[i] * TRANSFORM / RATE_HZ);
      if (f > 2) assert_float_equal(turning_hz(before[i], phases[k], hertz[i]), hertz[i], 0.6);
      if (f >= 2)
        for (int n = -2; n < 2; n++)
          assert_float_equal(fabs(wrapped(phases[k + n + 1] - phases[k + n])), M_PI, 1e-4);
      before[i] = phases[k];
    }
  }
  for (int k = 60; k < BINS; k++) assert_true(phases[k] == given[k]); // nothing sounds there
  partials_free(p);
}

static void glides_are_followed_from_bin_to_bin(void **state)
{
  (void)state;
  const double start[1] = {500.0};
  partials *p = open_partials();
  double before = 0.0;
  int last = 0;
  for (int f = 0; f < FRAMES; f++) {
    double hertz = start[0] + 4.0 * f;
    int k = (int)lrint(hertz * TRANSFORM / RATE_HZ);
    hear_chord(start, 1, 4.0, f);
    scatter(f);
    partials_follow(p, magnitudes, 0.0f, phases);
    double middle = phases[k] + M_PI * k;
    if (f > 2) assert_float_equal(turning_hz(before, middle, hertz - 2.0), hertz - 2.0, 0.6);
    before = middle;
    last = k;
  }
  assert_true(last > 25);
  partials_free(p);
}

static void noise_keeps_its_phases(void **state)
{
  (void)state;
  const double hertz[1] = {700.0};
  partials *p = open_partials();
  hear_chord(hertz, 1, 0.0, 0);
  for (int f = 0; f < FRAMES; f++) { // a tone that no three frames have in a row
    scatter(f);
    partials_follow(p, magnitudes, f % 3 == 2 ? 0.6f : 0.1f, phases);
    assert_memory_equal(phases, given, sizeof given);
  }
  for (int k = 0; k < BINS; k++) magnitudes[k] = 0.5f * sinf(0.3f * (float)k); // no lobe as steep
  for (int f = 0; f < FRAMES; f++) {
    scatter(f);
    partials_follow(p, magnitudes, 0.1f, phases);
    assert_memory_equal(phases, given, sizeof given);
  }
  partials_free(p);
}

static void after_a_reset_all_begins_anew(void **state)
{
  (void)state;
  const double hertz[2] = {440.0, 880.0};
  partials *p = open_partials();
  float first[4][BINS];
  hear_chord(hertz, 2, 0.0, 0);
  for (int f = 0; f < 8; f++) {
    if (f == 4) partials_reset(p);
    scatter(f % 4);
    partials_follow(p, magnitudes, 0.0f, phases);
    if (f < 4)
      memcpy(first[f], phases, sizeof phases);
    else
      assert_memory_equal(first[f - 4], phases, sizeof phases);
  }
  partials_free(p);
}

static void no_number_breaks_it(void **state)
{
  (void)state;
  partials *p = open_partials();
  const float broken[4] = {NAN, INFINITY, -INFINITY, 3e38f};
  for (int f = 0; f < FRAMES; f++) {
    scatter(f);
    for (int k = 0; k < BINS; k++) magnitudes[k] = k % 7 == 3 ? broken[f % 4] : (float)(k % 5);
    partials_follow(p, magnitudes, f % 2 == 0 ? NAN : 0.0f, phases);
  }
  partials_free(p);
  assert_int_equal(partials_new(&p, 4, 1, NULL), MW_OK); // a transform smaller than a lobe
  partials_follow(p, magnitudes, 0.0f, phases);
  partials_free(p);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(chords_turn_at_their_frequencies),
      cmocka_unit_test(glides_are_followed_from_bin_to_bin),
      cmocka_unit_test(noise_keeps_its_phases),
      cmocka_unit_test(after_a_reset_all_begins_anew),
      cmocka_unit_test(no_number_breaks_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
