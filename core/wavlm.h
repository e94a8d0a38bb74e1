// SPDX-License-Identifier: GPL-3.0-or-later
//
// WavLM (arXiv 2110.13900) as MeanVC's speaker verification uses it: samples to the weighted sum of
// all its layers, which ECAPA turns into an embedding. Run once per voice.
#ifndef MEANWAVE_WAVLM_H
#define MEANWAVE_WAVLM_H

#include "kernels.h"
#include "weights.h"

typedef struct wavlm wavlm;

// Reads "feature_extract.model.*" and "feature_weight"; sizes from the tensors. `max_distance` of
// the relative positions is not in the file: 800 as published.
mw_status wavlm_load(wavlm **loaded, const weights_view *view, size_t max_distance,
                     mw_error *error);
void wavlm_free(wavlm *w);
size_t wavlm_width(const wavlm *w);
size_t wavlm_frames(const wavlm *w, size_t samples);

// samples [count] at 16 kHz -> features [wavlm_frames(count), width]. Not real time.
mw_status wavlm_run(const wavlm *w, const float *samples, size_t count, float *features, pool *p,
                    mw_error *error);

#endif
