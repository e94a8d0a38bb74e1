// SPDX-License-Identifier: GPL-3.0-or-later
//
// What streaming builds on, bit for bit on every path: a query does not depend on the others, on
// threads, nor on keys that are masked, wherever these stand. (Values against double precision:
// test_kernels.c.)
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu.h"
#include "random.h"

enum { HEADS = 3, SIZE = 20, QUERIES = 29, KEYS = 70, MASKED = 37, WIDTH = HEADS * SIZE };

static float q[QUERIES * WIDTH];
static float k[(MASKED + KEYS) * WIDTH];
static float v[(MASKED + KEYS) * WIDTH];
static float bias[MASKED + KEYS];
static float whole[QUERIES * WIDTH];
static float found[QUERIES * WIDTH];

static int make_values(void **state)
{
  (void)state;
  random_stream noise;
  random_seed(&noise, 3);
  random_normal(&noise, q, QUERIES * WIDTH);
  random_normal(&noise, k, (MASKED + KEYS) * WIDTH);
  random_normal(&noise, v, (MASKED + KEYS) * WIDTH);
  for (size_t j = 0; j < MASKED + KEYS; j++) bias[j] = j < MASKED ? -INFINITY : 0.0f;
  return 0;
}

// The KEYS keys that count, without and with the masked ones in front.
static void attend(const kernels_path *path, size_t first_query, size_t queries, bool with_masked,
                   size_t threads, float *out)
{
  size_t skipped = with_masked ? 0 : MASKED;
  attention a = {
      .heads = HEADS,
      .head_size = SIZE,
      .queries = queries,
      .keys = MASKED + KEYS - skipped,
      .q = q + first_query * WIDTH,
      .q_stride = WIDTH,
      .k = k + skipped * WIDTH,
      .k_stride = WIDTH,
      .v = v + skipped * WIDTH,
      .v_stride = WIDTH,
      .scale = 0.3f,
      .bias = bias + skipped,
      .out = out + first_query * WIDTH,
      .out_stride = WIDTH,
  };
  pool *p = threads > 1 ? pool_new(threads) : NULL;
  a.scratch = malloc(threads * attention_scratch(queries, a.keys, SIZE) * sizeof(float));
  attention_run_on(path, &a, p);
  free(a.scratch);
  pool_free(p);
}

static void masked_keys_change_nothing(void **state)
{
  (void)state;
  for (size_t i = 0; cpu_path_at(i) != NULL; i++) {
    attend(cpu_path_at(i), 0, QUERIES, false, 1, whole);
    attend(cpu_path_at(i), 0, QUERIES, true, 1, found);
    assert_memory_equal(found, whole, sizeof whole);
  }
}

static void queries_and_threads_change_nothing(void **state)
{
  (void)state;
  for (size_t i = 0; cpu_path_at(i) != NULL; i++) {
    attend(cpu_path_at(i), 0, QUERIES, true, 1, whole);
    attend(cpu_path_at(i), 0, QUERIES, true, 3, found);
    assert_memory_equal(found, whole, sizeof whole);
    memset(found, 0, sizeof found);
    for (size_t first = 0, count; first < QUERIES; first += count) {
      count = first % 5 + 1 < QUERIES - first ? first % 5 + 1 : QUERIES - first;
      attend(cpu_path_at(i), first, count, true, 1, found);
    }
    assert_memory_equal(found, whole, sizeof whole);
  }
}

static void a_query_without_keys_gets_zeros(void **state)
{
  (void)state;
  for (size_t i = 0; cpu_path_at(i) != NULL; i++) {
    float scratch[4000];
    attention a = {.heads = 1,
                   .head_size = SIZE,
                   .queries = 2,
                   .keys = MASKED,
                   .q = q,
                   .q_stride = WIDTH,
                   .k = k,
                   .k_stride = WIDTH,
                   .v = v,
                   .v_stride = WIDTH,
                   .scale = 1.0f,
                   .bias = bias,
                   .out = found,
                   .out_stride = SIZE,
                   .scratch = scratch};
    assert_true(attention_scratch(2, MASKED, SIZE) <= 4000);
    attention_run_on(cpu_path_at(i), &a, NULL);
    for (size_t c = 0; c < 2 * SIZE; c++) assert_true(found[c] == 0.0f);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(masked_keys_change_nothing),
      cmocka_unit_test(queries_and_threads_change_nothing),
      cmocka_unit_test(a_query_without_keys_gets_zeros),
  };
  return cmocka_run_group_tests(tests, make_values, NULL);
}
