// SPDX-License-Identifier: GPL-3.0-or-later
//
// y[i] = sum over j < k of w[j] x[i + j] is the transpose of a product of polynomials, so m outputs
// of r taps need the values at m + r - 1 points instead of m r multiplications. Longer kernels are
// r-tap pieces of a piece kernel of few taps, to which the same is done again:
//   taps  pieces  inner          outer          points, rows   multiplications saved
//   3     1       6 rows of 3    -               8, 6          2.25 times
//   7     2       4 rows of 4    3 rows of 2    28, 12         3 times
//   11    3       4 rows of 4    2 rows of 3    28, 8          3.14 times
// (the kernel filled up with a zero tap where pieces make one more). Points are small fractions:
// the error grows with their number and their size. With a dilation d each d-th row is a signal of
// its own, and a block is as many rows of each.
//
// Values lie [strip][point][group][strip's columns], a group being the rows of one evaluation.
// Weights are kept as they are and evaluated for a panel and a strip when they are needed: they
// stay in the second-level cache while all groups of a part are multiplied.
#include "cpu.h"
#include "kernels_path.h"
#include "toom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  PART_VALUES = 4608, // points times groups of a part: sums of a panel, about 600 KB
  LEAST_CHANNELS = 32,
  BLOCK_ROWS_MOST = 12, // of each d-th row
};

struct toom {
  const kernels_path *path;
  toom_scheme scheme;
  matrix_shape shape;
  size_t strips;
  size_t strip_width; // of all but the last
  float *packed;      // [panels][strips][taps][strip's inputs][panel's width]
  float *bias;        // [outputs]
};

typedef struct {
  size_t taps;
  size_t inner_rows;
  size_t inner_taps;
  const double *points; // the last one, infinity, is not listed
  size_t outer_rows;
  size_t outer_taps;
} plan;

static const float no_bias[PANEL_MOST];

static const double eight_points[] = {0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5};
static const double seven_points[] = {0.0, 1.0, -1.0, -2.0, 0.5, -0.5};
static const double outer_points[] = {0.0, 1.0, -1.0};

static const plan plans[] = {
    {3, 6, 3, eight_points, 1, 1},
    {7, 4, 4, seven_points, 3, 2},
    {11, 4, 4, seven_points, 2, 3},
};

static const plan *find_plan(size_t taps)
{
  for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++)
    if (plans[i].taps == taps) return &plans[i];
  return NULL;
}

bool toom_fits(const matrix_shape *shape)
{
  return cpu_path()->toom_back != NULL && shape->stride == 1 && find_plan(shape->taps) != NULL &&
         shape->outputs >= LEAST_CHANNELS && shape->inputs >= LEAST_CHANNELS;
}

// Matrices of `rows` outputs of `taps` taps, n = rows + taps - 1 points: results =
// back [rows, n] ((forward [n, n] x) * (evaluated [n, taps] w)). Row p of `forward` holds the
// coefficients of the product of (z - point) over the other points, over a power of two if
// `scaled`, so that values are no larger than inputs.
static void make_matrices(const double *points, size_t rows, size_t taps, bool scaled,
                          float *forward, float *evaluated, float *back)
{
  size_t n = rows + taps - 1;
  for (size_t p = 0; p < n; p++) {
    bool infinite = p == n - 1;
    double polynomial[TOOM_POINTS + 1] = {1.0};
    double product = 1.0; // of the differences
    double sum = 0.0;
    size_t degree = 0;
    for (size_t q = 0; q < n - 1; q++) {
      if (q == p) continue;
      if (!infinite) product *= points[p] - points[q];
      degree++;
      for (size_t k = degree; k > 0; k--)
        polynomial[k] = polynomial[k - 1] - points[q] * polynomial[k];
      polynomial[0] *= -points[q];
    }
    for (size_t k = 0; k < n; k++) sum += fabs(polynomial[k]);
    double scale = scaled ? exp2(round(log2(sum))) : 1.0;
    for (size_t k = 0; k < n; k++) forward[p * n + k] = (float)(polynomial[k] / scale);
    for (size_t k = 0; k < taps; k++) {
      double power = infinite ? k == taps - 1 : pow(points[p], (double)k);
      evaluated[p * taps + k] = (float)(power * scale / product);
    }
    for (size_t k = 0; k < rows; k++)
      back[k * n + p] = infinite ? k == rows - 1 : (float)pow(points[p], (double)k);
  }
}

