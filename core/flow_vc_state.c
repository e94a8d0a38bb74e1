// SPDX-License-Identifier: GPL-3.0-or-later
//
// One stream of the decoder. For a chunk of n frames:
//
//   tokens = [cache_embed(clean chunk before) ; input_embed(noisy x, timbre, speaker)], 2n rows; n
//   for the first block: y = LN(h)(1 + g1) + s1;  h += a1 * out(attention(y));
//          y = LN(h)(1 + g2) + s2;  h += a2 * ff_out(gelu_tanh(ff_in(y)))      LN eps 1e-6, no gain
//   u = proj_out(LN(h)(1 + scale) + shift) of the noisy rows;  x <- x - (t - r) u
//
// Attention: q and k are RMS-normalised per head; keys and values of the last 5 chunks stay as
// history, keys before rotation. Positions end at offset + n - 1. Counted in chunks from the start
// of the window, a query sees its own chunk and up to 5 before. The last step of a chunk writes the
// history: the window without its noisy rows. The last block computes keys and values of all rows,
// everything else of the noisy ones only.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flow_vc_internal.h"

#define EPSILON 1e-6f

struct flow_vc_state {
  const flow_vc *f;
  const flow_vc_schedule *schedule;
  arena *memory;
  size_t window;   // rows: past chunks, clean chunk, noisy chunk
  size_t history;  // rows in use
  size_t position; // frames generated
  bool has_previous;
  float *previous;          // [chunk, mel]
  float *keys;              // [depth, window, inner], before rotation
  float *values;            // [depth, window, inner]
  float *rotated;           // [window, inner]
  float *inverse_frequency; // [head_size / 2]
  float *cosine;            // [window, head_size / 2]
  float *sine;
  float *mask;   // [2 chunk, window]
  float *timbre; // [chunk, content]
  float *timbre_scratch;
  float *condition; // [chunk, dim]: timbre's and speaker's share of the input
  float *clean;     // [chunk, dim]
  float *x;         // [chunk, mel]
  float *h;         // [2 chunk, dim]
  float *y;         // [2 chunk, dim]
  float *qkv;       // [2 chunk, 3 inner]
  float *attended;  // [2 chunk, inner]
  float *inner;     // [2 chunk, ff]
  float *attention_scratch;
};

mw_status flow_vc_state_new(flow_vc_state **made, const flow_vc *f,
                            const flow_vc_schedule *schedule, size_t longest_prompt_frames,
                            mw_error *error)
{
  flow_vc_state *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    flow_vc_state_free(s);
    return mw_fail_memory(error, "making a decoder state");
  }
  arena *m = s->memory;
  size_t half = f->head_size / 2;
  size_t rows = 2 * f->chunk;
  s->f = f;
  s->schedule = schedule;
  s->window = (FLOW_VC_PAST_CHUNKS + 2) * f->chunk;
  s->previous = arena_floats(m, f->chunk * f->mel);
  s->keys = arena_floats(m, f->depth * s->window * f->inner);
  s->values = arena_floats(m, f->depth * s->window * f->inner);
  s->rotated = arena_floats(m, s->window * f->inner);
  s->inverse_frequency = arena_floats(m, half);
  s->cosine = arena_floats(m, s->window * half);
  s->sine = arena_floats(m, s->window * half);
  s->mask = arena_floats(m, rows * s->window);
  s->timbre = arena_floats(m, f->chunk * f->content);
  s->timbre_scratch = arena_floats(m, timbre_scratch(f->timbre, f->chunk, longest_prompt_frames));
  s->condition = arena_floats(m, f->chunk * f->dim);
  s->clean = arena_floats(m, f->chunk * f->dim);
  s->x = arena_floats(m, f->chunk * f->mel);
  s->h = arena_floats(m, rows * f->dim);
  s->y = arena_floats(m, rows * f->dim);
  s->qkv = arena_floats(m, rows * 3 * f->inner);
  s->attended = arena_floats(m, rows * f->inner);
  s->inner = arena_floats(m, rows * f->ff);
  s->attention_scratch = arena_floats(m, attention_scratch(rows, s->window, f->head_size));
  if (arena_failed(m)) {
    flow_vc_state_free(s);
    return mw_fail_memory(error, "making a decoder state");
  }
  for (size_t i = 0; i < half; i++)
    s->inverse_frequency[i] = 1.0f / powf(10000.0f, (float)(2 * i) / (float)f->head_size);
  *made = s;
  return MW_OK;
}

