// SPDX-License-Identifier: GPL-3.0-or-later
#include "arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void memory_is_zeroed_aligned_and_apart(void **state)
{
  (void)state;
  arena *a = arena_new();
  float *first = arena_floats(a, 3);
  float *second = arena_floats(a, 100000);
  assert_int_equal((uintptr_t)first % 64, 0);
  assert_int_equal((uintptr_t)second % 64, 0);
  for (size_t i = 0; i < 100000; i++) assert_true(second[i] == 0.0f);
  memset(second, 0xFF, 100000 * sizeof(float));
  assert_true(first[0] == 0.0f && first[2] == 0.0f);
  assert_false(arena_failed(a));
  arena_free(a);
}

static void overflow_is_a_failure(void **state)
{
  (void)state;
  arena *a = arena_new();
  assert_null(arena_take(a, SIZE_MAX / 2, 4));
  assert_true(arena_failed(a));
  arena_free(a);
}

static void released_memory_is_used_again(void **state)
{
  (void)state;
  arena *a = arena_new();
  float *kept = arena_floats(a, 16);
  kept[5] = 5.0f;
  arena_mark mark = arena_set_mark(a);
  float *before = arena_floats(a, 50000);
  float *large = arena_floats(a, 500000);
  before[0] = large[0] = 1.0f;
  size_t bytes = arena_bytes(a);
  arena_release(a, mark);
  assert_true(arena_bytes(a) < bytes);
  float *again = arena_floats(a, 50000);
  float *large_again = arena_floats(a, 500000);
  assert_ptr_equal(again, before);
  assert_ptr_equal(large_again, large);
  assert_true(again[0] == 0.0f && large_again[0] == 0.0f);
  assert_true(kept[5] == 5.0f);
  assert_int_equal(arena_bytes(a), bytes);
  arena_free(a);
}

static void an_empty_mark_gives_everything_back(void **state)
{
  (void)state;
  arena *a = arena_new();
  arena_mark mark = arena_set_mark(a);
  arena_floats(a, 1000);
  arena_floats(a, 1000000);
  arena_release(a, mark);
  assert_int_equal(arena_bytes(a), 0);
  assert_non_null(arena_floats(a, 1000));
  arena_free(a);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
      cmocka_unit_test(overflow_is_a_failure),
      cmocka_unit_test(released_memory_is_used_again),
      cmocka_unit_test(an_empty_mark_gives_everything_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
