// SPDX-License-Identifier: GPL-3.0-or-later
//
// A block of rows at a time: activation into a thread's own room, then the convolution from there.
#include "snake_conv.h"

#include <stdlib.h>
#include <string.h>

enum {
  SNAKE_REACH = 5,        // rows the activation reads on both sides
  BLOCK_FLOATS = 1 << 15, // of input values in a block, about: half a second-level cache
  BLOCK_ROWS = 144,       // at least
};

struct snake_conv {
  snake_antialias act;
  matrix *m;
  size_t padding;
};

void snake_conv_free(snake_conv *c)
{
  if (c == NULL) return;
  matrix_free(c->m);
  free(c);
}

mw_status snake_conv_new(snake_conv **made, const snake_antialias *act, size_t outputs, size_t taps,
                         size_t dilation, const float *values, const float *bias, mw_error *error)
{
  matrix_shape shape = {outputs, act->channels, taps, dilation, 1};
  snake_conv *c = calloc(1, sizeof *c);
  if (c == NULL) return mw_fail_memory(error, "packing weights");
  c->act = *act;
  c->padding = (taps - 1) / 2 * dilation;
  mw_status status = matrix_new(&c->m, &shape, MATRIX_F32, values, bias, error);
  if (status != MW_OK) {
    snake_conv_free(c);
    return status;
  }
  *made = c;
  return MW_OK;
}

size_t snake_conv_reach(const snake_conv *c)
{
  return c->padding + SNAKE_REACH;
}

size_t snake_conv_grid(const snake_conv *c)
{
  (void)c;
  return 1;
}

double snake_conv_work(const snake_conv *c)
{
  const matrix_shape *shape = matrix_get_shape(c->m);
  return (double)shape->outputs * (double)shape->inputs * (double)shape->taps;
}

static size_t block_rows(const snake_conv *c)
{
  size_t rows = BLOCK_FLOATS / c->act.channels;
  return rows > BLOCK_ROWS ? rows : BLOCK_ROWS;
}

static size_t block_scratch(const snake_conv *c)
{
  return (block_rows(c) + 2 * c->padding) * c->act.channels;
}

size_t snake_conv_scratch(const snake_conv *c, size_t rows, size_t threads)
{
  (void)rows;
  return block_scratch(c) * threads;
}

typedef struct {
  const snake_conv *c;
  snake_conv_piece piece;
  float *scratch;
} run_job;

// Rows from..from + rows - 1 of the activated signal, zeros outside the signal.
static void activate_rows(const run_job *job, ptrdiff_t from, size_t rows, float *to)
{
  const snake_antialias *act = &job->c->act;
  const snake_conv_piece *piece = &job->piece;
  size_t width = act->channels;
  size_t before = from < 0 ? (size_t)-from : 0;
  size_t first = (size_t)(from + (ptrdiff_t)before);
  size_t inside = rows - before;
  if (first + inside > piece->length) inside = piece->length - first;
  memset(to, 0, before * width * sizeof(float));
  snake_antialias_run(act, piece->x + (first - piece->x_first) * width, width, first, inside,
                      piece->length, to + before * width, width);
  memset(to + (before + inside) * width, 0, (rows - before - inside) * width * sizeof(float));
}

static void run_block(void *argument, size_t index, size_t thread)
{
  const run_job *job = argument;
  const snake_conv *c = job->c;
  const snake_conv_piece *piece = &job->piece;
  size_t outputs = matrix_get_shape(c->m)->outputs;
  size_t most = block_rows(c);
  size_t begin = index * most;
  size_t rows = piece->rows - begin < most ? piece->rows - begin : most;
  float *activated = job->scratch + thread * block_scratch(c);
  epilogue after = {.act = piece->after, .residual_stride = outputs};
  if (piece->residual != NULL) after.residual = piece->residual + begin * outputs;
  activate_rows(job, (ptrdiff_t)(piece->first + begin) - (ptrdiff_t)c->padding,
                rows + 2 * c->padding, activated);
  matrix_run(c->m, activated, c->act.channels, rows, piece->y + begin * outputs, outputs, &after,
             NULL);
}

void snake_conv_run(const snake_conv *c, const snake_conv_piece *piece, float *scratch, pool *p)
{
  run_job job = {c, *piece, scratch};
  size_t most = block_rows(c);
  pool_run(p, (piece->rows + most - 1) / most, run_block, &job);
}
