// SPDX-License-Identifier: GPL-3.0-or-later
//
// 1-D convolutions that keep the length of a signal that is there as a whole; outside it are zeros.
// Where that is faster they go through values at points (toom.h): then the last bits of a row
// depend on where in the signal it lies, so what streams takes matrix_run.
#ifndef MEANWAVE_CONV_H
#define MEANWAVE_CONV_H

#include "arena.h"
#include "kernels.h"

typedef struct conv conv;

enum { CONV_TAPS_MOST = 15 };

// `shape`: taps odd and CONV_TAPS_MOST at most, stride and dilation 1; the rest as matrix_new and
// matrix_load take it.
mw_status conv_new(conv **made, const matrix_shape *shape, matrix_dtype dtype, const float *values,
                   const float *bias, mw_error *error);
mw_status conv_load(conv **made, const weights_view *view, const char *name,
                    const matrix_shape *shape, bool has_bias, mw_error *error);
void conv_free(conv *c);
const matrix_shape *conv_get_shape(const conv *c);

// [rows, width] with zeros before the first row and after the last, the place of a convolution's
// input: conv_run reads into them. NULL when memory is out.
float *conv_rows(arena *a, size_t rows, size_t width);

// Floats of scratch of conv_run.
size_t conv_scratch(const conv *c, size_t rows, size_t threads);

// x [rows, inputs] -> y [rows, outputs], both without gaps; x has (taps - 1) / 2 rows of zeros
// before and after. `after` may be NULL. The same bits for any number of threads.
void conv_run(const conv *c, const float *x, size_t rows, float *y, const epilogue *after,
              float *scratch, pool *p);

#endif
