// SPDX-License-Identifier: GPL-3.0-or-later
//
// Strings that were chosen to fall on one place cost no more than a bounded search.
#include "lexicon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fnv.h"

enum { ROOM = 1100, SLOTS = 4096, LENGTH = 8 };

static char strings[ROOM][LENGTH + 1];

// Counts up until `count` strings of one place are found.
static void collide(size_t count)
{
  char text[LENGTH + 1];
  size_t found = 0;
  for (uint32_t prefix = 0; found < count; prefix++) {
    snprintf(text, sizeof text, "%06x", prefix);
    uint64_t begun = FNV_START;
    for (int i = 0; i < 6; i++) begun = fnv_step(begun, text[i]);
    for (unsigned last = 0; last < 1 << 16 && found < count; last++) {
      uint64_t hash = fnv_step(fnv_step(begun, (char)(last >> 8)), (char)last);
      if (((hash ^ hash >> 32) & (SLOTS - 1)) != 0) continue;
      memcpy(strings[found], text, 6);
      strings[found][6] = (char)(last >> 8);
      strings[found++][7] = (char)last;
    }
  }
}

static void collisions_are_bounded(void **state)
{
  (void)state;
  lexicon l;
  uint32_t value = 0;
  assert_true(lexicon_new(&l, ROOM));
  assert_int_equal(l.mask, SLOTS - 1);
  collide(ROOM);
  for (uint32_t i = 0; i < LEXICON_STEPS_MOST; i++)
    assert_true(lexicon_add(&l, strings[i], LENGTH, i));
  assert_false(l.crowded);
  assert_true(lexicon_find(&l, strings[LEXICON_STEPS_MOST - 1], LENGTH, &value));
  assert_int_equal(value, LEXICON_STEPS_MOST - 1);
  assert_false(lexicon_add(&l, strings[LEXICON_STEPS_MOST], LENGTH, 1));
  assert_true(l.crowded);
  assert_false(lexicon_find(&l, strings[LEXICON_STEPS_MOST], LENGTH, &value));
  lexicon_free(&l);
}

static void a_string_is_there_once(void **state)
{
  (void)state;
  lexicon l;
  uint32_t value = 0;
  assert_true(lexicon_new(&l, 3));
  assert_true(lexicon_add(&l, "rain", 4, 7));
  assert_false(lexicon_add(&l, "rain", 4, 8));
  assert_false(l.crowded);
  assert_true(lexicon_add(&l, "rai", 3, 9));
  assert_true(lexicon_find(&l, "rain", 4, &value));
  assert_int_equal(value, 7);
  assert_false(lexicon_find(&l, "ra", 2, &value));
  lexicon_free(&l);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_string_is_there_once),
      cmocka_unit_test(collisions_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
