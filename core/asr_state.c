// SPDX-License-Identifier: GPL-3.0-or-later
//
// One stream of the content encoder. A layer, for t new frames:
//
//   x += 1/2 ff_macaron(LN x);  x += attention(LN x);  x += convolution(LN x);
//   x += 1/2 ff(LN x);  x = LN x
//   attention: keys and values of the last 2 chunks are kept;
//     score = ((q + u) k + (q + v) p) / sqrt(d / heads), where p is linear_pos of the key's
//     absolute position (no mask, no relative shift). It is q (k + p) plus u k + v p, which no
//     query changes: both are made once per key and kept, until the position is set.
//   convolution: pointwise, GLU, causal depthwise, LN, SiLU, pointwise; the last kernel - 1 gated
//     rows are kept
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "asr_encoder_internal.h"

#define EPSILON 1e-5f
enum { FRAMES_PER_STEP = 4, FRAMES_FOR_ONE = 7 };

struct asr_state {
  const asr_encoder *e;
  arena *memory;
  size_t chunk;
  size_t remembered; // keys kept: 2 chunk
  bool zero_filled;
  size_t cached;       // keys there are
  size_t position;     // of the next frame
  float *normal;       // [window, bins]
  float *map1;         // [window, bins1, channels]
  float *map2;         // [chunk, bins2, channels]
  float *x;            // [chunk, d]
  size_t ahead_count;  // frames of the next window that are in `ahead`
  float *ahead;        // [chunk, d]: their x, before the layers
  float *y;            // [chunk, d]
  float *z;            // [chunk, d]
  float *wide;         // [chunk, max(ff, 2 d)]
  size_t placed_count; // leading keys whose `placed` and `key_bias` are there
  float *keys;         // [layers, remembered + chunk, d]
  float *values;
  float *placed;    // [layers, remembered + chunk, d]: k + p
  float *key_bias;  // [layers, heads, remembered + chunk]: (u k + v p) / sqrt(d / heads)
  float *gated;     // [layers, kernel - 1 + chunk, d]
  float *table;     // [remembered + chunk, d] positions
  float *positions; // [remembered + chunk, d] after linear_pos
  float *scratch;
};

mw_status asr_state_new(asr_state **made, const asr_encoder *e, size_t chunk_frames,
                        bool zero_filled, mw_error *error)
{
  if (chunk_frames == 0 || chunk_frames > 256)
    return mw_fail(error, MW_ERROR_ARGUMENT, "chunks of %zu content frames: wanted 1 to 256",
                   chunk_frames);
  asr_state *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    asr_state_free(s);
    return mw_fail_memory(error, "making an encoder state");
  }
  arena *m = s->memory;
  size_t keys = 3 * chunk_frames;
  s->e = e;
  s->chunk = chunk_frames;
  s->remembered = 2 * chunk_frames;
  s->zero_filled = zero_filled;
  size_t window = asr_window_frames(s);
  s->normal = arena_floats(m, window * e->bins);
  s->map1 = arena_floats(m, window * e->bins1 * e->channels);
  s->map2 = arena_floats(m, chunk_frames * e->bins2 * e->channels);
  s->x = arena_floats(m, chunk_frames * e->d);
  s->ahead = arena_floats(m, chunk_frames * e->d);
  s->y = arena_floats(m, chunk_frames * e->d);
  s->z = arena_floats(m, chunk_frames * e->d);
  s->wide = arena_floats(m, chunk_frames * (e->ff > 2 * e->d ? e->ff : 2 * e->d));
  s->keys = arena_floats(m, e->layers * keys * e->d);
  s->values = arena_floats(m, e->layers * keys * e->d);
  s->placed = arena_floats(m, e->layers * keys * e->d);
  s->key_bias = arena_floats(m, e->layers * e->heads * keys);
  s->gated = arena_floats(m, e->layers * (e->kernel - 1 + chunk_frames) * e->d);
  s->table = arena_floats(m, keys * e->d);
  s->positions = arena_floats(m, keys * e->d);
  s->scratch = arena_floats(m, attention_scratch(chunk_frames, keys, e->d / e->heads));
  if (arena_failed(m)) {
    asr_state_free(s);
    return mw_fail_memory(error, "making an encoder state");
  }
  asr_reset(s);
  *made = s;
  return MW_OK;
}

void asr_state_free(asr_state *s)
{
  if (s == NULL) return;
  arena_free(s->memory);
  free(s);
}

void asr_reset(asr_state *s)
{
  const asr_encoder *e = s->e;
  size_t rows = e->kernel - 1 + s->chunk;
  s->cached = s->zero_filled ? s->remembered : 0;
  s->position = s->cached;
  s->placed_count = 0;
  s->ahead_count = 0;
  memset(s->keys, 0, e->layers * 3 * s->chunk * e->d * sizeof(float));
  memset(s->values, 0, e->layers * 3 * s->chunk * e->d * sizeof(float));
  for (size_t l = 0; l < e->layers; l++)
    for (size_t i = 0; i + 1 < e->kernel; i++)
      memcpy(s->gated + (l * rows + i) * e->d, e->layer[l].silence, e->d * sizeof(float));
}

size_t asr_window_frames(const asr_state *s)
{
  return FRAMES_PER_STEP * (s->chunk - 1) + FRAMES_FOR_ONE;
}

size_t asr_position(const asr_state *s)
{
  return s->position;
}

void asr_set_position(asr_state *s, size_t position)
{
  if (position != s->position) s->placed_count = 0;
  s->position = position;
}

// fbank frames -> x [t, d]
static void subsample(asr_state *s, const float *fbank, size_t frames, size_t t, float *x)
{
  const asr_encoder *e = s->e;
  epilogue relu = {.act = ACTIVATION_RELU};
  for (size_t i = 0; i < frames * e->bins; i++)
    s->normal[i] =
        e->mean != NULL ? (fbank[i] - e->mean[i % e->bins]) * e->istd[i % e->bins] : fbank[i];
  for (size_t i = 0; i < (frames - 1) / 2; i++)
    matrix_run(e->conv1, s->normal + 2 * i * e->bins, 1, e->bins1,
               s->map1 + i * e->bins1 * e->channels, e->channels, &relu, NULL);
  for (size_t i = 0; i < t; i++)
    matrix_run(e->conv2, s->map1 + 2 * i * e->bins1 * e->channels, e->channels, e->bins2,
               s->map2 + i * e->bins2 * e->channels, e->channels, &relu, NULL);
  matrix_run(e->project, s->map2, e->bins2 * e->channels, t, x, e->d, NULL, NULL);
}

// A whole window to s->x [t, d]; what was ahead in the window before is there already.
static void embed(asr_state *s, const float *fbank, size_t frames, size_t t, size_t kept)
{
  size_t d = s->e->d;
  size_t known = s->ahead_count < t ? s->ahead_count : t;
  size_t skipped = FRAMES_PER_STEP * known;
  memcpy(s->x, s->ahead, known * d * sizeof(float));
  if (known < t)
    subsample(s, fbank + skipped * s->e->bins, frames - skipped, t - known, s->x + known * d);
  s->ahead_count = t - kept;
  memcpy(s->ahead, s->x + kept * d, s->ahead_count * d * sizeof(float));
}

static void norm_rows(const asr_state *s, const asr_norm *n, const float *x, size_t t, float *y)
{
  layer_norm(x, s->e->d, t, s->e->d, n->gain, n->bias, EPSILON, y, s->e->d);
}

// x += 1/2 w_2 silu(w_1 LN(x))
static void feed_forward(asr_state *s, const asr_norm *n, const asr_feed_forward *f, size_t t)
{
  const asr_encoder *e = s->e;
  norm_rows(s, n, s->x, t, s->y);
  matrix_run(f->in, s->y, e->d, t, s->wide, e->ff, &(epilogue){.act = ACTIVATION_SILU}, NULL);
  matrix_run(f->out, s->wide, e->ff, t, s->y, e->d, NULL, NULL);
  for (size_t i = 0; i < t * e->d; i++) s->x[i] += 0.5f * s->y[i];
}

// Rows of the table for the positions of keys first .. count - 1; sines even, cosines odd.
static void fill_table(asr_state *s, size_t first, size_t count)
{
  const asr_encoder *e = s->e;
  float rate = -logf(10000.0f) / (float)e->d;
  for (size_t k = first; k < count; k++) {
    // positions set back below the number of cached keys would be negative: the difference counts
    float position = (float)s->position - (float)s->cached + (float)k;
    for (size_t i = 0; i < e->d; i += 2) {
      float angle = position * expf((float)i * rate);
      s->table[k * e->d + i] = sinf(angle);
      s->table[k * e->d + i + 1] = cosf(angle);
    }
  }
}

static float dot(const float *a, const float *b, size_t count)
{
  float sum = 0.0f;
  for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

// The keys first .. count - 1 at their positions, and what their scores have whatever is asked.
static void place_keys(asr_state *s, size_t index, size_t first, size_t count, float scale)
{
  const asr_encoder *e = s->e;
  const asr_layer *l = &e->layer[index];
  size_t size = e->d / e->heads;
  size_t room = 3 * s->chunk;
  matrix_run(l->position, s->table + first * e->d, e->d, count - first, s->positions + first * e->d,
             e->d, NULL, NULL);
  for (size_t j = first; j < count; j++) {
    const float *k = s->keys + (index * room + j) * e->d;
    const float *p = s->positions + j * e->d;
    float *placed = s->placed + (index * room + j) * e->d;
    for (size_t c = 0; c < e->d; c++) placed[c] = k[c] + p[c];
    for (size_t h = 0; h < e->heads; h++) {
      size_t at = h * size;
      s->key_bias[(index * e->heads + h) * room + j] =
          scale *
          (dot(l->content_bias + at, k + at, size) + dot(l->position_bias + at, p + at, size));
    }
  }
}

static void attend(asr_state *s, size_t index, size_t t)
{
  const asr_encoder *e = s->e;
  const asr_layer *l = &e->layer[index];
  size_t keys = s->cached + t;
  size_t room = 3 * s->chunk;
  float *k = s->keys + index * room * e->d;
  float *v = s->values + index * room * e->d;
  float scale = 1.0f / sqrtf((float)(e->d / e->heads));
  norm_rows(s, &l->norm_mha, s->x, t, s->y);
  matrix_run(l->query, s->y, e->d, t, s->z, e->d, NULL, NULL);
  matrix_run(l->key, s->y, e->d, t, k + s->cached * e->d, e->d, NULL, NULL);
  matrix_run(l->value, s->y, e->d, t, v + s->cached * e->d, e->d, NULL, NULL);
  place_keys(s, index, s->placed_count, keys, scale);
  attention_run(&(attention){.heads = e->heads,
                             .head_size = e->d / e->heads,
                             .queries = t,
                             .keys = keys,
                             .q = s->z,
                             .q_stride = e->d,
                             .k = s->placed + index * room * e->d,
                             .k_stride = e->d,
                             .v = v,
                             .v_stride = e->d,
                             .scale = scale,
                             .bias = s->key_bias + index * e->heads * room,
                             .bias_head_stride = room,
                             .out = s->y,
                             .out_stride = e->d,
                             .scratch = s->scratch},
                NULL);
  matrix_run(l->out, s->y, e->d, t, s->x, e->d,
             &(epilogue){.residual = s->x, .residual_stride = e->d}, NULL);
}

static void convolve(asr_state *s, size_t index, size_t t, size_t kept)
{
  const asr_encoder *e = s->e;
  const asr_layer *l = &e->layer[index];
  size_t before = e->kernel - 1;
  float *gated = s->gated + index * (before + s->chunk) * e->d;
  norm_rows(s, &l->norm_conv, s->x, t, s->y);
  matrix_run(l->conv_in, s->y, e->d, t, s->wide, 2 * e->d, NULL, NULL);
  glu_rows(s->wide, 2 * e->d, t, e->d, gated + before * e->d, e->d);
  depthwise_run(l->depthwise, l->depthwise_bias, e->kernel, 1, gated, e->d, t, e->d, s->y, e->d);
  norm_rows(s, &l->conv_norm, s->y, t, s->y);
  activate(ACTIVATION_SILU, s->y, t * e->d);
  matrix_run(l->conv_out, s->y, e->d, t, s->x, e->d,
             &(epilogue){.residual = s->x, .residual_stride = e->d}, NULL);
  memmove(gated, gated + kept * e->d, before * e->d * sizeof(float));
}

// Of the keys there are now, the last `remembered` stay.
static void keep_keys(asr_state *s, size_t kept)
{
  const asr_encoder *e = s->e;
  size_t room = 3 * s->chunk;
  size_t keys = s->cached + kept;
  size_t dropped = keys > s->remembered ? keys - s->remembered : 0;
  s->cached = keys - dropped;
  s->placed_count = s->cached;
  if (dropped == 0) return;
  for (size_t l = 0; l < e->layers; l++) {
    float *const rows[3] = {s->keys, s->values, s->placed};
    for (int i = 0; i < 3; i++) {
      float *first = rows[i] + l * room * e->d;
      memmove(first, first + dropped * e->d, s->cached * e->d * sizeof(float));
    }
    for (size_t h = 0; h < e->heads; h++) {
      float *first = s->key_bias + (l * e->heads + h) * room;
      memmove(first, first + dropped, s->cached * sizeof(float));
    }
  }
}

size_t asr_run(asr_state *s, const float *fbank, size_t frames, size_t kept, float *features)
{
  const asr_encoder *e = s->e;
  if (frames > asr_window_frames(s)) frames = asr_window_frames(s);
  size_t t = asr_encoder_frames(frames);
  if (kept > t) kept = t;
  if (t == 0) return 0;
  embed(s, fbank, frames, t, kept);
  fill_table(s, s->placed_count, s->cached + t);
  for (size_t i = 0; i < e->layers; i++) {
    const asr_layer *l = &e->layer[i];
    feed_forward(s, &l->norm_ff_macaron, &l->macaron, t);
    attend(s, i, t);
    convolve(s, i, t, kept);
    feed_forward(s, &l->norm_ff, &l->feed_forward, t);
    norm_rows(s, &l->norm_final, s->x, t, s->x);
  }
  norm_rows(s, &e->after_norm, s->x, t, features);
  keep_keys(s, kept);
  s->position += kept;
  return t;
}

asr_memory asr_remembered(const asr_state *s, size_t layer)
{
  const asr_encoder *e = s->e;
  size_t first = layer * 3 * s->chunk * e->d;
  return (asr_memory){.count = s->cached,
                      .keys = s->keys + first,
                      .values = s->values + first,
                      .gated = s->gated + layer * (e->kernel - 1 + s->chunk) * e->d};
}
