// SPDX-License-Identifier: GPL-3.0-or-later
//
// A text is split into words; a word starts as single bytes, and the neighbours of the lowest rank
// (line number in merges.txt) are joined until no pair has one. Both files write bytes in an
// alphabet of printable characters: 33..126, 161..172, 174..255 stand for themselves, the other 68
// bytes, in order, are U+0100, U+0101, ...; here everything is bytes again.
#include "bpe.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "json.h"
#include "lexicon.h"
#include "unicode.h"
#include "whole_file.h"

enum { FILE_LIMIT = 64 << 20, ID_LIMIT = 1 << 24, BYTES = 256 };

// Two symbols that join into a third.
typedef struct {
  uint32_t left;
  uint32_t right;
  uint32_t joined;
  uint32_t rank;
} merge;

struct bpe {
  arena *memory;
  lexicon symbols; // bytes -> symbol
  uint32_t *ids;   // [symbols] of the vocabulary
  size_t count;    // ids are below it
  merge *merges;   // [merge_mask + 1], open addressing by the pair; rank UINT32_MAX: free
  size_t merge_mask;
  uint32_t start;
  uint32_t pad;
  uint32_t end;
  uint32_t unknown;
};

// ---- The files ----

static bool stands_for_itself(uint32_t c)
{
  return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255);
}

// The byte a character of the alphabet means; false for any other character.
static bool byte_of(uint32_t character, char *byte)
{
  uint32_t wanted = 0x100;
  if (stands_for_itself(character)) {
    *byte = (char)character;
    return true;
  }
  for (uint32_t c = 0; c < BYTES; c++) {
    if (stands_for_itself(c) || wanted++ != character) continue;
    *byte = (char)c;
    return true;
  }
  return false;
}

// Text in the alphabet -> bytes, of which there are never more. NULL when a character is no part of
// it, or memory is out.
static const char *to_bytes(bpe *b, const char *text, size_t length, size_t *byte_count)
{
  char *made = arena_take(b->memory, length + 1, 1);
  size_t bytes;
  *byte_count = 0;
  if (made == NULL) return NULL;
  for (size_t at = 0; at < length; at += bytes) {
    uint32_t character = utf8_next(text + at, length - at, &bytes);
    if (!byte_of(character, &made[(*byte_count)++])) return NULL;
  }
  return made;
}

// The symbol of these bytes, a new one when there is none yet.
static uint32_t intern(bpe *b, const char *bytes, size_t length)
{
  uint32_t symbol = (uint32_t)b->symbols.count;
  if (lexicon_find(&b->symbols, bytes, length, &symbol)) return symbol;
  lexicon_add(&b->symbols, bytes, length, symbol);
  return symbol;
}

static mw_status read_vocabulary(bpe *b, const json_node *root, const char *name, mw_error *error)
{
  static const char *const names[] = {"<s>", "<pad>", "</s>", "<unk>"};
  uint32_t *special[] = {&b->start, &b->pad, &b->end, &b->unknown};
  size_t id;
  for (size_t i = 0; i < 4; i++) {
    if (!json_size(json_get(root, names[i]), 0, ID_LIMIT, &id))
      return mw_fail(error, MW_ERROR_MODEL, "%s: there is no %s in it: not RoBERTa's vocabulary",
                     name, names[i]);
    *special[i] = (uint32_t)id;
  }
  for (size_t i = 0; b->ids != NULL && i < b->symbols.mask + 1; i++) b->ids[i] = b->unknown;
  for (const json_node *n = root->first; n != NULL; n = n->next) {
    size_t length;
    if (!json_size(n, 0, ID_LIMIT, &id))
      return mw_fail(error, MW_ERROR_FORMAT, "%s: a token's number is not one", name);
    if (id >= b->count) b->count = id + 1;
    // what is not in the alphabet cannot come out of any text
    const char *bytes = to_bytes(b, n->key, strlen(n->key), &length);
    if (bytes != NULL && length > 0) b->ids[intern(b, bytes, length)] = (uint32_t)id;
  }
  return MW_OK;
}

// The merge of the two, or the free place of one; NULL: too far away (LEXICON_STEPS_MOST).
static merge *merge_place(const bpe *b, uint32_t left, uint32_t right)
{
  uint64_t hash = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15u;
  size_t at = (hash ^ hash >> 32) & b->merge_mask;
  for (size_t step = 0; step < LEXICON_STEPS_MOST; step++, at = (at + 1) & b->merge_mask) {
    merge *m = &b->merges[at];
    if (m->rank == UINT32_MAX || (m->left == left && m->right == right)) return m;
  }
  return NULL;
}

