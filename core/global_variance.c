// SPDX-License-Identifier: GPL-3.0-or-later
//
// The ratios are one matrix over the bins: mel += w A (mel - m), where m is the running mean of
// what was loud so far and w how loud the frame is, 0 to 1. A is the sum of (ratio - 1) c c' over
// the orthonormal cosines c.
#include "global_variance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "cepstrum.h"
#include "kernels.h"

#define MEAN_MOST 3000.0f // frames that are remembered: 30 s
#define QUIET (-0.7f)     // mean over the bins of what is no speech
#define LOUD (-0.4f)      // and of what surely is
#define SMOOTH 0.08f      // of a frame in d
#define LOW_KEPT 0.1f     // of the bins that stay
#define LOW_WHOLE 0.2f    // those behind this share are spread wholly

struct global_variance {
  size_t bins;
  matrix *spread; // [bins, bins]
};

struct global_variance_state {
  const global_variance *g;
  arena *memory;
  float weight; // frames in the mean
  float *mean;  // [bins]
  float *apart; // [bins], smoothed
  float *more;  // [bins]
};

// cosines: [count, bins], to be filled
static void fill_spread(float *spread, float *cosines, size_t bins, const float *ratios,
                        size_t count)
{
  for (size_t k = 0; k < count; k++)
    for (size_t b = 0; b < bins; b++) cosines[k * bins + b] = (float)cepstrum_cosine(k, b, bins);
  for (size_t i = 0; i < bins; i++) {
    float low = ((float)i / (float)bins - LOW_KEPT) / (LOW_WHOLE - LOW_KEPT);
    float share = fmaxf(0.0f, fminf(1.0f, low));
    for (size_t k = 0; k < count; k++) {
      const float *cosine = cosines + k * bins;
      float row = share * (ratios[k] - 1.0f) * cosine[i];
      for (size_t j = 0; j < bins; j++) spread[i * bins + j] += row * cosine[j];
    }
  }
}

mw_status global_variance_load(global_variance **loaded, const weights_view *view, size_t bins,
                               mw_error *error)
{
  *loaded = NULL;
  const tensor *t = weights_view_find(view, "global_variance");
  if (t == NULL) return MW_OK;
  if (t->rank != 1 || t->count == 0 || t->count > bins)
    return mw_fail(error, MW_ERROR_MODEL, "%s: a global variance of %zu values for %zu mel bins",
                   weights_path(view->file), t->count, bins);
  global_variance *g = calloc(1, sizeof *g);
  float *ratios = malloc(t->count * sizeof(float));
  float *cosines = malloc(t->count * bins * sizeof(float));
  float *spread = calloc(bins * bins, sizeof(float));
  mw_status status = g != NULL && ratios != NULL && cosines != NULL && spread != NULL
                         ? MW_OK
                         : mw_fail_memory(error, "reading the decoder");
  if (status == MW_OK) {
    g->bins = bins;
    tensor_read(t, 0, t->count, ratios);
    fill_spread(spread, cosines, bins, ratios, t->count);
    status = matrix_new(&g->spread, &(matrix_shape){bins, bins, 1, 1, 1}, MATRIX_F32, spread, NULL,
                        error);
  }
  free(ratios);
  free(cosines);
  free(spread);
  if (status != MW_OK) {
    global_variance_free(g);
    return status;
  }
  *loaded = g;
  return MW_OK;
}

void global_variance_free(global_variance *g)
{
  if (g == NULL) return;
  matrix_free(g->spread);
  free(g);
}

mw_status global_variance_state_new(global_variance_state **made, const global_variance *g,
                                    mw_error *error)
{
  global_variance_state *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    global_variance_state_free(s);
    return mw_fail_memory(error, "making a converter");
  }
  s->g = g;
  s->mean = arena_floats(s->memory, g->bins);
  s->apart = arena_floats(s->memory, g->bins);
  s->more = arena_floats(s->memory, g->bins);
  if (arena_failed(s->memory)) {
    global_variance_state_free(s);
    return mw_fail_memory(error, "making a converter");
  }
  global_variance_reset(s);
  *made = s;
  return MW_OK;
}

void global_variance_state_free(global_variance_state *s)
{
  if (s == NULL) return;
  arena_free(s->memory);
  free(s);
}

void global_variance_reset(global_variance_state *s)
{
  s->weight = 0.0f;
  memset(s->apart, 0, s->g->bins * sizeof(float));
}

static float loudness(const float *row, size_t bins)
{
  float sum = 0.0f;
  for (size_t b = 0; b < bins; b++) sum += row[b];
  return fmaxf(0.0f, fminf(1.0f, (sum / (float)bins - QUIET) / (LOUD - QUIET)));
}

void global_variance_run(global_variance_state *s, float *mel, size_t frames)
{
  size_t bins = s->g->bins;
  for (size_t f = 0; f < frames; f++, mel += bins) {
    float loud = loudness(mel, bins);
    if (!(loud > 0.0f)) continue;
    if (s->weight == 0.0f) memcpy(s->mean, mel, bins * sizeof(float));
    s->weight = fminf(s->weight + loud, MEAN_MOST);
    for (size_t b = 0; b < bins; b++) {
      s->mean[b] += loud / s->weight * (mel[b] - s->mean[b]);
      s->apart[b] += SMOOTH * (mel[b] - s->mean[b] - s->apart[b]);
    }
    matrix_run(s->g->spread, s->apart, bins, 1, s->more, bins, NULL, NULL);
    for (size_t b = 0; b < bins; b++)
      mel[b] = fmaxf(-1.0f, fminf(1.0f, mel[b] + loud * s->more[b]));
  }
}
