// SPDX-License-Identifier: GPL-3.0-or-later
//
// Products of 8-bit integers on AVX2: in pairs of 16 bits, exact whatever the values.
#include <immintrin.h>
#include <string.h>

#include "kernels_x86.h"

static inline __m256i first_lanes(size_t n)
{
  __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n < 8 ? (int)n : 8), lane);
}

static float largest_of(__m256 a)
{
  float lanes[8];
  float most = 0.0f;
  _mm256_storeu_ps(lanes, a);
  for (int i = 0; i < 8; i++)
    if (lanes[i] > most) most = lanes[i];
  return most;
}

static int32_t sum_of(__m256i a)
{
  int32_t lanes[8];
  int32_t sum = 0;
  _mm256_storeu_si256((__m256i *)lanes, a);
  for (int i = 0; i < 8; i++) sum += lanes[i];
  return sum;
}

// Values lie as 16 bits, and zeros behind them up to a multiple of 8.
void avx2_quantise(const float *x, size_t x_stride, size_t rows, size_t inputs, int8_rows *to)
{
  const __m256 sign = _mm256_set1_ps(-0.0f);
  for (size_t r = 0; r < rows; r++, x += x_stride) {
    for (size_t g = 0, first = 0; first < inputs; g++, first += INT8_GROUP) {
      size_t end = first + INT8_GROUP < inputs ? first + INT8_GROUP : inputs;
      __m256 largest = _mm256_setzero_ps();
      __m256i sum = _mm256_setzero_si256();
      for (size_t i = first; i < end; i += 8)
        largest = _mm256_max_ps(
            largest, _mm256_andnot_ps(sign, _mm256_maskload_ps(x + i, first_lanes(end - i))));
      float most = largest_of(largest);
      __m256 inverse = _mm256_set1_ps(most > 0.0f ? 127.0f / most : 0.0f);
      for (size_t i = first; i < end; i += 8) {
        __m256 value = _mm256_maskload_ps(x + i, first_lanes(end - i));
        __m256i whole = _mm256_cvtps_epi32(_mm256_mul_ps(value, inverse));
        __m128i narrow =
            _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
        _mm_storeu_si128((__m128i *)&to->values[r][i], narrow);
        sum = _mm256_add_epi32(sum, whole);
      }
      to->step[r][g] = most / 127.0f;
      to->offset[r][g] = -128 * sum_of(sum);
    }
  }
}

// Eight columns of a few rows of one group. A column's sum is in two lanes beside each other until
// the end.
static inline __attribute__((always_inline)) void tile_group(const int8_job *t, size_t column,
                                                             size_t group, const size_t rows)
{
  __m256i sum[AVX2_INT8_ROWS][2];
  const size_t stride = 4 * t->width;
  const size_t first = group * INT8_GROUP;
  const size_t end = first + INT8_GROUP < t->inputs ? first + INT8_GROUP : t->inputs;
  const ptrdiff_t to_next = t->w_next != NULL ? t->w_next - t->w : 0;
  const int16_t *x = t->x->values[t->row] + first;
  const int16_t *x_end = x + (end - first);
  const uint8_t *w = t->w + first / 4 * stride + 4 * column;
#pragma GCC unroll 4
  for (size_t r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (; x < x_end; x += 4, w += stride) {
    __builtin_prefetch(w + to_next, 0, 2);
    __m256i low = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)w));
    __m256i high = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(w + 16)));
#pragma GCC unroll 4
    for (size_t r = 0; r < rows; r++) {
      int64_t four;
      memcpy(&four, x + r * (sizeof t->x->values[0] / sizeof *x), sizeof four);
      __m256i value = _mm256_set1_epi64x(four);
      sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(low, value));
      sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(high, value));
    }
  }
#pragma GCC unroll 4
  for (size_t r = 0; r < rows; r++) {
    float *out = t->sum + r * t->sum_stride + column;
    __m256i pairs = _mm256_hadd_epi32(sum[r][0], sum[r][1]); // columns 0 1 4 5 2 3 6 7
    __m256i whole = _mm256_add_epi32(_mm256_permute4x64_epi64(pairs, 0xD8),
                                     _mm256_set1_epi32(t->x->offset[t->row + r][group]));
    __m256 before = t->first && group == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(out);
    __m256 step = _mm256_set1_ps(t->x->step[t->row + r][group]);
    _mm256_storeu_ps(out, _mm256_fmadd_ps(step, _mm256_cvtepi32_ps(whole), before));
  }
}

static void tile_rows(const int8_job *t, size_t column, size_t group)
{
  switch (t->rows) {
  case 1: tile_group(t, column, group, 1); break;
  case 2: tile_group(t, column, group, 2); break;
  case 3: tile_group(t, column, group, 3); break;
  case 4: tile_group(t, column, group, 4); break;
  }
}

void avx2_tile_int8(const int8_job *t)
{
  for (size_t column = 0; column < t->width; column += 8)
    for (size_t group = 0; group * INT8_GROUP < t->inputs; group++) tile_rows(t, column, group);
}
