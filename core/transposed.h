// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transposed 1-D convolution, the up-sampler of vocoders: one matrix for each of `stride` phases.
//   y[t] = bias + sum over input rows s and taps j with stride * s + j - padding = t of x[s] W_j
// Output rows stride * i .. stride * i + stride - 1 belong to input row i; with PyTorch's
// ConvTranspose1d and taps - stride = 2 padding that is all of its output.
#ifndef MEANWAVE_TRANSPOSED_H
#define MEANWAVE_TRANSPOSED_H

#include "kernels.h"

typedef struct transposed transposed;

// Packs `values` [inputs, outputs, taps] (PyTorch's order) and `bias` [outputs] or NULL; both are
// copied. Needs taps >= stride >= 1 and padding < taps.
mw_status transposed_new(transposed **made, size_t inputs, size_t outputs, size_t taps,
                         size_t stride, size_t padding, const float *values, const float *bias,
                         mw_error *error);
void transposed_free(transposed *t);

// Input rows read before the first and after the last one; outside the signal they must be zeros.
size_t transposed_before(const transposed *t);
size_t transposed_after(const transposed *t);

// x points at the first of `rows` input rows, y at the first of rows * stride output rows. Real
// time without a pool. x and y must not overlap.
void transposed_run(const transposed *t, const float *x, size_t x_stride, size_t rows, float *y,
                    size_t y_stride, pool *p);

#endif
