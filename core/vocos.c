// SPDX-License-Identifier: GPL-3.0-or-later
//
// Vocos. Official sizes: mel 80, dim 320, inner 1536, 8 blocks, transform 640, hop 160.
//
//   embed  conv k7 [dim, mel], zero padding 3
//   norm   LayerNorm(dim), eps 1e-6
//   block  x += gamma * pwconv2(gelu(pwconv1(norm(dwconv(x)))))   dwconv depthwise k7, padding 3
//   final_layer_norm
//   head   out [transform + 2, dim]: log magnitudes (limited to 100 after exp), then phases
//   inverse transform, Hann window, overlap-add, divided by the overlap-added squared window;
//   half a transform is cut at both ends: sample s belongs to frame s / hop
//
// Our own variant (pitch embedding and excitation): all convolutions causal, padding 6 before; the
// pitch is added to the embedded mel, the excitation's phases to the head's (vocos_causal.c).
#include "vocos_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REACH = VOCOS_TAPS / 2 };
#define LARGEST_MAGNITUDE 100.0f

struct vocos_state {
  const vocos *v;
  arena *memory;
  vocos_causal *causal; // our own variant, which needs nothing of what follows but `tile`
  fft *inverse;
  size_t tile;     // frames finished at a time
  float *input;    // [rows + 2 REACH, mel]: a tile, its context, zeros beyond the signal
  float *x;        // [rows + 2 REACH, dim]
  float *y;        // [rows, dim]
  float *wide;     // [rows, inner]
  float *spectrum; // [tile, transform + 2]
};

static size_t context(const vocos *v)
{
  return REACH * (v->layers + 1);
}

size_t vocos_mel_bins(const vocos *v)
{
  return v->mel;
}

size_t vocos_hop(const vocos *v)
{
  return v->hop;
}

size_t vocos_samples(const vocos *v, size_t frames)
{
  return frames > 0 ? (frames - 1) * v->hop : 0;
}

static mw_status take_scratch(vocos_state *s, mw_error *error)
{
  const vocos *v = s->v;
  size_t rows = s->tile + 2 * context(v);
  s->input = arena_floats(s->memory, (rows + 2 * REACH) * v->mel);
  s->x = arena_floats(s->memory, (rows + 2 * REACH) * v->dim);
  s->y = arena_floats(s->memory, rows * v->dim);
  s->wide = arena_floats(s->memory, rows * v->inner);
  s->spectrum = arena_floats(s->memory, s->tile * (v->transform + 2));
  if (arena_failed(s->memory)) return mw_fail_memory(error, "making a vocoder state");
  return fft_new(&s->inverse, v->transform, error);
}

mw_status vocos_state_new(vocos_state **made, const vocos *v, size_t tile_frames, mw_error *error)
{
  vocos_state *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    vocos_state_free(s);
    return mw_fail_memory(error, "making a vocoder state");
  }
  s->v = v;
  s->tile = tile_frames > 0 ? tile_frames : 1;
  mw_status status = v->excitation != NULL ? vocos_causal_new(&s->causal, v, s->tile, error)
                                           : take_scratch(s, error);
  if (status != MW_OK) {
    vocos_state_free(s);
    return status;
  }
  *made = s;
  return MW_OK;
}

void vocos_state_free(vocos_state *s)
{
  if (s == NULL) return;
  vocos_causal_free(s->causal);
  fft_free(s->inverse);
  arena_free(s->memory);
  free(s);
}

void vocos_run_block(const vocos *v, const vocos_block *b, float *x, size_t before, size_t rows,
                     float *y, float *wide, pool *p)
{
  float *own = x + before * v->dim;
  depthwise_run(b->depthwise, b->depthwise_bias, VOCOS_TAPS, 1, x, v->dim, rows, v->dim, y, v->dim);
  layer_norm(y, v->dim, rows, v->dim, b->norm_gain, b->norm_bias, VOCOS_EPSILON, y, v->dim);
  matrix_run(b->widen, y, v->dim, rows, wide, v->inner, &(epilogue){.act = ACTIVATION_GELU_ERF}, p);
  matrix_run(b->narrow, wide, v->inner, rows, own, v->dim,
             &(epilogue){.scale = b->gamma, .residual = own, .residual_stride = v->dim}, p);
}