void flow_vc_state_free(flow_vc_state *s)
{
  if (s == NULL) return;
  arena_free(s->memory);
  free(s);
}

void flow_vc_reset(flow_vc_state *s)
{
  s->history = 0;
  s->position = 0;
  s->has_previous = false;
}

void flow_vc_set_position(flow_vc_state *s, size_t frames)
{
  s->position = frames;
}

void flow_vc_set_previous(flow_vc_state *s, const float *mel)
{
  memcpy(s->previous, mel, s->f->chunk * s->f->mel * sizeof(float));
  s->has_previous = true;
  s->history = 0;
  s->position = s->f->chunk;
}

// Angles and mask of a window of `length` rows of which the last `tokens` ask, the last `rows`
// being noisy.
static void prepare_window(flow_vc_state *s, size_t length, size_t tokens, size_t rows)
{
  const flow_vc *f = s->f;
  size_t half = f->head_size / 2;
  // A window can begin before frame 0 only when positions were set back: the difference is what
  // counts.
  float first = (float)(s->position + rows) - (float)length;
  for (size_t w = 0; w < length; w++) {
    for (size_t i = 0; i < half; i++) {
      float angle = (first + (float)w) * s->inverse_frequency[i];
      s->cosine[w * half + i] = cosf(angle);
      s->sine[w * half + i] = sinf(angle);
    }
  }
  for (size_t q = 0; q < tokens; q++) {
    size_t asking = (length - tokens + q) / f->chunk;
    for (size_t w = 0; w < length; w++) {
      size_t asked = w / f->chunk;
      bool seen = asked <= asking && asking - asked <= FLOW_VC_PAST_CHUNKS;
      s->mask[q * s->window + w] = seen ? 0.0f : -INFINITY;
    }
  }
}

// Keys and values of the tokens go behind the history; queries from row `from` on are rotated and
// asked.
static void attend(flow_vc_state *s, size_t block, size_t tokens, size_t from)
{
  const flow_vc *f = s->f;
  const flow_block *b = &f->blocks[block];
  size_t half = f->head_size / 2;
  size_t heads = f->inner / f->head_size;
  size_t length = s->history + tokens;
  float *keys = s->keys + block * s->window * f->inner;
  float *values = s->values + block * s->window * f->inner;
  for (size_t i = 0; i < tokens; i++) {
    float *row = s->qkv + i * 3 * f->inner;
    size_t at = (s->history + i) * f->inner;
    rms_norm(row, f->head_size, heads, f->head_size, b->q_gain, EPSILON, row, f->head_size);
    rms_norm(row + f->inner, f->head_size, heads, f->head_size, b->k_gain, EPSILON, keys + at,
             f->head_size);
    memcpy(values + at, row + 2 * f->inner, f->inner * sizeof(float));
  }
  memcpy(s->rotated, keys, length * f->inner * sizeof(float));
  rope_rotate(s->rotated, f->inner, length, heads, f->head_size, s->cosine, s->sine);
  size_t first = s->history + from;
  float *queries = s->qkv + from * 3 * f->inner;
  rope_rotate(queries, 3 * f->inner, tokens - from, heads, f->head_size, s->cosine + first * half,
              s->sine + first * half);
  attention_run(&(attention){.heads = heads,
                             .head_size = f->head_size,
                             .queries = tokens - from,
                             .keys = length,
                             .q = queries,
                             .q_stride = 3 * f->inner,
                             .k = s->rotated,
                             .k_stride = f->inner,
                             .v = values,
                             .v_stride = f->inner,
                             .scale = 1.0f / sqrtf((float)f->head_size),
                             .bias = s->mask + from * s->window,
                             .bias_query_stride = s->window,
                             .out = s->attended,
                             .out_stride = f->inner,
                             .scratch = s->attention_scratch},
                NULL);
}

