// SPDX-License-Identifier: GPL-3.0-or-later
//
// Normal noise equal to PyTorch's CPU generator (torch.manual_seed(seed); torch.randn(n)), so that
// a user can repeat an official result.
#ifndef MEANWAVE_RANDOM_H
#define MEANWAVE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t state[624];
  unsigned at;
} random_stream;

void random_seed(random_stream *r, uint64_t seed);
uint32_t random_next(random_stream *r);
// One draw of `count` values. Equal to one torch.randn(count) for count >= 16; shorter draws are
// taken from a draw of 16. Real time.
void random_normal(random_stream *r, float *out, size_t count);

#endif
