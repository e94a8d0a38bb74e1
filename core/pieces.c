// SPDX-License-Identifier: GPL-3.0-or-later
//
// The file is a protobuf ModelProto: field 1, repeated: a piece (1 text, 2 float score, 3 type);
// the id is its place. Field 3: the normaliser (2 character map; 3, 4, 5 flags). The character map:
// uint32 bytes of units, a double array of uint32 units, then replacements, each with a NUL. A
// unit: label in bits 0-7 and 31, `has_leaf` bit 8, offset bits 10-30 (times 256 when bit 9 is
// set); the unit at a leaf holds where its replacement starts.
#include "pieces.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fnv.h"
#include "lexicon.h"
#include "unicode.h"
#include "whole_file.h"

enum {
  FILE_LIMIT = 64 << 20,
  // SentencePiece makes pieces of 16 characters at most unless told otherwise.
  PIECE_LIMIT = 256,
  // A character map and the marks of spaces may make a text so many times as long. In Unicode's
  // NFKC U+FDFA becomes the longest, 13 times.
  TIMES_LONGER = 16,
  BYTES_LONGER = 64,
  TYPE_NORMAL = 1,
  TYPE_UNKNOWN = 2,
};
static const char space_mark[] = "\xE2\x96\x81"; // U+2581 stands for a space
enum { SPACE_MARK_BYTES = sizeof space_mark - 1 };
static const double unknown_penalty = 10.0;

struct pieces {
  char *bytes;    // the file
  lexicon normal; // pieces of type 1 -> id
  float *scores;  // [count]
  size_t count;
  size_t longest; // bytes of the longest normal piece
  double unknown_score;
  uint32_t pad;
  uint32_t end;
  uint32_t unknown;
  const char *units; // [unit_count] uint32, little-endian, unaligned
  size_t unit_count;
  const char *replacements;
  size_t replacement_bytes;
};

// ---- The file ----

// A part of a message: what is left of it.
typedef struct {
  const char *at;
  size_t left;
} wire;

typedef struct {
  uint64_t number;  // of the field
  unsigned type;    // 0 whole number, 1 eight bytes, 2 bytes, 5 four bytes
  uint64_t whole;   // type 0
  const char *data; // types 1, 2, 5
  size_t length;
} wire_field;