static bool read_merge(bpe *b, const char *line, size_t length, uint32_t rank)
{
  const char *gap = memchr(line, ' ', length);
  if (gap == NULL) return false;
  size_t left_length;
  size_t right_length;
  const char *left = to_bytes(b, line, (size_t)(gap - line), &left_length);
  const char *right = to_bytes(b, gap + 1, length - (size_t)(gap - line) - 1, &right_length);
  if (left == NULL || right == NULL || left_length == 0 || right_length == 0) return false;
  char *joined = arena_take(b->memory, left_length + right_length, 1);
  if (joined == NULL) return false;
  memcpy(joined, left, left_length);
  memcpy(joined + left_length, right, right_length);
  uint32_t from = intern(b, left, left_length);
  uint32_t to = intern(b, right, right_length);
  merge *m = merge_place(b, from, to);
  if (m == NULL) b->symbols.crowded = true;
  if (m != NULL && m->rank == UINT32_MAX)
    *m = (merge){from, to, intern(b, joined, left_length + right_length), rank};
  return true;
}

static mw_status read_merges(bpe *b, const char *text, size_t length, const char *name,
                             mw_error *error)
{
  uint32_t rank = 0;
  for (size_t at = 0, line = 1; at < length; line++) {
    const char *start = text + at;
    const char *end = memchr(start, '\n', length - at);
    size_t size = end != NULL ? (size_t)(end - start) : length - at;
    at += size + 1;
    if (size > 0 && start[size - 1] == '\r') size--;
    if (size == 0 || (line == 1 && size >= 8 && memcmp(start, "#version", 8) == 0)) continue;
    if (read_merge(b, start, size, rank++)) continue;
    if (arena_failed(b->memory)) return mw_fail_memory(error, "reading a tokenizer");
    return mw_fail(error, MW_ERROR_FORMAT, "%s: line %zu is no pair of symbols", name, line);
  }
  return MW_OK;
}

static mw_status make_room(bpe *b, size_t vocabulary, size_t lines, mw_error *error)
{
  // a line adds its two symbols and their join; every byte is a symbol
  size_t most = BYTES + vocabulary + 3 * lines;
  size_t slots = 16;
  while (slots < 2 * lines) slots *= 2;
  if (!lexicon_new(&b->symbols, most)) return mw_fail_memory(error, "reading a tokenizer");
  b->ids = arena_take(b->memory, b->symbols.mask + 1, sizeof *b->ids);
  b->merges = malloc(slots * sizeof *b->merges);
  b->merge_mask = slots - 1;
  char *bytes = arena_take(b->memory, BYTES, 1);
  if (b->ids == NULL || b->merges == NULL || bytes == NULL)
    return mw_fail_memory(error, "reading a tokenizer");
  for (size_t i = 0; i < slots; i++) b->merges[i].rank = UINT32_MAX;
  for (size_t i = 0; i < BYTES; i++) {
    bytes[i] = (char)i;
    lexicon_add(&b->symbols, bytes + i, 1, (uint32_t)i); // symbols 0..255 are the bytes
  }
  return MW_OK;
}

mw_status bpe_parse(bpe **parsed, const char *vocab, size_t vocab_length, const char *vocab_name,
                    const char *merges, size_t merges_length, const char *merges_name,
                    mw_error *error)
{
  json *tree = NULL;
  size_t lines = 1;
  bpe *b = calloc(1, sizeof *b);
  if (b == NULL || (b->memory = arena_new()) == NULL) {
    bpe_free(b);
    return mw_fail_memory(error, "reading a tokenizer");
  }
  for (size_t i = 0; i < merges_length; i++) lines += merges[i] == '\n';
  mw_status status = json_parse(&tree, vocab, vocab_length, vocab_name, error);
  const json_node *root = status == MW_OK ? json_root(tree) : NULL;
  if (root != NULL && root->type != JSON_OBJECT)
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: not a vocabulary", vocab_name);
  if (status == MW_OK) status = make_room(b, root->length, lines, error);
  if (status == MW_OK) status = read_vocabulary(b, root, vocab_name, error);
  if (status == MW_OK) status = read_merges(b, merges, merges_length, merges_name, error);
  if (status == MW_OK && b->symbols.crowded)
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: its tokens are made to collide", vocab_name);
  if (status == MW_OK && arena_failed(b->memory))
    status = mw_fail_memory(error, "reading a tokenizer");
  if (status == MW_OK)
    *parsed = b;
  else
    bpe_free(b);
  json_free(tree);
  return status;
}