static void make_scheme(toom_scheme *s, const plan *chosen)
{
  float outer_forward[TOOM_OUTER * TOOM_OUTER]; // sums and differences, written out in the kernels
  *s = (toom_scheme){.inner_points = chosen->inner_rows + chosen->inner_taps - 1,
                     .inner_rows = chosen->inner_rows,
                     .inner_taps = chosen->inner_taps,
                     .outer_points = chosen->outer_rows + chosen->outer_taps - 1,
                     .outer_rows = chosen->outer_rows,
                     .outer_taps = chosen->outer_taps,
                     .taps = chosen->taps};
  s->points = s->inner_points * s->outer_points;
  s->rows = chosen->inner_rows * chosen->outer_rows;
  make_matrices(chosen->points, chosen->inner_rows, chosen->inner_taps, true, s->forward,
                s->inner_weights, s->inner_back);
  if (s->outer_points > 1)
    make_matrices(outer_points, chosen->outer_rows, chosen->outer_taps, false, outer_forward,
                  s->outer_weights, s->outer_back);
  else
    s->outer_weights[0] = s->outer_back[0] = 1.0f;
}

void toom_free(toom *t)
{
  if (t == NULL) return;
  free(t->packed);
  free(t->bias);
  free(t);
}

const matrix_shape *toom_get_shape(const toom *t)
{
  return &t->shape;
}

size_t toom_strips(const toom *t)
{
  return t->strips;
}

void toom_strip(const toom *t, size_t strip, size_t *column, size_t *width)
{
  size_t left = t->shape.inputs - strip * t->strip_width;
  *column = strip * t->strip_width;
  *width = left < t->strip_width ? left : t->strip_width;
}

static float *packed_at(const toom *t, size_t panel_first, size_t panel, size_t column)
{
  return t->packed + (panel_first * t->shape.inputs + column * panel) * t->shape.taps;
}

static void pack(toom *t, const float *values)
{
  const matrix_shape *s = &t->shape;
  for (size_t first = 0, panel; first < s->outputs; first += panel) {
    panel = panel_width(s->outputs, first);
    for (size_t strip = 0; strip < t->strips; strip++) {
      size_t column;
      size_t width;
      toom_strip(t, strip, &column, &width);
      float *to = packed_at(t, first, panel, column);
      for (size_t j = 0; j < s->taps; j++)
        for (size_t i = 0; i < width; i++)
          for (size_t c = 0; c < panel; c++, to++)
            *to = first + c < s->outputs
                      ? values[((first + c) * s->inputs + column + i) * s->taps + j]
                      : 0.0f;
    }
  }
}

mw_status toom_new(toom **made, const matrix_shape *shape, const float *values, const float *bias,
                   mw_error *error)
{
  return toom_new_on(cpu_path(), made, shape, values, bias, error);
}

