// SPDX-License-Identifier: GPL-3.0-or-later
//
// Output row stride * i + r takes the taps j with (r + padding - j) a multiple of stride. From the
// latest input row to the earliest these are j = phase, phase + stride, ... with
// phase = (r + padding) mod stride, and the latest row is i + (r + padding) / stride.
#include "transposed.h"

#include <stdint.h>
#include <stdlib.h>

struct transposed {
  size_t inputs;
  size_t stride;
  size_t before;
  size_t after;
  ptrdiff_t *earliest; // [stride] first input row of a phase, counted from i
  matrix **phases;     // [stride]
};

void transposed_free(transposed *t)
{
  if (t == NULL) return;
  for (size_t r = 0; t->phases != NULL && r < t->stride; r++) matrix_free(t->phases[r]);
  free(t->phases);
  free(t->earliest);
  free(t);
}

// values [inputs, outputs, taps] -> picked [outputs, inputs, count], earliest input row first
static void pick_taps(const float *values, size_t inputs, size_t outputs, size_t taps,
                      size_t stride, size_t phase, size_t count, float *picked)
{
  for (size_t o = 0; o < outputs; o++)
    for (size_t i = 0; i < inputs; i++)
      for (size_t n = 0; n < count; n++)
        picked[(o * inputs + i) * count + n] =
            values[(i * outputs + o) * taps + phase + stride * (count - 1 - n)];
}

mw_status transposed_new(transposed **made, size_t inputs, size_t outputs, size_t taps,
                         size_t stride, size_t padding, const float *values, const float *bias,
                         mw_error *error)
{
  if (stride == 0 || taps < stride || padding >= taps)
    return mw_fail(error, MW_ERROR_FORMAT,
                   "a transposed convolution of %zu taps, stride %zu and padding %zu is not one "
                   "this program knows",
                   taps, stride, padding);
  mw_status status = MW_OK;
  size_t count;
  float *picked = NULL;
  transposed *t = calloc(1, sizeof *t);
  if (t == NULL) goto no_memory;
  t->inputs = inputs;
  t->stride = stride;
  t->earliest = calloc(stride, sizeof *t->earliest);
  t->phases = calloc(stride, sizeof(matrix *));
  if (__builtin_mul_overflow(inputs, outputs, &count) ||
      __builtin_mul_overflow(count, taps / stride + 1, &count) || count > SIZE_MAX / 8)
    goto no_memory;
  picked = malloc((count + 1) * sizeof(float));
  if (t->earliest == NULL || t->phases == NULL || picked == NULL) goto no_memory;
  for (size_t r = 0; r < stride; r++) {
    size_t phase = (r + padding) % stride;
    size_t latest = (r + padding) / stride;
    matrix_shape shape = {outputs, inputs, (taps - phase + stride - 1) / stride, 1, 1};
    pick_taps(values, inputs, outputs, taps, stride, phase, shape.taps, picked);
    status = matrix_new(&t->phases[r], &shape, MATRIX_F32, picked, bias, error);
    if (status != MW_OK) goto fail;
    t->earliest[r] = (ptrdiff_t)latest - (ptrdiff_t)(shape.taps - 1);
    if (latest > t->after) t->after = latest;
    if (t->earliest[r] < -(ptrdiff_t)t->before) t->before = (size_t)-t->earliest[r];
  }
  free(picked);
  *made = t;
  return MW_OK;
no_memory:
  status = mw_fail_memory(error, "packing weights");
fail:
  free(picked);
  transposed_free(t);
  return status;
}

size_t transposed_before(const transposed *t)
{
  return t->before;
}

size_t transposed_after(const transposed *t)
{
  return t->after;
}

void transposed_run(const transposed *t, const float *x, size_t x_stride, size_t rows, float *y,
                    size_t y_stride, pool *p)
{
  for (size_t r = 0; r < t->stride; r++)
    matrix_run(t->phases[r], x + t->earliest[r] * (ptrdiff_t)x_stride, x_stride, rows,
               y + r * y_stride, t->stride * y_stride, NULL, p);
}
