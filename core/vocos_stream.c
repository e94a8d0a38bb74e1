// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>

#include "vocos_internal.h"

struct vocos_stream {
  const vocos *v;
  arena *memory;
  vocos_state *state;   // as published
  vocos_causal *causal; // our own variant, which joins its chunks itself
  size_t chunk;
  size_t overlap;
  size_t fade;
  bool started;
  float *mel;     // [overlap + chunk, mel_bins]
  float *samples; // of one decoded piece
  float *held;    // [fade]
};

mw_status vocos_stream_new(vocos_stream **made, const vocos *v, size_t chunk_frames,
                           size_t overlap_frames, size_t fade, mw_error *error)
{
  bool causal = v->excitation != NULL;
  if (causal) { // then what is held back and what a chunk returns are what these would give
    overlap_frames = v->transform / 2 / v->hop;
    fade = v->transform / 2 - v->hop;
  }
  if (chunk_frames < overlap_frames || vocos_samples(v, chunk_frames) < 2 * fade || fade < 2)
    return mw_fail(error, MW_ERROR_ARGUMENT, "chunks of %zu frames are too short for a fade of %zu",
                   chunk_frames, fade);
  vocos_stream *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    vocos_stream_free(s);
    return mw_fail_memory(error, "making a vocoder stream");
  }
  size_t frames = chunk_frames + overlap_frames;
  s->v = v;
  s->chunk = chunk_frames;
  s->overlap = overlap_frames;
  s->fade = fade;
  s->mel = arena_floats(s->memory, frames * vocos_mel_bins(v));
  s->samples = arena_floats(s->memory, vocos_samples(v, frames));
  s->held = arena_floats(s->memory, fade);
  mw_status status = causal ? vocos_causal_new(&s->causal, v, chunk_frames, error)
                            : vocos_state_new(&s->state, v, frames, error);
  if (status == MW_OK && arena_failed(s->memory))
    status = mw_fail_memory(error, "making a vocoder stream");
  if (status != MW_OK) {
    vocos_stream_free(s);
    return status;
  }
  *made = s;
  return MW_OK;
}

void vocos_stream_free(vocos_stream *s)
{
  if (s == NULL) return;
  vocos_state_free(s->state);
  vocos_causal_free(s->causal);
  arena_free(s->memory);
  free(s);
}

void vocos_stream_reset(vocos_stream *s)
{
  s->started = false;
  if (s->causal != NULL) vocos_causal_reset(s->causal);
}

size_t vocos_stream_first(const vocos_stream *s)
{
  return vocos_samples(s->v, s->chunk) - s->fade;
}

size_t vocos_stream_next(const vocos_stream *s)
{
  size_t frames = s->chunk + (s->started ? s->overlap : 0);
  return vocos_samples(s->v, frames) - s->fade;
}

size_t vocos_stream_step(vocos_stream *s, const float *mel01, const pitch_value *told,
                         float *samples)
{
  if (s->causal != NULL) {
    s->started = true;
    return vocos_causal_run(s->causal, mel01, s->chunk, told, samples, NULL);
  }
  size_t bins = vocos_mel_bins(s->v);
  size_t before = s->started ? s->overlap : 0;
  size_t frames = before + s->chunk;
  size_t count = vocos_samples(s->v, frames) - s->fade;
  memcpy(s->mel + before * bins, mel01, s->chunk * bins * sizeof(float));
  vocos_decode(s->state, s->mel, frames, s->samples, NULL);
  memcpy(samples, s->samples, count * sizeof(float));
  // the published ramps hold both end points, so the first sample is all old, the last all new
  for (size_t i = 0; s->started && i < s->fade; i++) {
    float rise = (float)i / (float)(s->fade - 1);
    samples[i] = s->held[i] * (1.0f - rise) + s->samples[i] * rise;
  }
  memcpy(s->held, s->samples + count, s->fade * sizeof(float));
  memmove(s->mel, s->mel + (frames - s->overlap) * bins, s->overlap * bins * sizeof(float));
  s->started = true;
  return count;
}

void vocos_stream_tail(const vocos_stream *s, float *samples)
{
  if (s->causal != NULL)
    vocos_causal_tail(s->causal, samples);
  else
    memcpy(samples, s->held, s->fade * sizeof(float));
}
