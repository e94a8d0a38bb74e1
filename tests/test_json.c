// SPDX-License-Identifier: GPL-3.0-or-later
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static json *parse(const char *text)
{
  json *j = NULL;
  mw_error error;
  if (json_parse(&j, text, strlen(text), "test", &error) != MW_OK) fail_msg("%s", error.text);
  return j;
}

static void values_of_every_kind_are_read(void **state)
{
  (void)state;
  json *j = parse(
      " {\"a\": [1, -2.5e3, true, false, null], \"b\": {\"c\": \"x\\n\\u00e9\\ud83d\\ude00\"}} ");
  const json_node *a = json_get(json_root(j), "a");
  assert_int_equal(a->length, 5);
  assert_true(a->first->number == 1.0 && a->first->next->number == -2500.0);
  assert_int_equal(a->first->next->next->type, JSON_BOOL);
  assert_string_equal(json_string_or(json_get(json_get(json_root(j), "b"), "c"), ""),
                      "x\n\xC3\xA9\xF0\x9F\x98\x80");
  assert_null(json_get(json_get(json_root(j), "none"), "c"));
  json_free(j);
}

static void sizes_are_whole_and_in_range(void **state)
{
  (void)state;
  json *j = parse("[3, 3.5, -1, 1e300, \"3\"]");
  size_t value = 77;
  const json_node *n = json_root(j)->first;
  assert_true(json_size(n, 0, 10, &value) && value == 3);
  assert_false(json_size(n, 4, 10, &value));
  for (n = n->next; n != NULL; n = n->next) assert_false(json_size(n, 0, SIZE_MAX, &value));
  assert_false(json_size(NULL, 0, 10, &value));
  json_free(j);
}

static void broken_text_is_refused_with_its_place(void **state)
{
  (void)state;
  static const char *const texts[] = {
      "",        "{",     "[1,]",  "{\"a\":}",       "{\"a\" 1}", "\"open", "\"\\x\"",
      "\"\\u12", "nul",   "[1 2]", "{\"a\":1,}",     "--1",       "1 1",    "[\"\\",
      "{1:2}",   "\"a\\", "1e999", "{\"a\":1\"b\"}", "\x01",      "]",      "[[[[",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    json *j = NULL;
    mw_error error;
    if (json_parse(&j, texts[i], strlen(texts[i]), "test", &error) != MW_ERROR_FORMAT)
      fail_msg("taken: %s", texts[i]);
    assert_non_null(strstr(error.text, "test: broken JSON at byte"));
  }
}

static void a_lone_surrogate_becomes_the_replacement_character(void **state)
{
  (void)state;
  json *j = parse("\"\\ud800x\"");
  assert_string_equal(json_root(j)->string, "\xEF\xBF\xBDx");
  json_free(j);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_of_every_kind_are_read),
      cmocka_unit_test(sizes_are_whole_and_in_range),
      cmocka_unit_test(broken_text_is_refused_with_its_place),
      cmocka_unit_test(a_lone_surrogate_becomes_the_replacement_character),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
