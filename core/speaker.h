// SPDX-License-Identifier: GPL-3.0-or-later
//
// ECAPA-TDNN (arXiv 2005.07143) as MeanVC uses it: features of a whole reference to one speaker
// embedding. In front of it the official system has WavLM; our default model the mel itself.
#ifndef MEANWAVE_SPEAKER_H
#define MEANWAVE_SPEAKER_H

#include "kernels.h"
#include "weights.h"

typedef struct speaker speaker;

// Reads "layer1" to "layer4", "conv", "pooling", "bn", "linear"; sizes from the tensors.
mw_status speaker_load(speaker **loaded, const weights_view *view, mw_error *error);
void speaker_free(speaker *s);
size_t speaker_inputs(const speaker *s);
size_t speaker_size(const speaker *s);

// Every column to mean 0 and variance 1 over time, in place: what the encoder expects. x [frames,
// inputs].
void speaker_normalise(float *x, size_t frames, size_t inputs);

// x [frames, inputs], normalised -> embedding [size]. Not real time.
mw_status speaker_embed(const speaker *s, const float *x, size_t frames, float *embedding, pool *p,
                        mw_error *error);

#endif
