// SPDX-License-Identifier: GPL-3.0-or-later
//
// Matrices packed at load. A linear layer and a 1-D convolution of any kernel, dilation and stride
// are the same thing here: tap j of output row i reads input row i * stride + j * dilation,
// straight from the caller's rows. Running one goes
//   blocks of ROW_BLOCK rows           (their inputs stay in L2)
//     groups of up to GROUP columns    (their sums stay in L1, on the stack)
//       chunks of DEPTH_CHUNK inputs   (a panel's chunk of weights stays in L1 or L2)
//         panels, tiles of a few rows  (sums in registers: the path's tile())
//       epilogue of the group
// All room is on the stack, about 200 KB.
// Sums are stored and loaded between chunks without loss, so neither the blocks nor the threads
// change any value.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "matrix_internal.h"

enum {
  COPY_STRIDE = DEPTH_CHUNK + 16,
  SMALLEST_SPLIT = 1 << 16, // multiply-adds below which waking another thread does not pay
};

void matrix_free(matrix *m)
{
  if (m == NULL) return;
  free(m->packed);
  free(m->bias);
  free(m->scale);
  free(m);
}

const matrix_shape *matrix_get_shape(const matrix *m)
{
  return &m->shape;
}

static size_t padded_outputs(size_t outputs)
{
  size_t panels = panel_count(outputs);
  return panels == 0 ? 0 : (panels - 1) * PANEL + panel_width(outputs, (panels - 1) * PANEL);
}

static size_t packed_bytes(const matrix_shape *s, matrix_dtype dtype)
{
  return dtype == MATRIX_INT8 ? int8_bytes(s)
                              : s->inputs * s->taps * padded_outputs(s->outputs) * sizeof(float);
}

size_t matrix_bytes(const matrix *m)
{
  return packed_bytes(&m->shape, m->dtype) +
         m->shape.outputs * sizeof(float) * (m->scale != NULL ? 2 : 1);
}

static void pack(matrix *m, const float *values)
{
  const matrix_shape *s = &m->shape;
  float *packed = m->packed;
  size_t depth = s->inputs * s->taps;
  for (size_t first = 0, width; first < s->outputs; first += width) {
    width = panel_width(s->outputs, first);
    size_t columns = s->outputs - first < width ? s->outputs - first : width;
    for (size_t i = 0; i < s->inputs; i++)
      for (size_t j = 0; j < s->taps; j++) {
        size_t row = first * depth + (j * s->inputs + i) * width;
        for (size_t c = 0; c < columns; c++)
          packed[row + c] = values[((first + c) * s->inputs + i) * s->taps + j];
      }
  }
}

// Room for packed weights, where they fill it in pages of 2 MB: a chunk of speech sweeps through
// all weights of its networks, and small pages cost a fifth of that time in translations.
static void *take_room(size_t bytes)
{
  const size_t large = (size_t)1 << 21;
  size_t rest = bytes % large;
  if (rest > large / 4 * 3) bytes += large - rest;
  if (bytes < large) return aligned_alloc(64, bytes / 64 * 64 + 64);
  void *room = aligned_alloc(large, bytes / 64 * 64 + 64);
#ifdef MADV_HUGEPAGE
  if (room != NULL) madvise(room, bytes / large * large, MADV_HUGEPAGE); // only a wish
#endif
  return room;
}

