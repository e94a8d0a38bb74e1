// SPDX-License-Identifier: GPL-3.0-or-later
//
// Content is compared less the mean of who speaks, in the deviations of the voice: what is left of
// a speaker in it is mostly a constant. The source's mean is a running one that begins as the
// voice's.
#include "examples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "cepstrum.h"
#include "kernels.h"

enum {
  MEAN_FIRST = 50,  // content frames that the voice's mean counts as: 2 s
  MEAN_MOST = 1500, // and that are remembered: a minute
  NEAREST = 2,
  AROUND = 2, // mel frames from which on a content frame is measured, of its EXAMPLES_FRAMES
};
#define SHARE 0.6f // of the way to the examples' envelope
#define LEVEL 0.5f // of that in how loud it is, which is the source's affair
#define SMALLEST 1e-3f

struct examples {
  arena *memory;
  size_t count;
  float *mean;      // [width]
  float *scale;     // [width]: 1 / deviation
  float *envelopes; // [count, EXAMPLES_ENVELOPE]
  matrix *known;    // [count, width], rows of length one
};

struct examples_state {
  arena *memory;
  size_t width;
  size_t bins;
  float weight;   // frames in the mean
  float *mean;    // [width], of the source
  float *unit;    // [width]
  float *scores;  // [EXAMPLES_MOST]
  float *wanted;  // [2, EXAMPLES_ENVELOPE]: what is added, of the frame before and of this one
  float *cosines; // [EXAMPLES_ENVELOPE, bins], orthonormal
};

// Mean over mel [frames, bins], then cosines. `table` [EXAMPLES_ENVELOPE, bins]
static void measure(const float *mel, size_t frames, const float *table, size_t bins,
                    float *envelope)
{
  for (size_t k = 0; k < EXAMPLES_ENVELOPE; k++) {
    float sum = 0.0f;
    for (size_t i = 0; i < frames; i++)
      for (size_t b = 0; b < bins; b++) sum += table[k * bins + b] * mel[i * bins + b];
    envelope[k] = sum / (float)frames;
  }
}

static void fill_cosines(float *table, size_t bins)
{
  for (size_t k = 0; k < EXAMPLES_ENVELOPE; k++)
    for (size_t b = 0; b < bins; b++) table[k * bins + b] = (float)cepstrum_cosine(k, b, bins);
}

mw_status examples_measure(const float *mel, size_t frames, size_t bins, size_t count,
                           float *envelopes, mw_error *error)
{
  float *table = malloc(EXAMPLES_ENVELOPE * bins * sizeof(float));
  if (table == NULL) return mw_fail_memory(error, "listening to a voice");
  fill_cosines(table, bins);
  for (size_t i = 0; i < count; i++) {
    size_t first = i * EXAMPLES_FRAMES + AROUND;
    size_t end = (i + 1) * EXAMPLES_FRAMES + 1; // one frame of the next
    measure(mel + first * bins, (end < frames ? end : frames) - first, table, bins,
            envelopes + i * EXAMPLES_ENVELOPE);
  }
  free(table);
  return MW_OK;
}

// x less a mean, scaled, of length one.
static void normalise(const float *x, const float *mean, const float *scale, size_t width,
                      float *unit)
{
  double square = 0.0;
  for (size_t k = 0; k < width; k++) {
    unit[k] = (x[k] - mean[k]) * scale[k];
    square += (double)unit[k] * unit[k];
  }
  float norm = 1.0f / ((float)sqrt(square) + SMALLEST);
  for (size_t k = 0; k < width; k++) unit[k] *= norm;
}

static void count_statistics(examples *e, const float *content, size_t width)
{
  for (size_t k = 0; k < width; k++) {
    double sum = 0.0;
    double square = 0.0;
    for (size_t i = 0; i < e->count; i++) sum += content[i * width + k];
    double mean = sum / (double)e->count;
    for (size_t i = 0; i < e->count; i++)
      square += (content[i * width + k] - mean) * (content[i * width + k] - mean);
    e->mean[k] = (float)mean;
    e->scale[k] = 1.0f / ((float)sqrt(square / (double)e->count) + SMALLEST);
  }
}

