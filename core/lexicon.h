// SPDX-License-Identifier: GPL-3.0-or-later
//
// Byte strings to numbers: the vocabulary of a tokenizer. Immutable once filled.
#ifndef MEANWAVE_LEXICON_H
#define MEANWAVE_LEXICON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char *bytes; // not owned
  size_t length;
  uint32_t value;
} lexicon_entry;

typedef struct {
  lexicon_entry *entries; // [mask + 1], open addressing; bytes NULL: free
  size_t mask;
  size_t count;
  bool crowded; // a string was left out
} lexicon;

// Of a table that is half empty a string's place is found after a few steps, unless somebody chose
// strings that all fall on one.
enum { LEXICON_STEPS_MOST = 1024 };

// Room for `count` strings; false when memory is out.
bool lexicon_new(lexicon *made, size_t count);
void lexicon_free(lexicon *l);

// False when the string is there already (and stays as it was), or too many fell on its place: then
// the lexicon is `crowded`. At most `count` calls.
bool lexicon_add(lexicon *l, const char *bytes, size_t length, uint32_t value);
bool lexicon_find(const lexicon *l, const char *bytes, size_t length, uint32_t *value);

// The same with the hash (fnv.h) of the bytes, which the caller let grow byte by byte.
bool lexicon_find_hashed(const lexicon *l, uint64_t hash, const char *bytes, size_t length,
                         uint32_t *value);

#endif
