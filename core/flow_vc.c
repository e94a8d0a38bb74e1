// SPDX-License-Identifier: GPL-3.0-or-later
//
// The decoder's weights, and what a voice and a schedule fix. Official sizes: dim 512, depth 4,
// heads 2 of 64, feed-forward 1024, mel 80, content and speaker 256.
//
//   timbre: timbre.c in the first generation, timbre_tokens.c in the second
//   input_embed.proj [dim, mel + content + speaker]: the speaker's share is folded into a voice
//   cache_embed [dim, mel]: the clean chunk before, first generation only
//   c = t_time_embed(t) + r_time_embed(r); modulations are linear in silu(c): folded into a
//   schedule blocks: see flow_vc_state.c
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_vc_internal.h"

enum { TIME_FEATURES = 256 };

// Rows [first, first + columns) of the inputs of a stored matrix, as a matrix of their own.
static mw_status load_columns(matrix **made, const weights_view *view, const char *name,
                              size_t outputs, size_t inputs, size_t first, size_t columns,
                              const float *bias, mw_error *error)
{
  const tensor *t;
  mw_status status = weights_need(&t, view, name, 2, (size_t[]){outputs, inputs}, error);
  if (status != MW_OK) return status;
  float *values = malloc((outputs * columns + 1) * sizeof(float));
  if (values == NULL) return mw_fail_memory(error, "reading the decoder");
  for (size_t o = 0; o < outputs; o++)
    tensor_read(t, o * inputs + first, columns, values + o * columns);
  status = matrix_new(made, &(matrix_shape){outputs, columns, 1, 1, 1}, matrix_dtype_of(t), values,
                      bias, error);
  free(values);
  return status;
}

// to_q, to_k and to_v as one matrix [3 inner, dim].
static mw_status load_joined(matrix **made, const weights_view *view, size_t inner, size_t dim,
                             mw_error *error)
{
  static const char *const names[3] = {"attn.to_q", "attn.to_k", "attn.to_v"};
  float *values = malloc((3 * inner * dim + 1) * sizeof(float));
  float *bias = malloc((3 * inner + 1) * sizeof(float));
  const tensor *t = NULL;
  mw_status status =
      values != NULL && bias != NULL ? MW_OK : mw_fail_memory(error, "reading the decoder");
  for (size_t i = 0; status == MW_OK && i < 3; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s.weight", names[i]);
    status = weights_need(&t, view, name, 2, (size_t[]){inner, dim}, error);
    if (status == MW_OK) tensor_read(t, 0, t->count, values + i * inner * dim);
    snprintf(name, sizeof name, "%s.bias", names[i]);
    if (status == MW_OK) status = weights_read(view, name, 1, &inner, bias + i * inner, error);
  }
  if (status == MW_OK)
    status = matrix_new(made, &(matrix_shape){3 * inner, dim, 1, 1, 1}, matrix_dtype_of(t), values,
                        bias, error);
  free(values);
  free(bias);
  return status;
}

static mw_status load_plain(matrix **made, const weights_view *view, const char *name,
                            size_t outputs, size_t inputs, mw_error *error)
{
  return matrix_load(made, view, name, &(matrix_shape){outputs, inputs, 1, 1, 1}, true, error);
}

// What a block's rows see of other chunks: first generation 5 before; second 2 before in the first
// half of the blocks and 1 in the others, and in the first block what lies ahead (t_p and t_f of
// the published configurations).
static void set_reach(const flow_vc *f, flow_block *b, size_t index)
{
  enum { PAST_FIRST_GENERATION = 5 };
  b->past = f->tokens == NULL ? PAST_FIRST_GENERATION : index < f->depth / 2 ? 2 : 1;
  b->future = index == 0 ? f->ahead : 0;
}

static mw_status read_block(flow_vc *f, size_t index, const weights_view *view, mw_error *error)
{
  flow_block *b = &f->blocks[index];
  char prefix[64];
  set_reach(f, b, index);
  snprintf(prefix, sizeof prefix, "transformer_blocks.%zu.", index);
  weights_view inside = weights_within(view, prefix);
  mw_status status =
      load_plain(&b->modulation, &inside, "attn_norm.linear", 6 * f->dim, f->dim, error);
  if (status == MW_OK) status = load_joined(&b->qkv, &inside, f->inner, f->dim, error);
  if (status == MW_OK)
    status = load_plain(&b->out, &inside, "attn.to_out.0", f->dim, f->inner, error);
  if (status == MW_OK) status = load_plain(&b->ff_in, &inside, "ff.ff.0.0", f->ff, f->dim, error);
  if (status == MW_OK) status = load_plain(&b->ff_out, &inside, "ff.ff.2", f->dim, f->ff, error);
  b->q_gain = arena_floats(f->memory, f->head_size);
  b->k_gain = arena_floats(f->memory, f->head_size);
  if (arena_failed(f->memory)) return mw_fail_memory(error, "reading the decoder");
  if (status == MW_OK)
    status = weights_read(&inside, "attn.q_norm.weight", 1, &f->head_size, b->q_gain, error);
  if (status == MW_OK)
    status = weights_read(&inside, "attn.k_norm.weight", 1, &f->head_size, b->k_gain, error);
  return status;
}

