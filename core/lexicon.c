// SPDX-License-Identifier: GPL-3.0-or-later
#include "lexicon.h"

#include <stdlib.h>
#include <string.h>

#include "fnv.h"

bool lexicon_new(lexicon *made, size_t count)
{
  *made = (lexicon){0};
  size_t size = 16;
  if (count > SIZE_MAX / 4 / sizeof(lexicon_entry)) return false;
  while (size < 2 * count) size *= 2;
  made->entries = calloc(size, sizeof *made->entries);
  made->mask = size - 1;
  return made->entries != NULL;
}

void lexicon_free(lexicon *l)
{
  free(l->entries);
  *l = (lexicon){0};
}

static uint64_t hash_of(const char *bytes, size_t length)
{
  uint64_t hash = FNV_START;
  for (size_t i = 0; i < length; i++) hash = fnv_step(hash, bytes[i]);
  return hash;
}

// The entry of the string, or the free one where it belongs; NULL: too far away.
static lexicon_entry *place(const lexicon *l, uint64_t hash, const char *bytes, size_t length)
{
  size_t at = (hash ^ hash >> 32) & l->mask;
  for (size_t step = 0; step < LEXICON_STEPS_MOST; step++, at = (at + 1) & l->mask) {
    lexicon_entry *e = &l->entries[at];
    if (e->bytes == NULL) return e;
    if (e->length == length && memcmp(e->bytes, bytes, length) == 0) return e;
  }
  return NULL;
}

bool lexicon_add(lexicon *l, const char *bytes, size_t length, uint32_t value)
{
  lexicon_entry *e = place(l, hash_of(bytes, length), bytes, length);
  if (e == NULL) l->crowded = true;
  if (e == NULL || e->bytes != NULL) return false;
  *e = (lexicon_entry){bytes, length, value};
  l->count++;
  return true;
}

bool lexicon_find_hashed(const lexicon *l, uint64_t hash, const char *bytes, size_t length,
                         uint32_t *value)
{
  const lexicon_entry *e = place(l, hash, bytes, length);
  if (e == NULL || e->bytes == NULL) return false;
  *value = e->value;
  return true;
}

bool lexicon_find(const lexicon *l, const char *bytes, size_t length, uint32_t *value)
{
  return lexicon_find_hashed(l, hash_of(bytes, length), bytes, length, value);
}
