// SPDX-License-Identifier: GPL-3.0-or-later
//
// Everything but the tile of multiply-adds, once, on vectors of VECTOR_BYTES (the compilers' vector
// types). Each instruction set includes this file with its own size.
//
// Accuracy against the C library, over all floats that matter: exp 2 ulp, erf and tanh 1e-7
// absolute, sin^2 3e-7 absolute for arguments up to 1e4. The polynomials are minimax fits.
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "kernels_path.h"

typedef float vf __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t vi __attribute__((vector_size(VECTOR_BYTES)));

enum { LANES = VECTOR_BYTES / 4 };

static inline vf load(const float *from)
{
  vf v;
  memcpy(&v, from, sizeof v);
  return v;
}

static inline void store(float *to, vf v)
{
  memcpy(to, &v, sizeof v);
}

// `count` lanes, the others 0. With a constant count of LANES this is a plain load.
#ifdef __AVX512F__
static inline vf load_part(const float *from, size_t count)
{
  return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
}

static inline void store_part(float *to, vf v, size_t count)
{
  _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)v);
}
#else
static inline vf load_part(const float *from, size_t count)
{
  vf v = {0};
  memcpy(&v, from, count * sizeof(float));
  return v;
}

static inline void store_part(float *to, vf v, size_t count)
{
  memcpy(to, &v, count * sizeof(float));
}
#endif

static inline vf choose(vi mask, vf yes, vf no)
{
  return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}

static inline vf all(float x)
{
  return (vf){0} + x;
}

static inline vf limited(vf x, float least, float most)
{
  x = choose(x < least, all(least), x);
  return choose(x > most, all(most), x);
}

static inline vf size_of(vf x)
{
  return (vf)((vi)x & 0x7FFFFFFF);
}

static inline vf with_sign(vf size, vf sign)
{
  return (vf)((vi)size | ((vi)sign & (int32_t)0x80000000));
}

// Adding this rounds to a whole number, which then stands in the low bits.
#define ROUNDER 12582912.0f

static inline vf exponential(vf x)
{
  vf kept = limited(x, -87.0f, 88.0f);
  vf shifted = kept * 1.44269504f + ROUNDER;
  vf n = shifted - ROUNDER;
  vf r = kept - n * 0.693359375f + n * 2.12194440e-4f;
  vf p = ((1.39421e-3f * r + 8.36378e-3f) * r + 4.166636e-2f) * r + 1.6666573e-1f;
  vf y = 1.0f + (r + r * r * (p * r + 0.5f));
  vf power = (vf)(((vi)shifted << 23) + 0x3F800000);
  return choose(x < -87.0f, all(0.0f), y * power);
}

static inline vf sigmoid(vf x)
{
  return 1.0f / (1.0f + exponential(-x));
}

static inline vf hyperbolic_tangent(vf x)
{
  vf size = size_of(x);
  vf z = x * x;
  vf near = ((((-5.94218e-3f * z + 2.088908e-2f) * z - 5.38279e-2f) * z + 1.3332619e-1f) * z -
             3.3333327e-1f) *
                z * x +
            x;
  vf far = 1.0f - 2.0f / (exponential(2.0f * limited(size, 0.0f, 20.0f)) + 1.0f);
  return choose(size < 0.65f, near, with_sign(far, x));
}

static inline vf error_function(vf x)
{
  vf size = limited(size_of(x), 0.0f, 4.1f);
  vf z = limited(x * x, 0.0f, 1.0f);
  vf near =
      (((((7.88910948e-5f * z - 8.02083862e-4f) * z + 5.18953509e-3f) * z - 2.68544445e-2f) * z +
        1.12836002e-1f) *
           z -
       3.76126271e-1f) *
          z +
      1.12837917f;
  vf q = ((((((2.16984504e-5f * size - 4.41479147e-4f) * size + 4.20529903e-3f) * size -
             2.52103271e-2f) *
                size +
            1.08421994e-1f) *
               size +
           6.33216578e-1f) *
              size +
          1.12958018f) *
             size -
         1.88429395e-4f;
  vf far = 1.0f - exponential(-q);
  return choose(size < 1.0f, near * x, with_sign(far, x));
}

