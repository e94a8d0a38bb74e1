// SPDX-License-Identifier: GPL-3.0-or-later
//
// One stream of the decoder. For a chunk of n frames:
//
//   tokens   first generation: [cache_embed(clean chunk before) ; input_embed(noisy x, timbre,
//            speaker)], 2n rows, n for the first;  second: [input_embed(noisy x, ...)] of the chunk
//            and of the frames ahead
//   block:   y = LN(h)(1 + g1) + s1;  h += a1 * out(attention(y));
//            y = LN(h)(1 + g2) + s2;  h += a2 * ff_out(gelu_tanh(ff_in(y)))  LN eps 1e-6, no gain
//   u = proj_out(LN(h)(1 + scale) + shift) of the noisy rows;  x <- x - (t - r) u
//
// Attention: q and k are RMS-normalised per head; keys and values of past chunks stay as history,
// keys before rotation. Only differences of positions matter, so they count from the start of the
// window and their angles are a table. Counted in chunks from there, a query sees its own chunk,
// `past` before it and the first `future` frames of the next. The last step of a chunk writes the
// history: the rows that nothing noisy will change, which are the clean chunk in the first
// generation and the chunk itself in the second.
//
// Rows are dropped as soon as nothing needs them: of the last block all but keys and values of the
// clean rows; in the last step the frames ahead behind the last block that looks at them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flow_vc_internal.h"

#define EPSILON 1e-6f

typedef struct {
  size_t most;    // rows of history kept
  size_t history; // rows in use
  float *keys;    // [window, inner], before rotation
  float *values;  // [window, inner]
  float *mask;    // [2 chunk, window] for `masked_tokens` behind `masked_history`
  size_t masked_history;
  size_t masked_tokens;
} block_state;

// Rows of the chunk at hand: `clean` of the chunk before, `rows` noisy ones, `ahead` noisy ones
// that are only looked at.
typedef struct {
  size_t clean;
  size_t rows;
  size_t ahead;
  size_t all;
} token_rows;

struct flow_vc_state {
  const flow_vc *f;
  const flow_vc_schedule *schedule;
  arena *memory;
  size_t window;    // longest: past chunks and two more
  size_t last_look; // blocks behind this one see nothing ahead
  bool has_previous;
  float *previous; // [chunk, mel]
  block_state blocks[FLOW_VC_DEPTH_LIMIT];
  float *rotated; // [window, inner]
  float *cosine;  // [window, head_size / 2]
  float *sine;
  float *timbre; // [2 chunk, content]
  float *timbre_scratch;
  float *condition; // [2 chunk, dim]: timbre's and speaker's share of the input
  float *clean;     // [chunk, dim]
  float *x;         // [2 chunk, mel]
  float *h;         // [2 chunk, dim]
  float *y;         // [2 chunk, dim]
  float *qkv;       // [2 chunk, 3 inner]
  float *attended;  // [2 chunk, inner]
  float *inner;     // [2 chunk, max(ff, mel)]
  float *attention_scratch;
};

// Sines and cosines of all positions a window can have.
static void fill_angles(flow_vc_state *s)
{
  const flow_vc *f = s->f;
  size_t half = f->head_size / 2;
  for (size_t w = 0; w < s->window; w++) {
    for (size_t i = 0; i < half; i++) {
      float frequency = 1.0f / powf(10000.0f, (float)(2 * i) / (float)f->head_size);
      float angle = (float)w * frequency;
      s->cosine[w * half + i] = cosf(angle);
      s->sine[w * half + i] = sinf(angle);
    }
  }
}

