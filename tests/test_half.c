// SPDX-License-Identifier: GPL-3.0-or-later
#include "half.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void every_half_comes_back(void **state)
{
  (void)state;
  for (unsigned bits = 0; bits < 0x10000; bits++) {
    float value = half_to_float((uint16_t)bits);
    uint16_t again = float_to_half(value);
    if (isnan(value))
      assert_true((again & 0x7C00) == 0x7C00 && (again & 0x3FF) != 0);
    else
      assert_int_equal(again, bits);
    value = bfloat_to_float((uint16_t)bits);
    if (!isnan(value)) assert_int_equal(float_to_bfloat(value), bits);
  }
}

// Between two neighbours: the nearer one, and the even one from the middle.
static void rounding_is_to_the_nearest_and_even(void **state)
{
  (void)state;
  for (unsigned bits = 0; bits < 0x7BFF; bits++) {
    float low = half_to_float((uint16_t)bits);
    float high = half_to_float((uint16_t)(bits + 1));
    float middle = low + (high - low) / 2;
    assert_int_equal(float_to_half(middle), bits % 2 == 0 ? bits : bits + 1);
    assert_int_equal(float_to_half(nextafterf(middle, low)), bits);
    assert_int_equal(float_to_half(nextafterf(middle, high)), bits + 1);
    assert_int_equal(float_to_half(-middle), 0x8000 | (bits % 2 == 0 ? bits : bits + 1));
  }
  assert_int_equal(float_to_half(65519.0f), 0x7BFF);
  assert_int_equal(float_to_half(65520.0f), 0x7C00);
  assert_int_equal(float_to_half(-1e30f), 0xFC00);
  assert_int_equal(float_to_bfloat(0x1.01p0f), 0x3F80);
  assert_int_equal(float_to_bfloat(0x1.03p0f), 0x3F82);
  assert_true(isnan(bfloat_to_float(float_to_bfloat(nanf("")))));
}

static void known_values(void **state)
{
  (void)state;
  assert_true(half_to_float(0x3C00) == 1.0f);
  assert_true(half_to_float(0xC000) == -2.0f);
  assert_true(half_to_float(0x7BFF) == 65504.0f);
  assert_true(half_to_float(0x0001) == 0x1p-24f);
  assert_true(isinf(half_to_float(0x7C00)));
  assert_true(bfloat_to_float(0x4049) == 3.140625f);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_half_comes_back),
      cmocka_unit_test(rounding_is_to_the_nearest_and_even),
      cmocka_unit_test(known_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