// sin^2 has period pi; pi in three parts keeps the remainder exact.
static inline vf sine_squared(vf x)
{
  vf n = x * 0.318309886f + ROUNDER - ROUNDER;
  vf r = x - n * 3.140625f - n * 9.67502593994140625e-4f - n * 1.509957990978376432e-7f;
  vf z = r * r;
  vf s = r +
         r * z *
             ((((-2.39076679e-8f * z + 2.75265379e-6f) * z - 1.98408927e-4f) * z + 8.33333131e-3f) *
                  z -
              1.66666666e-1f);
  return s * s;
}

static inline vf activated(activation act, vf x)
{
  switch (act) {
  case ACTIVATION_NONE: return x;
  case ACTIVATION_RELU: return choose(x > 0.0f, x, all(0.0f));
  case ACTIVATION_SILU: return x * sigmoid(x);
  case ACTIVATION_GELU_ERF: return 0.5f * x * (1.0f + error_function(x * 0.70710678f));
  case ACTIVATION_GELU_TANH:
    return 0.5f * x * (1.0f + hyperbolic_tangent(0.79788456f * (x + 0.044715f * x * x * x)));
  case ACTIVATION_SELU:
    return 1.05070098f * choose(x > 0.0f, x, 1.67326324f * (exponential(x) - 1.0f));
  case ACTIVATION_TANH: return hyperbolic_tangent(x);
  case ACTIVATION_SIGMOID: return sigmoid(x);
  }
  return x;
}

#define INLINE static inline __attribute__((always_inline))

INLINE void finish_lanes(const finish_job *j, activation act, size_t row, size_t c, size_t count)
{
  vf v = load_part(j->sum + row * j->sum_stride + c, count);
  if (j->scale != NULL) v *= load_part(j->scale + c, count);
  v = activated(act, v + load_part(j->bias + c, count));
  const epilogue *e = &j->after;
  if (e->factor != NULL) v *= load_part(e->factor + row * e->factor_stride + c, count);
  if (e->scale != NULL) v *= load_part(e->scale + c, count);
  if (e->residual != NULL) v += load_part(e->residual + row * e->residual_stride + c, count);
  store_part(j->y + row * j->y_stride + c, v, count);
}

INLINE void finish_as(const finish_job *j, activation act)
{
  for (size_t row = 0; row < j->rows; row++) {
    size_t c = 0;
    for (; c + LANES <= j->columns; c += LANES) finish_lanes(j, act, row, c, LANES);
    if (c < j->columns) finish_lanes(j, act, row, c, j->columns - c);
  }
}

static void finish(const finish_job *j)
{
  switch (j->after.act) {
  case ACTIVATION_NONE: finish_as(j, ACTIVATION_NONE); break;
  case ACTIVATION_RELU: finish_as(j, ACTIVATION_RELU); break;
  case ACTIVATION_SILU: finish_as(j, ACTIVATION_SILU); break;
  case ACTIVATION_GELU_ERF: finish_as(j, ACTIVATION_GELU_ERF); break;
  case ACTIVATION_GELU_TANH: finish_as(j, ACTIVATION_GELU_TANH); break;
  case ACTIVATION_SELU: finish_as(j, ACTIVATION_SELU); break;
  case ACTIVATION_TANH: finish_as(j, ACTIVATION_TANH); break;
  case ACTIVATION_SIGMOID: finish_as(j, ACTIVATION_SIGMOID); break;
  }
}

static void run_activation(activation act, float *x, size_t count)
{
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = count - i < LANES ? count - i : LANES;
    store_part(x + i, activated(act, load_part(x + i, lanes)), lanes);
  }
}

