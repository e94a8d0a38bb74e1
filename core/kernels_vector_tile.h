// SPDX-License-Identifier: GPL-3.0-or-later
//
// The multiplication at the heart of everything, for one kind of vector. Included by a path's file
// with TILE_NAME, TILE_VECTOR, TILE_LANES, TILE_LOAD, TILE_STORE, TILE_SET, TILE_ZERO and TILE_FMA
// defined; makes TILE_NAME(job, rows, columns in vectors). Called with constants, everything
// unrolls and the sums live in registers.

static inline __attribute__((always_inline)) void TILE_NAME(const tile_job *t, size_t first_column,
                                                            const size_t rows, const size_t vectors)
{
  TILE_VECTOR sum[12][3];
  const size_t x_stride = t->x_stride;
  const size_t w_stride = t->w_stride;
  const ptrdiff_t to_next = t->w_next != NULL ? t->w_next - t->w : 0;
#pragma GCC unroll 12
  for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (size_t v = 0; v < vectors; v++)
      sum[r][v] = t->first ? TILE_ZERO()
                           : TILE_LOAD(t->sum + r * t->sum_stride + first_column + v * TILE_LANES);
  for (size_t j = 0; j < t->taps; j++) {
    const float *x = t->x + j * t->tap_step;
    const float *end = x + t->inputs;
    const float *w = t->w + j * t->inputs * w_stride + first_column;
    for (; x < end; x++, w += w_stride) {
      TILE_VECTOR column[3];
      // few rows take less time than their weights need from memory
#pragma GCC unroll 3
      for (size_t v = 0; v < vectors; v += 16 / TILE_LANES)
        __builtin_prefetch(w + to_next + v * TILE_LANES, 0, 2);
#pragma GCC unroll 3
      for (size_t v = 0; v < vectors; v++) column[v] = TILE_LOAD(w + v * TILE_LANES);
#pragma GCC unroll 12
      for (size_t r = 0; r < rows; r++) {
        TILE_VECTOR value = TILE_SET(x[r * x_stride]);
#pragma GCC unroll 3
        for (size_t v = 0; v < vectors; v++) sum[r][v] = TILE_FMA(value, column[v], sum[r][v]);
      }
    }
  }
#pragma GCC unroll 12
  for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 3
    for (size_t v = 0; v < vectors; v++)
      TILE_STORE(t->sum + r * t->sum_stride + first_column + v * TILE_LANES, sum[r][v]);
}

#ifndef TILE_ROWS
// Cases of a switch over the rows of a tile.
#define TILE_ROWS(function, vectors, count)                                                        \
  case count:                                                                                      \
    function(t, column, count, vectors);                                                           \
    break;
#define TILE_ROWS_6(function, vectors)                                                             \
  TILE_ROWS(function, vectors, 1)                                                                  \
  TILE_ROWS(function, vectors, 2)                                                                  \
  TILE_ROWS(function, vectors, 3)                                                                  \
  TILE_ROWS(function, vectors, 4)                                                                  \
  TILE_ROWS(function, vectors, 5)                                                                  \
  TILE_ROWS(function, vectors, 6)
#define TILE_ROWS_12(function, vectors)                                                            \
  TILE_ROWS_6(function, vectors)                                                                   \
  TILE_ROWS(function, vectors, 7)                                                                  \
  TILE_ROWS(function, vectors, 8)                                                                  \
  TILE_ROWS(function, vectors, 9)                                                                  \
  TILE_ROWS(function, vectors, 10)                                                                 \
  TILE_ROWS(function, vectors, 11)                                                                 \
  TILE_ROWS(function, vectors, 12)
#endif
