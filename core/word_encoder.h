// SPDX-License-Identifier: GPL-3.0-or-later
//
// The text encoder of the default sound model (docs/sound-text-encoder.md): known words to features
// and one vector.
#ifndef MEANWAVE_WORD_ENCODER_H
#define MEANWAVE_WORD_ENCODER_H

#include "arena.h"
#include "pool.h"
#include "weights.h"

typedef struct word_encoder word_encoder;

// Sizes come from the tensors of `view`, but for the heads. Word vectors are read where they lie:
// the file must outlive the encoder. Not real time.
mw_status word_encoder_load(word_encoder **loaded, const weights_view *view, size_t heads,
                            mw_error *error);
void word_encoder_free(word_encoder *e);
size_t word_encoder_rows(const word_encoder *e);   // R, of the features
size_t word_encoder_width(const word_encoder *e);  // D, of a row
size_t word_encoder_pooled(const word_encoder *e); // of the vector

// What a text's words are to the model.
typedef struct {
  size_t known;
  size_t unknown;            // of three letters and more: "a", "of" and the like say nothing
  const char *first_unknown; // in the text, [first_unknown_length]; NULL when there is none
  size_t first_unknown_length;
} word_count;

// text [length] -> ids of its first R known words; returns how many. `count` may be NULL.
size_t word_encoder_words(const word_encoder *e, const char *text, size_t length, uint32_t *ids,
                          word_count *count);

// ids [used], at most R, perhaps none -> features [R, D], vector [pooled]. Scratch is taken from
// `memory` and given back. Same bits for any number of threads.
mw_status word_encoder_run(const word_encoder *e, const uint32_t *ids, size_t used, float *features,
                           float *vector, arena *memory, pool *p, mw_error *error);

#endif
