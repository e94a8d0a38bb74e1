// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every kernel in plain C: the truth the faster paths are tested against.
#include "kernels.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Packed as [taps * inputs, outputs]: the inner loop runs over outputs.
struct matrix {
  matrix_shape shape;
  float *packed;
  float *bias;
};

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

void activate(activation act, float *x, size_t count)
{
  for (size_t i = 0; i < count; i++) x[i] = activated(act, x[i]);
}

void matrix_free(matrix *m)
{
  if (m == NULL) return;
  free(m->packed);
  free(m->bias);
  free(m);
}

mw_status matrix_new(matrix **made, const matrix_shape *shape, matrix_dtype dtype,
                     const float *values, const float *bias, mw_error *error)
{
  (void)dtype;
  size_t depth = shape->inputs * shape->taps;
  matrix *m = calloc(1, sizeof *m);
  if (m == NULL) goto no_memory;
  m->shape = *shape;
  m->packed = malloc((depth * shape->outputs + 1) * sizeof(float));
  m->bias = calloc(shape->outputs + 1, sizeof(float));
  if (m->packed == NULL || m->bias == NULL) goto no_memory;
  for (size_t o = 0; o < shape->outputs; o++)
    for (size_t i = 0; i < shape->inputs; i++)
      for (size_t j = 0; j < shape->taps; j++)
        m->packed[(j * shape->inputs + i) * shape->outputs + o] =
            values[(o * shape->inputs + i) * shape->taps + j];
  if (bias != NULL) memcpy(m->bias, bias, shape->outputs * sizeof(float));
  *made = m;
  return MW_OK;
no_memory:
  matrix_free(m);
  return mw_fail_memory(error, "packing weights");
}

const matrix_shape *matrix_get_shape(const matrix *m)
{
  return &m->shape;
}

size_t matrix_bytes(const matrix *m)
{
  return (m->shape.inputs * m->shape.taps + 1) * m->shape.outputs * sizeof(float);
}

enum { COLUMN_BLOCK = 64 };

typedef struct {
  const matrix *m;
  const float *x;
  size_t x_stride;
  float *y;
  size_t y_stride;
  epilogue after;
} row_job;

static void run_row(void *argument, size_t row, size_t thread)
{
  (void)thread;
  const row_job *job = argument;
  const matrix_shape *s = &job->m->shape;
  const epilogue *e = &job->after;
  for (size_t first = 0; first < s->outputs; first += COLUMN_BLOCK) {
    size_t width = s->outputs - first < COLUMN_BLOCK ? s->outputs - first : COLUMN_BLOCK;
    float sum[COLUMN_BLOCK] = {0.0f};
    for (size_t j = 0; j < s->taps; j++) {
      const float *in = job->x + (row * s->stride + j * s->dilation) * job->x_stride;
      const float *w = job->m->packed + j * s->inputs * s->outputs + first;
      for (size_t i = 0; i < s->inputs; i++, w += s->outputs)
        for (size_t o = 0; o < width; o++) sum[o] += in[i] * w[o];
    }
    for (size_t o = 0; o < width; o++) {
      size_t column = first + o;
      float value = activated(e->act, sum[o] + job->m->bias[column]);
      if (e->factor != NULL) value *= e->factor[row * e->factor_stride + column];
      if (e->scale != NULL) value *= e->scale[column];
      if (e->residual != NULL) value += e->residual[row * e->residual_stride + column];
      job->y[row * job->y_stride + column] = value;
    }
  }
}

void matrix_run(const matrix *m, const float *x, size_t x_stride, size_t rows, float *y,
                size_t y_stride, const epilogue *after, pool *p)
{
  row_job job = {m, x, x_stride, y, y_stride, {0}};
  if (after != NULL) job.after = *after;
  pool_run(p, rows, run_row, &job);
}

void depthwise_run(const float *w, const float *bias, size_t taps, size_t dilation, const float *x,
                   size_t x_stride, size_t rows, size_t channels, float *y, size_t y_stride)
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

size_t attention_scratch(size_t queries, size_t keys, size_t head_size)
{
  (void)queries;
  (void)head_size;
  return keys;
}

static void attend_head(void *argument, size_t head, size_t thread)
{
  const attention *a = argument;
  float *score = a->scratch + thread * attention_scratch(a->queries, a->keys, a->head_size);
  for (size_t i = 0; i < a->queries; i++) {
    const float *q = a->q + i * a->q_stride + head * a->head_size;
    for (size_t j = 0; j < a->keys; j++) {
      const float *k = a->k + j * a->k_stride + head * a->head_size;
      float sum = 0.0f;
      for (size_t d = 0; d < a->head_size; d++) sum += q[d] * k[d];
      score[j] = sum * a->scale;
      if (a->bias != NULL)
        score[j] += a->bias[head * a->bias_head_stride + i * a->bias_query_stride + j];
    }
    softmax_rows(score, a->keys, 1, a->keys);
    float *out = a->out + i * a->out_stride + head * a->head_size;
    memset(out, 0, a->head_size * sizeof(float));
    for (size_t j = 0; j < a->keys; j++) {
      const float *v = a->v + j * a->v_stride + head * a->head_size;
      for (size_t d = 0; d < a->head_size; d++) out[d] += score[j] * v[d];
    }
  }
}

void attention_run(const attention *a, pool *p)
{
  attention job = *a;
  pool_run(p, a->heads, attend_head, &job);
}

void layer_norm(const float *x, size_t x_stride, size_t rows, size_t width, const float *gain,
                const float *bias, float epsilon, float *y, size_t y_stride)
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

void rms_norm(const float *x, size_t x_stride, size_t rows, size_t width, const float *gain,
              float epsilon, float *y, size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride) {
    float square = 0.0f;
    for (size_t c = 0; c < width; c++) square += x[c] * x[c];
    float inverse = 1.0f / sqrtf(square / (float)width + epsilon);
    for (size_t c = 0; c < width; c++) y[c] = x[c] * inverse * (gain != NULL ? gain[c] : 1.0f);
  }
}

void softmax_rows(float *x, size_t stride, size_t rows, size_t width)
{
  for (size_t i = 0; i < rows; i++, x += stride) {
    float largest = -INFINITY;
    for (size_t c = 0; c < width; c++)
      if (x[c] > largest) largest = x[c];
    float sum = 0.0f;
    for (size_t c = 0; c < width; c++) {
      x[c] = expf(x[c] - largest);
      sum += x[c];
    }
    for (size_t c = 0; c < width; c++) x[c] /= sum;
  }
}

void glu_rows(const float *x, size_t x_stride, size_t rows, size_t width, float *y, size_t y_stride)
{
  for (size_t i = 0; i < rows; i++, x += x_stride, y += y_stride)
    for (size_t c = 0; c < width; c++) y[c] = x[c] / (1.0f + expf(-x[width + c]));
}

void rope_rotate(float *x, size_t stride, size_t rows, size_t heads, size_t head_size,
                 const float *cosine, const float *sine)
{
  size_t half = head_size / 2;
  for (size_t i = 0; i < rows; i++, x += stride, cosine += half, sine += half) {
    for (size_t h = 0; h < heads; h++) {
      float *pair = x + h * head_size;
      for (size_t d = 0; d < half; d++, pair += 2) {
        float even = pair[0];
        float odd = pair[1];
        pair[0] = cosine[d] * even - sine[d] * odd;
        pair[1] = sine[d] * even + cosine[d] * odd;
      }
    }
  }
}

const char *kernels_name(void)
{
  return "plain";
}
