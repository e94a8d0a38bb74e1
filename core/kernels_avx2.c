// SPDX-License-Identifier: GPL-3.0-or-later
//
// AVX2 and FMA: tiles of 6 rows by 2 vectors of 8, 12 sums in registers.
#define VECTOR_BYTES 32
#include "kernels_rows.h"

#include <immintrin.h>

INLINE void tile_part(const tile_job *job, size_t column, size_t rows, size_t vectors)
{
  __m256 sum[6][2];
  float *sums = job->sum + column;
  UNROLLED
  for (size_t r = 0; r < rows; r++) UNROLLED
  for (size_t v = 0; v < vectors; v++)
    sum[r][v] =
        job->first ? _mm256_setzero_ps() : _mm256_loadu_ps(sums + r * job->sum_stride + 8 * v);
  const float *w = job->w + column;
  size_t stride = job->x_stride;
  for (size_t j = 0; j < job->taps; j++) {
    const float *x[2] = {job->x + j * job->tap_step, job->x + j * job->tap_step + 3 * stride};
    for (size_t i = 0; i < job->inputs; i++, w += job->w_stride) {
      __m256 weight[2];
      UNROLLED
      for (size_t v = 0; v < vectors; v++) weight[v] = _mm256_loadu_ps(w + 8 * v);
      UNROLLED
      for (size_t r = 0; r < rows; r++) {
        __m256 value = _mm256_broadcast_ss(x[r / 3] + r % 3 * stride + i);
        UNROLLED
        for (size_t v = 0; v < vectors; v++)
          sum[r][v] = _mm256_fmadd_ps(value, weight[v], sum[r][v]);
      }
    }
  }
  UNROLLED
  for (size_t r = 0; r < rows; r++) UNROLLED
  for (size_t v = 0; v < vectors; v++)
    _mm256_storeu_ps(sums + r * job->sum_stride + 8 * v, sum[r][v]);
}

#define PART(vectors)                                                                              \
  switch (job->rows) {                                                                             \
  case 1: tile_part(job, column, 1, vectors); break;                                               \
  case 2: tile_part(job, column, 2, vectors); break;                                               \
  case 3: tile_part(job, column, 3, vectors); break;                                               \
  case 4: tile_part(job, column, 4, vectors); break;                                               \
  case 5: tile_part(job, column, 5, vectors); break;                                               \
  default: tile_part(job, column, 6, vectors); break;                                              \
  }

static void tile(const tile_job *job)
{
  size_t column = 0;
  for (; column + 16 <= job->width; column += 16) PART(2)
  if (column < job->width) PART(1)
}

const kernels_path kernels_avx2 = {.name = "avx2", .tile_rows = 6, .tile = tile, ROW_KERNELS};
