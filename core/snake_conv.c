// SPDX-License-Identifier: GPL-3.0-or-later
//
// Two ways. Directly: a block of rows at a time, the activation into a thread's own room and the
// convolution from there. Through values at points (toom.h), where that is faster: a strip of
// columns of a block at a time is activated and evaluated, then all is multiplied.
#include "snake_conv.h"

#include <stdlib.h>
#include <string.h>

#include "toom.h"

enum {
  SNAKE_REACH = 5,        // rows the activation reads on both sides
  BLOCK_FLOATS = 1 << 15, // of input values in a block, about: half a second-level cache
  BLOCK_ROWS = 144,       // at least
  STRIP_ROWS = 480,       // of a strip, about; rows around it are activated twice
};

struct snake_conv {
  snake_antialias act;
  matrix_shape shape;
  size_t padding;
  matrix *m; // one of
  toom *t;   // these
};

void snake_conv_free(snake_conv *c)
{
  if (c == NULL) return;
  matrix_free(c->m);
  toom_free(c->t);
  free(c);
}

mw_status snake_conv_new(snake_conv **made, const snake_antialias *act, size_t outputs, size_t taps,
                         size_t dilation, const float *values, const float *bias, mw_error *error)
{
  snake_conv *c = calloc(1, sizeof *c);
  if (c == NULL) return mw_fail_memory(error, "packing weights");
  c->act = *act;
  c->shape = (matrix_shape){outputs, act->channels, taps, dilation, 1};
  c->padding = (taps - 1) / 2 * dilation;
  mw_status status = toom_fits(&c->shape)
                         ? toom_new(&c->t, &c->shape, values, bias, error)
                         : matrix_new(&c->m, &c->shape, MATRIX_F32, values, bias, error);
  if (status != MW_OK) {
    snake_conv_free(c);
    return status;
  }
  *made = c;
  return MW_OK;
}

size_t snake_conv_reach(const snake_conv *c)
{
  return c->padding + SNAKE_REACH + (c->t != NULL ? toom_spare(c->t) : 0);
}

size_t snake_conv_grid(const snake_conv *c)
{
  return c->t != NULL ? toom_block(c->t) : 1;
}

double snake_conv_work(const snake_conv *c)
{
  return (double)c->shape.outputs * (double)c->shape.inputs * (double)c->shape.taps;
}

// Of the direct way.
static size_t block_rows(const snake_conv *c)
{
  size_t rows = BLOCK_FLOATS / c->act.channels;
  return rows > BLOCK_ROWS ? rows : BLOCK_ROWS;
}

// Toom blocks of a strip.
static size_t strip_blocks(const snake_conv *c)
{
  size_t block = toom_block(c->t);
  return STRIP_ROWS > block ? STRIP_ROWS / block : 1;
}

static size_t blocks_of(const snake_conv *c, size_t rows)
{
  return (rows + toom_block(c->t) - 1) / toom_block(c->t);
}

// Rows of the activation's output around the ones of a result.
static size_t rows_around(const snake_conv *c)
{
  return 2 * c->padding + (c->t != NULL ? toom_spare(c->t) : 0);
}

static size_t thread_room(const snake_conv *c)
{
  if (c->t == NULL) return (block_rows(c) + rows_around(c)) * c->act.channels;
  size_t column;
  size_t width;
  toom_strip(c->t, 0, &column, &width);
  size_t strip = (strip_blocks(c) * toom_block(c->t) + rows_around(c)) * width;
  return strip > toom_room(c->t) ? strip : toom_room(c->t);
}

size_t snake_conv_scratch(const snake_conv *c, size_t rows, size_t threads)
{
  size_t values = c->t != NULL ? toom_values(c->t, blocks_of(c, rows)) : 0;
  return values + thread_room(c) * threads;
}

typedef struct {
  const snake_conv *c;
  snake_conv_piece piece;
  float *room;   // of all threads
  float *values; // of points
  size_t blocks;
} run_job;

// Columns column..column + width - 1 of rows from..from + rows - 1 of the activated signal, zeros
// outside the signal.
static void activate_rows(const run_job *job, size_t column, size_t width, ptrdiff_t from,
                          size_t rows, float *to)
{
  snake_antialias act = job->c->act;
  const snake_conv_piece *piece = &job->piece;
  size_t stride = act.channels;
  size_t before = from < 0 ? (size_t)-from : 0;
  size_t first = (size_t)(from + (ptrdiff_t)before);
  size_t inside = rows - before;
  if (first + inside > piece->length) inside = piece->length - first;
  act.channels = width;
  act.frequency += column;
  act.amplitude += column;
  memset(to, 0, before * width * sizeof(float));
  snake_antialias_run(&act, piece->x + (first - piece->x_first) * stride + column, stride, first,
                      inside, piece->length, to + before * width, width);
  memset(to + (before + inside) * width, 0, (rows - before - inside) * width * sizeof(float));
}

static void run_block(void *argument, size_t index, size_t thread)
{
  const run_job *job = argument;
  const snake_conv *c = job->c;
  const snake_conv_piece *piece = &job->piece;
  size_t outputs = c->shape.outputs;
  size_t width = c->act.channels;
  size_t most = block_rows(c);
  size_t begin = index * most;
  size_t rows = piece->rows - begin < most ? piece->rows - begin : most;
  float *activated = job->room + thread * thread_room(c);
  epilogue after = {.act = piece->after, .residual_stride = outputs};
  if (piece->residual != NULL) after.residual = piece->residual + begin * outputs;
  activate_rows(job, 0, width, (ptrdiff_t)(piece->first + begin) - (ptrdiff_t)c->padding,
                rows + rows_around(c), activated);
  matrix_run(c->m, activated, width, rows, piece->y + begin * outputs, outputs, &after, NULL);
}

static void run_strip(void *argument, size_t index, size_t thread)
{
  const run_job *job = argument;
  const snake_conv *c = job->c;
  size_t column;
  size_t width;
  size_t strip = index % toom_strips(c->t);
  size_t first = index / toom_strips(c->t) * strip_blocks(c);
  size_t count = job->blocks - first < strip_blocks(c) ? job->blocks - first : strip_blocks(c);
  size_t row = job->piece.first + first * toom_block(c->t);
  float *activated = job->room + thread * thread_room(c);
  toom_strip(c->t, strip, &column, &width);
  activate_rows(job, column, width, (ptrdiff_t)row - (ptrdiff_t)c->padding,
                count * toom_block(c->t) + rows_around(c), activated);
  toom_forward(c->t, strip, activated, width, first, count, job->blocks, job->values);
}

void snake_conv_run(const snake_conv *c, const snake_conv_piece *piece, float *scratch, pool *p)
{
  run_job job = {.c = c, .piece = *piece, .room = scratch};
  if (c->t == NULL) {
    size_t most = block_rows(c);
    pool_run(p, (piece->rows + most - 1) / most, run_block, &job);
    return;
  }
  job.blocks = blocks_of(c, piece->rows);
  job.values = scratch + thread_room(c) * pool_threads(p);
  size_t stretches = (job.blocks + strip_blocks(c) - 1) / strip_blocks(c);
  pool_run(p, stretches * toom_strips(c->t), run_strip, &job);
  epilogue after = {
      .act = piece->after, .residual = piece->residual, .residual_stride = c->shape.outputs};
  toom_back(c->t, job.values, job.blocks, piece->rows, &after, piece->y, scratch, p);
}
