// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any bytes as a tokenizer's files. First byte 'p': a SentencePiece model; 'b': a vocabulary, a
// NUL, and merges. What opens must split any text into ids of its own.
#include <stdlib.h>
#include <string.h>

#include "bpe.h"
#include "fuzz.h"
#include "pieces.h"

enum { ROWS = 12 };

static const char *const texts[] = {
    "",
    "a dog's bark",
    "  x\t\xC3\xA9\xF0\x9F\x98\x80 12\xFF\xE2\x96\x81 ",
    "aaaaaaaaaaaaaaaaaaaaaaaa",
};

static void check_counts(mw_status status, const mw_error *error, size_t used, size_t wanted)
{
  if (status != MW_OK && error->text[0] == '\0') abort();
  if (status == MW_OK && (used < 1 || used > ROWS || used > wanted)) abort();
}

static void try_pieces(const char *bytes, size_t size)
{
  pieces *p = NULL;
  mw_error error = {""};
  if (!fuzz_judge(pieces_parse(&p, bytes, size, "fuzz", &error), &error)) return;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    uint32_t ids[ROWS] = {0};
    size_t used = 0;
    size_t wanted = 0;
    mw_status status =
        pieces_encode(p, texts[i], strlen(texts[i]), ids, ROWS, &used, &wanted, &error);
    check_counts(status, &error, used, wanted);
    for (size_t k = 0; k < ROWS; k++)
      if (status == MW_OK && ids[k] >= pieces_count(p)) abort();
  }
  pieces_free(p);
}

static void try_bpe(const char *bytes, size_t size)
{
  bpe *b = NULL;
  mw_error error = {""};
  const char *gap = size > 0 ? memchr(bytes, '\0', size) : NULL;
  size_t vocab = gap != NULL ? (size_t)(gap - bytes) : size;
  const char *merges = gap != NULL ? gap + 1 : "";
  size_t merges_size = gap != NULL ? size - vocab - 1 : 0;
  mw_status opened = bpe_parse(&b, bytes, vocab, "fuzz", merges, merges_size, "fuzz", &error);
  if (!fuzz_judge(opened, &error)) return;
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    uint32_t ids[ROWS];
    size_t used;
    size_t wanted;
    mw_status status = bpe_encode(b, texts[i], strlen(texts[i]), ids, ROWS, &used, &wanted, &error);
    check_counts(status, &error, used, wanted);
    for (size_t k = 0; k < ROWS; k++)
      if (status == MW_OK && ids[k] >= bpe_count(b)) abort();
  }
  bpe_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  if (size > 0 && bytes[0] == 'p') try_pieces((const char *)bytes + 1, size - 1);
  if (size > 0 && bytes[0] == 'b') try_bpe((const char *)bytes + 1, size - 1);
  return 0;
}
