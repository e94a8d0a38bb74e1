// SPDX-License-Identifier: GPL-3.0-or-later
#include "unicode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void characters_of_every_length(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    uint32_t character;
    size_t bytes;
  } cases[] = {
      {"a", 'a', 1},
      {"\xC2\x80", 0x80, 2},
      {"\xDF\xBF", 0x7FF, 2},
      {"\xE0\xA0\x80", 0x800, 3},
      {"\xED\x9F\xBF", 0xD7FF, 3},
      {"\xEF\xBF\xBD", 0xFFFD, 3},
      {"\xF0\x90\x80\x80", 0x10000, 4},
      {"\xF4\x8F\xBF\xBF", 0x10FFFF, 4},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t bytes;
    size_t length = strlen(cases[i].text);
    assert_int_equal(utf8_next(cases[i].text, length, &bytes), cases[i].character);
    assert_int_equal(bytes, cases[i].bytes);
    assert_int_equal(utf8_check(cases[i].text, length), length);
  }
}

// Each is copied to its exact length, so that a sanitizer sees a read beyond it.
static void ill_formed_bytes_are_one_replacement_each(void **state)
{
  (void)state;
  static const char *const texts[] = {
      "\x80",
      "\xBF",
      "\xC0\x80",
      "\xC1\xBF",
      "\xC3",
      "\xE0\x80\x80",
      "\xE2\x82",
      "\xED\xA0\x80",
      "\xF0\x80\x80\x80",
      "\xF0\x9F\x98",
      "\xF4\x90\x80\x80",
      "\xF5\x80\x80\x80",
      "\xFF",
      "\xC3(",
      "\xE2(\xA1",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    size_t bytes;
    size_t length = strlen(texts[i]);
    char *exact = malloc(length);
    memcpy(exact, texts[i], length);
    assert_int_equal(utf8_next(exact, length, &bytes), UTF8_REPLACEMENT);
    assert_int_equal(bytes, 1);
    assert_int_equal(utf8_check(exact, length), 0);
    free(exact);
  }
  assert_int_equal(utf8_check("ab\xC3\xA9\xFFz", 6), 4);
}

static void classes_at_the_edges_of_ranges(void **state)
{
  (void)state;
  static const struct {
    uint32_t character;
    unicode_class wanted;
  } cases[] = {
      {'A' - 1, UNICODE_OTHER},  {'A', UNICODE_LETTER},    {'Z', UNICODE_LETTER},
      {'Z' + 1, UNICODE_OTHER},  {'0', UNICODE_NUMBER},    {'9', UNICODE_NUMBER},
      {' ', UNICODE_SPACE},      {'\t', UNICODE_SPACE},    {0x0E, UNICODE_OTHER},
      {0xA0, UNICODE_SPACE},     {0x3000, UNICODE_SPACE},  {0x200B, UNICODE_OTHER},
      {0xBD, UNICODE_NUMBER},    {0x660, UNICODE_NUMBER},  {0x430, UNICODE_LETTER},
      {0x65E5, UNICODE_LETTER},  {0x1F600, UNICODE_OTHER}, {0x301, UNICODE_OTHER},
      {0x1FBF9, UNICODE_NUMBER}, {0x1FBFA, UNICODE_OTHER}, {0x10FFFF, UNICODE_OTHER},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    if (unicode_class_of(cases[i].character) != cases[i].wanted)
      fail_msg("U+%04X", cases[i].character);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(characters_of_every_length),
      cmocka_unit_test(ill_formed_bytes_are_one_replacement_each),
      cmocka_unit_test(classes_at_the_edges_of_ranges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
