// SPDX-License-Identifier: GPL-3.0-or-later
//
// MeanVC 2's universal timbre token encoder: a speaker embedding becomes a few tokens, and content
// frames look up the target's timbre in them by attention. Weights immutable and shared; a set
// holds what one voice fixes.
#ifndef MEANWAVE_TIMBRE_TOKENS_H
#define MEANWAVE_TIMBRE_TOKENS_H

#include "kernels.h"
#include "weights.h"

typedef struct timbre_tokens timbre_tokens;

// Reads "gtm.*" and "temporal_timbre.*"; sizes from the tensors. `heads`: 4 as published.
mw_status timbre_tokens_load(timbre_tokens **loaded, const weights_view *view, size_t heads,
                             mw_error *error);
void timbre_tokens_free(timbre_tokens *t);
size_t timbre_tokens_count(const timbre_tokens *t);
size_t timbre_tokens_width(const timbre_tokens *t); // of content, tokens and result
size_t timbre_tokens_speaker(const timbre_tokens *t);

// The tokens of a speaker [speaker]: keys and values [count, width] each. Not real time.
mw_status timbre_tokens_expand(const timbre_tokens *t, const float *speaker, float *keys,
                               float *values, mw_error *error);

typedef struct timbre_token_set timbre_token_set;

// Tokens of a speaker, projected for the attention. Not real time.
mw_status timbre_token_set_new(timbre_token_set **made, const timbre_tokens *t,
                               const float *speaker, mw_error *error);
void timbre_token_set_free(timbre_token_set *s);

// Scratch of timbre_tokens_run in floats, for up to `rows` rows.
size_t timbre_tokens_scratch(const timbre_tokens *t, size_t rows);
// Real time. content [rows, width] -> out [rows, width]; each row on its own.
void timbre_tokens_run(const timbre_tokens *t, const timbre_token_set *s, const float *content,
                       size_t rows, float *out, float *scratch);

#endif