static mw_status read_sizes(flow_vc *f, const weights_view *view, mw_error *error)
{
  const tensor *t;
  mw_status status =
      weights_need(&t, view, "proj_out.weight", 2, (size_t[]){ANY_SIZE, ANY_SIZE}, error);
  if (status != MW_OK) return status;
  f->mel = t->shape[0];
  f->dim = t->shape[1];
  status = weights_need(&t, view, "transformer_blocks.0.attn.to_q.weight", 2,
                        (size_t[]){ANY_SIZE, f->dim}, error);
  if (status != MW_OK) return status;
  f->inner = t->shape[0];
  status = weights_need(&t, view, "transformer_blocks.0.attn.q_norm.weight", 1,
                        (size_t[]){ANY_SIZE}, error);
  if (status != MW_OK) return status;
  f->head_size = t->shape[0];
  status = weights_need(&t, view, "transformer_blocks.0.ff.ff.0.0.weight", 2,
                        (size_t[]){ANY_SIZE, f->dim}, error);
  if (status != MW_OK) return status;
  f->ff = t->shape[0];
  for (; f->depth < FLOW_VC_DEPTH_LIMIT; f->depth++) {
    char name[64];
    snprintf(name, sizeof name, "transformer_blocks.%zu.attn.q_norm.weight", f->depth);
    if (weights_view_find(view, name) == NULL) break;
  }
  if (f->dim == 0 || f->mel == 0 || f->head_size == 0 || f->head_size % 2 != 0 ||
      f->inner % f->head_size != 0 || f->inner == 0 || f->chunk == 0 || f->chunk > 1024 ||
      f->ahead > f->chunk)
    return mw_fail(
        error, MW_ERROR_MODEL,
        "%s: a decoder of %zu columns in heads of %zu, %zu + %zu frames a chunk, is not possible",
        weights_path(view->file), f->inner, f->head_size, f->chunk, f->ahead);
  return MW_OK;
}

static mw_status read_ends(flow_vc *f, const weights_view *view, mw_error *error)
{
  size_t joined = f->mel + f->content + f->speaker;
  float *bias = arena_floats(f->memory, f->dim);
  if (bias == NULL) return mw_fail_memory(error, "reading the decoder");
  static const char name[] = "input_embed.proj.weight";
  mw_status status = weights_read(view, "input_embed.proj.bias", 1, &f->dim, bias, error);
  if (status == MW_OK)
    status = load_columns(&f->embed_mel, view, name, f->dim, joined, 0, f->mel, NULL, error);
  if (status == MW_OK)
    status =
        load_columns(&f->embed_timbre, view, name, f->dim, joined, f->mel, f->content, NULL, error);
  if (status == MW_OK)
    status = load_columns(&f->embed_speaker, view, name, f->dim, joined, f->mel + f->content,
                          f->speaker, bias, error);
  if (status == MW_OK && f->timbre != NULL)
    status = load_plain(&f->embed_clean, view, "cache_embed", f->dim, f->mel, error);
  for (int i = 0; status == MW_OK && i < 2; i++) {
    weights_view time = weights_within(view, i == 0 ? "t_time_embed." : "r_time_embed.");
    status = load_plain(&f->time_in[i], &time, "time_mlp.0", f->dim, TIME_FEATURES, error);
    if (status == MW_OK)
      status = load_plain(&f->time_out[i], &time, "time_mlp.2", f->dim, f->dim, error);
  }
  if (status == MW_OK)
    status = load_plain(&f->final_modulation, view, "norm_out.linear", 2 * f->dim, f->dim, error);
  if (status == MW_OK) status = load_plain(&f->out, view, "proj_out", f->mel, f->dim, error);
  return status;
}

static mw_status read_pitch(flow_vc *f, const weights_view *view, mw_error *error)
{
  if (!pitch_embedding_stored(view)) return MW_OK;
  if (f->ahead > 0)
    return mw_fail(error, MW_ERROR_MODEL, "%s: a decoder that looks ahead is told no pitch",
                   weights_path(view->file));
  return pitch_embedding_read(&f->pitch, f->memory, view, f->content, error);
}

