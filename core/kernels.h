// SPDX-License-Identifier: GPL-3.0-or-later
//
// The few operations everything is made of. Activations are [rows, columns], row-major, with a row
// stride in floats; a row is a moment in time, a column a channel. One plain C truth
// (kernels_plain.c) and faster paths picked at run time; all functions are real time (no
// allocation, lock or system call) unless a pool is given.
//
// Rule of all paths: a row's values do not depend on how many rows are computed with it, nor on the
// number of threads. This is why streaming equals whole-file bit for bit.
#ifndef MEANWAVE_KERNELS_H
#define MEANWAVE_KERNELS_H

#include <stddef.h>

#include "status.h"
#include "pool.h"
#include "weights.h"

typedef enum {
  ACTIVATION_NONE,
  ACTIVATION_RELU,
  ACTIVATION_SILU,
  ACTIVATION_GELU_ERF,  // x/2 (1 + erf(x / sqrt 2))
  ACTIVATION_GELU_TANH, // x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  ACTIVATION_SELU,
  ACTIVATION_TANH,
  ACTIVATION_SIGMOID,
} activation;

// ---- Weights of a linear layer or a 1-D convolution, packed at load ----

typedef struct {
  size_t outputs;
  size_t inputs;
  size_t taps;     // 1 for a linear layer
  size_t dilation; // in input rows
  size_t stride;   // in input rows
} matrix_shape;

typedef enum { MATRIX_F32, MATRIX_INT8 } matrix_dtype;

typedef struct matrix matrix;

// Packs `values` [outputs, inputs, taps] (PyTorch's order for Linear and Conv1d) and `bias`
// [outputs] or NULL; both are copied. MATRIX_INT8 keeps 8 bits and one scale per output, and rounds
// inputs to 8 bits as it runs (see matrix_int8.c).
mw_status matrix_new(matrix **made, const matrix_shape *shape, matrix_dtype dtype,
                     const float *values, const float *bias, mw_error *error);
void matrix_free(matrix *m);
const matrix_shape *matrix_get_shape(const matrix *m);
size_t matrix_bytes(const matrix *m);

// What a matrix of this tensor's values is packed as: int8 where the file says so, it is wide
// enough, and this processor has a fast path for it.
matrix_dtype matrix_dtype_of(const tensor *stored);

// Reads "NAME.weight" ([outputs, inputs] or [outputs, inputs, taps], also [outputs, inputs, 1]
// where taps is 1) and, when `has_bias`, "NAME.bias". To be freed also after a failure.
typedef struct {
  float *values; // [outputs, inputs, taps]
  float *bias;   // [outputs], or NULL
  matrix_dtype dtype;
} matrix_values;
mw_status matrix_read(matrix_values *read, const weights_view *view, const char *name,
                      const matrix_shape *shape, bool has_bias, mw_error *error);
void matrix_values_free(matrix_values *read);

// Packs what matrix_read reads.
mw_status matrix_load(matrix **made, const weights_view *view, const char *name,
                      const matrix_shape *shape, bool has_bias, mw_error *error);

// What happens to a result before it is stored, in this order; zero-initialised is "nothing".
//   y = residual + scale[column] * act(x W + bias) * factor
typedef struct {
  activation act;
  const float *factor; // [rows, outputs]: the other half of a gated unit; NULL: 1
  size_t factor_stride;
  const float *scale;    // [outputs]: gates, layer scale; NULL: 1
  const float *residual; // [rows, outputs], may be y itself; NULL: 0
  size_t residual_stride;
} epilogue;

// y[i] = sum over taps j of W_j x[i * stride + j * dilation] (+ bias, epilogue), rows i =
// 0..rows-1. The caller provides all input rows, padding included: the last one read is (rows - 1)
// * stride + (taps - 1) * dilation. `after` may be NULL. `p` may be NULL: one thread. x and y must
// not overlap.
void matrix_run(const matrix *m, const float *x, size_t x_stride, size_t rows, float *y,
                size_t y_stride, const epilogue *after, pool *p);

// ---- Depthwise 1-D convolution: y[i, c] = bias[c] + sum_j w[j, c] x[i + j * dilation, c] ----
// `w` is [taps, channels] (PyTorch's [channels, 1, taps] transposed at load).
void depthwise_run(const float *w, const float *bias, size_t taps, size_t dilation, const float *x,
                   size_t x_stride, size_t rows, size_t channels, float *y, size_t y_stride);

// ---- Attention: out = softmax(scale * q k^T + bias) v per head ----
// Heads are column blocks: head h of row i is q[i * q_stride + h * head_size ...].
typedef struct {
  size_t heads;
  size_t head_size;
  size_t queries;
  size_t keys;
  const float *q;
  size_t q_stride;
  const float *k;
  size_t k_stride;
  const float *v;
  size_t v_stride;
  float scale;
  const float *bias;        // added to the scores, -INFINITY masks; NULL: none
  size_t bias_head_stride;  // 0: the same for all heads
  size_t bias_query_stride; // 0: the same for all queries (a key mask); the key stride is 1
  float *out;
  size_t out_stride;
  float *scratch; // attention_scratch() floats; with a pool, that many per thread
  // Keys masked by -INFINITY change no bit of the result, wherever they stand; a query that may see
  // no key gets zeros.
} attention;
size_t attention_scratch(size_t queries, size_t keys, size_t head_size);
void attention_run(const attention *a, pool *p);

// ---- Norms over the columns of each row; x and y may be the same ----
// gain and bias may be NULL (1 and 0). A modulated norm passes gain = 1 + scale, bias = shift.
void layer_norm(const float *x, size_t x_stride, size_t rows, size_t width, const float *gain,
                const float *bias, float epsilon, float *y, size_t y_stride);
void rms_norm(const float *x, size_t x_stride, size_t rows, size_t width, const float *gain,
              float epsilon, float *y, size_t y_stride);
void softmax_rows(float *x, size_t stride, size_t rows, size_t width);

// ---- Element-wise ----
void activate(activation act, float *x, size_t count);
void glu_rows(const float *x, size_t x_stride, size_t rows, size_t width, float *y,
              size_t y_stride); // y = x[:, :width] * sigmoid(x[:, width:2 width])

// Rotates adjacent pairs (2i, 2i+1) of every head of every row by the row's angles:
// cosine and sine are [rows, head_size / 2].
void rope_rotate(float *x, size_t stride, size_t rows, size_t heads, size_t head_size,
                 const float *cosine, const float *sine);

// ---- The anti-aliased periodic activation of BigVGAN (spec: 2x up, SnakeBeta, 2x down) ----
typedef struct {
  size_t channels;
  const float *frequency; // [channels]: exp(alpha)
  const float *amplitude; // [channels]: 1 / (exp(beta) + 1e-9)
  const float *up;        // [12] taps of the low-pass before and
  const float *down;      // [12] after s(x) = x + amplitude sin^2(frequency x)
} snake_antialias;
// Rows `first`..first + rows - 1 of a signal of `length` rows, whose edges are repeated outward.
// x and y point at row `first`; x is read from 5 rows before the first to 5 rows after the last
// one, but never outside the signal, so a signal can be done tile by tile. x and y must not
// overlap.
void snake_antialias_run(const snake_antialias *s, const float *x, size_t x_stride, size_t first,
                         size_t rows, size_t length, float *y, size_t y_stride);

// Name of the path in use on this machine: "plain", "avx2", "avx512", "neon".
const char *kernels_name(void);

#endif
