// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an instruction set has to provide, and how matrices are packed. Inside the kernels only.
#ifndef MEANWAVE_KERNELS_PATH_H
#define MEANWAVE_KERNELS_PATH_H

#include <stdint.h>

#include "kernels.h"
#include "toom.h"

// Weights are packed in panels of columns, each [taps * inputs, width]; all are PANEL wide but the
// last, whose width is a multiple of 8 up to PANEL_MOST. So the panel that starts at column c
// starts at element c * taps * inputs, and one layout serves every instruction set.
enum { PANEL = 32, PANEL_MOST = 48 };

// Sums of a few rows of one panel, or of a part of its depth:
//   sum[r, c] = (first ? 0 : sum[r, c]) + over j, i: x[r * x_stride + j * tap_step + i] w[j, i, c]
// Each element is one chain of fused multiply-adds in the order of j and i, whatever `rows` is.
typedef struct {
  const float *x;
  size_t x_stride;
  size_t rows; // 1..tile_rows
  size_t taps;
  size_t tap_step;
  size_t inputs;
  const float *w;      // row (j, i) at (j * inputs + i) * w_stride
  const float *w_next; // laid out alike, wanted after these: called from memory early; or NULL
  size_t w_stride;
  size_t width; // 8, 16, 24, 32 or 48
  float *sum;
  size_t sum_stride;
  bool first;
} tile_job;

// Activations as 8-bit integers, rounded to a step of their own for every row and every INT8_GROUP
// inputs: a 127th of the largest. Between them and int8 weights sums are exact integers, so that
// all paths find the same.
enum {
  INT8_ROWS = 36,
  INT8_INPUTS = 512,
  INT8_GROUP = 128,
  INT8_GROUPS = INT8_INPUTS / INT8_GROUP
};
typedef struct {
  // -127..127, as bytes or 16 bits each, as the path likes; zeros up to a multiple of 4 inputs
  _Alignas(64) int16_t values[INT8_ROWS][INT8_INPUTS + 32];
  float step[INT8_ROWS][INT8_GROUPS];
  int32_t offset[INT8_ROWS][INT8_GROUPS]; // -128 times the sum of a group's values
} int8_rows;

// Sums of a few rows of one panel of int8 weights, which are stored 128 higher than they are:
//   sum[r, c] = (first ? 0 : sum[r, c]) + over groups: step[r] (offset[r] + over i: x[r, i] w[i,
//   c])
typedef struct {
  const int8_rows *x;
  size_t row;  // the first of
  size_t rows; // 1..int8_rows
  size_t inputs;
  const uint8_t *w;      // [inputs / 4, width, 4]
  const uint8_t *w_next; // wanted after these, or NULL
  size_t width;          // 16, 32 or 48
  float *sum;
  size_t sum_stride;
  bool first;
} int8_job;

// Turns sums of a group of panels into results.
typedef struct {
  const float *sum;
  size_t sum_stride;
  size_t rows;
  size_t columns;     // no padding here
  const float *scale; // [columns] of int8 weights, or NULL
  const float *bias;  // [columns]
  epilogue after;     // its pointers moved to the first row and column
  float *y;
  size_t y_stride;
} finish_job;

// A convolution by values at points (toom.c): evaluation of inputs and weights, and the way back,
// each in two steps, the outer one on the results of the inner one.
enum { TOOM_POINTS = 8, TOOM_OUTER = 4 };

typedef struct {
  size_t taps;   // of the kernel
  size_t rows;   // of the result, inner_rows * outer_rows
  size_t points; // inner_points * outer_points; point (outer q, inner p) is q * inner_points + p
  size_t inner_points;
  size_t inner_rows;
  size_t inner_taps;
  size_t outer_points; // 1: no outer step; else 4
  size_t outer_rows;
  size_t outer_taps;
  float forward[TOOM_POINTS * TOOM_POINTS];       // [inner_points, inner_points]
  float inner_weights[TOOM_POINTS * TOOM_POINTS]; // [inner_points, inner_taps]
  float inner_back[TOOM_POINTS * TOOM_POINTS];    // [inner_rows, inner_points]
  float outer_weights[TOOM_OUTER * TOOM_OUTER];   // [outer_points, outer_taps]
  float outer_back[TOOM_OUTER * TOOM_OUTER];      // [outer_rows, outer_points]
} toom_scheme;

