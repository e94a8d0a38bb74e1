// SPDX-License-Identifier: GPL-3.0-or-later
//
// The encoder of T5 (flan-t5-large, and small ones of the family): tokens to features. Source:
// arXiv 1910.10683 and the official implementation; gated GELU, no biases, relative positions.
#ifndef MEANWAVE_TEXT_ENCODER_H
#define MEANWAVE_TEXT_ENCODER_H

#include "arena.h"
#include "pool.h"
#include "weights.h"

typedef struct text_encoder text_encoder;

// Sizes come from the tensors. The embedding table is read where it lies: `file` must outlive the
// encoder. Not real time.
mw_status text_encoder_load(text_encoder **loaded, const weights *file, mw_error *error);
void text_encoder_free(text_encoder *e);
size_t text_encoder_width(const text_encoder *e);      // of a feature row
size_t text_encoder_vocabulary(const text_encoder *e); // ids are below it

// ids [rows], of which the first `used` (1 or more) are text and the rest padding: nobody attends
// to padding, but its rows are features too. -> features [rows, width]. The keys and values of
// padding, and padding rows equal to their neighbours, are not computed. Scratch is taken from
// `memory` and given back. Same bits for any number of threads.
mw_status text_encoder_run(const text_encoder *e, const uint32_t *ids, size_t used, size_t rows,
                           float *features, arena *memory, pool *p, mw_error *error);

// Which of the `buckets` learnt biases a query at `from` adds to a key at `to`.
size_t text_encoder_bucket(size_t buckets, size_t from, size_t to);

// Outputs along the way [rows, width], for comparisons: "block0_after_attn", "block0_out", ...
typedef void text_encoder_probe(void *context, const char *name, const float *values, size_t count);
void text_encoder_watch(text_encoder *e, text_encoder_probe *probe, void *context);

#endif
