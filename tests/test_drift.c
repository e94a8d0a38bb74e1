// SPDX-License-Identifier: GPL-3.0-or-later
#include "drift.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hold.h"

static size_t run_all(drift *d, const float *in, size_t count, float *out, size_t room,
                      size_t piece)
{
  size_t made = 0;
  size_t taken;
  for (size_t at = 0; at < count; at += taken) {
    size_t next = count - at < piece ? count - at : piece;
    made += drift_run(d, in + at, next, &taken, out + made, room - made);
  }
  return made;
}

// A sine comes out at the corrected rate; what is left when the best sine is taken away is error.
static void a_sine_stays_a_sine(void **state)
{
  (void)state;
  enum { COUNT = 20000 };
  static const struct {
    unsigned in_hz;
    unsigned out_hz;
    double correction;
    double hz;
  } cases[] = {
      {48000, 48000, 0.0, 1000.0},     {48000, 48000, 0.0003, 1000.0},
      {48000, 48000, -0.004, 15000.0}, {44100, 48000, 0.0001, 7000.0},
      {48000, 16000, 0.002, 3000.0},   {16000, 48000, -0.002, 5000.0},
  };
  float *in = malloc(COUNT * sizeof(float));
  float *out = malloc(4 * COUNT * sizeof(float));
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    drift *d = NULL;
    assert_int_equal(drift_new(&d, cases[c].in_hz, cases[c].out_hz, NULL), MW_OK);
    drift_correct(d, cases[c].correction);
    double step = 2.0 * M_PI * cases[c].hz / cases[c].in_hz;
    for (size_t i = 0; i < COUNT; i++) in[i] = (float)sin(step * (double)i);
    size_t made = run_all(d, in, COUNT, out, 4 * COUNT, 1000);
    double ratio = (double)cases[c].in_hz / cases[c].out_hz / (1.0 + cases[c].correction);
    assert_true(fabs((double)made - (COUNT - (double)drift_look_ahead(d)) / ratio) < 2.0);
    double worst = 0.0;
    for (size_t k = 1000; k < made; k++)
      worst = fmax(worst, fabs((double)out[k] - sin(step * ratio * (double)k)));
    if (worst > 3e-4) fail_msg("case %zu: off by %g", c, worst);
    drift_free(d);
  }
  free(in);
  free(out);
}

static void cutting_changes_no_bit(void **state)
{
  (void)state;
  enum { COUNT = 5000 };
  float in[COUNT];
  float whole[2 * COUNT];
  float cut[2 * COUNT];
  drift *d = NULL;
  assert_int_equal(drift_new(&d, 44100, 48000, NULL), MW_OK);
  for (size_t i = 0; i < COUNT; i++) in[i] = (float)((i * 7919) % 1000) / 1000.0f - 0.5f;
  drift_correct(d, 0.0002);
  size_t made = run_all(d, in, COUNT, whole, 2 * COUNT, COUNT);
  drift_reset(d);
  drift_correct(d, 0.0002);
  assert_int_equal(run_all(d, in, COUNT, cut, 2 * COUNT, 13), made);
  assert_memory_equal(whole, cut, made * sizeof(float));
  drift_free(d);
}

static void rates_out_of_range_are_refused(void **state)
{
  (void)state;
  drift *d = NULL;
  mw_error error;
  assert_int_equal(drift_new(&d, 999, 48000, &error), MW_ERROR_ARGUMENT);
  assert_non_null(strstr(error.text, "rates go from"));
  assert_int_equal(drift_new(&d, 48000, 768001, &error), MW_ERROR_ARGUMENT);
}

// Four hours of a clock that is 200 ppm off and wanders by 30 more: the filling stays within 2 ms
// of its target, the correction within what nobody hears, and nothing jumps.
static void four_hours_stay_at_the_target(void **state)
{
  (void)state;
  enum { RATE = 2000, IN_BLOCK = 20, OUT_BLOCK = 11 };
  double start = 100.0;
  hold h;
  drift *d = NULL;
  hold_start(&h, start, RATE, 0.03 * RATE);
  assert_int_equal(drift_new(&d, RATE, RATE, NULL), MW_OK);
  float in[IN_BLOCK] = {0.0f};
  float out[2 * IN_BLOCK];
  double level = start;
  double in_time = 0.0;
  double out_time = 0.0;
  double worst = 0.0;
  double strongest = 0.0;
  while (in_time < 4 * 3600.0) {
    double ppm = 200.0 + 30.0 * sin(in_time * 2.0 * M_PI / 1800.0);
    size_t taken;
    level += (double)drift_run(d, in, IN_BLOCK, &taken, out, 2 * IN_BLOCK);
    assert_int_equal(taken, IN_BLOCK);
    double correction = hold_step(&h, level, (double)IN_BLOCK / RATE);
    assert_true(hold_jump(&h) == 0.0);
    drift_correct(d, correction);
    in_time += IN_BLOCK / (RATE * (1.0 + ppm * 1e-6));
    for (; out_time < in_time; out_time += (double)OUT_BLOCK / RATE) level -= OUT_BLOCK;
    if (in_time < 60.0) continue;
    worst = fmax(worst, fabs(h.error));
    strongest = fmax(strongest, fabs(correction));
  }
  if (worst > 0.002 * RATE) fail_msg("off by %g frames", worst);
  if (strongest > 0.0005) fail_msg("corrected by %g", strongest);
  drift_free(d);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_sine_stays_a_sine),
      cmocka_unit_test(cutting_changes_no_bit),
      cmocka_unit_test(rates_out_of_range_are_refused),
      cmocka_unit_test(four_hours_stay_at_the_target),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