static void take_blocks(flow_vc_state *s)
{
  const flow_vc *f = s->f;
  size_t longest = 0;
  for (size_t i = 0; i < f->depth; i++) {
    s->blocks[i].most = f->blocks[i].past * f->chunk;
    if (s->blocks[i].most > longest) longest = s->blocks[i].most;
    if (f->blocks[i].future > 0) s->last_look = i;
  }
  s->window = longest + 2 * f->chunk;
  for (size_t i = 0; i < f->depth; i++) {
    s->blocks[i].keys = arena_floats(s->memory, s->window * f->inner);
    s->blocks[i].values = arena_floats(s->memory, s->window * f->inner);
    s->blocks[i].mask = arena_floats(s->memory, 2 * f->chunk * s->window);
  }
}

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
  take_blocks(s);
  s->previous = arena_floats(m, f->chunk * f->mel);
  s->rotated = arena_floats(m, s->window * f->inner);
  s->cosine = arena_floats(m, s->window * half);
  s->sine = arena_floats(m, s->window * half);
  s->timbre = arena_floats(m, rows * f->content);
  s->timbre_scratch =
      arena_floats(m, f->tokens != NULL ? timbre_tokens_scratch(f->tokens, rows)
                                        : timbre_scratch(f->timbre, rows, longest_prompt_frames));
  s->condition = arena_floats(m, rows * f->dim);
  s->clean = arena_floats(m, f->chunk * f->dim);
  s->x = arena_floats(m, rows * f->mel);
  s->h = arena_floats(m, rows * f->dim);
  s->y = arena_floats(m, rows * f->dim);
  s->qkv = arena_floats(m, rows * 3 * f->inner);
  s->attended = arena_floats(m, rows * f->inner);
  s->inner = arena_floats(m, rows * (f->ff > f->mel ? f->ff : f->mel));
  s->attention_scratch = arena_floats(m, attention_scratch(rows, s->window, f->head_size));
  if (arena_failed(m)) {
    flow_vc_state_free(s);
    return mw_fail_memory(error, "making a decoder state");
  }
  fill_angles(s);
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
  for (size_t i = 0; i < s->f->depth; i++) s->blocks[i].history = 0;
  s->has_previous = false;
}

void flow_vc_set_previous(flow_vc_state *s, const float *mel)
{
  flow_vc_reset(s);
  memcpy(s->previous, mel, s->f->chunk * s->f->mel * sizeof(float));
  s->has_previous = true;
}

// What each of `tokens` rows behind the history sees. The same from one chunk to the next once the
// history is full.
static void prepare_mask(flow_vc_state *s, size_t block, size_t tokens)
{
  const flow_vc *f = s->f;
  const flow_block *b = &f->blocks[block];
  block_state *state = &s->blocks[block];
  if (state->masked_history == state->history && state->masked_tokens >= tokens) return;
  for (size_t q = 0; q < tokens; q++) {
    size_t asking = (state->history + q) / f->chunk;
    for (size_t w = 0; w < state->history + tokens; w++) {
      size_t asked = w / f->chunk;
      bool seen = asked <= asking ? asking - asked <= b->past
                                  : asked == asking + 1 && w % f->chunk < b->future;
      state->mask[q * s->window + w] = seen ? 0.0f : -INFINITY;
    }
  }
  state->masked_history = state->history;
  state->masked_tokens = tokens;
}

// Keys and values of the tokens go behind the history; the queries [from, to) are rotated and
// asked.
static void attend(flow_vc_state *s, size_t block, size_t tokens, size_t from, size_t to)
{
  const flow_vc *f = s->f;
  const flow_block *b = &f->blocks[block];
  block_state *state = &s->blocks[block];
  size_t half = f->head_size / 2;
  size_t heads = f->inner / f->head_size;
  size_t length = state->history + tokens;
  for (size_t i = 0; i < tokens; i++) {
    float *row = s->qkv + i * 3 * f->inner;
    size_t at = (state->history + i) * f->inner;
    rms_norm(row, f->head_size, heads, f->head_size, b->q_gain, EPSILON, row, f->head_size);
    rms_norm(row + f->inner, f->head_size, heads, f->head_size, b->k_gain, EPSILON,
             state->keys + at, f->head_size);
    memcpy(state->values + at, row + 2 * f->inner, f->inner * sizeof(float));
  }
  memcpy(s->rotated, state->keys, length * f->inner * sizeof(float));
  rope_rotate(s->rotated, f->inner, length, heads, f->head_size, s->cosine, s->sine);
  size_t first = state->history + from;
  float *queries = s->qkv + from * 3 * f->inner;
  rope_rotate(queries, 3 * f->inner, to - from, heads, f->head_size, s->cosine + first * half,
              s->sine + first * half);
  prepare_mask(s, block, tokens);
  attention_run(&(attention){.heads = heads,
                             .head_size = f->head_size,
                             .queries = to - from,
                             .keys = length,
                             .q = queries,
                             .q_stride = 3 * f->inner,
                             .k = s->rotated,
                             .k_stride = f->inner,
                             .v = state->values,
                             .v_stride = f->inner,
                             .scale = 1.0f / sqrtf((float)f->head_size),
                             .bias = state->mask + from * s->window,
                             .bias_query_stride = s->window,
                             .out = s->attended,
                             .out_stride = f->inner,
                             .scratch = s->attention_scratch},
                NULL);
}

