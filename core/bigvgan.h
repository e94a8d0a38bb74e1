// SPDX-License-Identifier: GPL-3.0-or-later
//
// BigVGAN (arXiv 2206.04658) as MeanAudio uses it: mel to samples. Weights are immutable and
// shared; a call holds its own scratch.
#ifndef MEANWAVE_BIGVGAN_H
#define MEANWAVE_BIGVGAN_H

#include "pool.h"
#include "weights.h"

typedef struct bigvgan bigvgan;

// Reads the generator behind any prefix, weight norms folded. Widths, kernels and the numbers of
// stages and blocks come from the tensors; what a file does not hold is as published: an up-sampler
// of k taps has the rate k / 2, dilations are 1, 3, 5. Not real time.
mw_status bigvgan_load(bigvgan **loaded, const weights *file, mw_error *error);
void bigvgan_free(bigvgan *b);
size_t bigvgan_mel_bins(const bigvgan *b);
size_t bigvgan_hop(const bigvgan *b); // samples of a frame

// Told the share done, 0 to 1, a few times a second of work; false cancels.
typedef bool bigvgan_progress(void *context, double done);

// log10 mel [frames, mel_bins] -> samples [frames * hop] in (-1, 1). Memory does not grow with the
// length. The same bits for any number of threads. `progress` may be NULL. Not real time.
mw_status bigvgan_run(const bigvgan *b, const float *mel, size_t frames, float *samples,
                      bigvgan_progress *progress, void *context, pool *p, mw_error *error);

// Outputs along the way, for comparisons with the official code. They come piece by piece: `first`
// is the row of the first value.
typedef void bigvgan_probe(void *context, const char *name, const float *values, size_t first,
                           size_t rows, size_t width);
void bigvgan_watch(bigvgan *b, bigvgan_probe *probe, void *context);

#endif
