// SPDX-License-Identifier: GPL-3.0-or-later
#include "unicode.h"

uint32_t utf8_next(const char *text, size_t length, size_t *bytes)
{
  const unsigned char *at = (const unsigned char *)text;
  uint32_t first = at[0];
  *bytes = 1;
  if (first < 0x80) return first;
  size_t follow = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || follow >= length) return UTF8_REPLACEMENT;
  uint32_t character = first & (0x3Fu >> follow);
  for (size_t i = 1; i <= follow; i++) {
    if ((at[i] & 0xC0) != 0x80) return UTF8_REPLACEMENT;
    character = character << 6 | (at[i] & 0x3F);
  }
  bool longer_than_needed =
      (follow == 2 && character < 0x800) || (follow == 3 && character < 0x10000);
  bool surrogate = character >= 0xD800 && character <= 0xDFFF;
  if (longer_than_needed || surrogate || character > 0x10FFFF) return UTF8_REPLACEMENT;
  *bytes = follow + 1;
  return character;
}

size_t utf8_check(const char *text, size_t length)
{
  size_t bytes;
  for (size_t at = 0; at < length; at += bytes)
    if (utf8_next(text + at, length - at, &bytes) == UTF8_REPLACEMENT && bytes == 1) return at;
  return length;
}

static bool in_ranges(const unicode_range *ranges, size_t count, uint32_t character)
{
  size_t low = 0;
  while (low < count) {
    size_t middle = low + (count - low) / 2;
    if (character > ranges[middle].last)
      low = middle + 1;
    else if (character < ranges[middle].first)
      count = middle;
    else
      return true;
  }
  return false;
}

static bool is_space(uint32_t c)
{
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

unicode_class unicode_class_of(uint32_t character)
{
  if (is_space(character)) return UNICODE_SPACE;
  if (in_ranges(unicode_letters, unicode_letter_count, character)) return UNICODE_LETTER;
  if (in_ranges(unicode_numbers, unicode_number_count, character)) return UNICODE_NUMBER;
  return UNICODE_OTHER;
}