// All `tokens` rows give keys and values; h of [from, to) goes on.
static void run_block(flow_vc_state *s, size_t block, const float *modulation, size_t tokens,
                      size_t from, size_t to)
{
  const flow_vc *f = s->f;
  const flow_block *b = &f->blocks[block];
  size_t dim = f->dim;
  size_t kept = to - from;
  float *h = s->h + from * dim;
  layer_norm(s->h, dim, tokens, dim, modulation + dim, modulation, EPSILON, s->y, dim);
  matrix_run(b->qkv, s->y, dim, tokens, s->qkv, 3 * f->inner, NULL, NULL);
  attend(s, block, tokens, from, to);
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
static void run_step(flow_vc_state *s, size_t step, const token_rows *t)
{
  const flow_vc *f = s->f;
  size_t dim = f->dim;
  size_t noisy = t->rows + t->ahead;
  size_t tokens = t->all;
  bool last_step = step + 1 == s->schedule->steps;
  const float *modulation = s->schedule->modulations + step * s->schedule->row;
  float *h = s->h + t->clean * dim;
  memcpy(s->h, s->clean, t->clean * dim * sizeof(float));
  matrix_run(f->embed_mel, s->x, f->mel, noisy, h, dim,
             &(epilogue){.residual = s->condition, .residual_stride = dim}, NULL);
  for (size_t b = 0; b < f->depth; b++, modulation += 6 * dim) {
    size_t to = last_step && b >= s->last_look ? t->clean + t->rows : tokens;
    run_block(s, b, modulation, tokens, b + 1 == f->depth ? t->clean : 0, to);
    tokens = to;
  }
  noisy = tokens - t->clean;
  layer_norm(h, dim, noisy, dim, modulation, modulation + dim, EPSILON, s->y, dim);
  matrix_run(f->out, s->y, dim, noisy, s->inner, f->mel, NULL, NULL);
  float length = s->schedule->times[step] - s->schedule->times[step + 1];
  for (size_t i = 0; i < noisy * f->mel; i++) s->x[i] -= length * s->inner[i];
}

// The first `added` tokens join the history, at most what is ever seen of it.
static void keep_history(flow_vc_state *s, size_t added)
{
  size_t inner = s->f->inner;
  for (size_t i = 0; i < s->f->depth; i++) {
    block_state *b = &s->blocks[i];
    size_t length = b->history + added;
    size_t dropped = length > b->most ? length - b->most : 0;
    if (dropped > 0) {
      memmove(b->keys, b->keys + dropped * inner, b->most * inner * sizeof(float));
      memmove(b->values, b->values + dropped * inner, b->most * inner * sizeof(float));
    }
    b->history = length - dropped;
  }
}

static void run_timbre(flow_vc_state *s, const flow_vc_voice *v, const float *content, size_t rows)
{
  const flow_vc *f = s->f;
  if (f->tokens != NULL)
    timbre_tokens_run(f->tokens, v->tokens, content, rows, s->timbre, s->timbre_scratch);
  else
    timbre_run(f->timbre, v->prompt, content, rows, s->timbre, s->timbre_scratch);
  matrix_run(f->embed_timbre, s->timbre, f->content, rows, s->condition, f->dim,
             &(epilogue){.residual = v->embedded, .residual_stride = 0}, NULL);
}

void flow_vc_chunk(flow_vc_state *s, const flow_vc_voice *v, const float *content,
                   const float *noise, size_t rows, size_t ahead, float *mel)
{
  const flow_vc *f = s->f;
  size_t clean = s->has_previous ? f->chunk : 0;
  const token_rows t = {clean, rows, ahead, clean + rows + ahead};
  run_timbre(s, v, content, rows + ahead);
  if (clean > 0)
    matrix_run(f->embed_clean, s->previous, f->mel, clean, s->clean, f->dim, NULL, NULL);
  memcpy(s->x, noise, (rows + ahead) * f->mel * sizeof(float));
  for (size_t i = 0; i < s->schedule->steps; i++) run_step(s, i, &t);
  keep_history(s, f->tokens != NULL ? rows : clean);
  memcpy(mel, s->x, rows * f->mel * sizeof(float));
  if (f->tokens == NULL && rows == f->chunk) {
    memcpy(s->previous, s->x, rows * f->mel * sizeof(float));
    s->has_previous = true;
  }
}

flow_vc_memory flow_vc_remembered(const flow_vc_state *s, size_t block)
{
  const block_state *b = &s->blocks[block];
  return (flow_vc_memory){.count = b->history, .keys = b->keys, .values = b->values};
}
