// SPDX-License-Identifier: GPL-3.0-or-later
//
// Our own variant of Vocos, frame after frame: every convolution looks back only, so its last rows
// are carried and nothing is computed twice.
#include "vocos_internal.h"

#include <stdlib.h>
#include <string.h>

enum { BEFORE = VOCOS_TAPS - 1 };

struct vocos_causal {
  const vocos *v;
  arena *memory;
  excitation_state *excitation;
  partials *partials;
  fft *inverse;
  size_t frames;           // done
  float *input;            // [BEFORE + most, mel]
  float *carried;          // [layers, BEFORE, dim]: what each block saw last
  float *x;                // [BEFORE + most, dim]
  float *y;                // [most, dim]
  float *wide;             // [most, inner]
  float *spectrum;         // [most, transform + 2]
  excitation_frame *heard; // [most]
  float *sum; // [transform]: overlap-added frames, from the last frame's first sample on
};

mw_status vocos_causal_new(vocos_causal **made, const vocos *v, size_t most_frames, mw_error *error)
{
  vocos_causal *c = calloc(1, sizeof *c);
  if (c == NULL || (c->memory = arena_new()) == NULL) {
    vocos_causal_free(c);
    return mw_fail_memory(error, "making a vocoder state");
  }
  c->v = v;
  c->input = arena_floats(c->memory, (BEFORE + most_frames) * v->mel);
  c->carried = arena_floats(c->memory, v->layers * BEFORE * v->dim);
  c->x = arena_floats(c->memory, (BEFORE + most_frames) * v->dim);
  c->y = arena_floats(c->memory, most_frames * v->dim);
  c->wide = arena_floats(c->memory, most_frames * v->inner);
  c->spectrum = arena_floats(c->memory, most_frames * (v->transform + 2));
  c->heard = arena_take(c->memory, most_frames, sizeof *c->heard);
  c->sum = arena_floats(c->memory, v->transform);
  mw_status status =
      arena_failed(c->memory) ? mw_fail_memory(error, "making a vocoder state") : MW_OK;
  if (status == MW_OK)
    status = excitation_state_new(&c->excitation, v->excitation, most_frames, error);
  if (status == MW_OK) status = partials_new(&c->partials, v->transform, v->hop, error);
  if (status == MW_OK) status = fft_new(&c->inverse, v->transform, error);
  if (status != MW_OK) {
    vocos_causal_free(c);
    return status;
  }
  *made = c;
  return MW_OK;
}

void vocos_causal_free(vocos_causal *c)
{
  if (c == NULL) return;
  excitation_state_free(c->excitation);
  partials_free(c->partials);
  fft_free(c->inverse);
  arena_free(c->memory);
  free(c);
}

void vocos_causal_reset(vocos_causal *c)
{
  const vocos *v = c->v;
  excitation_reset(c->excitation);
  partials_reset(c->partials);
  c->frames = 0;
  memset(c->input, 0, BEFORE * v->mel * sizeof(float));
  memset(c->carried, 0, v->layers * BEFORE * v->dim * sizeof(float));
  memset(c->sum, 0, v->transform * sizeof(float));
}

// mel and pitch to spectra without the excitation's phases.
static void run_network(vocos_causal *c, const float *mel01, size_t count, const pitch_value *told,
                        pool *p)
{
  const vocos *v = c->v;
  size_t history = BEFORE * v->dim;
  float *own = c->x + history;
  memcpy(c->input + BEFORE * v->mel, mel01, count * v->mel * sizeof(float));
  matrix_run(v->embed, c->input, v->mel, count, own, v->dim, NULL, p);
  memmove(c->input, c->input + count * v->mel, BEFORE * v->mel * sizeof(float));
  for (size_t i = 0; i < count; i++)
    pitch_embedding_add(&v->pitch, told != NULL ? told[i] : c->heard[i].pitch, own + i * v->dim);
  layer_norm(own, v->dim, count, v->dim, v->norm_gain, v->norm_bias, VOCOS_EPSILON, own, v->dim);
  for (size_t i = 0; i < v->layers; i++) {
    memcpy(c->x, c->carried + i * history, history * sizeof(float));
    memcpy(c->carried + i * history, c->x + count * v->dim, history * sizeof(float));
    vocos_run_block(v, &v->blocks[i], c->x, BEFORE, count, c->y, c->wide, p);
  }
  layer_norm(own, v->dim, count, v->dim, v->final_gain, v->final_bias, VOCOS_EPSILON, c->y, v->dim);
  matrix_run(v->head, c->y, v->dim, count, c->spectrum, v->transform + 2, NULL, p);
}

// The samples from `at` on, counted from frame 0's first, which later frames no longer change.
static size_t finish(const vocos_causal *c, const float *sum, size_t at, size_t count,
                     float *samples)
{
  size_t cut = c->v->transform / 2; // before the signal's first sample
  size_t skipped = at >= cut ? 0 : cut - at < count ? cut - at : count;
  for (size_t i = skipped; i < count; i++)
    samples[i - skipped] = sum[i] / vocos_envelope(c->v, at + i, c->frames - 1);
  return count - skipped;
}

size_t vocos_causal_run(vocos_causal *c, const float *mel01, size_t count, const pitch_value *told,
                        float *samples, pool *p)
{
  const vocos *v = c->v;
  size_t kept = v->transform - v->hop;
  size_t made = 0;
  excitation_hear(c->excitation, mel01, count, c->heard, p);
  run_network(c, mel01, count, told, p);
  for (size_t f = 0; f < count; f++) {
    float *row = c->spectrum + f * (v->transform + 2);
    float *phases = row + v->transform / 2 + 1;
    float octaves = told != NULL ? told[f].octaves : c->heard[f].pitch.octaves;
    excitation_add_phases(c->excitation, octaves, c->heard[f].noise, phases);
    if (told == NULL) partials_follow(c->partials, row, c->heard[f].noise, phases);
    const float *frame = vocos_frame(v, c->inverse, row);
    memmove(c->sum, c->sum + v->hop, kept * sizeof(float));
    memset(c->sum + kept, 0, v->hop * sizeof(float));
    for (size_t i = 0; i < v->transform; i++) c->sum[i] += frame[i];
    c->frames++;
    made += finish(c, c->sum, (c->frames - 1) * v->hop, v->hop, samples + made);
  }
  return made;
}

void vocos_causal_tail(const vocos_causal *c, float *samples)
{
  const vocos *v = c->v;
  finish(c, c->sum + v->hop, c->frames * v->hop, v->transform / 2 - v->hop, samples);
}