mw_status toom_new_on(const kernels_path *path, toom **made, const matrix_shape *shape,
                      const float *values, const float *bias, mw_error *error)
{
  toom *t = calloc(1, sizeof *t);
  size_t panels = panel_count(shape->outputs);
  size_t last = (panels - 1) * PANEL;
  size_t padded = last + panel_width(shape->outputs, last);
  size_t count;
  if (t == NULL) goto no_memory;
  t->path = path;
  t->shape = *shape;
  make_scheme(&t->scheme, find_plan(shape->taps));
  t->strips = (shape->inputs + TOOM_STRIP_MOST - 1) / TOOM_STRIP_MOST;
  t->strip_width = ((shape->inputs + t->strips - 1) / t->strips + 15) / 16 * 16;
  if (__builtin_mul_overflow(shape->inputs * shape->taps, padded, &count) || count > SIZE_MAX / 8)
    goto no_memory;
  t->packed = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  t->bias = calloc(padded, sizeof(float));
  if (t->packed == NULL || t->bias == NULL) goto no_memory;
  pack(t, values);
  if (bias != NULL) memcpy(t->bias, bias, shape->outputs * sizeof(float));
  *made = t;
  return MW_OK;
no_memory:
  toom_free(t);
  return mw_fail_memory(error, "packing weights");
}

size_t toom_block(const toom *t)
{
  return t->scheme.rows * t->shape.dilation;
}

size_t toom_spare(const toom *t)
{
  return (t->scheme.inner_taps * t->scheme.outer_taps - t->shape.taps) * t->shape.dilation;
}

// Groups of a point lie an odd number of rows apart, so that a power of two of them does not fall
// into one set of the cache.
static size_t odd(size_t groups)
{
  return groups | 1;
}

size_t toom_values(const toom *t, size_t blocks)
{
  return t->shape.inputs * t->scheme.points * odd(blocks * t->shape.dilation);
}

static size_t part_groups(const toom *t)
{
  return PART_VALUES / t->scheme.points;
}

size_t toom_room(const toom *t)
{
  return t->scheme.points * PANEL_MOST * (t->strip_width + odd(part_groups(t)));
}

static size_t values_at(const toom *t, size_t column, size_t blocks)
{
  return column * t->scheme.points * odd(blocks * t->shape.dilation);
}

void toom_forward(const toom *t, size_t strip, const float *x, size_t x_stride, size_t first,
                  size_t count, size_t blocks, float *values)
{
  size_t column;
  size_t width;
  size_t dilation = t->shape.dilation;
  toom_strip(t, strip, &column, &width);
  toom_forward_job job = {.scheme = &t->scheme,
                          .x_stride = dilation * x_stride,
                          .columns = width,
                          .values =
                              values + values_at(t, column, blocks) + first * dilation * width,
                          .point_stride = odd(blocks * dilation) * width};
  for (size_t b = 0; b < count; b++)
    for (size_t phase = 0; phase < dilation; phase++, job.values += width) {
      job.x = x + (b * toom_block(t) + phase) * x_stride;
      t->path->toom_forward(&job);
    }
}

typedef struct {
  const toom *t;
  const float *values;
  size_t blocks;
  size_t groups;
  size_t rows;
  epilogue after;
  bool only_residual; // and lying as y does, or none: the way back adds it
  float *y;
  float *room;
  size_t parts;
} back_run;

// Sums [points, groups of the part, panel] of a panel's outputs.
static void multiply(const back_run *run, size_t first, size_t panel, size_t group, size_t groups,
                     float *evaluated, float *sums)
{
  const toom *t = run->t;
  size_t points = t->scheme.points;
  size_t tile_rows = t->path->tile_rows;
  size_t tiles = (groups + tile_rows - 1) / tile_rows;
  for (size_t strip = 0; strip < t->strips; strip++) {
    size_t column;
    size_t width;
    toom_strip(t, strip, &column, &width);
    t->path->toom_weights(&t->scheme, packed_at(t, first, panel, column), width * panel, evaluated);
    const float *values = run->values + values_at(t, column, run->blocks) + group * width;
    for (size_t p = 0; p < points; p++) {
      tile_job tile = {.x_stride = width,
                       .taps = 1,
                       .inputs = width,
                       .w = evaluated + p * width * panel,
                       .w_stride = panel,
                       .width = panel,
                       .sum_stride = panel,
                       .first = strip == 0};
      for (size_t i = 0; i < tiles; i++) {
        size_t begin = groups * i / tiles;
        tile.rows = groups * (i + 1) / tiles - begin;
        tile.x = values + (p * odd(run->groups) + begin) * width;
        // the next tile's values are further away than the processor looks ahead
        size_t ahead = tile.rows * width;
        for (size_t q = 0; q < ahead; q += 16) __builtin_prefetch(tile.x + ahead + q, 0, 3);
        tile.sum = sums + (p * odd(groups) + begin) * panel;
        t->path->tile(&tile);
      }
    }
  }
}

