// SPDX-License-Identifier: GPL-3.0-or-later
//
// The latent transformer of MeanAudio (S, L and small ones of the family) and FluxAudio, and their
// samplers. Source: MeanAudio, official modules `networks` and `mean_flow`, `flow_matching`.
#ifndef MEANWAVE_FLOW_AUDIO_H
#define MEANWAVE_FLOW_AUDIO_H

#include "arena.h"
#include "pool.h"
#include "weights.h"

typedef struct flow_audio flow_audio;

typedef struct {
  size_t latent_channels; // C
  size_t width;           // D
  size_t heads;
  size_t head_size;
  size_t text_width;   // of a row of the text features
  size_t pooled_width; // of the pooled text feature
  bool mean_flow;      // has r_embed: u(x, t, r); without it FluxAudio's velocity v(x, t)
} flow_audio_config;

// Sizes come from the tensors; names with or without "ema_model." or another prefix. Not real time.
mw_status flow_audio_load(flow_audio **loaded, const weights *file, mw_error *error);
void flow_audio_free(flow_audio *f);
const flow_audio_config *flow_audio_get_config(const flow_audio *f);

// What the network makes of a prompt's features, kept across steps.
typedef struct {
  size_t rows;
  float *text;   // [rows, D]
  float *pooled; // [D]
} flow_prompt;
// text [rows, text_width], pooled [pooled_width]; the result lives in `memory`.
mw_status flow_audio_prompt(const flow_audio *f, const float *text, size_t rows,
                            const float *pooled, flow_prompt *made, arena *memory, pool *p,
                            mw_error *error);

// The stored features of the empty prompt: true when the file has them. text [*rows, text_width].
bool flow_audio_empty(const flow_audio *f, const float **text, size_t *rows, const float **pooled);

// One call: latent [rows, C] -> u [rows, C]. `r` is not used without mean_flow. Scratch is taken
// from `memory` and given back. Same bits for any number of threads.
mw_status flow_audio_call(const flow_audio *f, const flow_prompt *prompt, const float *latent,
                          size_t rows, float t, float r, float *u, arena *memory, pool *p,
                          mw_error *error);

typedef struct {
  size_t steps;                // 1 or more
  float start;                 // t of the first step: 1 is noise
  float guidance;              // below 1: the conditional branch alone
  const flow_prompt *prompt;   // where x goes
  const flow_prompt *negative; // away from; may be NULL when guidance is below 1
  bool (*step)(void *context, size_t done, size_t steps); // false cancels; may be NULL
  void *context;
} flow_sampling;

// x [rows, C] at t = start -> normalised latent at t = 0, in place.
mw_status flow_audio_sample(const flow_audio *f, const flow_sampling *s, float *x, size_t rows,
                            arena *memory, pool *p, mw_error *error);

// z = x * latent_std + latent_mean, and back, per channel, in place.
void flow_audio_denormalise(const flow_audio *f, float *x, size_t rows);
void flow_audio_normalise(const flow_audio *f, float *x, size_t rows);

// Outputs along the way, for comparisons with the official code: name, values, count.
typedef void flow_audio_probe(void *context, const char *name, const float *values, size_t count);
void flow_audio_watch(flow_audio *f, flow_audio_probe *probe, void *context);

#endif
