// SPDX-License-Identifier: GPL-3.0-or-later
#include "pitch_embedding.h"

#include <math.h>

bool pitch_embedding_stored(const weights_view *view)
{
  return weights_view_find(view, "pitch_embed.weight") != NULL;
}

mw_status pitch_embedding_read(pitch_embedding *e, arena *memory, const weights_view *view,
                               size_t width, mw_error *error)
{
  const tensor *t;
  float range[2];
  mw_status status =
      weights_need(&t, view, "pitch_embed.weight", 2, (size_t[]){ANY_SIZE, width}, error);
  if (status == MW_OK)
    status = weights_read(view, "pitch_embed.range", 1, (size_t[]){2}, range, error);
  if (status != MW_OK) return status;
  if (t->shape[0] < 3 || !(range[0] >= 1.0f && range[1] > range[0]))
    return mw_fail(error, MW_ERROR_MODEL, "%s: %zu rows for a pitch of %g to %g Hz",
                   weights_path(view->file), t->shape[0], (double)range[0], (double)range[1]);
  e->rows = arena_floats(memory, t->count);
  if (e->rows == NULL) return mw_fail_memory(error, "reading a pitch embedding");
  tensor_read(t, 0, t->count, e->rows);
  e->width = width;
  e->bins = t->shape[0] - 1;
  e->lowest = log2f(range[0]);
  e->step = (log2f(range[1]) - e->lowest) / (float)(e->bins - 1);
  return MW_OK;
}

void pitch_embedding_add(const pitch_embedding *e, pitch_value told, float *x)
{
  size_t n = e->width;
  float last = (float)(e->bins - 1);
  float at = fmaxf(0.0f, fminf(last, (told.octaves - e->lowest) / e->step));
  size_t below = at < last ? (size_t)at : e->bins - 2;
  float share = at - (float)below;
  const float *row = e->rows + below * n;
  const float *unvoiced = e->rows + e->bins * n;
  for (size_t i = 0; i < n; i++) {
    float voiced = (1.0f - share) * row[i] + share * row[n + i];
    x[i] += told.voicing * voiced + (1.0f - told.voicing) * unvoiced[i];
  }
}
