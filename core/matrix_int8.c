// SPDX-License-Identifier: GPL-3.0-or-later
//
// Matrices of 8-bit integers, with a scale per output. Inputs are rounded to 8 bits too, each row
// for itself with a step for every INT8_GROUP inputs of a tap; products and sums are whole numbers,
// and the sums of groups are added as floats. So a row does not depend on its neighbours here
// either.
//
// A panel is [taps, inputs / 4, width, 4] bytes, each the weight plus 128: four inputs of a column
// side by side are what the processor multiplies at once, unsigned with signed.
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "matrix_internal.h"

_Static_assert((int)INT8_ROWS == ROW_BLOCK && (int)INT8_INPUTS == DEPTH_CHUNK,
               "one block of inputs");

static size_t width_at(size_t outputs, size_t column)
{
  return (panel_width(outputs, column) + 15) / 16 * 16;
}

// Bytes of one column.
static size_t column_depth(const matrix_shape *s)
{
  return s->taps * ((s->inputs + 3) / 4 * 4);
}

size_t int8_bytes(const matrix_shape *s)
{
  size_t panels = panel_count(s->outputs);
  if (panels == 0) return 0;
  size_t last = (panels - 1) * PANEL;
  return (last + width_at(s->outputs, last)) * column_depth(s);
}

// One step of an output is a 127th of its largest weight.
static float scale_of(const float *values, size_t count)
{
  float largest = 0.0f;
  for (size_t k = 0; k < count; k++)
    if (fabsf(values[k]) > largest) largest = fabsf(values[k]);
  return largest > 0.0f ? largest / 127.0f : 1.0f;
}

void int8_pack(matrix *m, const float *values)
{
  const matrix_shape *s = &m->shape;
  size_t depth = s->inputs * s->taps;
  size_t quads = (s->inputs + 3) / 4;
  memset(m->packed, 128, int8_bytes(s));
  for (size_t panel = 0, width; panel < s->outputs; panel += panel_width(s->outputs, panel)) {
    width = width_at(s->outputs, panel);
    for (size_t o = panel; o < s->outputs && o < panel + width; o++) {
      uint8_t *column = (uint8_t *)m->packed + panel * column_depth(s) + (o - panel) * 4;
      const float *row = values + o * depth;
      m->scale[o] = scale_of(row, depth);
      for (size_t i = 0; i < s->inputs; i++)
        for (size_t j = 0; j < s->taps; j++)
          column[(j * quads + i / 4) * width * 4 + i % 4] =
              (uint8_t)(lrintf(row[i * s->taps + j] / m->scale[o]) + 128);
    }
  }
}

typedef struct {
  size_t column; // of a panel
  size_t tap;
  size_t input; // the first of a part of that tap's inputs
} place;

static const uint8_t *weights_from(const matrix *m, const place *at)
{
  const matrix_shape *s = &m->shape;
  size_t quad = at->tap * ((s->inputs + 3) / 4) + at->input / 4;
  return (const uint8_t *)m->packed + at->column * column_depth(s) +
         quad * 4 * width_at(s->outputs, at->column);
}

// What is read after the weights of `at`: the next panel of the group, the group's first with the
// next inputs, the next group; NULL at the end.
static const uint8_t *weights_after(const matrix *m, const place *at, size_t first, size_t end)
{
  const matrix_shape *s = &m->shape;
  place next = *at;
  next.column += panel_width(s->outputs, at->column);
  if (next.column < end) return weights_from(m, &next);
  next.column = first;
  next.input += INT8_INPUTS;
  if (next.input >= s->inputs) {
    next.input = 0;
    next.tap++;
  }
  if (next.tap < s->taps) return weights_from(m, &next);
  next = (place){.column = end};
  return end < s->outputs ? weights_from(m, &next) : NULL;
}

// As in matrix.c: tiles of as equal a size as possible.
static void run_tiles(const kernels_path *path, int8_job tile, size_t rows)
{
  size_t tiles = (rows + path->int8_rows - 1) / path->int8_rows;
  for (size_t t = 0; t < tiles; t++) {
    tile.rows = (rows - tile.row + tiles - t - 1) / (tiles - t);
    path->tile_int8(&tile);
    tile.w_next = NULL; // called once
    tile.sum += tile.rows * tile.sum_stride;
    tile.row += tile.rows;
  }
}

void int8_sum_group(const run_job *job, const float *x, size_t rows, size_t first, size_t end,
                    float *sums)
{
  const matrix_shape *s = &job->m->shape;
  int8_rows inputs;
  for (size_t tap = 0; tap < s->taps; tap++)
    for (size_t input = 0; input < s->inputs; input += INT8_INPUTS) {
      const float *from = x + tap * s->dilation * job->x_stride + input;
      int8_job tile = {
          .x = &inputs,
          .inputs = s->inputs - input < INT8_INPUTS ? s->inputs - input : INT8_INPUTS,
          .sum_stride = SUM_STRIDE,
          .first = tap == 0 && input == 0,
      };
      job->path->quantise(from, s->stride * job->x_stride, rows, tile.inputs, &inputs);
      for (size_t column = first; column < end; column += panel_width(s->outputs, column)) {
        place at = {column, tap, input};
        tile.w = weights_from(job->m, &at);
        tile.w_next = weights_after(job->m, &at, first, end);
        tile.width = width_at(s->outputs, column);
        tile.sum = sums + (column - first);
        run_tiles(job->path, tile, rows);
      }
    }
}
