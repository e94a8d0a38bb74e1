// SPDX-License-Identifier: GPL-3.0-or-later
#include "ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>

static void it_holds_its_capacity_and_no_more(void **state)
{
  (void)state;
  float values[40];
  for (int i = 0; i < 40; i++) values[i] = (float)i;
  ring *r = ring_new(20);
  assert_int_equal(ring_capacity(r), 32);
  assert_int_equal(ring_write(r, values, 40), 32);
  assert_int_equal(ring_write(r, values, 1), 0);
  assert_int_equal(ring_readable(r), 32);
  float back[40];
  assert_int_equal(ring_read(r, back, 5), 5);
  assert_int_equal(ring_skip(r, 3), 3);
  assert_int_equal(ring_read(r, back, 40), 24);
  for (int i = 0; i < 24; i++) assert_true(back[i] == (float)(i + 8));
  assert_int_equal(ring_read(r, back, 1), 0);
  ring_free(r);
}

enum { TOTAL = 300000 };

static void *write_all(void *argument)
{
  ring *r = argument;
  float values[97];
  for (uint32_t next = 0; next < TOTAL;) {
    uint32_t count = 1 + next % 97;
    if (count > TOTAL - next) count = TOTAL - next;
    for (uint32_t i = 0; i < count; i++) values[i] = (float)((next + i) & 0xFFFF);
    size_t done = ring_write(r, values, count);
    next += (uint32_t)done;
    if (done == 0) sched_yield();
  }
  return NULL;
}

static void two_threads_lose_and_repeat_nothing(void **state)
{
  (void)state;
  ring *r = ring_new(256);
  pthread_t writer;
  assert_int_equal(pthread_create(&writer, NULL, write_all, r), 0);
  float values[61];
  for (uint32_t next = 0; next < TOTAL;) {
    size_t done = ring_read(r, values, 61);
    for (size_t i = 0; i < done; i++, next++)
      if (values[i] != (float)(next & 0xFFFF)) fail_msg("value %u is wrong", next);
    if (done == 0) sched_yield();
  }
  pthread_join(writer, NULL);
  assert_int_equal(ring_readable(r), 0);
  ring_free(r);
}

// Writes and reads without a pause, so that both indices move under an onlooker.
typedef struct {
  ring *r;
  atomic_bool enough;
} busy;

static void *pass_through(void *argument)
{
  busy *b = argument;
  float values[61] = {0.0f};
  while (!atomic_load_explicit(&b->enough, memory_order_relaxed)) {
    ring_write(b->r, values, 61);
    ring_read(b->r, values, 61);
  }
  return NULL;
}

static void an_onlooker_never_counts_below_zero(void **state)
{
  (void)state;
  busy b = {.r = ring_new(64)};
  pthread_t other;
  assert_int_equal(ring_waiting(b.r), 0);
  assert_int_equal(pthread_create(&other, NULL, pass_through, &b), 0);
  size_t most = 0;
  for (int i = 0; i < 5000000; i++) {
    size_t waiting = ring_waiting(b.r);
    if (waiting > most) most = waiting;
  }
  atomic_store(&b.enough, true);
  pthread_join(other, NULL);
  assert_true(most < SIZE_MAX / 2);
  ring_free(b.r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_holds_its_capacity_and_no_more),
      cmocka_unit_test(two_threads_lose_and_repeat_nothing),
      cmocka_unit_test(an_onlooker_never_counts_below_zero),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
