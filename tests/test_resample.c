// SPDX-License-Identifier: GPL-3.0-or-later
#include "resample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { COUNT = 20000 };

static resampler *make(unsigned in_hz, unsigned out_hz)
{
  resampler *r = NULL;
  assert_int_equal(resampler_new(&r, in_hz, out_hz, NULL), MW_OK);
  return r;
}

// Largest error of a resampled sine against the sine at the output's own times, away from the ends.
static double sine_error(unsigned in_hz, unsigned out_hz, double hz, double wanted_gain)
{
  resampler *r = make(in_hz, out_hz);
  float *in = malloc(COUNT * sizeof(float));
  size_t length = resampler_length(r, COUNT);
  float *out = malloc(length * sizeof(float));
  for (size_t i = 0; i < COUNT; i++) in[i] = (float)sin(2.0 * M_PI * hz * (double)i / in_hz);
  resampler_whole(r, in, COUNT, out);
  double error = 0.0;
  size_t edge = (size_t)((double)(2 * resampler_look_ahead(r)) * out_hz / in_hz) + 2;
  assert_true(2 * edge < length);
  for (size_t i = edge; i + edge < length; i++)
    error = fmax(error, fabs(out[i] - wanted_gain * sin(2.0 * M_PI * hz * (double)i / out_hz)));
  free(in);
  free(out);
  resampler_free(r);
  return error;
}

static const unsigned rates[][2] = {{44100, 16000}, {48000, 16000}, {96000, 16000},
                                    {16000, 44100}, {16000, 48000}, {16000, 192000},
                                    {8000, 16000},  {16000, 11025}, {22050, 16000},
                                    {44099, 16000}, {16000, 44099}, {767999, 48000}};

// Below 0.875 of the lower Nyquist frequency a sine keeps time and level: that nothing is shifted
// is part of it.
static void the_passband_is_flat_and_in_time(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
    double lower = rates[i][0] < rates[i][1] ? rates[i][0] : rates[i][1];
    for (int k = 1; k <= 7; k++) {
      double error = sine_error(rates[i][0], rates[i][1], lower / 2.0 * 0.125 * k, 1.0);
      if (error > 1e-4)
        fail_msg("%u to %u Hz: error %g at %d / 8 of the band", rates[i][0], rates[i][1], error, k);
    }
  }
}

// What lies above the lower Nyquist frequency is 90 dB down.
static void nothing_folds_back(void **state)
{
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    for (double hz = 8050.0; hz < rates[i][0] / 2.0; hz += 1234.5) {
      double left = sine_error(rates[i][0], 16000, hz, 0.0);
      if (left > 3.2e-5) fail_msg("%u Hz: %g left of %g Hz", rates[i][0], left, hz);
    }
  }
}

static void cutting_the_input_changes_no_bit(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
    resampler *r = make(rates[i][0], rates[i][1]);
    float *in = malloc(COUNT * sizeof(float));
    size_t length = resampler_length(r, COUNT);
    float *whole = malloc(length * sizeof(float));
    float *parts = calloc(length, sizeof(float));
    for (size_t k = 0; k < COUNT; k++) in[k] = (float)(k * k % 1009) / 504.0f - 1.0f;
    resampler_whole(r, in, COUNT, whole);
    size_t made = 0;
    size_t fed = 0;
    for (uint32_t random = 1; fed < COUNT;) {
      size_t taken;
      random = random * 1664525u + 1013904223u;
      size_t count = random >> 22 < COUNT - fed ? random >> 22 : COUNT - fed;
      size_t room = (random >> 8 & 63) + 1;
      made += resampler_run(r, in + fed, count, &taken, parts + made,
                            room < length - made ? room : length - made);
      fed += taken;
      if (made == length) break;
    }
    for (size_t taken, more = 1; more > 0 && made < length; made += more)
      more = resampler_run(r, in, 0, &taken, parts + made, length - made);
    // all that needs no input beyond the end has come
    double late = (double)(resampler_look_ahead(r) + 1) * rates[i][1] / rates[i][0] + 1.0;
    assert_true((double)made + late >= (double)length);
    assert_memory_equal(whole, parts, made * sizeof(float));
    free(in);
    free(whole);
    free(parts);
    resampler_free(r);
  }
}

static void lengths_are_exact(void **state)
{
  (void)state;
  resampler *r = make(44100, 16000);
  assert_int_equal(resampler_length(r, 0), 0);
  assert_int_equal(resampler_length(r, 1), 1);
  assert_int_equal(resampler_length(r, 441), 160);
  assert_int_equal(resampler_length(r, 442), 161);
  assert_int_equal(resampler_length(r, 44100u * 3600u * 24u), (size_t)16000 * 3600 * 24);
  resampler_free(r);
  mw_error error;
  assert_int_equal(resampler_new(&r, 0, 16000, &error), MW_ERROR_ARGUMENT);
  assert_int_equal(resampler_new(&r, 16000, 4000000000u, &error), MW_ERROR_ARGUMENT);
}

static void equal_rates_and_constants_pass(void **state)
{
  (void)state;
  resampler *r = make(16000, 16000);
  float in[500];
  float out[500];
  for (int i = 0; i < 500; i++) in[i] = 1.0f;
  resampler_whole(r, in, 500, out);
  for (int i = 120; i < 380; i++) assert_true(fabsf(out[i] - 1.0f) < 1e-6f);
  resampler_free(r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_passband_is_flat_and_in_time), cmocka_unit_test(nothing_folds_back),
      cmocka_unit_test(cutting_the_input_changes_no_bit), cmocka_unit_test(lengths_are_exact),
      cmocka_unit_test(equal_rates_and_constants_pass),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