typedef struct {
  const toom_scheme *scheme;
  const float *x; // rows + inner_taps * outer_taps - 1 rows
  size_t x_stride;
  size_t columns;
  float *values; // of point p at p * point_stride
  size_t point_stride;
} toom_forward_job;

typedef struct {
  const toom_scheme *scheme;
  const float *sums;
  size_t point_stride;
  size_t columns;
  const float *bias;
  size_t rows; // that are stored, scheme->rows or fewer
  const float *residual;
  float *y;
  size_t y_stride; // also of the residual
} toom_back_job;

typedef struct {
  const char *name;
  size_t tile_rows;
  void (*tile)(const tile_job *job);
  void (*finish)(const finish_job *job);
  // All three or, on a path without them, NULL and 0: up to INT8_ROWS rows, INT8_INPUTS inputs.
  size_t int8_rows; // of a tile
  void (*quantise)(const float *x, size_t x_stride, size_t rows, size_t inputs, int8_rows *to);
  void (*tile_int8)(const int8_job *job);
  // x = exp(scale * x + bias - largest of these), bias NULL: 0. Returns their sum, added in order.
  float (*exponentials)(float *x, size_t count, float scale, const float *bias);
  void (*activate)(activation act, float *x, size_t count);
  void (*depthwise)(const float *w, const float *bias, size_t taps, size_t dilation, const float *x,
                    size_t x_stride, size_t rows, size_t channels, float *y, size_t y_stride);
  void (*layer_norm)(const float *x, size_t x_stride, size_t rows, size_t width, const float *gain,
                     const float *bias, float epsilon, float *y, size_t y_stride);
  void (*rms_norm)(const float *x, size_t x_stride, size_t rows, size_t width, const float *gain,
                   float epsilon, float *y, size_t y_stride);
  void (*softmax_rows)(float *x, size_t stride, size_t rows, size_t width);
  void (*glu_rows)(const float *x, size_t x_stride, size_t rows, size_t width, float *y,
                   size_t y_stride);
  void (*snake)(const snake_antialias *s, const float *x, size_t x_stride, size_t first,
                size_t rows, size_t length, float *y, size_t y_stride);
  // All three or, on a path without them, NULL. Weights are [taps, count] -> [points, count].
  void (*toom_forward)(const toom_forward_job *job);
  void (*toom_weights)(const toom_scheme *scheme, const float *w, size_t count, float *values);
  void (*toom_back)(const toom_back_job *job);
  // Nothing but fused multiply-adds in registers, to measure the processor's peak. Returns how
  // many.
  size_t (*multiply_adds)(size_t rounds, float *kept);
} kernels_path;

extern const kernels_path kernels_plain;
#if defined(__x86_64__)
extern const kernels_path kernels_avx2;
extern const kernels_path kernels_avx512;
extern const kernels_path kernels_vnni; // AVX-512 with its 8-bit multiplications
#elif defined(__aarch64__)
extern const kernels_path kernels_neon;
#endif

static inline size_t panel_count(size_t outputs)
{
  return outputs > PANEL_MOST ? (outputs - PANEL_MOST + PANEL - 1) / PANEL + 1 : outputs > 0;
}

// Width of the panel that starts at column `first`.
static inline size_t panel_width(size_t outputs, size_t first)
{
  size_t left = outputs - first;
  if (left > PANEL_MOST) return PANEL;
  return left > PANEL ? PANEL_MOST : (left + 7) / 8 * 8;
}

// As the public functions, on a chosen path: for tests.
void matrix_run_on(const kernels_path *path, const matrix *m, const float *x, size_t x_stride,
                   size_t rows, float *y, size_t y_stride, const epilogue *after, pool *p);
mw_status toom_new_on(const kernels_path *path, toom **made, const matrix_shape *shape,
                      const float *values, const float *bias, mw_error *error);
void attention_run_on(const kernels_path *path, const attention *a, pool *p);

#endif
