// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every kernel in plain C: the truth the faster paths are tested against, and the path of machines
// without one.
#include "kernels_path.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static float activated(activation act, float x)
{
  switch (act) {
  case ACTIVATION_NONE: return x;
  case ACTIVATION_RELU: return x > 0.0f ? x : 0.0f;
  case ACTIVATION_SILU: return x / (1.0f + expf(-x));
  case ACTIVATION_GELU_ERF: return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
  case ACTIVATION_GELU_TANH:
    return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
  case ACTIVATION_SELU:
    return 1.0507009873554805f * (x > 0.0f ? x : 1.6732632423543772f * expm1f(x));
  case ACTIVATION_TANH: return tanhf(x);
  case ACTIVATION_SIGMOID: return 1.0f / (1.0f + expf(-x));
  }
  return x;
}

static void activate_plain(activation act, float *x, size_t count)
{
  for (size_t i = 0; i < count; i++) x[i] = activated(act, x[i]);
}

static void tile(const tile_job *job)
{
  for (size_t r = 0; r < job->rows; r++) {
    float *sum = job->sum + r * job->sum_stride;
    const float *w = job->w;
    if (job->first) memset(sum, 0, job->width * sizeof(float));
    for (size_t j = 0; j < job->taps; j++) {
      const float *x = job->x + r * job->x_stride + j * job->tap_step;
      for (size_t i = 0; i < job->inputs; i++, w += job->w_stride)
        for (size_t c = 0; c < job->width; c++) sum[c] += x[i] * w[c];
    }
  }
}

static void finish(const finish_job *j)
{
  const epilogue *e = &j->after;
  for (size_t r = 0; r < j->rows; r++) {
    for (size_t c = 0; c < j->columns; c++) {
      float value = j->sum[r * j->sum_stride + c];
      if (j->scale != NULL) value *= j->scale[c];
      value = activated(e->act, value + j->bias[c]);
      if (e->factor != NULL) value *= e->factor[r * e->factor_stride + c];
      if (e->scale != NULL) value *= e->scale[c];
      if (e->residual != NULL) value += e->residual[r * e->residual_stride + c];
      j->y[r * j->y_stride + c] = value;
    }
  }
}

static void quantise(const float *x, size_t x_stride, size_t rows, size_t inputs, int8_rows *to)
{
  for (size_t r = 0; r < rows; r++, x += x_stride) {
    for (size_t g = 0, first = 0; first < inputs; g++, first += INT8_GROUP) {
      size_t end = first + INT8_GROUP < inputs ? first + INT8_GROUP : inputs;
      float largest = 0.0f;
      int32_t sum = 0;
      for (size_t i = first; i < end; i++) largest = fmaxf(largest, fabsf(x[i]));
      float inverse = largest > 0.0f ? 127.0f / largest : 0.0f;
      for (size_t i = first; i < end; i++) {
        to->values[r][i] = (int16_t)lrintf(x[i] * inverse);
        sum += to->values[r][i];
      }
      to->step[r][g] = largest / 127.0f;
      to->offset[r][g] = -128 * sum;
    }
    for (size_t i = inputs; i % 4 != 0; i++) to->values[r][i] = 0;
  }
}

static void tile_int8(const int8_job *job)
{
  for (size_t r = 0; r < job->rows; r++) {
    float *sum = job->sum + r * job->sum_stride;
    size_t row = job->row + r;
    if (job->first) memset(sum, 0, job->width * sizeof(float));
    for (size_t g = 0, first = 0; first < job->inputs; g++, first += INT8_GROUP) {
      size_t end = first + INT8_GROUP < job->inputs ? first + INT8_GROUP : job->inputs;
      for (size_t c = 0; c < job->width; c++) {
        int32_t whole = job->x->offset[row][g];
        for (size_t i = first; i < end; i++)
          whole += job->x->values[row][i] * job->w[(i / 4 * job->width + c) * 4 + i % 4];
        sum[c] += job->x->step[row][g] * (float)whole;
      }
    }
  }
}

static float exponentials(float *x, size_t count, float scale, const float *bias)
{
  float largest = -INFINITY;
  float sum = 0.0f;
  for (size_t i = 0; i < count; i++) {
    x[i] = x[i] * scale + (bias != NULL ? bias[i] : 0.0f);
    if (x[i] > largest) largest = x[i];
  }
  if (largest == -INFINITY) largest = 0.0f; // all masked: all become 0
  for (size_t i = 0; i < count; i++) {
    x[i] = expf(x[i] - largest);
    sum += x[i];
  }
  return sum;
}

