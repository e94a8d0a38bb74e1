// SPDX-License-Identifier: GPL-3.0-or-later
//
// What vocos_load.c fills, and what runs on it: whole signals tile by tile (vocos.c), our own
// causal variant with carried states (vocos_causal.c).
#ifndef MEANWAVE_VOCOS_INTERNAL_H
#define MEANWAVE_VOCOS_INTERNAL_H

#include "arena.h"
#include "excitation.h"
#include "fft.h"
#include "kernels.h"
#include "partials.h"
#include "pitch_embedding.h"
#include "vocos.h"

enum { VOCOS_TAPS = 7, VOCOS_LAYER_LIMIT = 64 };
#define VOCOS_EPSILON 1e-6f

typedef struct {
  float *depthwise;      // [VOCOS_TAPS, dim]
  float *depthwise_bias; // [dim]
  float *norm_gain;      // [dim]
  float *norm_bias;      // [dim]
  matrix *widen;         // pwconv1 [inner, dim]
  matrix *narrow;        // pwconv2 [dim, inner]
  float *gamma;          // [dim]
} vocos_block;

struct vocos {
  arena *memory;
  size_t mel;
  size_t dim;
  size_t inner;
  size_t layers;
  size_t transform;
  size_t hop;
  matrix *embed; // [dim, mel, VOCOS_TAPS]
  float *norm_gain;
  float *norm_bias;
  vocos_block blocks[VOCOS_LAYER_LIMIT];
  float *final_gain;
  float *final_bias;
  matrix *head;           // [transform + 2, dim]
  float *window;          // [transform]
  pitch_embedding pitch;  // no bins: as published
  excitation *excitation; // NULL: as published
};

// One block on rows that have their context around them: x points at the first row's earliest tap,
// `before` rows ahead of it. y [rows, dim] and wide [rows, inner] are scratch.
void vocos_run_block(const vocos *v, const vocos_block *b, float *x, size_t before, size_t rows,
                     float *y, float *wide, pool *p);
// A row of spectrum [transform + 2] to the frame's samples, windowed, in the transform's buffer.
const float *vocos_frame(const vocos *v, fft *inverse, const float *row);
// What the windows of frames 0..last add up to at sample `at`, counted from frame 0's first.
float vocos_envelope(const vocos *v, size_t at, size_t last);

// Our own variant. Frames come in order, at most `most_frames` at a time.
typedef struct vocos_causal vocos_causal;

mw_status vocos_causal_new(vocos_causal **made, const vocos *v, size_t most_frames,
                           mw_error *error);
void vocos_causal_free(vocos_causal *c);
void vocos_causal_reset(vocos_causal *c);
// mel01 [count, mel] -> the samples that later frames no longer change; their number comes back:
// half a transform less than count * hop at first, then count * hop. `told` [count] is the pitch;
// NULL: as heard in the mel. Real time when `p` is NULL.
size_t vocos_causal_run(vocos_causal *c, const float *mel01, size_t count, const pitch_value *told,
                        float *samples, pool *p);
// The transform / 2 - hop samples still held, as they are.
void vocos_causal_tail(const vocos_causal *c, float *samples);

#endif