mw_status examples_new(examples **made, const float *content, const float *envelopes, size_t count,
                       size_t width, mw_error *error)
{
  if (count < 1 || count > EXAMPLES_MOST)
    return mw_fail(error, MW_ERROR_FORMAT, "a voice of %zu examples: wanted 1 to %d", count,
                   EXAMPLES_MOST);
  examples *e = calloc(1, sizeof *e);
  float *units = malloc(count * width * sizeof(float));
  bool whole = e != NULL && units != NULL && (e->memory = arena_new()) != NULL;
  if (whole) {
    e->count = count;
    e->mean = arena_floats(e->memory, width);
    e->scale = arena_floats(e->memory, width);
    e->envelopes = arena_floats(e->memory, count * EXAMPLES_ENVELOPE);
    whole = !arena_failed(e->memory);
  }
  mw_status status = whole ? MW_OK : mw_fail_memory(error, "making a voice");
  if (status == MW_OK) {
    memcpy(e->envelopes, envelopes, count * EXAMPLES_ENVELOPE * sizeof(float));
    count_statistics(e, content, width);
    for (size_t i = 0; i < count; i++)
      normalise(content + i * width, e->mean, e->scale, width, units + i * width);
    status = matrix_new(&e->known, &(matrix_shape){count, width, 1, 1, 1}, MATRIX_F32, units, NULL,
                        error);
  }
  free(units);
  if (status != MW_OK) {
    examples_free(e);
    return status;
  }
  *made = e;
  return MW_OK;
}

void examples_free(examples *e)
{
  if (e == NULL) return;
  matrix_free(e->known);
  arena_free(e->memory);
  free(e);
}

mw_status examples_state_new(examples_state **made, size_t width, size_t bins, mw_error *error)
{
  examples_state *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    examples_state_free(s);
    return mw_fail_memory(error, "making a converter");
  }
  s->width = width;
  s->bins = bins;
  s->mean = arena_floats(s->memory, width);
  s->unit = arena_floats(s->memory, width);
  s->scores = arena_floats(s->memory, EXAMPLES_MOST);
  s->wanted = arena_floats(s->memory, 2 * EXAMPLES_ENVELOPE);
  s->cosines = arena_floats(s->memory, EXAMPLES_ENVELOPE * bins);
  if (arena_failed(s->memory)) {
    examples_state_free(s);
    return mw_fail_memory(error, "making a converter");
  }
  fill_cosines(s->cosines, bins);
  examples_reset(s);
  *made = s;
  return MW_OK;
}

void examples_state_free(examples_state *s)
{
  if (s == NULL) return;
  arena_free(s->memory);
  free(s);
}

void examples_reset(examples_state *s)
{
  s->weight = 0.0f;
  memset(s->wanted, 0, 2 * EXAMPLES_ENVELOPE * sizeof(float));
}

static void follow_mean(examples_state *s, const examples *e, const float *content)
{
  if (s->weight == 0.0f) {
    memcpy(s->mean, e->mean, s->width * sizeof(float));
    s->weight = MEAN_FIRST;
  }
  s->weight = fminf(s->weight + 1.0f, MEAN_MOST);
  for (size_t k = 0; k < s->width; k++) s->mean[k] += (content[k] - s->mean[k]) / s->weight;
}

// The mean envelope of the NEAREST examples. Scores are used up.
static void find_envelope(const examples *e, float *scores, float *envelope)
{
  memset(envelope, 0, EXAMPLES_ENVELOPE * sizeof(float));
  for (size_t n = 0; n < NEAREST; n++) {
    size_t best = 0;
    for (size_t i = 1; i < e->count; i++)
      if (scores[i] > scores[best]) best = i;
    if (e->count > NEAREST) scores[best] = -INFINITY;
    for (size_t k = 0; k < EXAMPLES_ENVELOPE; k++)
      envelope[k] += e->envelopes[best * EXAMPLES_ENVELOPE + k] / NEAREST;
  }
}

void examples_apply(examples_state *s, const examples *e, const float *content, size_t count,
                    float *mel)
{
  float *before = s->wanted;
  float *wanted = s->wanted + EXAMPLES_ENVELOPE;
  float own[EXAMPLES_ENVELOPE];
  for (size_t i = 0; i < count; i++, content += s->width, mel += EXAMPLES_FRAMES * s->bins) {
    follow_mean(s, e, content);
    normalise(content, s->mean, e->scale, s->width, s->unit);
    matrix_run(e->known, s->unit, s->width, 1, s->scores, e->count, NULL, NULL);
    memcpy(before, wanted, EXAMPLES_ENVELOPE * sizeof(float));
    find_envelope(e, s->scores, wanted);
    measure(mel + AROUND * s->bins, EXAMPLES_FRAMES - AROUND, s->cosines, s->bins, own);
    for (size_t k = 0; k < EXAMPLES_ENVELOPE; k++)
      wanted[k] = (k == 0 ? SHARE * LEVEL : SHARE) * (wanted[k] - own[k]);
    for (size_t f = 0; f < EXAMPLES_FRAMES; f++) {
      float share = (float)(f + 1) / EXAMPLES_FRAMES;
      for (size_t b = 0; b < s->bins; b++) {
        float more = 0.0f;
        for (size_t k = 0; k < EXAMPLES_ENVELOPE; k++)
          more += s->cosines[k * s->bins + b] * (before[k] + share * (wanted[k] - before[k]));
        float *value = &mel[f * s->bins + b];
        *value = fmaxf(-1.0f, fminf(1.0f, *value + more));
      }
    }
  }
}
