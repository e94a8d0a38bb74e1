// SPDX-License-Identifier: GPL-3.0-or-later
//
// Byte-level BPE tokens from the tokenizer's own files (vocab.json, merges.txt), as RoBERTa uses
// them. Immutable; any number of threads may use one.
#ifndef MEANWAVE_BPE_H
#define MEANWAVE_BPE_H

#include "status.h"

typedef struct bpe bpe;

mw_status bpe_open(bpe **opened, const char *vocab_path, const char *merges_path, mw_error *error);
// The same from texts (copied); `vocab_name` and `merges_name` stand in an error's line.
mw_status bpe_parse(bpe **parsed, const char *vocab, size_t vocab_length, const char *vocab_name,
                    const char *merges, size_t merges_length, const char *merges_name,
                    mw_error *error);
void bpe_free(bpe *b);
size_t bpe_count(const bpe *b); // ids are below it

// text [length], UTF-8 -> ids [rows]: <s>, at most rows - 2 tokens, </s>, then <pad>. `used`: ids
// before the padding; `wanted`: what the whole text would take. rows >= 2.
mw_status bpe_encode(const bpe *b, const char *text, size_t length, uint32_t *ids, size_t rows,
                     size_t *used, size_t *wanted, mw_error *error);

#endif