static void run_block(flow_vc_state *s, size_t block, const float *modulation, size_t tokens,
                      size_t rows)
{
  const flow_vc *f = s->f;
  const flow_block *b = &f->blocks[block];
  size_t dim = f->dim;
  size_t from = block + 1 == f->depth ? tokens - rows : 0;
  size_t kept = tokens - from;
  float *h = s->h + from * dim;
  layer_norm(s->h, dim, tokens, dim, modulation + dim, modulation, EPSILON, s->y, dim);
  matrix_run(b->qkv, s->y, dim, tokens, s->qkv, 3 * f->inner, NULL, NULL);
  attend(s, block, tokens, from);
  matrix_run(b->out, s->attended, f->inner, kept, h, dim,
             &(epilogue){.scale = modulation + 2 * dim, .residual = h, .residual_stride = dim},
             NULL);
  layer_norm(h, dim, kept, dim, modulation + 4 * dim, modulation + 3 * dim, EPSILON, s->y, dim);
  matrix_run(b->ff_in, s->y, dim, kept, s->inner, f->ff, &(epilogue){.act = ACTIVATION_GELU_TANH},
             NULL);
  matrix_run(b->ff_out, s->inner, f->ff, kept, h, dim,
             &(epilogue){.scale = modulation + 5 * dim, .residual = h, .residual_stride = dim},
             NULL);
}

// x <- x - (t - r) u(x, t, r)
static void run_step(flow_vc_state *s, size_t step, size_t clean, size_t rows)
{
  const flow_vc *f = s->f;
  size_t dim = f->dim;
  size_t tokens = clean + rows;
  const float *modulation = s->schedule->modulations + step * s->schedule->row;
  float *noisy = s->h + clean * dim;
  memcpy(s->h, s->clean, clean * dim * sizeof(float));
  matrix_run(f->embed_mel, s->x, f->mel, rows, noisy, dim,
             &(epilogue){.residual = s->condition, .residual_stride = dim}, NULL);
  for (size_t b = 0; b < f->depth; b++, modulation += 6 * dim)
    run_block(s, b, modulation, tokens, rows);
  layer_norm(noisy, dim, rows, dim, modulation, modulation + dim, EPSILON, s->y, dim);
  matrix_run(f->out, s->y, dim, rows, s->inner, f->mel, NULL, NULL);
  float length = s->schedule->times[step] - s->schedule->times[step + 1];
  for (size_t i = 0; i < rows * f->mel; i++) s->x[i] -= length * s->inner[i];
}

// The window without its noisy rows, at most the past chunks.
static void keep_history(flow_vc_state *s, size_t clean)
{
  const flow_vc *f = s->f;
  size_t length = s->history + clean;
  size_t most = FLOW_VC_PAST_CHUNKS * f->chunk;
  size_t dropped = length > most ? length - most : 0;
  for (size_t b = 0; dropped > 0 && b < f->depth; b++) {
    float *keys = s->keys + b * s->window * f->inner;
    float *values = s->values + b * s->window * f->inner;
    memmove(keys, keys + dropped * f->inner, most * f->inner * sizeof(float));
    memmove(values, values + dropped * f->inner, most * f->inner * sizeof(float));
  }
  s->history = length - dropped;
}

void flow_vc_chunk(flow_vc_state *s, const flow_vc_voice *v, const float *content,
                   const float *noise, size_t rows, float *mel)
{
  const flow_vc *f = s->f;
  size_t clean = s->has_previous ? f->chunk : 0;
  timbre_run(f->timbre, v->prompt, content, rows, s->timbre, s->timbre_scratch);
  matrix_run(f->embed_timbre, s->timbre, f->content, rows, s->condition, f->dim,
             &(epilogue){.residual = v->embedded, .residual_stride = 0}, NULL);
  if (clean > 0)
    matrix_run(f->embed_clean, s->previous, f->mel, clean, s->clean, f->dim, NULL, NULL);
  prepare_window(s, s->history + clean + rows, clean + rows, rows);
  memcpy(s->x, noise, rows * f->mel * sizeof(float));
  for (size_t i = 0; i < s->schedule->steps; i++) run_step(s, i, clean, rows);
  keep_history(s, clean);
  memcpy(mel, s->x, rows * f->mel * sizeof(float));
  if (rows == f->chunk) {
    memcpy(s->previous, s->x, rows * f->mel * sizeof(float));
    s->has_previous = true;
  }
  s->position += rows;
}
