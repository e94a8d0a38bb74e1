// SPDX-License-Identifier: GPL-3.0-or-later
//
// SentencePiece unigram tokens from the tokenizer's own file (spiece.model), as T5 uses them:
// normalise, put a space in front, find the segmentation of the highest score. Immutable; any
// number of threads may use one.
#ifndef MEANWAVE_PIECES_H
#define MEANWAVE_PIECES_H

#include "status.h"

typedef struct pieces pieces;

mw_status pieces_open(pieces **opened, const char *path, mw_error *error);
// The same from bytes (copied); `what` names them in an error's line.
mw_status pieces_parse(pieces **parsed, const char *bytes, size_t length, const char *what,
                       mw_error *error);
void pieces_free(pieces *p);
size_t pieces_count(const pieces *p); // ids are below it

// text [length], UTF-8 -> ids [rows]: at most rows - 1 tokens, </s>, then <pad>. `used`: ids before
// the padding; `wanted`: what the whole text would take. rows >= 1.
mw_status pieces_encode(const pieces *p, const char *text, size_t length, uint32_t *ids,
                        size_t rows, size_t *used, size_t *wanted, mw_error *error);

#endif
