// SPDX-License-Identifier: GPL-3.0-or-later
//
// Attention of one head: the keys are turned into panels once, then for each few queries
//   scores = q k^T (the path's tile()), weights = exp(scale * scores + bias - largest),
//   out = weights v (tile() again, on the rows of v where they lie), divided by the weights' sum.
// All sums run in key order, so keys masked by -INFINITY change nothing, wherever they stand.
#include "kernels_path.h"

#include <math.h>
#include <string.h>

enum { QUERY_BLOCK = 12 };

static size_t padded_keys(size_t keys)
{
  return (keys + PANEL - 1) / PANEL * PANEL;
}

// Scratch of a thread: keys in panels [padded keys / PANEL, head size, PANEL], scores
// [QUERY_BLOCK, padded keys], values in panels where the head's columns cannot be read in place.
static size_t values_padded(size_t head_size)
{
  return (head_size + 7) / 8 * 8;
}

size_t attention_scratch(size_t queries, size_t keys, size_t head_size)
{
  (void)queries;
  size_t padded = padded_keys(keys);
  size_t copied = head_size % 8 == 0 ? 0 : keys * values_padded(head_size);
  return padded * head_size + QUERY_BLOCK * padded + copied;
}

typedef struct {
  const kernels_path *path;
  attention a;
} attention_job;

static void pack_keys(const attention *a, size_t head, float *to)
{
  for (size_t first = 0; first < a->keys; first += PANEL) {
    size_t width = a->keys - first < PANEL ? a->keys - first : PANEL;
    const float *k = a->k + first * a->k_stride + head * a->head_size;
    if (width < PANEL) memset(to, 0, a->head_size * PANEL * sizeof(float));
    for (size_t j = 0; j < width; j++, k += a->k_stride)
      for (size_t d = 0; d < a->head_size; d++) to[d * PANEL + j] = k[d];
    to += a->head_size * PANEL;
  }
}

static void pack_values(const attention *a, size_t head, float *to)
{
  size_t padded = values_padded(a->head_size);
  for (size_t j = 0; j < a->keys; j++, to += padded) {
    memset(to, 0, padded * sizeof(float));
    memcpy(to, a->v + j * a->v_stride + head * a->head_size, a->head_size * sizeof(float));
  }
}

static void attend_head(void *argument, size_t head, size_t thread)
{
  const attention_job *job = argument;
  const attention *a = &job->a;
  size_t padded = padded_keys(a->keys);
  size_t size = values_padded(a->head_size);
  float *panels = a->scratch + thread * attention_scratch(a->queries, a->keys, a->head_size);
  float *scores = panels + padded * a->head_size;
  const float *v = a->v + head * a->head_size;
  size_t v_stride = a->v_stride;
  pack_keys(a, head, panels);
  if (size != a->head_size) {
    float *values = scores + QUERY_BLOCK * padded;
    pack_values(a, head, values);
    v = values;
    v_stride = size;
  }
  size_t most = job->path->tile_rows < QUERY_BLOCK ? job->path->tile_rows : QUERY_BLOCK;
  for (size_t i = 0, rows; i < a->queries; i += rows) {
    rows = a->queries - i < most ? a->queries - i : most;
    float sums[QUERY_BLOCK];
    tile_job dot = {
        .x = a->q + i * a->q_stride + head * a->head_size,
        .x_stride = a->q_stride,
        .rows = rows,
        .taps = 1,
        .inputs = a->head_size,
        .w_stride = PANEL,
        .width = PANEL,
        .sum_stride = padded,
        .first = true,
    };
    for (size_t first = 0; first < padded; first += PANEL) {
      dot.w = panels + first * a->head_size;
      dot.sum = scores + first;
      job->path->tile(&dot);
    }
    const float *bias = a->bias;
    if (bias != NULL) bias += head * a->bias_head_stride + i * a->bias_query_stride;
    for (size_t r = 0; r < rows; r++) {
      sums[r] = job->path->exponentials(scores + r * padded, a->keys, a->scale, bias);
      if (bias != NULL) bias += a->bias_query_stride;
    }
    for (size_t first = 0, width; first < size; first += width) {
      float mixed[QUERY_BLOCK * PANEL];
      width = size - first < PANEL ? size - first : PANEL;
      tile_job mix = {
          .x = scores,
          .x_stride = padded,
          .rows = rows,
          .taps = 1,
          .inputs = a->keys,
          .w = v + first,
          .w_stride = v_stride,
          .width = width,
          .sum = mixed,
          .sum_stride = PANEL,
          .first = true,
      };
      size_t columns = a->head_size - first < width ? a->head_size - first : width;
      job->path->tile(&mix);
      for (size_t r = 0; r < rows; r++) {
        float *out = a->out + (i + r) * a->out_stride + head * a->head_size + first;
        // A query that may see no key gets zeros.
        float inverse = sums[r] > 0.0f ? 1.0f / sums[r] : 0.0f;
        for (size_t c = 0; c < columns; c++) out[c] = mixed[r * PANEL + c] * inverse;
      }
    }
  }
}

void attention_run_on(const kernels_path *path, const attention *a, pool *p)
{
  attention_job job = {path, *a};
  pool_run(p, a->heads, attend_head, &job);
}
