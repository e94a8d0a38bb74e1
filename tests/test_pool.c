// SPDX-License-Identifier: GPL-3.0-or-later
#include "pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { JOBS = 500 };

typedef struct {
  atomic_int done[JOBS];
  atomic_size_t highest_thread;
} tally;

static void count_one(void *argument, size_t index, size_t thread)
{
  tally *t = argument;
  atomic_fetch_add(&t->done[index], 1);
  if (thread > atomic_load(&t->highest_thread)) atomic_store(&t->highest_thread, thread);
}

static void every_index_runs_once(void **state)
{
  (void)state;
  pool *p = pool_new(4);
  assert_non_null(p);
  assert_int_equal(pool_threads(p), 4);
  for (int round = 0; round < 200; round++) {
    tally t;
    memset(&t, 0, sizeof t);
    size_t count = (size_t)(round * 7 % JOBS);
    pool_run(p, count, count_one, &t);
    for (size_t i = 0; i < JOBS; i++) assert_int_equal(t.done[i], i < count ? 1 : 0);
    assert_true(t.highest_thread < 4);
  }
  pool_free(p);
}

static void no_pool_is_the_callers_thread(void **state)
{
  (void)state;
  tally t;
  memset(&t, 0, sizeof t);
  pool_run(NULL, JOBS, count_one, &t);
  assert_int_equal(t.highest_thread, 0);
  assert_int_equal(t.done[JOBS - 1], 1);
  assert_int_equal(pool_threads(NULL), 1);
  pool_free(NULL);
}

static void the_default_is_at_least_one_thread(void **state)
{
  (void)state;
  pool *p = pool_new(0);
  assert_true(pool_threads(p) >= 1);
  pool_free(p);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_index_runs_once),
      cmocka_unit_test(no_pool_is_the_callers_thread),
      cmocka_unit_test(the_default_is_at_least_one_thread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
