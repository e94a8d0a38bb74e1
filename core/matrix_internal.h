// SPDX-License-Identifier: GPL-3.0-or-later
//
// What matrices of floats (matrix.c) and of 8-bit integers (matrix_int8.c) share.
#ifndef MEANWAVE_MATRIX_INTERNAL_H
#define MEANWAVE_MATRIX_INTERNAL_H

#include "kernels_path.h"

enum {
  ROW_BLOCK = 36,
  GROUP = 192,                             // a multiple of PANEL
  SUM_STRIDE = GROUP + PANEL_MOST - PANEL, // the last panel may be wider
  DEPTH_CHUNK = 512,
};

struct matrix {
  matrix_shape shape;
  matrix_dtype dtype;
  void *packed; // panels, of `dtype`
  float *bias;  // [outputs]
  float *scale; // [outputs], int8 only, else NULL
};

typedef struct {
  const kernels_path *path;
  const matrix *m;
  const float *x;
  size_t x_stride;
  size_t rows;
  float *y;
  size_t y_stride;
  epilogue after;
  size_t row_blocks;
  size_t groups;
} run_job;

// Bytes of packed int8 weights.
size_t int8_bytes(const matrix_shape *s);
// Fills m->packed and m->scale from `values` [outputs, inputs, taps].
void int8_pack(matrix *m, const float *values);
// Sums of the columns [first, end) of up to ROW_BLOCK rows, at SUM_STRIDE.
void int8_sum_group(const run_job *job, const float *x, size_t rows, size_t first, size_t end,
                    float *sums);

#endif
