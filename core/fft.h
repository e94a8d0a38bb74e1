// SPDX-License-Identifier: GPL-3.0-or-later
//
// Real Fourier transforms through FFTW: planned once under a lock (its planner is not thread-safe),
// executed anywhere.
#ifndef MEANWAVE_FFT_H
#define MEANWAVE_FFT_H

#include "status.h"

typedef struct fft fft;

// Plans both directions for an even `size`. Not real time.
mw_status fft_new(fft **made, size_t size, mw_error *error);
void fft_free(fft *f);
size_t fft_size(const fft *f);

// The buffers transforms work on, owned by the object: `size` samples, size / 2 + 1 pairs (re, im).
float *fft_samples(fft *f);
float *fft_bins(fft *f);

// Real time. fft_forward: samples -> bins. fft_inverse: bins -> samples, scaled by 1 / size;
// destroys the bins.
void fft_forward(fft *f);
void fft_inverse(fft *f);

#endif
