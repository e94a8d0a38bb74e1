// SPDX-License-Identifier: GPL-3.0-or-later
//
// Products of 8-bit integers on AVX-512 with VNNI: 64 of them in an instruction.
#include <immintrin.h>
#include <string.h>

#include "kernels_x86.h"

static inline __mmask16 first_lanes(size_t n)
{
  return n < 16 ? (__mmask16)((1u << n) - 1) : 0xFFFF;
}

// Values lie as bytes, and zeros behind them up to a multiple of 16.
void vnni_quantise(const float *x, size_t x_stride, size_t rows, size_t inputs, int8_rows *to)
{
  for (size_t r = 0; r < rows; r++, x += x_stride) {
    int8_t *values = (int8_t *)to->values[r];
    for (size_t g = 0, first = 0; first < inputs; g++, first += INT8_GROUP) {
      size_t end = first + INT8_GROUP < inputs ? first + INT8_GROUP : inputs;
      __m512 largest = _mm512_setzero_ps();
      __m512i sum = _mm512_setzero_si512();
      for (size_t i = first; i < end; i += 16)
        largest = _mm512_max_ps(largest,
                                _mm512_abs_ps(_mm512_maskz_loadu_ps(first_lanes(end - i), x + i)));
      float most = _mm512_reduce_max_ps(largest);
      __m512 inverse = _mm512_set1_ps(most > 0.0f ? 127.0f / most : 0.0f);
      for (size_t i = first; i < end; i += 16) {
        __m512 value = _mm512_maskz_loadu_ps(first_lanes(end - i), x + i);
        __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(value, inverse));
        _mm_storeu_si128((__m128i *)(values + i), _mm512_cvtepi32_epi8(whole));
        sum = _mm512_add_epi32(sum, whole);
      }
      to->step[r][g] = most / 127.0f;
      to->offset[r][g] = -128 * _mm512_reduce_add_epi32(sum);
    }
  }
}

// Written out, because gcc copies the sums of the intrinsic through memory.
static inline __attribute__((always_inline)) void multiply_add(__m512i *sum, __m512i w, __m512i x)
{
  __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(w), "v"(x));
}

static inline __attribute__((always_inline)) void
tile_group(const int8_job *t, size_t column, size_t group, const size_t rows, const size_t vectors)
{
  __m512i sum[VNNI_INT8_ROWS][2];
  const size_t stride = 4 * t->width;
  const size_t first = group * INT8_GROUP;
  const size_t end = first + INT8_GROUP < t->inputs ? first + INT8_GROUP : t->inputs;
  const ptrdiff_t to_next = t->w_next != NULL ? t->w_next - t->w : 0;
  const int8_t *x = (const int8_t *)t->x->values[t->row] + first;
  const int8_t *x_end = x + (end - first);
  const uint8_t *w = t->w + first / 4 * stride + 4 * column;
#pragma GCC unroll 12
  for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 2
    for (size_t v = 0; v < vectors; v++)
      sum[r][v] = _mm512_set1_epi32(t->x->offset[t->row + r][group]);
  for (; x < x_end; x += 4, w += stride) {
    __m512i columns[2];
#pragma GCC unroll 2
    for (size_t v = 0; v < vectors; v++) {
      __builtin_prefetch(w + to_next + 64 * v, 0, 2);
      columns[v] = _mm512_loadu_si512(w + 64 * v);
    }
#pragma GCC unroll 12
    for (size_t r = 0; r < rows; r++) {
      int32_t four;
      memcpy(&four, x + r * sizeof t->x->values[0], sizeof four);
      __m512i value = _mm512_set1_epi32(four);
#pragma GCC unroll 2
      for (size_t v = 0; v < vectors; v++) multiply_add(&sum[r][v], columns[v], value);
    }
  }
#pragma GCC unroll 12
  for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 2
    for (size_t v = 0; v < vectors; v++) {
      float *out = t->sum + r * t->sum_stride + column + 16 * v;
      __m512 before = t->first && group == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(out);
      __m512 step = _mm512_set1_ps(t->x->step[t->row + r][group]);
      _mm512_storeu_ps(out, _mm512_fmadd_ps(step, _mm512_cvtepi32_ps(sum[r][v]), before));
    }
}

#define ROWS(count)                                                                                \
  case count:                                                                                      \
    if (vectors == 2)                                                                              \
      tile_group(t, column, group, count, 2);                                                      \
    else                                                                                           \
      tile_group(t, column, group, count, 1);                                                      \
    break;

static void tile_rows(const int8_job *t, size_t column, size_t group, size_t vectors)
{
  switch (t->rows) {
    ROWS(1)
    ROWS(2)
    ROWS(3)
    ROWS(4)
    ROWS(5)
    ROWS(6)
    ROWS(7)
    ROWS(8)
    ROWS(9)
    ROWS(10)
    ROWS(11)
    ROWS(12)
  }
}

void vnni_tile_int8(const int8_job *t)
{
  for (size_t column = 0; column < t->width; column += 32)
    for (size_t group = 0; group * INT8_GROUP < t->inputs; group++)
      tile_rows(t, column, group, t->width - column >= 32 ? 2 : 1);
}