// Eight at a time: every panel's width is a multiple of eight.
static void widen(matrix_dtype dtype, const void *from, size_t count, float *to)
{
  typedef uint16_t v8h __attribute__((vector_size(16)));
  typedef int8_t v8b __attribute__((vector_size(8)));
  typedef uint32_t v8u __attribute__((vector_size(32)));
  typedef float v8f __attribute__((vector_size(32)));
  for (size_t i = 0; i < count; i += 8) {
    v8f result;
    if (dtype == MATRIX_INT8) {
      v8b bytes;
      memcpy(&bytes, (const int8_t *)from + i, sizeof bytes);
      result = __builtin_convertvector(bytes, v8f);
    } else {
      v8h halves;
      memcpy(&halves, (const uint16_t *)from + i, sizeof halves);
      v8u bits = __builtin_convertvector(halves, v8u);
      if (dtype == MATRIX_BF16) {
        result = (v8f)(bits << 16);
      } else {
        // the product puts the exponent right and normalises subnormals; weights are finite
        v8f size = (v8f)((bits & 0x7FFF) << 13) * 0x1p112f;
        result = (v8f)((v8u)size | (bits & 0x8000) << 16);
      }
    }
    memcpy(to + i, &result, sizeof result);
  }
}

static void scores(float *x, size_t count, float scale, const float *bias)
{
  for (size_t i = 0; i < count; i += LANES) {
    size_t lanes = count - i < LANES ? count - i : LANES;
    vf v = load_part(x + i, lanes) * scale;
    if (bias != NULL) v += load_part(bias + i, lanes);
    store_part(x + i, v, lanes);
  }
}

static void depthwise(const float *w, const float *bias, size_t taps, size_t dilation,
                      const float *x, size_t x_stride, size_t rows, size_t channels, float *y,
                      size_t y_stride)
{
  for (size_t i = 0; i < rows; i++) {
    for (size_t c = 0; c < channels; c += LANES) {
      size_t lanes = channels - c < LANES ? channels - c : LANES;
      vf sum = bias != NULL ? load_part(bias + c, lanes) : all(0.0f);
      for (size_t j = 0; j < taps; j++)
        sum += load_part(w + j * channels + c, lanes) *
               load_part(x + (i + j * dilation) * x_stride + c, lanes);
      store_part(y + i * y_stride + c, sum, lanes);
    }
  }
}

static inline float sum_of(vf v)
{
  float sum = 0.0f;
  for (size_t i = 0; i < LANES; i++) sum += v[i];
  return sum;
}

// Sum of (x - offset)^power over a row, power 1 or 2.
INLINE float moment(const float *x, size_t width, float offset, int power)
{
  vf sum = {0};
  size_t c = 0;
  for (; c + LANES <= width; c += LANES) {
    vf v = load(x + c) - offset;
    sum += power == 2 ? v * v : v;
  }
  float total = sum_of(sum);
  for (; c < width; c++) total += power == 2 ? (x[c] - offset) * (x[c] - offset) : x[c] - offset;
  return total;
}

INLINE void normalise(const float *x, size_t width, float mean, float inverse, const float *gain,
                      const float *bias, float *y)
{
  for (size_t c = 0; c < width; c += LANES) {
    size_t lanes = width - c < LANES ? width - c : LANES;
    vf v = (load_part(x + c, lanes) - mean) * inverse;
    if (gain != NULL) v *= load_part(gain + c, lanes);
    if (bias != NULL) v += load_part(bias + c, lanes);
    store_part(y + c, v, lanes);
  }
}

static void run_layer_norm(const float *x, size_t x_stride, size_t rows, size_t width,
                           const float *gain, const float *bias, float epsilon, float *y,
                           size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride) {
    float mean = moment(x, width, 0.0f, 1) / (float)width;
    float inverse = 1.0f / sqrtf(moment(x, width, mean, 2) / (float)width + epsilon);
    normalise(x, width, mean, inverse, gain, bias, y);
  }
}

static void run_rms_norm(const float *x, size_t x_stride, size_t rows, size_t width,
                         const float *gain, float epsilon, float *y, size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride) {
    float inverse = 1.0f / sqrtf(moment(x, width, 0.0f, 2) / (float)width + epsilon);
    normalise(x, width, 0.0f, inverse, gain, NULL, y);
  }
}