mw_status bpe_open(bpe **opened, const char *vocab_path, const char *merges_path, mw_error *error)
{
  char *vocab = NULL;
  char *merges = NULL;
  size_t vocab_length;
  size_t merges_length;
  mw_status status = whole_file_read(&vocab, &vocab_length, vocab_path, FILE_LIMIT, error);
  if (status == MW_OK)
    status = whole_file_read(&merges, &merges_length, merges_path, FILE_LIMIT, error);
  if (status == MW_OK)
    status = bpe_parse(opened, vocab, vocab_length, vocab_path, merges, merges_length, merges_path,
                       error);
  free(vocab);
  free(merges);
  return status;
}

void bpe_free(bpe *b)
{
  if (b == NULL) return;
  lexicon_free(&b->symbols);
  free(b->merges);
  arena_free(b->memory);
  free(b);
}

size_t bpe_count(const bpe *b)
{
  return b->count;
}

// ---- Words ----

// Bytes of the run of characters of class `wanted`.
static size_t run_of(const char *text, size_t length, unicode_class wanted)
{
  size_t bytes;
  size_t at = 0;
  for (; at < length; at += bytes)
    if (unicode_class_of(utf8_next(text + at, length - at, &bytes)) != wanted) break;
  return at;
}

static size_t contraction(const char *text, size_t length)
{
  static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    size_t size = strlen(endings[i]);
    if (size <= length && memcmp(text, endings[i], size) == 0) return size;
  }
  return 0;
}

// Bytes of the word at the start of the text [length > 0], by the pattern of GPT-2:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
static size_t next_word(const char *text, size_t length)
{
  static const unicode_class runs[] = {UNICODE_LETTER, UNICODE_NUMBER, UNICODE_OTHER};
  size_t word = contraction(text, length);
  if (word > 0) return word;
  size_t gap = text[0] == ' ' ? 1 : 0;
  for (size_t i = 0; i < 3; i++)
    if ((word = run_of(text + gap, length - gap, runs[i])) > 0) return gap + word;
  // white space: the last of it belongs to the word behind
  size_t spaces = run_of(text, length, UNICODE_SPACE);
  if (spaces == length) return spaces;
  size_t last = spaces - 1;
  while (last > 0 && ((unsigned char)text[last] & 0xC0) == 0x80) last--;
  return last > 0 ? last : spaces;
}

// symbols [count] of single bytes -> joined ones; how many are left.
static size_t join(const bpe *b, uint32_t *symbols, size_t count)
{
  for (;;) {
    merge best = {.rank = UINT32_MAX};
    for (size_t i = 0; i + 1 < count; i++) {
      const merge *m = merge_place(b, symbols[i], symbols[i + 1]);
      if (m != NULL && m->rank < best.rank) best = *m;
    }
    if (best.rank == UINT32_MAX) return count;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
      bool here = i + 1 < count && symbols[i] == best.left && symbols[i + 1] == best.right;
      symbols[kept++] = here ? best.joined : symbols[i];
      i += here;
    }
    count = kept;
  }
}

mw_status bpe_encode(const bpe *b, const char *text, size_t length, uint32_t *ids, size_t rows,
                     size_t *used, size_t *wanted, mw_error *error)
{
  uint32_t *symbols = malloc((length + 1) * sizeof *symbols);
  if (symbols == NULL) return mw_fail_memory(error, "splitting a text");
  *used = 0;
  *wanted = 2;
  ids[(*used)++] = b->start;
  for (size_t at = 0, word; at < length; at += word) {
    word = next_word(text + at, length - at);
    for (size_t i = 0; i < word; i++) symbols[i] = (unsigned char)text[at + i];
    size_t count = join(b, symbols, word);
    *wanted += count;
    for (size_t i = 0; i < count && *used < rows - 1; i++) ids[(*used)++] = b->ids[symbols[i]];
  }
  ids[(*used)++] = b->end;
  for (size_t i = *used; i < rows; i++) ids[i] = b->pad;
  free(symbols);
  return MW_OK;
}