static bool read_varint(wire *w, uint64_t *value)
{
  *value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (w->left == 0) return false;
    unsigned char byte = (unsigned char)*w->at++;
    w->left--;
    *value |= (uint64_t)(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// False at a broken field; the end of the message is w->left == 0 before the call.
static bool read_field(wire *w, wire_field *f)
{
  uint64_t key;
  uint64_t length = 0;
  if (!read_varint(w, &key)) return false;
  *f = (wire_field){.number = key >> 3, .type = key & 7};
  switch (f->type) {
  case 0: return read_varint(w, &f->whole);
  case 1: length = 8; break;
  case 2:
    if (!read_varint(w, &length)) return false;
    break;
  case 5: length = 4; break;
  default: return false;
  }
  if (length > w->left) return false;
  f->data = w->at;
  f->length = (size_t)length;
  w->at += length;
  w->left -= (size_t)length;
  return true;
}

static uint32_t read_u32(const char *at)
{
  const unsigned char *b = (const unsigned char *)at;
  return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static mw_status broken(const char *what, const char *detail, mw_error *error)
{
  return mw_fail(error, MW_ERROR_FORMAT,
                 "%s: not a SentencePiece model, or cut off (%s); is the download complete?", what,
                 detail);
}

typedef struct {
  const char *text;
  size_t length;
  float score;
  uint64_t type;
} piece;

static bool read_piece(const wire_field *message, piece *read)
{
  wire w = {message->data, message->length};
  wire_field f;
  *read = (piece){.text = "", .type = TYPE_NORMAL};
  while (w.left > 0) {
    if (!read_field(&w, &f)) return false;
    if (f.number == 1 && f.type == 2) {
      read->text = f.data;
      read->length = f.length;
    } else if (f.number == 2 && f.type == 5) {
      uint32_t bits = read_u32(f.data);
      memcpy(&read->score, &bits, sizeof bits);
    } else if (f.number == 3 && f.type == 0) {
      read->type = f.whole;
    }
  }
  return isfinite(read->score);
}

static bool take_piece(pieces *p, const piece *one)
{
  uint32_t id = (uint32_t)p->count;
  p->scores[p->count++] = one->score;
  if (one->type == TYPE_UNKNOWN) p->unknown = id;
  if (one->length == 5 && memcmp(one->text, "<pad>", 5) == 0) p->pad = id;
  if (one->length == 4 && memcmp(one->text, "</s>", 4) == 0) p->end = id;
  if (one->type != TYPE_NORMAL) return true;
  if (one->length == 0 || one->length > PIECE_LIMIT ||
      !lexicon_add(&p->normal, one->text, one->length, id))
    return false;
  if (one->length > p->longest) p->longest = one->length;
  if (one->score < p->unknown_score) p->unknown_score = one->score;
  return true;
}

static mw_status read_normaliser(pieces *p, const wire_field *message, const char *what,
                                 mw_error *error)
{
  wire w = {message->data, message->length};
  wire_field f;
  while (w.left > 0) {
    if (!read_field(&w, &f)) return broken(what, "normaliser", error);
    bool flag = f.type == 0 && f.number >= 3 && f.number <= 5;
    if (flag && f.whole == 0)
      return mw_fail(error, MW_ERROR_MODEL, "%s: it treats spaces otherwise than T5's tokenizer",
                     what);
    if (f.number != 2 || f.type != 2 || f.length == 0) continue;
    if (f.length < 4) return broken(what, "character map", error);
    size_t unit_bytes = read_u32(f.data);
    if (unit_bytes > f.length - 4 || unit_bytes % 4 != 0 || unit_bytes == 0)
      return broken(what, "character map", error);
    p->units = f.data + 4;
    p->unit_count = unit_bytes / 4;
    p->replacements = p->units + unit_bytes;
    p->replacement_bytes = f.length - 4 - unit_bytes;
    if (p->replacement_bytes == 0 || p->replacements[p->replacement_bytes - 1] != '\0')
      return broken(what, "character map", error);
  }
  return MW_OK;
}

static mw_status read_model(pieces *p, size_t length, const char *what, mw_error *error)
{
  wire_field f;
  size_t count = 0;
  for (wire w = {p->bytes, length}; w.left > 0;) {
    if (!read_field(&w, &f)) return broken(what, "fields", error);
    count += f.number == 1 && f.type == 2;
  }
  if (count == 0) return broken(what, "no pieces", error);
  p->scores = calloc(count, sizeof *p->scores);
  if (p->scores == NULL || !lexicon_new(&p->normal, count))
    return mw_fail_memory(error, "reading a tokenizer");
  p->pad = p->end = p->unknown = UINT32_MAX;
  p->unknown_score = DBL_MAX;
  for (wire w = {p->bytes, length}; w.left > 0;) {
    piece one;
    mw_status status = MW_OK;
    read_field(&w, &f);
    if (f.number == 1 && f.type == 2 && (!read_piece(&f, &one) || !take_piece(p, &one)))
      status = broken(what, "piece", error);
    if (f.number == 3 && f.type == 2) status = read_normaliser(p, &f, what, error);
    if (status != MW_OK) return status;
  }
  if (p->pad == UINT32_MAX || p->end == UINT32_MAX || p->unknown == UINT32_MAX)
    return mw_fail(error, MW_ERROR_MODEL, "%s: it lacks <pad>, </s> or <unk>: not T5's tokenizer",
                   what);
  if (p->normal.count == 0) return broken(what, "no pieces", error);
  p->unknown_score -= unknown_penalty;
  return MW_OK;
}

mw_status pieces_parse(pieces **parsed, const char *bytes, size_t length, const char *what,
                       mw_error *error)
{
  pieces *p = calloc(1, sizeof *p);
  if (p != NULL) p->bytes = malloc(length + 1);
  if (p == NULL || p->bytes == NULL) {
    pieces_free(p);
    return mw_fail_memory(error, "reading a tokenizer");
  }
  if (length > 0) memcpy(p->bytes, bytes, length);
  mw_status status = read_model(p, length, what, error);
  if (status == MW_OK)
    *parsed = p;
  else
    pieces_free(p);
  return status;
}

mw_status pieces_open(pieces **opened, const char *path, mw_error *error)
{
  char *bytes = NULL;
  size_t length;
  mw_status status = whole_file_read(&bytes, &length, path, FILE_LIMIT, error);
  if (status == MW_OK) status = pieces_parse(opened, bytes, length, path, error);
  free(bytes);
  return status;
}

void pieces_free(pieces *p)
{
  if (p == NULL) return;
  lexicon_free(&p->normal);
  free(p->scores);
  free(p->bytes);
  free(p);
}

size_t pieces_count(const pieces *p)
{
  return p->count;
}

// ---- Normalisation ----

typedef struct {
  char *bytes;
  size_t length;
  size_t room;
  size_t most;
  bool failed; // memory, or beyond `most`
} text_buffer;

static void put(text_buffer *b, const char *bytes, size_t length)
{
  if (b->failed || length > b->most - b->length) {
    b->failed = true;
    return;
  }
  if (b->length + length > b->room) {
    size_t room = 2 * (b->length + length) + 64;
    char *moved = realloc(b->bytes, room);
    if (moved == NULL) {
      b->failed = true;
      return;
    }
    b->bytes = moved;
    b->room = room;
  }
  if (length > 0) memcpy(b->bytes + b->length, bytes, length);
  b->length += length;
}

static size_t unit_offset(uint32_t unit)
{
  return (size_t)(unit >> 10) << ((unit & 0x200) >> 6);
}

// The longest prefix the map replaces; 0 when there is none.
static size_t match_map(const pieces *p, const char *text, size_t length, const char **replacement)
{
  size_t matched = 0;
  if (p->unit_count == 0) return 0;
  size_t at = unit_offset(read_u32(p->units));
  for (size_t i = 0; i < length; i++) {
    uint32_t byte = (unsigned char)text[i];
    at ^= byte;
    if (at >= p->unit_count) break;
    uint32_t unit = read_u32(p->units + 4 * at);
    if ((unit & 0x800000FFu) != byte) break;
    at ^= unit_offset(unit);
    if ((unit >> 8 & 1) == 0) continue;
    if (at >= p->unit_count) break;
    size_t start = read_u32(p->units + 4 * at) & 0x7FFFFFFFu;
    if (start >= p->replacement_bytes) break;
    *replacement = p->replacements + start; // ends at a NUL: read_normaliser
    matched = i + 1;
  }
  return matched;
}

static void map_characters(const pieces *p, const char *text, size_t length, text_buffer *mapped)
{
  for (size_t i = 0, bytes; i < length && !mapped->failed; i += bytes) {
    const char *replacement;
    bytes = match_map(p, text + i, length - i, &replacement);
    if (bytes > 0) {
      put(mapped, replacement, strlen(replacement));
    } else if (utf8_next(text + i, length - i, &bytes) == UTF8_REPLACEMENT) {
      put(mapped, "\xEF\xBF\xBD", 3);
    } else {
      put(mapped, text + i, bytes);
    }
  }
}

// Spaces at both ends go, runs become one, one is put in front, and all become U+2581.
static void mark_spaces(const text_buffer *mapped, text_buffer *marked)
{
  bool gap = true;
  for (size_t i = 0; i < mapped->length; i++) {
    if (mapped->bytes[i] == ' ') {
      gap = true;
      continue;
    }
    if (gap) put(marked, space_mark, SPACE_MARK_BYTES);
    gap = false;
    put(marked, mapped->bytes + i, 1);
  }
}

// ---- Segmentation ----

// The best way to reach a byte of the text; score -DBL_MAX where no character ends.
typedef struct {
  double score;
  size_t from;
  uint32_t id;
} step;

static void improve(step *s, double score, size_t from, uint32_t id)
{
  if (score > s->score) *s = (step){score, from, id};
}

static void find_best(const pieces *p, const char *text, size_t length, step *steps)
{
  for (size_t i = 1; i <= length; i++) steps[i].score = -DBL_MAX;
  steps[0] = (step){0};
  for (size_t i = 0, first; i < length; i++) {
    if (steps[i].score == -DBL_MAX) continue;
    bool single = false;
    uint64_t hash = FNV_START;
    utf8_next(text + i, length - i, &first);
    for (size_t end = i, bytes; end < length && end - i < p->longest;) {
      uint32_t id;
      utf8_next(text + end, length - end, &bytes);
      for (size_t b = 0; b < bytes; b++) hash = fnv_step(hash, text[end + b]);
      end += bytes;
      if (!lexicon_find_hashed(&p->normal, hash, text + i, end - i, &id)) continue;
      single = single || end - i == first;
      improve(&steps[end], steps[i].score + p->scores[id], i, id);
    }
    if (!single) improve(&steps[i + first], steps[i].score + p->unknown_score, i, p->unknown);
  }
}

// Puts the ids of the steps in order, each run of unknown ones as one, into `all`.
static size_t trace(const pieces *p, const step *steps, size_t length, uint32_t *all)
{
  size_t count = 0;
  for (size_t i = length; i > 0; i = steps[i].from) {
    bool run = count > 0 && all[count - 1] == p->unknown && steps[i].id == p->unknown;
    if (!run) all[count++] = steps[i].id;
  }
  for (size_t i = 0; i < count / 2; i++) {
    uint32_t swapped = all[i];
    all[i] = all[count - 1 - i];
    all[count - 1 - i] = swapped;
  }
  return count;
}

mw_status pieces_encode(const pieces *p, const char *text, size_t length, uint32_t *ids,
                        size_t rows, size_t *used, size_t *wanted, mw_error *error)
{
  text_buffer mapped = {.most = TIMES_LONGER * length + BYTES_LONGER};
  text_buffer marked = {.most = mapped.most};
  step *steps = NULL;
  uint32_t *all = NULL;
  mw_status status = MW_OK;
  map_characters(p, text, length, &mapped);
  mark_spaces(&mapped, &marked);
  steps = malloc((marked.length + 1) * sizeof *steps);
  all = malloc((marked.length + 1) * sizeof *all);
  if (mapped.failed || marked.failed || steps == NULL || all == NULL) {
    status = mw_fail(error, MW_ERROR_MEMORY, "a text of %zu bytes is too long for the tokenizer",
                     length);
    goto done;
  }
  find_best(p, marked.bytes, marked.length, steps);
  size_t count = trace(p, steps, marked.length, all);
  *wanted = count + 1;
  if (count > rows - 1) count = rows - 1;
  for (size_t i = 0; i < count; i++) ids[i] = all[i];
  ids[count] = p->end;
  *used = count + 1;
  for (size_t i = count + 1; i < rows; i++) ids[i] = p->pad;
done:
  free(mapped.bytes);
  free(marked.bytes);
  free(steps);
  free(all);
  return status;
}