static void run_softmax_rows(float *x, size_t stride, size_t rows, size_t width)
{
  for (size_t i = 0; i < rows; i++, x += stride) {
    vf top = all(-INFINITY);
    size_t c = 0;
    for (; c + LANES <= width; c += LANES) top = choose(load(x + c) > top, load(x + c), top);
    float largest = -INFINITY;
    for (size_t k = 0; k < LANES; k++) largest = top[k] > largest ? top[k] : largest;
    for (; c < width; c++) largest = x[c] > largest ? x[c] : largest;
    float sum = 0.0f;
    vf sums = {0};
    for (c = 0; c < width; c += LANES) {
      size_t lanes = width - c < LANES ? width - c : LANES;
      vf e = exponential(load_part(x + c, lanes) - largest);
      store_part(x + c, e, lanes);
      if (lanes == LANES) sums += e;
      for (size_t k = 0; lanes < LANES && k < lanes; k++) sum += e[k];
    }
    float inverse = 1.0f / (sum + sum_of(sums));
    for (c = 0; c < width; c += LANES) {
      size_t lanes = width - c < LANES ? width - c : LANES;
      store_part(x + c, load_part(x + c, lanes) * inverse, lanes);
    }
  }
}

static void run_glu_rows(const float *x, size_t x_stride, size_t rows, size_t width, float *y,
                         size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride)
    for (size_t c = 0; c < width; c += LANES) {
      size_t lanes = width - c < LANES ? width - c : LANES;
      vf gated = load_part(x + c, lanes) * sigmoid(load_part(x + width + c, lanes));
      store_part(y + c, gated, lanes);
    }
}

// Sample n of the doubled signal after s: n = 2 t takes taps 1, 3 .. 11, n = 2 t + 1 taps 0, 2
// .. 10.
INLINE vf doubled(const snake_antialias *s, const float *x, size_t x_stride, long first,
                  long length, long n, size_t c, size_t lanes)
{
  n = n < 0 ? 0 : n >= 2 * length ? 2 * length - 1 : n;
  long t = n >> 1;
  long odd = n & 1;
  vf sum = {0};
  for (long i = 0; i < 6; i++) {
    long row = t + 2 + odd - i;
    row = row < 0 ? 0 : row >= length ? length - 1 : row;
    sum += s->up[2 * i + 1 - odd] * load_part(x + (row - first) * (long)x_stride + c, lanes);
  }
  sum *= 2.0f;
  return sum + load_part(s->amplitude + c, lanes) *
                   sine_squared(sum * load_part(s->frequency + c, lanes));
}

// Down the rows with a window of twelve doubled samples, of which two are new each time.
INLINE void snake_columns(const snake_antialias *s, const float *x, size_t x_stride, long first,
                          long rows, long length, float *y, size_t y_stride, size_t c, size_t lanes)
{
  vf window[12];
  for (long j = 0; j < 10; j++)
    window[j + 2] = doubled(s, x, x_stride, first, length, 2 * first + j - 5, c, lanes);
  for (long t = first; t < first + rows; t++) {
    for (int j = 0; j < 10; j++) window[j] = window[j + 2];
    window[10] = doubled(s, x, x_stride, first, length, 2 * t + 5, c, lanes);
    window[11] = doubled(s, x, x_stride, first, length, 2 * t + 6, c, lanes);
    vf sum = {0};
    for (int j = 0; j < 12; j++) sum += s->down[j] * window[j];
    store_part(y + (size_t)(t - first) * y_stride + c, sum, lanes);
  }
}

static void run_snake(const snake_antialias *s, const float *x, size_t x_stride, size_t first,
                      size_t rows, size_t length, float *y, size_t y_stride)
{
  size_t c = 0;
  if (rows == 0 || length == 0) return;
  for (; c + LANES <= s->channels; c += LANES)
    snake_columns(s, x, x_stride, (long)first, (long)rows, (long)length, y, y_stride, c, LANES);
  if (c < s->channels)
    snake_columns(s, x, x_stride, (long)first, (long)rows, (long)length, y, y_stride, c,
                  s->channels - c);
}

#define ROW_KERNELS                                                                                \
  .finish = finish, .widen = widen, .scores = scores, .activate = run_activation,                  \
  .depthwise = depthwise, .layer_norm = run_layer_norm, .rms_norm = run_rms_norm,                  \
  .softmax_rows = run_softmax_rows, .glu_rows = run_glu_rows, .snake = run_snake

// Loops over constant counts inside tiles must vanish, or the sums would live in memory.
#ifdef __clang__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif
