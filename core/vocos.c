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
#include "vocos.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "fft.h"
#include "kernels.h"

enum { TAPS = 7, REACH = 3, LAYER_LIMIT = 64 };
#define EPSILON 1e-6f
#define LARGEST_MAGNITUDE 100.0f

typedef struct {
  float *depthwise;      // [TAPS, dim]
  float *depthwise_bias; // [dim]
  float *norm_gain;      // [dim]
  float *norm_bias;      // [dim]
  matrix *widen;         // pwconv1 [inner, dim]
  matrix *narrow;        // pwconv2 [dim, inner]
  float *gamma;          // [dim]
} block;

struct vocos {
  arena *memory;
  size_t mel;
  size_t dim;
  size_t inner;
  size_t layers;
  size_t transform;
  size_t hop;
  matrix *embed; // [dim, mel, TAPS]
  float *norm_gain;
  float *norm_bias;
  block blocks[LAYER_LIMIT];
  float *final_gain;
  float *final_bias;
  matrix *head;  // [transform + 2, dim]
  float *window; // [transform]
};

struct vocos_state {
  const vocos *v;
  arena *memory;
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

static float *read_vector(vocos *v, const weights_view *view, const char *name, size_t count,
                          mw_status *status, mw_error *error)
{
  if (*status != MW_OK) return NULL;
  float *values = arena_floats(v->memory, count);
  if (values == NULL)
    *status = mw_fail_memory(error, "reading the vocoder");
  else
    *status = weights_read(view, name, 1, &count, values, error);
  return values;
}

static matrix *read_matrix(const weights_view *view, const char *name, size_t outputs,
                           size_t inputs, size_t taps, mw_status *status, mw_error *error)
{
  matrix *m = NULL;
  if (*status == MW_OK)
    *status =
        matrix_load(&m, view, name, &(matrix_shape){outputs, inputs, taps, 1, 1}, true, error);
  return m;
}

static mw_status read_depthwise(vocos *v, block *b, const weights_view *view, mw_error *error)
{
  const size_t shape[3] = {v->dim, 1, TAPS};
  const tensor *t;
  mw_status status = weights_need(&t, view, "dwconv.weight", 3, shape, error);
  if (status != MW_OK) return status;
  b->depthwise = arena_floats(v->memory, v->dim * TAPS);
  if (b->depthwise == NULL) return mw_fail_memory(error, "reading the vocoder");
  for (size_t c = 0; c < v->dim; c++)
    for (size_t j = 0; j < TAPS; j++)
      tensor_read(t, c * TAPS + j, 1, &b->depthwise[j * v->dim + c]);
  return MW_OK;
}

static mw_status read_block(vocos *v, size_t index, const weights_view *view, mw_error *error)
{
  char prefix[64];
  block *b = &v->blocks[index];
  snprintf(prefix, sizeof prefix, "backbone.convnext.%zu.", index);
  weights_view inside = weights_within(view, prefix);
  mw_status status = read_depthwise(v, b, &inside, error);
  b->depthwise_bias = read_vector(v, &inside, "dwconv.bias", v->dim, &status, error);
  b->norm_gain = read_vector(v, &inside, "norm.weight", v->dim, &status, error);
  b->norm_bias = read_vector(v, &inside, "norm.bias", v->dim, &status, error);
  b->widen = read_matrix(&inside, "pwconv1", v->inner, v->dim, 1, &status, error);
  b->narrow = read_matrix(&inside, "pwconv2", v->dim, v->inner, 1, &status, error);
  b->gamma = read_vector(v, &inside, "gamma", v->dim, &status, error);
  return status;
}

// Every size is that of a tensor.
static mw_status read_sizes(vocos *v, const weights_view *view, size_t hop, mw_error *error)
{
  const tensor *t;
  mw_status status = weights_need(&t, view, "backbone.embed.weight", 3,
                                  (size_t[]){ANY_SIZE, ANY_SIZE, TAPS}, error);
  if (status != MW_OK) return status;
  v->dim = t->shape[0];
  v->mel = t->shape[1];
  status = weights_need(&t, view, "backbone.convnext.0.pwconv1.weight", 2,
                        (size_t[]){ANY_SIZE, v->dim}, error);
  if (status != MW_OK) return status;
  v->inner = t->shape[0];
  for (; v->layers < LAYER_LIMIT; v->layers++) {
    char name[64];
    snprintf(name, sizeof name, "backbone.convnext.%zu.gamma", v->layers);
    if (weights_view_find(view, name) == NULL) break;
  }
  status = weights_need(&t, view, "head.istft.window", 1, (size_t[]){ANY_SIZE}, error);
  if (status != MW_OK) return status;
  v->transform = t->shape[0];
  v->hop = hop != 0 ? hop : v->transform / 4;
  if (v->dim == 0 || v->mel == 0 || v->inner == 0 || v->transform < 8 || v->transform % 2 != 0 ||
      v->transform > 1 << 16 || v->hop == 0 || v->hop > v->transform / 2)
    return mw_fail(error, MW_ERROR_MODEL,
                   "%s: a vocoder with a transform of %zu and hop %zu is not possible",
                   weights_path(view->file), v->transform, v->hop);
  return MW_OK;
}

mw_status vocos_load(vocos **loaded, const weights_view *view, size_t hop, mw_error *error)
{
  vocos *v = calloc(1, sizeof *v);
  if (v == NULL || (v->memory = arena_new()) == NULL) {
    vocos_free(v);
    return mw_fail_memory(error, "reading the vocoder");
  }
  mw_status status = read_sizes(v, view, hop, error);
  v->embed = read_matrix(view, "backbone.embed", v->dim, v->mel, TAPS, &status, error);
  v->norm_gain = read_vector(v, view, "backbone.norm.weight", v->dim, &status, error);
  v->norm_bias = read_vector(v, view, "backbone.norm.bias", v->dim, &status, error);
  for (size_t i = 0; status == MW_OK && i < v->layers; i++) status = read_block(v, i, view, error);
  v->final_gain = read_vector(v, view, "backbone.final_layer_norm.weight", v->dim, &status, error);
  v->final_bias = read_vector(v, view, "backbone.final_layer_norm.bias", v->dim, &status, error);
  v->head = read_matrix(view, "head.out", v->transform + 2, v->dim, 1, &status, error);
  v->window = read_vector(v, view, "head.istft.window", v->transform, &status, error);
  if (status != MW_OK) {
    vocos_free(v);
    return status;
  }
  *loaded = v;
  return MW_OK;
}

void vocos_free(vocos *v)
{
  if (v == NULL) return;
  matrix_free(v->embed);
  matrix_free(v->head);
  for (size_t i = 0; i < v->layers; i++) {
    matrix_free(v->blocks[i].widen);
    matrix_free(v->blocks[i].narrow);
  }
  arena_free(v->memory);
  free(v);
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

mw_status vocos_state_new(vocos_state **made, const vocos *v, size_t tile_frames, mw_error *error)
{
  vocos_state *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    vocos_state_free(s);
    return mw_fail_memory(error, "making a vocoder state");
  }
  s->v = v;
  s->tile = tile_frames > 0 ? tile_frames : 1;
  size_t rows = s->tile + 2 * context(v);
  s->input = arena_floats(s->memory, (rows + 2 * REACH) * v->mel);
  s->x = arena_floats(s->memory, (rows + 2 * REACH) * v->dim);
  s->y = arena_floats(s->memory, rows * v->dim);
  s->wide = arena_floats(s->memory, rows * v->inner);
  s->spectrum = arena_floats(s->memory, s->tile * (v->transform + 2));
  mw_status status = fft_new(&s->inverse, v->transform, error);
  if (status == MW_OK && arena_failed(s->memory))
    status = mw_fail_memory(error, "making a vocoder state");
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
  fft_free(s->inverse);
  arena_free(s->memory);
  free(s);
}

static void run_block(vocos_state *s, const block *b, size_t rows, pool *p)
{
  const vocos *v = s->v;
  float *x = s->x + REACH * v->dim;
  depthwise_run(b->depthwise, b->depthwise_bias, TAPS, 1, s->x, v->dim, rows, v->dim, s->y, v->dim);
  layer_norm(s->y, v->dim, rows, v->dim, b->norm_gain, b->norm_bias, EPSILON, s->y, v->dim);
  matrix_run(b->widen, s->y, v->dim, rows, s->wide, v->inner,
             &(epilogue){.act = ACTIVATION_GELU_ERF}, p);
  matrix_run(b->narrow, s->wide, v->inner, rows, x, v->dim,
             &(epilogue){.scale = b->gamma, .residual = x, .residual_stride = v->dim}, p);
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
  layer_norm(x, v->dim, rows, v->dim, v->norm_gain, v->norm_bias, EPSILON, x, v->dim);
  for (size_t i = 0; i < v->layers; i++) run_block(s, &v->blocks[i], rows, p);
  const float *wanted = x + (first - begin) * v->dim;
  layer_norm(wanted, v->dim, count, v->dim, v->final_gain, v->final_bias, EPSILON, s->y, v->dim);
  matrix_run(v->head, s->y, v->dim, count, s->spectrum, v->transform + 2, NULL, p);
}

// One frame's samples, windowed, in the transform's buffer.
static const float *inverse_frame(vocos_state *s, const float *row)
{
  const vocos *v = s->v;
  size_t bins = v->transform / 2 + 1;
  float *pairs = fft_bins(s->inverse);
  for (size_t k = 0; k < bins; k++) {
    float magnitude = fminf(expf(row[k]), LARGEST_MAGNITUDE);
    pairs[2 * k] = magnitude * cosf(row[bins + k]);
    pairs[2 * k + 1] = magnitude * sinf(row[bins + k]);
  }
  pairs[1] = 0.0f;
  pairs[2 * bins - 1] = 0.0f;
  fft_inverse(s->inverse);
  float *samples = fft_samples(s->inverse);
  for (size_t i = 0; i < v->transform; i++) samples[i] *= v->window[i];
  return samples;
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

static void divide_by_envelope(const vocos *v, float *samples, size_t frames)
{
  size_t total = vocos_samples(v, frames);
  for (size_t n = 0; n < total; n++) {
    size_t at = n + v->transform / 2;
    size_t last = at / v->hop < frames - 1 ? at / v->hop : frames - 1;
    size_t first = at < v->transform ? 0 : (at - v->transform) / v->hop + 1;
    float sum = 0.0f;
    for (size_t f = first; f <= last; f++)
      sum += v->window[at - f * v->hop] * v->window[at - f * v->hop];
    samples[n] /= sum > 1e-11f ? sum : 1.0f;
  }
}

void vocos_decode(vocos_state *s, const float *mel01, size_t frames, float *samples, pool *p)
{
  const vocos *v = s->v;
  size_t total = vocos_samples(v, frames);
  memset(samples, 0, total * sizeof(float));
  for (size_t first = 0; first < frames; first += s->tile) {
    size_t count = frames - first < s->tile ? frames - first : s->tile;
    run_tile(s, mel01, frames, first, count, p);
    for (size_t i = 0; i < count; i++)
      add_frame(v, inverse_frame(s, s->spectrum + i * (v->transform + 2)), first + i, samples,
                total);
  }
  divide_by_envelope(v, samples, frames);
}