// What `after` makes of the products of a group [rows, panel], which begins at `row` and output
// `first`.
static void finish_group(const back_run *run, const float *products, size_t row, size_t rows,
                         size_t first, size_t columns)
{
  const toom *t = run->t;
  size_t dilation = t->shape.dilation;
  finish_job job = {.sum = products,
                    .sum_stride = PANEL_MOST,
                    .rows = rows,
                    .columns = columns,
                    .bias = t->bias + first,
                    .after = run->after,
                    .y = run->y + row * t->shape.outputs + first,
                    .y_stride = dilation * t->shape.outputs};
  epilogue *e = &job.after;
  if (e->factor != NULL) e->factor += row * e->factor_stride + first;
  if (e->scale != NULL) e->scale += first;
  if (e->residual != NULL) e->residual += row * e->residual_stride + first;
  e->factor_stride *= dilation;
  e->residual_stride *= dilation;
  t->path->finish(&job);
}

static void back_part(void *argument, size_t index, size_t thread)
{
  const back_run *run = argument;
  const toom *t = run->t;
  size_t outputs = t->shape.outputs;
  size_t dilation = t->shape.dilation;
  size_t first = index / run->parts * PANEL;
  size_t panel = panel_width(outputs, first);
  size_t part = index % run->parts;
  size_t group = run->groups * part / run->parts;
  size_t groups = run->groups * (part + 1) / run->parts - group;
  float *evaluated = run->room + thread * toom_room(t);
  float *sums = evaluated + t->scheme.points * t->strip_width * panel;
  float products[BLOCK_ROWS_MOST * PANEL_MOST]; // where more is to be done with them
  multiply(run, first, panel, group, groups, evaluated, sums);
  toom_back_job job = {.scheme = &t->scheme,
                       .point_stride = odd(groups) * panel,
                       .columns = outputs - first < panel ? outputs - first : panel,
                       .bias = run->only_residual ? t->bias + first : no_bias,
                       .y = products,
                       .y_stride = run->only_residual ? dilation * outputs : PANEL_MOST};
  for (size_t g = 0; g < groups; g++) {
    size_t row = (group + g) / dilation * toom_block(t) + (group + g) % dilation;
    if (row >= run->rows) continue;
    size_t wanted = (run->rows - row + dilation - 1) / dilation;
    job.rows = wanted < t->scheme.rows ? wanted : t->scheme.rows;
    job.sums = sums + g * panel;
    if (run->only_residual) {
      job.y = run->y + row * outputs + first;
      if (run->after.residual != NULL) job.residual = run->after.residual + row * outputs + first;
    }
    t->path->toom_back(&job);
    if (!run->only_residual) finish_group(run, products, row, job.rows, first, job.columns);
  }
}

void toom_back(const toom *t, const float *values, size_t blocks, size_t rows,
               const epilogue *after, float *y, float *room, pool *p)
{
  size_t groups = blocks * t->shape.dilation;
  size_t most = part_groups(t);
  back_run run = {.t = t,
                  .values = values,
                  .blocks = blocks,
                  .groups = groups,
                  .rows = rows,
                  .y = y,
                  .room = room,
                  .parts = (groups + most - 1) / most};
  if (after != NULL) run.after = *after;
  run.only_residual = run.after.act == ACTIVATION_NONE && run.after.factor == NULL &&
                      run.after.scale == NULL &&
                      (run.after.residual == NULL || run.after.residual_stride == t->shape.outputs);
  pool_run(p, panel_count(t->shape.outputs) * run.parts, back_part, &run);
}