mw_status matrix_new(matrix **made, const matrix_shape *shape, matrix_dtype dtype,
                     const float *values, const float *bias, mw_error *error)
{
  size_t bytes;
  matrix *m = NULL;
  if (shape->inputs == 0 || shape->taps == 0)
    return mw_fail(error, MW_ERROR_FORMAT, "a matrix without inputs is not one this program knows");
  if (shape->outputs > SIZE_MAX - PANEL_MOST ||
      __builtin_mul_overflow(shape->inputs, shape->taps, &bytes) ||
      __builtin_mul_overflow(bytes, padded_outputs(shape->outputs), &bytes) ||
      bytes > SIZE_MAX / 16) // padding of any kind included
    goto no_memory;
  bytes = packed_bytes(shape, dtype);
  m = calloc(1, sizeof *m);
  if (m == NULL) goto no_memory;
  m->shape = *shape;
  m->dtype = dtype;
  m->packed = take_room(bytes);
  m->bias = calloc(shape->outputs + 1, sizeof(float));
  if (m->packed == NULL || m->bias == NULL) goto no_memory;
  if (dtype == MATRIX_INT8) {
    m->scale = malloc((shape->outputs + 1) * sizeof(float));
    if (m->scale == NULL) goto no_memory;
    int8_pack(m, values);
  } else {
    if (padded_outputs(shape->outputs) != shape->outputs) memset(m->packed, 0, bytes);
    pack(m, values);
  }
  if (bias != NULL) memcpy(m->bias, bias, shape->outputs * sizeof(float));
  *made = m;
  return MW_OK;
no_memory:
  matrix_free(m);
  return mw_fail_memory(error, "packing weights");
}

// A part of the depth: whole taps, or inputs of one tap.
typedef struct {
  size_t tap;
  size_t taps;
  size_t input;
  size_t inputs;
} chunk;

static bool next_chunk(const matrix_shape *s, chunk *c)
{
  if (s->inputs > DEPTH_CHUNK) {
    c->input += c->inputs;
    if (c->input == s->inputs) {
      c->input = 0;
      c->tap++;
    }
    c->taps = 1;
    c->inputs = s->inputs - c->input < DEPTH_CHUNK ? s->inputs - c->input : DEPTH_CHUNK;
    return c->tap < s->taps;
  }
  size_t most = DEPTH_CHUNK / s->inputs;
  c->tap += c->taps;
  c->taps = s->taps - c->tap < most ? s->taps - c->tap : most;
  c->inputs = s->inputs;
  return c->tap < s->taps;
}

// Rows whose distance is a multiple of 4 KiB fall into one set of the first-level cache and push
// each other out: such inputs are copied. Only inputs of one tap: others are narrow rows.
static bool rows_collide(const chunk *c, size_t row_stride, size_t rows)
{
  return c->taps == 1 && rows > 4 && row_stride * sizeof(float) % 4096 == 0;
}

static void copy_rows(const float *x, size_t stride, size_t rows, size_t count, float *to)
{
  for (size_t i = 0; i < rows; i++)
    memcpy(to + i * COPY_STRIDE, x + i * stride, count * sizeof(float));
}

// Tiles of as equal a size as possible: a last tile of one row would cost as much as one of six.
static void run_tiles(const kernels_path *path, tile_job tile, size_t rows)
{
  size_t tiles = (rows + path->tile_rows - 1) / path->tile_rows;
  for (size_t t = 0, done = 0; t < tiles; t++) {
    tile.rows = (rows - done + tiles - t - 1) / (tiles - t);
    path->tile(&tile);
    tile.w_next = NULL; // called once
    tile.x += tile.rows * tile.x_stride;
    tile.sum += tile.rows * tile.sum_stride;
    done += tile.rows;
  }
}

// Weights of a panel's chunk.
static const float *chunk_weights(const run_job *job, size_t first, size_t width, const chunk *c)
{
  const matrix *m = job->m;
  size_t depth = m->shape.inputs * m->shape.taps;
  return (const float *)m->packed + first * depth + (c->tap * m->shape.inputs + c->input) * width;
}

// The weights behind those of a chunk of a panel: of the next panel of the group, of the
// first panel in the next chunk, of the next group; NULL at the end.
static const float *next_weights(const run_job *job, size_t column, size_t first, size_t end,
                                 const chunk *c)
{
  const matrix_shape *s = &job->m->shape;
  size_t after = column + panel_width(s->outputs, column);
  chunk next = *c;
  if (after >= end) {
    after = first;
    if (!next_chunk(s, &next)) {
      after = end;
      next = (chunk){0};
      next_chunk(s, &next);
    }
  }
  return after < s->outputs ? chunk_weights(job, after, panel_width(s->outputs, after), &next)
                            : NULL;
}