static mw_status read_timbre(flow_vc *f, const weights_view *view, mw_error *error)
{
  enum { TIMBRE_HEADS = 4 };
  mw_status status;
  if (weights_view_find(view, "gtm.k_prior") != NULL) {
    status = timbre_tokens_load(&f->tokens, view, TIMBRE_HEADS, error);
    if (status != MW_OK) return status;
    f->content = timbre_tokens_width(f->tokens);
    f->speaker = timbre_tokens_speaker(f->tokens);
    if (f->ahead == 0)
      return mw_fail(error, MW_ERROR_MODEL, "%s: MeanVC 2 looks ahead; how far is not said",
                     weights_path(view->file));
    return MW_OK;
  }
  weights_view inside = weights_within(view, "timbre_encoder.");
  status = timbre_load(&f->timbre, &inside, TIMBRE_HEADS, error);
  if (status != MW_OK) return status;
  f->content = timbre_width(f->timbre);
  f->speaker = timbre_speaker(f->timbre);
  if (timbre_mel(f->timbre) != f->mel)
    return mw_fail(error, MW_ERROR_MODEL, "%s: decoder and timbre encoder differ in mel bins",
                   weights_path(view->file));
  if (f->ahead > 0)
    return mw_fail(error, MW_ERROR_MODEL, "%s: MeanVC's first generation looks no frames ahead",
                   weights_path(view->file));
  return MW_OK;
}

mw_status flow_vc_load(flow_vc **loaded, const weights_view *view, size_t chunk_frames,
                       size_t ahead_frames, mw_error *error)
{
  flow_vc *f = calloc(1, sizeof *f);
  if (f == NULL || (f->memory = arena_new()) == NULL) {
    flow_vc_free(f);
    return mw_fail_memory(error, "reading the decoder");
  }
  f->chunk = chunk_frames;
  f->ahead = ahead_frames;
  mw_status status = read_sizes(f, view, error);
  if (status == MW_OK) status = read_timbre(f, view, error);
  if (status == MW_OK) status = read_ends(f, view, error);
  if (status == MW_OK) status = read_pitch(f, view, error);
  if (status == MW_OK) status = global_variance_load(&f->variance, view, f->mel, error);
  for (size_t i = 0; status == MW_OK && i < f->depth; i++) status = read_block(f, i, view, error);
  if (status != MW_OK) {
    flow_vc_free(f);
    return status;
  }
  *loaded = f;
  return MW_OK;
}

void flow_vc_free(flow_vc *f)
{
  if (f == NULL) return;
  timbre_free(f->timbre);
  timbre_tokens_free(f->tokens);
  matrix_free(f->embed_mel);
  matrix_free(f->embed_timbre);
  matrix_free(f->embed_speaker);
  matrix_free(f->embed_clean);
  for (int i = 0; i < 2; i++) {
    matrix_free(f->time_in[i]);
    matrix_free(f->time_out[i]);
  }
  matrix_free(f->final_modulation);
  matrix_free(f->out);
  global_variance_free(f->variance);
  for (size_t i = 0; i < f->depth; i++) {
    flow_block *b = &f->blocks[i];
    matrix_free(b->modulation);
    matrix_free(b->qkv);
    matrix_free(b->out);
    matrix_free(b->ff_in);
    matrix_free(b->ff_out);
  }
  arena_free(f->memory);
  free(f);
}

bool flow_vc_wants_pitch(const flow_vc *f)
{
  return f->pitch.bins > 0;
}

void flow_vc_add_pitch(const flow_vc *f, pitch_value told, float *content)
{
  pitch_embedding_add(&f->pitch, told, content);
}

const global_variance *flow_vc_variance(const flow_vc *f)
{
  return f->variance;
}

bool flow_vc_second_generation(const flow_vc *f)
{
  return f->tokens != NULL;
}

size_t flow_vc_chunk_frames(const flow_vc *f)
{
  return f->chunk;
}

size_t flow_vc_ahead_frames(const flow_vc *f)
{
  return f->ahead;
}

size_t flow_vc_mel(const flow_vc *f)
{
  return f->mel;
}

size_t flow_vc_content(const flow_vc *f)
{
  return f->content;
}

size_t flow_vc_speaker(const flow_vc *f)
{
  return f->speaker;
}

// ---- a voice ----

