// SPDX-License-Identifier: GPL-3.0-or-later
//
// UTF-8 and the few classes of characters that tokenizers ask for.
#ifndef MEANWAVE_UNICODE_H
#define MEANWAVE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UTF8_REPLACEMENT = 0xFFFD };

// The character at the start of `text` [length > 0] and how many bytes it takes, 1 to 4. An
// ill-formed byte is one character, U+FFFD.
uint32_t utf8_next(const char *text, size_t length, size_t *bytes);
// Offset of the first ill-formed byte; `length` when there is none.
size_t utf8_check(const char *text, size_t length);

typedef enum {
  UNICODE_OTHER,
  UNICODE_SPACE,  // White_Space
  UNICODE_LETTER, // L*
  UNICODE_NUMBER, // N*
} unicode_class;

unicode_class unicode_class_of(uint32_t character);

// The table (Unicode 14; train/common/unicode_table.py writes it): ranges in order.
typedef struct {
  uint32_t first;
  uint32_t last;
} unicode_range;
extern const unicode_range unicode_letters[];
extern const size_t unicode_letter_count;
extern const unicode_range unicode_numbers[];
extern const size_t unicode_number_count;

#endif
