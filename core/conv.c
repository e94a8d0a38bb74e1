// SPDX-License-Identifier: GPL-3.0-or-later
#include "conv.h"

#include <stdlib.h>
#include <string.h>

#include "toom.h"

enum {
  PADDING = CONV_TAPS_MOST / 2,
  STRETCH_ROWS = 256, // of the input that a thread turns into values at once, about
};

struct conv {
  matrix *m; // one of
  toom *t;   // these
};

void conv_free(conv *c)
{
  if (c == NULL) return;
  matrix_free(c->m);
  toom_free(c->t);
  free(c);
}

mw_status conv_new(conv **made, const matrix_shape *shape, matrix_dtype dtype, const float *values,
                   const float *bias, mw_error *error)
{
  conv *c = calloc(1, sizeof *c);
  if (c == NULL) return mw_fail_memory(error, "packing weights");
  mw_status status = dtype == MATRIX_F32 && toom_fits(shape)
                         ? toom_new(&c->t, shape, values, bias, error)
                         : matrix_new(&c->m, shape, dtype, values, bias, error);
  if (status != MW_OK) {
    conv_free(c);
    return status;
  }
  *made = c;
  return MW_OK;
}

mw_status conv_load(conv **made, const weights_view *view, const char *name,
                    const matrix_shape *shape, bool has_bias, mw_error *error)
{
  matrix_values read;
  mw_status status = matrix_read(&read, view, name, shape, has_bias, error);
  if (status == MW_OK) status = conv_new(made, shape, read.dtype, read.values, read.bias, error);
  matrix_values_free(&read);
  return status;
}

const matrix_shape *conv_get_shape(const conv *c)
{
  return c->t != NULL ? toom_get_shape(c->t) : matrix_get_shape(c->m);
}

float *conv_rows(arena *a, size_t rows, size_t width)
{
  if (rows > SIZE_MAX / 64 || width > SIZE_MAX / sizeof(float) / (rows + 2 * PADDING)) return NULL;
  float *block = arena_floats(a, (rows + 2 * PADDING) * width);
  if (block == NULL) return NULL;
  memset(block, 0, (rows + 2 * PADDING) * width * sizeof(float)); // reused memory is not zero
  return block + PADDING * width;
}

static size_t blocks_of(const toom *t, size_t rows)
{
  return (rows + toom_block(t) - 1) / toom_block(t);
}

size_t conv_scratch(const conv *c, size_t rows, size_t threads)
{
  return c->t == NULL ? 0 : toom_room(c->t) * threads + toom_values(c->t, blocks_of(c->t, rows));
}

typedef struct {
  const toom *t;
  const float *x; // the first row of zeros
  size_t rows;    // with those of zeros
  size_t blocks;
  size_t whole; // blocks whose inputs are all among the rows
  size_t stretch_blocks;
  float *values;
} forward_run;

// A block whose inputs end behind the rows: zeros there.
static void forward_edge(const forward_run *run, size_t strip, size_t block)
{
  const toom *t = run->t;
  const matrix_shape *shape = toom_get_shape(t);
  float edge[TOOM_READ_MOST * TOOM_STRIP_MOST];
  size_t column;
  size_t width;
  toom_strip(t, strip, &column, &width);
  size_t first = block * toom_block(t);
  size_t wanted = toom_block(t) + shape->taps - 1 + toom_spare(t);
  size_t there = run->rows - first < wanted ? run->rows - first : wanted;
  for (size_t i = 0; i < there; i++)
    memcpy(edge + i * width, run->x + (first + i) * shape->inputs + column, width * sizeof(float));
  memset(edge + there * width, 0, (wanted - there) * width * sizeof(float));
  toom_forward(t, strip, edge, width, block, 1, run->blocks, run->values);
}

static void forward_stretch(void *argument, size_t index, size_t thread)
{
  (void)thread;
  const forward_run *run = argument;
  const toom *t = run->t;
  size_t inputs = toom_get_shape(t)->inputs;
  size_t strip = index % toom_strips(t);
  size_t first = index / toom_strips(t) * run->stretch_blocks;
  size_t left = run->blocks - first;
  size_t end = first + (left < run->stretch_blocks ? left : run->stretch_blocks);
  size_t whole = end < run->whole ? end : run->whole;
  size_t column;
  size_t width;
  toom_strip(t, strip, &column, &width);
  if (whole > first)
    toom_forward(t, strip, run->x + first * toom_block(t) * inputs + column, inputs, first,
                 whole - first, run->blocks, run->values);
  for (size_t block = whole > first ? whole : first; block < end; block++)
    forward_edge(run, strip, block);
}

void conv_run(const conv *c, const float *x, size_t rows, float *y, const epilogue *after,
              float *scratch, pool *p)
{
  const matrix_shape *shape = conv_get_shape(c);
  size_t padding = (shape->taps - 1) / 2;
  const float *from = x - padding * shape->inputs;
  const toom *t = c->t;
  if (t == NULL) {
    matrix_run(c->m, from, shape->inputs, rows, y, shape->outputs, after, p);
    return;
  }
  size_t block = toom_block(t);
  forward_run run = {.t = t,
                     .x = from,
                     .rows = rows + 2 * padding,
                     .blocks = blocks_of(t, rows),
                     .whole = rows > toom_spare(t) ? (rows - toom_spare(t)) / block : 0,
                     .stretch_blocks = STRETCH_ROWS > block ? STRETCH_ROWS / block : 1,
                     .values = scratch + toom_room(t) * pool_threads(p)};
  size_t stretches = (run.blocks + run.stretch_blocks - 1) / run.stretch_blocks;
  pool_run(p, stretches * toom_strips(t), forward_stretch, &run);
  toom_back(t, run.values, run.blocks, rows, after, y, scratch, p);
}
