// SPDX-License-Identifier: GPL-3.0-or-later
//
// Triangular filters over the bins of a spectrum, stored without their zeros.
#ifndef MEANWAVE_BANK_H
#define MEANWAVE_BANK_H

#include "arena.h"

typedef struct {
  size_t filters;
  size_t bins;
  size_t *first;  // [filters] first bin of each
  size_t *count;  // [filters]
  float **weight; // [filters][count]
} bank;

// Slaney mel scale, 0 Hz to rate / 2, weights linear in Hz and each filter divided by half its
// width (librosa's default).
void bank_slaney(bank *b, arena *memory, size_t filters, size_t fft_size, double rate_hz);
// HTK-like scale 1127 ln(1 + f / 700) with triangles linear in mel, `low_hz` to `high_hz`, not
// normalised (Kaldi's).
void bank_kaldi(bank *b, arena *memory, size_t filters, size_t fft_size, double rate_hz,
                double low_hz, double high_hz);

// out[m] = sum over bins of weight[m] * spectrum. Real time.
void bank_apply(const bank *b, const float *spectrum, float *out);

#endif
