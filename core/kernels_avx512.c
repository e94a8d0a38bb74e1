// SPDX-License-Identifier: GPL-3.0-or-later
//
// AVX-512 (F, VL, DQ, BW): tiles of 12 rows by 2 vectors of 16, 24 sums in registers.
#define VECTOR_BYTES 64
#include "kernels_rows.h"

#include <immintrin.h>

INLINE void tile_wide(const tile_job *job, size_t rows, size_t vectors)
{
  __m512 sum[12][2];
  UNROLLED
  for (size_t r = 0; r < rows; r++) UNROLLED
  for (size_t v = 0; v < vectors; v++)
    sum[r][v] =
        job->first ? _mm512_setzero_ps() : _mm512_loadu_ps(job->sum + r * job->sum_stride + 16 * v);
  const float *w = job->w;
  size_t stride = job->x_stride;
  for (size_t j = 0; j < job->taps; j++) {
    // four pointers and small multiples of the stride address twelve rows
    const float *x[4];
    UNROLLED
    for (size_t g = 0; g < 4; g++) x[g] = job->x + j * job->tap_step + 3 * g * stride;
    for (size_t i = 0; i < job->inputs; i++, w += job->w_stride) {
      __m512 weight[2];
      UNROLLED
      for (size_t v = 0; v < vectors; v++) weight[v] = _mm512_loadu_ps(w + 16 * v);
      UNROLLED
      for (size_t r = 0; r < rows; r++) {
        __m512 value = _mm512_set1_ps(x[r / 3][r % 3 * stride + i]);
        UNROLLED
        for (size_t v = 0; v < vectors; v++)
          sum[r][v] = _mm512_fmadd_ps(value, weight[v], sum[r][v]);
      }
    }
  }
  UNROLLED
  for (size_t r = 0; r < rows; r++) UNROLLED
  for (size_t v = 0; v < vectors; v++)
    _mm512_storeu_ps(job->sum + r * job->sum_stride + 16 * v, sum[r][v]);
}

INLINE void tile_narrow(const tile_job *job, size_t rows, size_t vectors)
{
  __m256 sum[6][3];
  UNROLLED
  for (size_t r = 0; r < rows; r++) UNROLLED
  for (size_t v = 0; v < vectors; v++)
    sum[r][v] =
        job->first ? _mm256_setzero_ps() : _mm256_loadu_ps(job->sum + r * job->sum_stride + 8 * v);
  const float *w = job->w;
  size_t stride = job->x_stride;
  for (size_t j = 0; j < job->taps; j++) {
    const float *x[2] = {job->x + j * job->tap_step, job->x + j * job->tap_step + 3 * stride};
    for (size_t i = 0; i < job->inputs; i++, w += job->w_stride) {
      __m256 weight[3];
      UNROLLED
      for (size_t v = 0; v < vectors; v++) weight[v] = _mm256_loadu_ps(w + 8 * v);
      UNROLLED
      for (size_t r = 0; r < rows; r++) {
        __m256 value = _mm256_set1_ps(x[r / 3][r % 3 * stride + i]);
        UNROLLED
        for (size_t v = 0; v < vectors; v++)
          sum[r][v] = _mm256_fmadd_ps(value, weight[v], sum[r][v]);
      }
    }
  }
  UNROLLED
  for (size_t r = 0; r < rows; r++) UNROLLED
  for (size_t v = 0; v < vectors; v++)
    _mm256_storeu_ps(job->sum + r * job->sum_stride + 8 * v, sum[r][v]);
}

#define WIDE(vectors)                                                                              \
  switch (job->rows) {                                                                             \
  case 1: tile_wide(job, 1, vectors); break;                                                       \
  case 2: tile_wide(job, 2, vectors); break;                                                       \
  case 3: tile_wide(job, 3, vectors); break;                                                       \
  case 4: tile_wide(job, 4, vectors); break;                                                       \
  case 5: tile_wide(job, 5, vectors); break;                                                       \
  case 6: tile_wide(job, 6, vectors); break;                                                       \
  case 7: tile_wide(job, 7, vectors); break;                                                       \
  case 8: tile_wide(job, 8, vectors); break;                                                       \
  case 9: tile_wide(job, 9, vectors); break;                                                       \
  case 10: tile_wide(job, 10, vectors); break;                                                     \
  case 11: tile_wide(job, 11, vectors); break;                                                     \
  default: tile_wide(job, 12, vectors); break;                                                     \
  }

// Panels of 24 and 8 columns in vectors of 8, six rows at a time.
static void run_narrow(const tile_job *whole, size_t vectors)
{
  tile_job part = *whole;
  for (size_t row = 0; row < whole->rows; row += part.rows) {
    part.x = whole->x + row * whole->x_stride;
    part.sum = whole->sum + row * whole->sum_stride;
    part.rows = whole->rows - row >= 6 ? 6 : whole->rows - row >= 2 ? 2 : 1;
    if (vectors == 3 && part.rows == 6)
      tile_narrow(&part, 6, 3);
    else if (vectors == 3 && part.rows == 2)
      tile_narrow(&part, 2, 3);
    else if (vectors == 3)
      tile_narrow(&part, 1, 3);
    else if (part.rows == 6)
      tile_narrow(&part, 6, 1);
    else if (part.rows == 2)
      tile_narrow(&part, 2, 1);
    else
      tile_narrow(&part, 1, 1);
  }
}

static void tile(const tile_job *job)
{
  if (job->width == 32) {
    WIDE(2)
  } else if (job->width == 16) {
    WIDE(1)
  } else {
    run_narrow(job, job->width / 8);
  }
}

const kernels_path kernels_avx512 = {.name = "avx512", .tile_rows = 12, .tile = tile, ROW_KERNELS};
