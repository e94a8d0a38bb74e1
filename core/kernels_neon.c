// SPDX-License-Identifier: GPL-3.0-or-later
//
// NEON (64-bit Arm): tiles of 6 rows by 4 vectors of 4, 24 sums in registers.
#define VECTOR_BYTES 16
#include "kernels_rows.h"

#include <arm_neon.h>

INLINE void tile_part(const tile_job *job, size_t column, size_t rows, size_t vectors)
{
  float32x4_t sum[6][4];
  float *sums = job->sum + column;
  UNROLLED
  for (size_t r = 0; r < rows; r++) UNROLLED
  for (size_t v = 0; v < vectors; v++)
    sum[r][v] = job->first ? vdupq_n_f32(0.0f) : vld1q_f32(sums + r * job->sum_stride + 4 * v);
  const float *w = job->w + column;
  for (size_t j = 0; j < job->taps; j++) {
    const float *x = job->x + j * job->tap_step;
    for (size_t i = 0; i < job->inputs; i++, w += job->w_stride) {
      float32x4_t weight[4];
      UNROLLED
      for (size_t v = 0; v < vectors; v++) weight[v] = vld1q_f32(w + 4 * v);
      UNROLLED
      for (size_t r = 0; r < rows; r++) UNROLLED
      for (size_t v = 0; v < vectors; v++)
        sum[r][v] = vfmaq_n_f32(sum[r][v], weight[v], x[r * job->x_stride + i]);
    }
  }
  UNROLLED
  for (size_t r = 0; r < rows; r++) UNROLLED
  for (size_t v = 0; v < vectors; v++) vst1q_f32(sums + r * job->sum_stride + 4 * v, sum[r][v]);
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
  for (; column + 16 <= job->width; column += 16) PART(4)
  if (column < job->width) PART(2)
}

const kernels_path kernels_neon = {.name = "neon", .tile_rows = 6, .tile = tile, ROW_KERNELS};