mw_status flow_vc_voice_new(flow_vc_voice **made, const flow_vc *f, const float *speaker,
                            const float *prompt, size_t prompt_frames, mw_error *error)
{
  flow_vc_voice *v = calloc(1, sizeof *v);
  if (v != NULL) v->embedded = malloc((f->dim + 1) * sizeof(float));
  if (v == NULL || v->embedded == NULL) {
    flow_vc_voice_free(v);
    return mw_fail_memory(error, "folding a voice");
  }
  mw_status status = f->tokens != NULL ? timbre_token_set_new(&v->tokens, f->tokens, speaker, error)
                                       : timbre_prompt_new(&v->prompt, f->timbre, prompt,
                                                           prompt_frames, speaker, error);
  if (status != MW_OK) {
    flow_vc_voice_free(v);
    return status;
  }
  matrix_run(f->embed_speaker, speaker, f->speaker, 1, v->embedded, f->dim, NULL, NULL);
  v->pitch = NAN;
  *made = v;
  return MW_OK;
}

void flow_vc_voice_set_pitch(flow_vc_voice *v, float octaves)
{
  v->pitch = octaves;
}

float flow_vc_voice_pitch(const flow_vc_voice *v)
{
  return v->pitch;
}

void flow_vc_voice_free(flow_vc_voice *v)
{
  if (v == NULL) return;
  timbre_prompt_free(v->prompt);
  timbre_token_set_free(v->tokens);
  free(v->embedded);
  free(v);
}

// ---- a schedule ----

void flow_vc_published_times(const flow_vc *f, float *times, size_t steps)
{
  for (size_t i = 0; i <= steps; i++) times[i] = 1.0f - (float)i / (float)steps;
  if (steps == 2 && f->tokens == NULL) times[1] = 0.8f;
}

// emb(tau) of one of the two embedders, added to c. The products are rounded to float as the
// official code does: arguments reach 1000 radians, where that is visible.
static void add_time(const flow_vc *f, int which, float tau, float *hidden, float *c)
{
  float features[TIME_FEATURES];
  enum { HALF = TIME_FEATURES / 2 };
  float rate = (float)(log(10000.0) / (HALF - 1));
  for (int i = 0; i < HALF; i++) {
    float angle = 1000.0f * tau * expf((float)i * -rate);
    features[i] = sinf(angle);
    features[HALF + i] = cosf(angle);
  }
  matrix_run(f->time_in[which], features, TIME_FEATURES, 1, hidden, f->dim,
             &(epilogue){.act = ACTIVATION_SILU}, NULL);
  matrix_run(f->time_out[which], hidden, f->dim, 1, c, f->dim,
             &(epilogue){.residual = c, .residual_stride = f->dim}, NULL);
}

static void add_one(float *values, size_t count)
{
  for (size_t i = 0; i < count; i++) values[i] += 1.0f;
}

mw_status flow_vc_schedule_new(flow_vc_schedule **made, const flow_vc *f, const float *times,
                               size_t steps, mw_error *error)
{
  if (steps == 0 || steps > 1000)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%zu steps: wanted 1 to 1000", steps);
  flow_vc_schedule *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    flow_vc_schedule_free(s);
    return mw_fail_memory(error, "making a schedule");
  }
  s->steps = steps;
  s->row = 6 * f->dim * f->depth + 2 * f->dim;
  s->times = arena_floats(s->memory, steps + 1);
  s->modulations = arena_floats(s->memory, steps * s->row);
  float *c = arena_floats(s->memory, f->dim);
  float *hidden = arena_floats(s->memory, f->dim);
  if (arena_failed(s->memory)) {
    flow_vc_schedule_free(s);
    return mw_fail_memory(error, "making a schedule");
  }
  memcpy(s->times, times, (steps + 1) * sizeof(float));
  for (size_t i = 0; i < steps; i++) {
    float *out = s->modulations + i * s->row;
    memset(c, 0, f->dim * sizeof(float));
    add_time(f, 0, times[i], hidden, c);
    add_time(f, 1, times[i + 1], hidden, c);
    activate(ACTIVATION_SILU, c, f->dim);
    for (size_t b = 0; b < f->depth; b++, out += 6 * f->dim) {
      matrix_run(f->blocks[b].modulation, c, f->dim, 1, out, 6 * f->dim, NULL, NULL);
      add_one(out + f->dim, f->dim);     // scale of the attention's norm
      add_one(out + 4 * f->dim, f->dim); // scale of the feed-forward's norm
    }
    matrix_run(f->final_modulation, c, f->dim, 1, out, 2 * f->dim, NULL, NULL);
    add_one(out, f->dim); // the last norm holds its scale first
  }
  *made = s;
  return MW_OK;
}

void flow_vc_schedule_free(flow_vc_schedule *s)
{
  if (s == NULL) return;
  arena_free(s->memory);
  free(s);
}