static void depthwise(const float *w, const float *bias, size_t taps, size_t dilation,
                      const float *x, size_t x_stride, size_t rows, size_t channels, float *y,
                      size_t y_stride)
{
  for (size_t i = 0; i < rows; i++) {
    float *out = y + i * y_stride;
    for (size_t c = 0; c < channels; c++) out[c] = bias != NULL ? bias[c] : 0.0f;
    for (size_t j = 0; j < taps; j++) {
      const float *in = x + (i + j * dilation) * x_stride;
      for (size_t c = 0; c < channels; c++) out[c] += w[j * channels + c] * in[c];
    }
  }
}

static void layer_norm_plain(const float *x, size_t x_stride, size_t rows, size_t width,
                             const float *gain, const float *bias, float epsilon, float *y,
                             size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride) {
    float mean = 0.0f;
    for (size_t c = 0; c < width; c++) mean += x[c];
    mean /= (float)width;
    float variance = 0.0f;
    for (size_t c = 0; c < width; c++) variance += (x[c] - mean) * (x[c] - mean);
    float inverse = 1.0f / sqrtf(variance / (float)width + epsilon);
    for (size_t c = 0; c < width; c++) {
      float value = (x[c] - mean) * inverse;
      if (gain != NULL) value *= gain[c];
      if (bias != NULL) value += bias[c];
      y[c] = value;
    }
  }
}

static void rms_norm_plain(const float *x, size_t x_stride, size_t rows, size_t width,
                           const float *gain, float epsilon, float *y, size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride) {
    float square = 0.0f;
    for (size_t c = 0; c < width; c++) square += x[c] * x[c];
    float inverse = 1.0f / sqrtf(square / (float)width + epsilon);
    for (size_t c = 0; c < width; c++) y[c] = x[c] * inverse * (gain != NULL ? gain[c] : 1.0f);
  }
}

static void softmax_rows_plain(float *x, size_t stride, size_t rows, size_t width)
{
  for (size_t i = 0; i < rows; i++, x += stride) {
    float sum = exponentials(x, width, 1.0f, NULL);
    for (size_t c = 0; c < width; c++) x[c] /= sum;
  }
}

static void glu_rows_plain(const float *x, size_t x_stride, size_t rows, size_t width, float *y,
                           size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride)
    for (size_t c = 0; c < width; c++) y[c] = x[c] / (1.0f + expf(-x[width + c]));
}

// The doubled signal after s, at sample n, edges repeated.
static float doubled(const snake_antialias *s, const float *x, size_t x_stride, long first,
                     long length, long n, size_t c)
{
  n = n < 0 ? 0 : n >= 2 * length ? 2 * length - 1 : n;
  float sum = 0.0f;
  for (long i = 0; i < 6; i++) {
    long row = (n >> 1) + 2 + (n & 1) - i;
    row = row < 0 ? 0 : row >= length ? length - 1 : row;
    sum += s->up[2 * i + 1 - (n & 1)] * x[(row - first) * (long)x_stride + (long)c];
  }
  sum *= 2.0f;
  float sine = sinf(sum * s->frequency[c]);
  return sum + s->amplitude[c] * sine * sine;
}

static void snake(const snake_antialias *s, const float *x, size_t x_stride, size_t first,
                  size_t rows, size_t length, float *y, size_t y_stride)
{
  for (size_t t = 0; t < rows; t++) {
    for (size_t c = 0; c < s->channels; c++) {
      float sum = 0.0f;
      for (long j = 0; j < 12; j++)
        sum += s->down[j] *
               doubled(s, x, x_stride, (long)first, (long)length, 2 * (long)(first + t) + j - 5, c);
      y[t * y_stride + c] = sum;
    }
  }
}

static size_t multiply_adds(size_t rounds, float *kept)
{
  float chain[12];
  for (int i = 0; i < 12; i++) chain[i] = *kept + (float)i;
  for (size_t round = 0; round < rounds; round++)
    for (int i = 0; i < 12; i++) chain[i] = chain[i] * 0.999f + 0.001f;
  for (int i = 0; i < 12; i++) *kept += chain[i];
  return rounds * 12;
}

const kernels_path kernels_plain = {
    .name = "plain",
    .tile_rows = 4,
    .tile = tile,
    .finish = finish,
    .quantise = quantise,
    .int8_rows = INT8_ROWS,
    .tile_int8 = tile_int8,
    .exponentials = exponentials,
    .activate = activate_plain,
    .depthwise = depthwise,
    .layer_norm = layer_norm_plain,
    .rms_norm = rms_norm_plain,
    .softmax_rows = softmax_rows_plain,
    .glu_rows = glu_rows_plain,
    .snake = snake,
    .multiply_adds = multiply_adds,
};
