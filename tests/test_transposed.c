// SPDX-License-Identifier: GPL-3.0-or-later
#include "transposed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"

enum { INPUTS = 11, OUTPUTS = 5, ROWS = 9, MARGIN = 8 };

// The definition, scattering in double. Sums of at most 11 x 4 products of size 1: float rounding
// stays below 1e-5.
static void check(size_t taps, size_t stride)
{
  static float x[(ROWS + 2 * MARGIN) * INPUTS];
  static float values[INPUTS * OUTPUTS * 16];
  static float y[ROWS * 8 * OUTPUTS];
  static double wanted[ROWS * 8 * OUTPUTS];
  size_t padding = (taps - stride) / 2;
  float bias[OUTPUTS];
  random_stream noise;
  transposed *t;
  mw_error error;
  random_seed(&noise, taps);
  memset(x, 0, sizeof x);
  random_normal(&noise, x + MARGIN * INPUTS, ROWS * INPUTS);
  random_normal(&noise, values, INPUTS * OUTPUTS * taps);
  random_normal(&noise, bias, OUTPUTS);
  for (size_t n = 0; n < ROWS * stride * OUTPUTS; n++) wanted[n] = (double)bias[n % OUTPUTS];
  for (size_t s = 0; s < ROWS; s++)
    for (size_t j = 0; j < taps; j++) {
      size_t at = stride * s + j;
      if (at < padding || at - padding >= ROWS * stride) continue;
      for (size_t i = 0; i < INPUTS; i++)
        for (size_t o = 0; o < OUTPUTS; o++)
          wanted[(at - padding) * OUTPUTS + o] +=
              (double)x[(MARGIN + s) * INPUTS + i] * (double)values[(i * OUTPUTS + o) * taps + j];
    }
  assert_int_equal(transposed_new(&t, INPUTS, OUTPUTS, taps, stride, padding, values, bias, &error),
                   MW_OK);
  assert_true(transposed_before(t) <= MARGIN && transposed_after(t) <= MARGIN);
  transposed_run(t, x + MARGIN * INPUTS, INPUTS, ROWS, y, OUTPUTS, NULL);
  for (size_t n = 0; n < ROWS * stride * OUTPUTS; n++)
    assert_true(fabs((double)y[n] - wanted[n]) < 1e-5);
  // A row alone, as a stream would do it, has the same bits.
  float part[8 * OUTPUTS];
  transposed_run(t, x + (MARGIN + 4) * INPUTS, INPUTS, 1, part, OUTPUTS, NULL);
  assert_memory_equal(part, y + 4 * stride * OUTPUTS, stride * OUTPUTS * sizeof(float));
  transposed_free(t);
}

static void equals_its_definition(void **state)
{
  (void)state;
  check(8, 4);
  check(4, 2);
  check(16, 8);
  check(3, 1);
  check(2, 2);
  check(7, 3);
}

static void refuses_impossible_shapes(void **state)
{
  (void)state;
  transposed *t;
  float one[4] = {0.0f};
  mw_error error;
  assert_int_not_equal(transposed_new(&t, 1, 1, 1, 2, 0, one, NULL, &error), MW_OK);
  assert_int_not_equal(transposed_new(&t, 1, 1, 2, 0, 0, one, NULL, &error), MW_OK);
  assert_int_not_equal(transposed_new(&t, 1, 1, 2, 2, 2, one, NULL, &error), MW_OK);
  assert_int_not_equal(transposed_new(&t, SIZE_MAX / 2, 8, 2, 2, 0, one, NULL, &error), MW_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equals_its_definition),
      cmocka_unit_test(refuses_impossible_shapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
