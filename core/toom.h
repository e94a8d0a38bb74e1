// SPDX-License-Identifier: GPL-3.0-or-later
//
// Convolutions with a third to a half of the multiplications (Toom-Cook, also named after
// Winograd): a short product of polynomials is found from its values at a few points. Inputs and
// weights are turned into values at the points, multiplied there by the same tiles as any matrix,
// and the products turned back. Float32 rounding grows to about 1e-6 of the largest result.
#ifndef MEANWAVE_TOOM_H
#define MEANWAVE_TOOM_H

#include "kernels.h"

typedef struct toom toom;

enum {
  TOOM_READ_MOST = 19,  // rows of the input for a block, where the dilation is 1
  TOOM_STRIP_MOST = 64, // columns of a strip
};

// Whether a convolution of this shape is faster this way on this machine.
bool toom_fits(const matrix_shape *shape);

// `values` [outputs, inputs, taps] and `bias` [outputs] or NULL; both are copied. The shape must
// fit.
mw_status toom_new(toom **made, const matrix_shape *shape, const float *values, const float *bias,
                   mw_error *error);
void toom_free(toom *t);
const matrix_shape *toom_get_shape(const toom *t);

// Rows are made in blocks of so many. Blocks i.. of the result need input rows
// i * toom_block(t).. as in matrix_run, and toom_spare(t) rows behind the last of these, whose
// values do not matter as long as they are numbers.
size_t toom_block(const toom *t);
size_t toom_spare(const toom *t);

// Inputs are turned into values strip by strip of columns.
size_t toom_strips(const toom *t);
void toom_strip(const toom *t, size_t strip, size_t *column, size_t *width);

size_t toom_values(const toom *t, size_t blocks); // floats of the values of so many blocks
size_t toom_room(const toom *t);                  // floats of scratch of a thread

// Columns of `strip` of the inputs of `count` blocks, the first being `first` of `blocks`:
// x [.., width of the strip]. Strips and blocks may be done at the same time.
void toom_forward(const toom *t, size_t strip, const float *x, size_t x_stride, size_t first,
                  size_t count, size_t blocks, float *values);

// y [rows, outputs] = products + bias and what `after`, which may be NULL, makes of them; rows up
// to blocks * toom_block(t). `room`: toom_room floats for each thread.
void toom_back(const toom *t, const float *values, size_t blocks, size_t rows,
               const epilogue *after, float *y, float *room, pool *p);

#endif
