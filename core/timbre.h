// SPDX-License-Identifier: GPL-3.0-or-later
//
// MeanVC's timbre encoder (MRTE): content frames look up the target's timbre in a reference
// spectrogram by attention. Weights immutable and shared; a prompt holds what one voice fixes.
#ifndef MEANWAVE_TIMBRE_H
#define MEANWAVE_TIMBRE_H

#include "kernels.h"
#include "weights.h"

typedef struct timbre timbre;

// Reads "vp_proj" and "prompt_vp_encoders.*"; sizes from the tensors. `heads`: 4 as published.
mw_status timbre_load(timbre **loaded, const weights_view *view, size_t heads, mw_error *error);
void timbre_free(timbre *t);
size_t timbre_width(const timbre *t); // of content and result
size_t timbre_mel(const timbre *t);
size_t timbre_speaker(const timbre *t);

typedef struct timbre_prompt timbre_prompt;

// Folds a reference: mel [frames, mel] in -1..1 and speaker embedding [speaker] -> keys and values.
mw_status timbre_prompt_new(timbre_prompt **made, const timbre *t, const float *mel, size_t frames,
                            const float *speaker, mw_error *error);
void timbre_prompt_free(timbre_prompt *p);

// Scratch of timbre_run in floats, for up to `rows` rows over a prompt of `frames`.
size_t timbre_scratch(const timbre *t, size_t rows, size_t frames);
// Real time. content [rows, width] -> out [rows, width]; each row on its own.
void timbre_run(const timbre *t, const timbre_prompt *p, const float *content, size_t rows,
                float *out, float *scratch);

#endif
