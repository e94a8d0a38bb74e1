// SPDX-License-Identifier: GPL-3.0-or-later
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static json *parse(const char *text)
{
  json *j = NULL;
  mw_error error = {""};
  if (json_parse(&j, text, strlen(text), "text", &error) != MW_OK) fail_msg("%s", error.text);
  return j;
}

static void values_of_every_type(void **state)
{
  (void)state;
  json *j = parse(" {\"a\":[1,-2.5e1,true,null,\"x\"],\"b\":{\"c\":{}},\"d\":[] }\n");
  const json_node *a = json_get(json_root(j), "a");
  assert_int_equal(a->type, JSON_ARRAY);
  assert_int_equal(a->length, 5);
  assert_true(a->first->number == 1.0);
  assert_true(json_number_or(a->first->next, 0.0) == -25.0);
  assert_int_equal(a->first->next->next->type, JSON_BOOL);
  assert_int_equal(a->first->next->next->next->type, JSON_NULL);
  assert_string_equal(json_string_or(a->first->next->next->next->next, ""), "x");
  assert_int_equal(json_get(json_get(json_root(j), "b"), "c")->length, 0);
  assert_null(json_get(json_get(json_root(j), "none"), "c"));
  assert_true(json_number_or(json_get(NULL, "x"), 7.0) == 7.0);
  json_free(j);
  json_free(NULL);
}

static void escapes_become_utf8(void **state)
{
  (void)state;
  json *j = parse("\"\\\"\\\\\\/\\n\\u00fc\\u20AC\\ud83d\\ude00\\ud83dx\"");
  assert_string_equal(json_root(j)->string,
                      "\"\\/\n\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBDx");
  assert_int_equal(json_root(j)->length, strlen(json_root(j)->string));
  json_free(j);
}

static void sizes_are_whole_numbers_in_range(void **state)
{
  (void)state;
  json *j = parse("[0,5,9007199254740992,1.5,-1,1e300,\"5\",true]");
  const json_node *n = json_root(j)->first;
  static const bool good[] = {true, true, true, false, false, false, false, false};
  for (int i = 0; i < 8; i++, n = n->next) {
    size_t value;
    assert_int_equal(json_size(n, 0, (size_t)1 << 60, &value), good[i]);
  }
  size_t value;
  assert_false(json_size(json_root(j)->first->next, 6, 10, &value));
  assert_false(json_size(json_root(j)->first->next, 0, 4, &value));
  assert_false(json_size(NULL, 0, 4, &value));
  json_free(j);
}

static void broken_texts_are_one_line_with_their_place(void **state)
{
  (void)state;
  static const char *const texts[] = {
      "",        " ",        "{",           "[",       "[1,",           "[1,]",
      "{\"a\"}", "{\"a\":}", "{\"a\":1,}",  "{a:1}",   "tru",           "nul",
      "\"",      "\"\\",     "\"\\x\"",     "\"\\u12", "\"\\ud83d\\u1", "1 2",
      "1.2.3",   "--1",      "1e999",       "NaN",     "[1 2]",         "{\"a\" 1}",
      "]",       "+",        "\"a\" \"b\"",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    json *j = NULL;
    mw_error error = {""};
    if (json_parse(&j, texts[i], strlen(texts[i]), "name", &error) != MW_ERROR_FORMAT)
      fail_msg("good: %s", texts[i]);
    assert_non_null(strstr(error.text, "name: broken JSON at byte "));
  }
}

// The text is copied to its exact length, so that a sanitizer sees a read beyond it.
static void every_cut_is_refused_and_read_within_its_bounds(void **state)
{
  (void)state;
  static const char text[] = "{\"a\\u20ac\\ud83d\\ude00\":[1.5e3,true,false,null,{\"b\":\"\\n\"}]}";
  for (size_t length = 0; length < sizeof text - 1; length++) {
    char *exact = malloc(length > 0 ? length : 1);
    memcpy(exact, text, length);
    json *j = NULL;
    assert_int_equal(json_parse(&j, exact, length, "cut", NULL), MW_ERROR_FORMAT);
    free(exact);
  }
}

static void depth_is_limited(void **state)
{
  (void)state;
  enum { DEPTH = 100000 };
  char *text = malloc(DEPTH);
  memset(text, '[', DEPTH);
  json *j = NULL;
  assert_int_equal(json_parse(&j, text, DEPTH, "deep", NULL), MW_ERROR_FORMAT);
  free(text);
  j = parse("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
  json_free(j);
}

static void files_that_are_missing_are_told(void **state)
{
  (void)state;
  json *j = NULL;
  mw_error error;
  assert_int_equal(json_open(&j, "/nonexistent.json", &error), MW_ERROR_IO);
  assert_non_null(strstr(error.text, "/nonexistent.json"));
  assert_int_not_equal(json_open(&j, "/", &error), MW_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_of_every_type),
      cmocka_unit_test(escapes_become_utf8),
      cmocka_unit_test(sizes_are_whole_numbers_in_range),
      cmocka_unit_test(broken_texts_are_one_line_with_their_place),
      cmocka_unit_test(every_cut_is_refused_and_read_within_its_bounds),
      cmocka_unit_test(depth_is_limited),
      cmocka_unit_test(files_that_are_missing_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
