// SPDX-License-Identifier: GPL-3.0-or-later
//
// The text half of LAION-CLAP: RoBERTa, its pooler and a projection; tokens to one vector of unit
// length. Source: arXiv 1907.11692, arXiv 2211.06687 and the official implementation.
#ifndef MEANWAVE_CLAP_TEXT_H
#define MEANWAVE_CLAP_TEXT_H

#include "arena.h"
#include "pool.h"
#include "weights.h"

typedef struct clap_text clap_text;

// Sizes come from the tensors, but for the heads: 0 means of 64 columns each, as published (one,
// when there are fewer columns). The word table is read where it lies: `file` must outlive the
// tower. Not real time.
mw_status clap_text_load(clap_text **loaded, const weights *file, size_t heads, mw_error *error);
void clap_text_free(clap_text *c);
size_t clap_text_width(const clap_text *c);      // of the vector
size_t clap_text_vocabulary(const clap_text *c); // ids are below it
size_t clap_text_longest(const clap_text *c);    // most tokens of a text

// ids [used], the text without its padding, which changes nothing -> vector [width]. Scratch is
// taken from `memory` and given back. Same bits for any number of threads.
mw_status clap_text_run(const clap_text *c, const uint32_t *ids, size_t used, float *vector,
                        arena *memory, pool *p, mw_error *error);

// Outputs along the way, for comparisons: "pooler" and "projection".
typedef void clap_text_probe(void *context, const char *name, const float *values, size_t count);
void clap_text_watch(clap_text *c, clap_text_probe *probe, void *context);

#endif
