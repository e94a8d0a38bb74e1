// SPDX-License-Identifier: GPL-3.0-or-later
//
// The cosines over the bins of a mel that cepstra count: orthonormal.
#ifndef MEANWAVE_CEPSTRUM_H
#define MEANWAVE_CEPSTRUM_H

#include <math.h>
#include <stddef.h>

static inline double cepstrum_cosine(size_t k, size_t bin, size_t bins)
{
  double norm = sqrt((k == 0 ? 1.0 : 2.0) / (double)bins);
  return norm * cos(M_PI / (double)bins * ((double)bin + 0.5) * (double)k);
}

#endif