static void sum_group(const run_job *job, const float *x, size_t rows, size_t first, size_t end,
                      float *sums)
{
  const matrix_shape *s = &job->m->shape;
  float copied[ROW_BLOCK * COPY_STRIDE];
  chunk c = {0};
  for (bool is_first = true; next_chunk(s, &c); is_first = false) {
    tile_job tile = {
        .x = x + c.tap * s->dilation * job->x_stride + c.input,
        .x_stride = s->stride * job->x_stride,
        .taps = c.taps,
        .tap_step = s->dilation * job->x_stride,
        .inputs = c.inputs,
        .sum_stride = SUM_STRIDE,
        .first = is_first,
    };
    if (rows_collide(&c, tile.x_stride, rows)) {
      copy_rows(tile.x, tile.x_stride, rows, c.inputs, copied);
      tile.x = copied;
      tile.x_stride = COPY_STRIDE;
    }
    for (size_t column = first; column < end; column += tile.width) {
      tile.width = panel_width(s->outputs, column);
      tile.w = chunk_weights(job, column, tile.width, &c);
      tile.w_stride = tile.width;
      tile.w_next = next_weights(job, column, first, end, &c);
      tile.sum = sums + (column - first);
      run_tiles(job->path, tile, rows);
    }
  }
}

static void run_group(void *argument, size_t index, size_t thread)
{
  (void)thread;
  const run_job *job = argument;
  const matrix_shape *s = &job->m->shape;
  size_t block = index % job->row_blocks;
  size_t row = job->rows * block / job->row_blocks;
  size_t rows = job->rows * (block + 1) / job->row_blocks - row;
  size_t first = index / job->row_blocks * GROUP;
  size_t end = index / job->row_blocks + 1 < job->groups ? first + GROUP : s->outputs;
  float sums[ROW_BLOCK * SUM_STRIDE];
  const float *x = job->x + row * s->stride * job->x_stride;
  if (job->m->dtype == MATRIX_INT8)
    int8_sum_group(job, x, rows, first, end, sums);
  else
    sum_group(job, x, rows, first, end, sums);
  finish_job finish = {
      .sum = sums,
      .sum_stride = SUM_STRIDE,
      .rows = rows,
      .columns = end - first,
      .scale = job->m->scale != NULL ? job->m->scale + first : NULL,
      .bias = job->m->bias + first,
      .after = job->after,
      .y = job->y + row * job->y_stride + first,
      .y_stride = job->y_stride,
  };
  epilogue *e = &finish.after;
  if (e->factor != NULL) e->factor += row * e->factor_stride + first;
  if (e->scale != NULL) e->scale += first;
  if (e->residual != NULL) e->residual += row * e->residual_stride + first;
  job->path->finish(&finish);
}

void matrix_run_on(const kernels_path *path, const matrix *m, const float *x, size_t x_stride,
                   size_t rows, float *y, size_t y_stride, const epilogue *after, pool *p)
{
  const matrix_shape *s = &m->shape;
  run_job job = {.path = path,
                 .m = m,
                 .x = x,
                 .x_stride = x_stride,
                 .rows = rows,
                 .y = y,
                 .y_stride = y_stride,
                 .row_blocks = (rows + ROW_BLOCK - 1) / ROW_BLOCK,
                 .groups = (panel_count(s->outputs) * PANEL + GROUP - 1) / GROUP};
  if (after != NULL) job.after = *after;
  bool small = rows * s->outputs < SMALLEST_SPLIT / (s->inputs * s->taps + 1);
  pool_run(small ? NULL : p, job.row_blocks * job.groups, run_group, &job);
}
