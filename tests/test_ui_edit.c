// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writing a text: what stands where after each key, and what undo brings back.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "edit.h"

static edit e;

static void type(const char *text)
{
  for (size_t i = 0; text[i] != '\0'; i++) edit_insert(&e, text + i, 1, true);
}

static int begin(void **state)
{
  (void)state;
  edit_init(&e, false);
  return 0;
}

static int end(void **state)
{
  (void)state;
  edit_free(&e);
  return 0;
}

static void letters_and_words_come_and_go(void **state)
{
  (void)state;
  type("rain on a roof");
  edit_delete(&e, -1, EDIT_WORD);
  assert_string_equal(e.text, "rain on a ");
  edit_delete(&e, -1, EDIT_LETTER);
  edit_move(&e, -1, EDIT_WORD, false);
  type("x");
  assert_string_equal(e.text, "rain on xa");
  edit_move(&e, -1, EDIT_ALL, false);
  edit_delete(&e, 1, EDIT_WORD);
  assert_string_equal(e.text, " on xa");
  edit_select_word(&e, 2);
  edit_insert(&e, "off", 3, false);
  assert_string_equal(e.text, " off xa");
  edit_move(&e, 1, EDIT_ALL, true);
  assert_int_equal(edit_selection_begin(&e), 4);
  assert_int_equal(edit_selection_end(&e), 7);
  edit_move(&e, -1, EDIT_LETTER, false); // to the side of what was selected
  assert_int_equal(e.caret, 4);
}

static void undo_goes_back_by_words_and_redo_forth(void **state)
{
  (void)state;
  type("dog barks");
  assert_true(edit_undo(&e));
  assert_string_equal(e.text, "dog ");
  assert_true(edit_undo(&e));
  assert_string_equal(e.text, "");
  assert_false(edit_undo(&e));
  assert_true(edit_redo(&e));
  assert_true(edit_redo(&e));
  assert_string_equal(e.text, "dog barks");
  assert_false(edit_redo(&e));
  edit_undo(&e);
  type("sings");
  assert_false(edit_redo(&e)); // another future
  assert_string_equal(e.text, "dog sings");
  edit_set(&e, "all else");
  edit_set(&e, "all else"); // no step
  edit_undo(&e);
  assert_string_equal(e.text, "dog sings");
  for (int i = 0; i < 3 * EDIT_UNDOS; i++) edit_insert(&e, "a", 1, false);
  for (int i = 0; i < EDIT_UNDOS; i++) assert_true(edit_undo(&e));
  assert_false(edit_undo(&e));
}

static void letters_of_many_bytes_stay_whole(void **state)
{
  (void)state;
  const char *text = "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8E\xB5"; // an umlaut, the euro, a note
  edit_insert(&e, text, 9, false);
  assert_int_equal(e.length, 9);
  edit_delete(&e, -1, EDIT_LETTER);
  assert_int_equal(e.length, 5);
  edit_move(&e, -1, EDIT_LETTER, false);
  assert_int_equal(e.caret, 2);
  edit_delete(&e, -1, EDIT_LETTER);
  assert_string_equal(e.text, "\xE2\x82\xAC");
}

static void what_is_no_text_is_left_out(void **state)
{
  (void)state;
  // a lone half, a surrogate, an overlong slash, a code too high, controls
  edit_insert(&e, "a\xA4\xED\xA0\x80\xC0\xAF\xF5\x80\x80\x80\001\177\tb\nc\xE2\x82", 20, false);
  assert_string_equal(e.text, "a b\nc");
  edit_free(&e);
  edit_init(&e, true);
  edit_insert(&e, "one\ntwo", 7, false);
  assert_string_equal(e.text, "one two");
}

static void a_text_that_is_too_long_ends(void **state)
{
  (void)state;
  static char text[3 * EDIT_SIZE];
  for (size_t i = 0; i + 1 < sizeof text; i += 2) memcpy(text + i, "\xC3\xA4", 2);
  edit_insert(&e, text, sizeof text, false);
  assert_int_equal(e.length, EDIT_SIZE - 2); // whole letters
  edit_insert(&e, "x", 1, true);
  edit_insert(&e, "x", 1, true);
  assert_int_equal(e.length, EDIT_SIZE - 1);
  assert_int_equal(strlen(e.text), EDIT_SIZE - 1);
  edit_move(&e, -1, EDIT_ALL, true);
  edit_insert(&e, "y", 1, true);
  assert_string_equal(e.text, "y");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(letters_and_words_come_and_go, begin, end),
      cmocka_unit_test_setup_teardown(undo_goes_back_by_words_and_redo_forth, begin, end),
      cmocka_unit_test_setup_teardown(letters_of_many_bytes_stay_whole, begin, end),
      cmocka_unit_test_setup_teardown(what_is_no_text_is_left_out, begin, end),
      cmocka_unit_test_setup_teardown(a_text_that_is_too_long_ends, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
