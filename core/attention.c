// SPDX-License-Identifier: GPL-3.0-or-later
//
// Attention on the tiles of the matrix kernels: per head, the keys are turned into a panel
// [head_size, keys], so that scores are rows times a panel; the values are a panel as they lie.
#include <math.h>
#include <string.h>

#include "kernels_path.h"

enum { QUERY_BLOCK = 12 };

static size_t padded(size_t count)
{
  return (count + PANEL - 1) / PANEL * PANEL;
}

size_t attention_scratch(size_t queries, size_t keys, size_t head_size)
{
  (void)queries;
  return (2 * padded(head_size) + QUERY_BLOCK) * padded(keys) + QUERY_BLOCK * padded(head_size);
}

typedef struct {
  const kernels_path *path;
  attention a;
} attention_job;

// [rows, depth] times a panel [depth, width] with w_stride = width -> out, in tiles.
static void multiply(const kernels_path *path, const float *x, size_t x_stride, size_t rows,
                     size_t depth, const float *w, size_t width, float *out)
{
  for (size_t column = 0; column < width; column += PANEL) {
    for (size_t row = 0; row < rows; row += path->tile_rows) {
      tile_job tile = {.x = x + row * x_stride,
                       .x_stride = x_stride,
                       .rows = rows - row < path->tile_rows ? rows - row : path->tile_rows,
                       .taps = 1,
                       .inputs = depth,
                       .w = w + column,
                       .w_stride = width,
                       .width = width - column < PANEL ? width - column : PANEL,
                       .sum = out + row * width + column,
                       .sum_stride = width,
                       .first = true};
      path->tile(&tile);
    }
  }
}

static void attend_head(void *argument, size_t head, size_t thread)
{
  const attention_job *job = argument;
  const attention *a = &job->a;
  size_t keys = padded(a->keys);
  size_t width = padded(a->head_size);
  float *turned = a->scratch + thread * attention_scratch(a->queries, a->keys, a->head_size);
  float *values = turned + a->head_size * keys; // [keys, width]
  float *scores = values + width * keys;        // [QUERY_BLOCK, keys]
  float *sums = scores + QUERY_BLOCK * keys;    // [QUERY_BLOCK, width]
  for (size_t j = 0; j < a->keys; j++) {
    const float *k = a->k + j * a->k_stride + head * a->head_size;
    for (size_t d = 0; d < a->head_size; d++) turned[d * keys + j] = k[d];
    memcpy(values + j * width, a->v + j * a->v_stride + head * a->head_size,
           a->head_size * sizeof(float));
    memset(values + j * width + a->head_size, 0, (width - a->head_size) * sizeof(float));
  }
  for (size_t d = 0; d < a->head_size; d++)
    memset(turned + d * keys + a->keys, 0, (keys - a->keys) * sizeof(float));
  for (size_t i = 0; i < a->queries; i += QUERY_BLOCK) {
    size_t rows = a->queries - i < QUERY_BLOCK ? a->queries - i : QUERY_BLOCK;
    multiply(job->path, a->q + i * a->q_stride + head * a->head_size, a->q_stride, rows,
             a->head_size, turned, keys, scores);
    for (size_t r = 0; r < rows; r++) {
      const float *bias = a->bias;
      if (bias != NULL) bias += head * a->bias_head_stride + (i + r) * a->bias_query_stride;
      job->path->scores(scores + r * keys, a->keys, a->scale, bias);
    }
    job->path->softmax_rows(scores, keys, rows, a->keys);
    multiply(job->path, scores, keys, rows, a->keys, values, width, sums);
    for (size_t r = 0; r < rows; r++)
      memcpy(a->out + (i + r) * a->out_stride + head * a->head_size, sums + r * width,
             a->head_size * sizeof(float));
  }
}

void attention_run_on(const kernels_path *path, const attention *a, pool *p)
{
  attention_job job = {path, *a};
  pool_run(p, a->heads, attend_head, &job);
}
