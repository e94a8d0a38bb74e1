// SPDX-License-Identifier: GPL-3.0-or-later
//
// The public kernels: each goes to the path of this processor.
#include "cpu.h"
#include "kernels_path.h"

const char *kernels_name(void)
{
  return cpu_path()->name;
}

void matrix_run(const matrix *m, const float *x, size_t x_stride, size_t rows, float *y,
                size_t y_stride, const epilogue *after, pool *p)
{
  matrix_run_on(cpu_path(), m, x, x_stride, rows, y, y_stride, after, p);
}

void attention_run(const attention *a, pool *p)
{
  attention_run_on(cpu_path(), a, p);
}

void activate(activation act, float *x, size_t count)
{
  cpu_path()->activate(act, x, count);
}

void depthwise_run(const float *w, const float *bias, size_t taps, size_t dilation, const float *x,
                   size_t x_stride, size_t rows, size_t channels, float *y, size_t y_stride)
{
  cpu_path()->depthwise(w, bias, taps, dilation, x, x_stride, rows, channels, y, y_stride);
}

void layer_norm(const float *x, size_t x_stride, size_t rows, size_t width, const float *gain,
                const float *bias, float epsilon, float *y, size_t y_stride)
{
  cpu_path()->layer_norm(x, x_stride, rows, width, gain, bias, epsilon, y, y_stride);
}

void rms_norm(const float *x, size_t x_stride, size_t rows, size_t width, const float *gain,
              float epsilon, float *y, size_t y_stride)
{
  cpu_path()->rms_norm(x, x_stride, rows, width, gain, epsilon, y, y_stride);
}

void softmax_rows(float *x, size_t stride, size_t rows, size_t width)
{
  cpu_path()->softmax_rows(x, stride, rows, width);
}

void glu_rows(const float *x, size_t x_stride, size_t rows, size_t width, float *y, size_t y_stride)
{
  cpu_path()->glu_rows(x, x_stride, rows, width, y, y_stride);
}

void snake_antialias_run(const snake_antialias *s, const float *x, size_t x_stride, size_t first,
                         size_t rows, size_t length, float *y, size_t y_stride)
{
  cpu_path()->snake(s, x, x_stride, first, rows, length, y, y_stride);
}

// Too little work to be worth a path of its own.
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