// Spectra of frames [first, first + count). Rows of the context come out wrong by the reach of each
// layer, which is why there are as many; rows beyond the signal stay zero, which is the padding.
static void run_tile(vocos_state *s, const float *mel01, size_t frames, size_t first, size_t count,
                     pool *p)
{
  const vocos *v = s->v;
  size_t begin = first > context(v) ? first - context(v) : 0;
  size_t end = frames - first - count > context(v) ? first + count + context(v) : frames;
  size_t rows = end - begin;
  memset(s->input, 0, REACH * v->mel * sizeof(float));
  memcpy(s->input + REACH * v->mel, mel01 + begin * v->mel, rows * v->mel * sizeof(float));
  memset(s->input + (REACH + rows) * v->mel, 0, REACH * v->mel * sizeof(float));
  memset(s->x, 0, REACH * v->dim * sizeof(float));
  memset(s->x + (REACH + rows) * v->dim, 0, REACH * v->dim * sizeof(float));
  float *x = s->x + REACH * v->dim;
  matrix_run(v->embed, s->input, v->mel, rows, x, v->dim, NULL, p);
  layer_norm(x, v->dim, rows, v->dim, v->norm_gain, v->norm_bias, VOCOS_EPSILON, x, v->dim);
  for (size_t i = 0; i < v->layers; i++)
    vocos_run_block(v, &v->blocks[i], s->x, REACH, rows, s->y, s->wide, p);
  const float *wanted = x + (first - begin) * v->dim;
  layer_norm(wanted, v->dim, count, v->dim, v->final_gain, v->final_bias, VOCOS_EPSILON, s->y,
             v->dim);
  matrix_run(v->head, s->y, v->dim, count, s->spectrum, v->transform + 2, NULL, p);
}

const float *vocos_frame(const vocos *v, fft *inverse, const float *row)
{
  size_t bins = v->transform / 2 + 1;
  float *pairs = fft_bins(inverse);
  for (size_t k = 0; k < bins; k++) {
    float magnitude = fminf(expf(row[k]), LARGEST_MAGNITUDE);
    pairs[2 * k] = magnitude * cosf(row[bins + k]);
    pairs[2 * k + 1] = magnitude * sinf(row[bins + k]);
  }
  pairs[1] = 0.0f;
  pairs[2 * bins - 1] = 0.0f;
  fft_inverse(inverse);
  float *samples = fft_samples(inverse);
  for (size_t i = 0; i < v->transform; i++) samples[i] *= v->window[i];
  return samples;
}

float vocos_envelope(const vocos *v, size_t at, size_t last)
{
  if (at / v->hop < last) last = at / v->hop;
  size_t first = at < v->transform ? 0 : (at - v->transform) / v->hop + 1;
  float sum = 0.0f;
  for (size_t f = first; f <= last; f++)
    sum += v->window[at - f * v->hop] * v->window[at - f * v->hop];
  return sum > 1e-11f ? sum : 1.0f;
}

static void add_frame(const vocos *v, const float *frame, size_t index, float *samples,
                      size_t total)
{
  // position of the frame's first sample; half a transform is cut from the front
  long begin = (long)(index * v->hop) - (long)(v->transform / 2);
  size_t from = begin < 0 ? (size_t)-begin : 0;
  for (size_t i = from; i < v->transform && begin + (long)i < (long)total; i++)
    samples[begin + (long)i] += frame[i];
}

static void decode_causally(vocos_state *s, const float *mel01, size_t frames, float *samples,
                            pool *p)
{
  vocos_causal_reset(s->causal);
  size_t made = 0;
  for (size_t first = 0; first < frames; first += s->tile) {
    size_t count = frames - first < s->tile ? frames - first : s->tile;
    made += vocos_causal_run(s->causal, mel01 + first * s->v->mel, count, NULL, samples + made, p);
  }
  vocos_causal_tail(s->causal, samples + made);
}

void vocos_decode(vocos_state *s, const float *mel01, size_t frames, float *samples, pool *p)
{
  const vocos *v = s->v;
  size_t total = vocos_samples(v, frames);
  if (s->causal != NULL) {
    decode_causally(s, mel01, frames, samples, p);
    return;
  }
  memset(samples, 0, total * sizeof(float));
  for (size_t first = 0; first < frames; first += s->tile) {
    size_t count = frames - first < s->tile ? frames - first : s->tile;
    run_tile(s, mel01, frames, first, count, p);
    for (size_t i = 0; i < count; i++)
      add_frame(v, vocos_frame(v, s->inverse, s->spectrum + i * (v->transform + 2)), first + i,
                samples, total);
  }
  for (size_t n = 0; n < total; n++)
    samples[n] /= vocos_envelope(v, n + v->transform / 2, frames - 1);
}
