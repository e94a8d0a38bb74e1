// SPDX-License-Identifier: GPL-3.0-or-later
//
// UTTE of MeanVC 2 (official modules `gtm` and `temporal_timbre`). Official sizes: 32 tokens of
// width 256; 4 heads of 32.
//
//   K = norm_k(mlp_k(speaker) as [tokens, width] + tanh(k_prior)), V likewise
//                                              mlp = linear, SiLU, linear
//   out = attn_norm(out_proj(attention(q_proj content, k_proj K, v_proj V)))
//                                              no residual; LayerNorm eps 1e-5
#include "timbre_tokens.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define EPSILON 1e-5f

typedef struct {
  matrix *mlp_in;  // [hidden, speaker]
  matrix *mlp_out; // [tokens * width, hidden]
  float *prior;    // [tokens, width], after tanh
  float *gain;     // [width]
  float *bias;
} token_source;

struct timbre_tokens {
  arena *memory;
  size_t count;
  size_t width;
  size_t speaker;
  size_t hidden;
  size_t inner; // heads * head size
  size_t heads;
  token_source source[2]; // of keys, of values
  matrix *query;          // [inner, width]
  matrix *key;
  matrix *value;
  matrix *out; // [width, inner]
  float *gain; // [width]
  float *bias;
};

struct timbre_token_set {
  arena *memory;
  float *keys;   // [tokens, inner]
  float *values; // [tokens, inner]
};

static mw_status read_vector(timbre_tokens *t, float **made, const weights_view *view,
                             const char *name, mw_error *error)
{
  *made = arena_floats(t->memory, t->width);
  if (*made == NULL) return mw_fail_memory(error, "reading the timbre tokens");
  return weights_read(view, name, 1, &t->width, *made, error);
}

static mw_status read_source(timbre_tokens *t, token_source *s, const weights_view *view,
                             bool of_keys, mw_error *error)
{
  const matrix_shape in = {t->hidden, t->speaker, 1, 1, 1};
  const matrix_shape out = {t->count * t->width, t->hidden, 1, 1, 1};
  mw_status status =
      matrix_load(&s->mlp_in, view, of_keys ? "mlp_k.0" : "mlp_v.0", &in, true, error);
  if (status == MW_OK)
    status = matrix_load(&s->mlp_out, view, of_keys ? "mlp_k.2" : "mlp_v.2", &out, true, error);
  if (status == MW_OK)
    status = read_vector(t, &s->gain, view, of_keys ? "norm_k.weight" : "norm_v.weight", error);
  if (status == MW_OK)
    status = read_vector(t, &s->bias, view, of_keys ? "norm_k.bias" : "norm_v.bias", error);
  s->prior = arena_floats(t->memory, t->count * t->width);
  if (s->prior == NULL) return mw_fail_memory(error, "reading the timbre tokens");
  if (status == MW_OK)
    status = weights_read(view, of_keys ? "k_prior" : "v_prior", 2, (size_t[]){t->count, t->width},
                          s->prior, error);
  if (status == MW_OK) activate(ACTIVATION_TANH, s->prior, t->count * t->width);
  return status;
}

static mw_status read_attention(timbre_tokens *t, const weights_view *view, mw_error *error)
{
  const matrix_shape in = {t->inner, t->width, 1, 1, 1};
  const matrix_shape out = {t->width, t->inner, 1, 1, 1};
  mw_status status = matrix_load(&t->query, view, "q_proj", &in, true, error);
  if (status == MW_OK) status = matrix_load(&t->key, view, "k_proj", &in, true, error);
  if (status == MW_OK) status = matrix_load(&t->value, view, "v_proj", &in, true, error);
  if (status == MW_OK) status = matrix_load(&t->out, view, "out_proj", &out, true, error);
  if (status == MW_OK) status = read_vector(t, &t->gain, view, "attn_norm.weight", error);
  if (status == MW_OK) status = read_vector(t, &t->bias, view, "attn_norm.bias", error);
  return status;
}

static mw_status read_sizes(timbre_tokens *t, const weights_view *view, mw_error *error)
{
  const tensor *found;
  const size_t any[2] = {ANY_SIZE, ANY_SIZE};
  mw_status status = weights_need(&found, view, "gtm.k_prior", 2, any, error);
  if (status != MW_OK) return status;
  t->count = found->shape[0];
  t->width = found->shape[1];
  status = weights_need(&found, view, "gtm.mlp_k.0.weight", 2, any, error);
  if (status != MW_OK) return status;
  t->hidden = found->shape[0];
  t->speaker = found->shape[1];
  status = weights_need(&found, view, "temporal_timbre.q_proj.weight", 2,
                        (size_t[]){ANY_SIZE, t->width}, error);
  if (status != MW_OK) return status;
  t->inner = found->shape[0];
  if (t->count == 0 || t->width == 0 || t->heads == 0 || t->inner == 0 || t->inner % t->heads != 0)
    return mw_fail(error, MW_ERROR_MODEL,
                   "%s: timbre attention of %zu columns does not split into %zu heads",
                   weights_path(view->file), t->inner, t->heads);
  return MW_OK;
}

mw_status timbre_tokens_load(timbre_tokens **loaded, const weights_view *view, size_t heads,
                             mw_error *error)
{
  timbre_tokens *t = calloc(1, sizeof *t);
  if (t == NULL || (t->memory = arena_new()) == NULL) {
    timbre_tokens_free(t);
    return mw_fail_memory(error, "reading the timbre tokens");
  }
  t->heads = heads;
  weights_view makes = weights_within(view, "gtm.");
  weights_view attends = weights_within(view, "temporal_timbre.");
  mw_status status = read_sizes(t, view, error);
  if (status == MW_OK) status = read_source(t, &t->source[0], &makes, true, error);
  if (status == MW_OK) status = read_source(t, &t->source[1], &makes, false, error);
  if (status == MW_OK) status = read_attention(t, &attends, error);
  if (status != MW_OK) {
    timbre_tokens_free(t);
    return status;
  }
  *loaded = t;
  return MW_OK;
}

void timbre_tokens_free(timbre_tokens *t)
{
  if (t == NULL) return;
  for (int i = 0; i < 2; i++) {
    matrix_free(t->source[i].mlp_in);
    matrix_free(t->source[i].mlp_out);
  }
  matrix_free(t->query);
  matrix_free(t->key);
  matrix_free(t->value);
  matrix_free(t->out);
  arena_free(t->memory);
  free(t);
}

size_t timbre_tokens_count(const timbre_tokens *t)
{
  return t->count;
}

size_t timbre_tokens_width(const timbre_tokens *t)
{
  return t->width;
}

size_t timbre_tokens_speaker(const timbre_tokens *t)
{
  return t->speaker;
}

mw_status timbre_tokens_expand(const timbre_tokens *t, const float *speaker, float *keys,
                               float *values, mw_error *error)
{
  float *hidden = malloc((t->hidden + 1) * sizeof(float));
  if (hidden == NULL) return mw_fail_memory(error, "folding a voice");
  for (int i = 0; i < 2; i++) {
    const token_source *s = &t->source[i];
    float *tokens = i == 0 ? keys : values;
    size_t all = t->count * t->width;
    matrix_run(s->mlp_in, speaker, t->speaker, 1, hidden, t->hidden,
               &(epilogue){.act = ACTIVATION_SILU}, NULL);
    matrix_run(s->mlp_out, hidden, t->hidden, 1, tokens, all,
               &(epilogue){.residual = s->prior, .residual_stride = all}, NULL);
    layer_norm(tokens, t->width, t->count, t->width, s->gain, s->bias, EPSILON, tokens, t->width);
  }
  free(hidden);
  return MW_OK;
}

mw_status timbre_token_set_new(timbre_token_set **made, const timbre_tokens *t,
                               const float *speaker, mw_error *error)
{
  timbre_token_set *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    timbre_token_set_free(s);
    return mw_fail_memory(error, "folding a voice");
  }
  s->keys = arena_floats(s->memory, t->count * t->inner);
  s->values = arena_floats(s->memory, t->count * t->inner);
  float *keys = malloc((t->count * t->width + 1) * sizeof(float));
  float *values = malloc((t->count * t->width + 1) * sizeof(float));
  mw_status status = arena_failed(s->memory) || keys == NULL || values == NULL
                         ? mw_fail_memory(error, "folding a voice")
                         : timbre_tokens_expand(t, speaker, keys, values, error);
  if (status == MW_OK) {
    matrix_run(t->key, keys, t->width, t->count, s->keys, t->inner, NULL, NULL);
    matrix_run(t->value, values, t->width, t->count, s->values, t->inner, NULL, NULL);
    *made = s;
  } else {
    timbre_token_set_free(s);
  }
  free(keys);
  free(values);
  return status;
}

void timbre_token_set_free(timbre_token_set *s)
{
  if (s == NULL) return;
  arena_free(s->memory);
  free(s);
}

size_t timbre_tokens_scratch(const timbre_tokens *t, size_t rows)
{
  return 2 * rows * t->inner + attention_scratch(rows, t->count, t->inner / t->heads);
}

void timbre_tokens_run(const timbre_tokens *t, const timbre_token_set *s, const float *content,
                       size_t rows, float *out, float *scratch)
{
  float *query = scratch;
  float *attended = query + rows * t->inner;
  matrix_run(t->query, content, t->width, rows, query, t->inner, NULL, NULL);
  attention_run(&(attention){.heads = t->heads,
                             .head_size = t->inner / t->heads,
                             .queries = rows,
                             .keys = t->count,
                             .q = query,
                             .q_stride = t->inner,
                             .k = s->keys,
                             .k_stride = t->inner,
                             .v = s->values,
                             .v_stride = t->inner,
                             .scale = 1.0f / sqrtf((float)(t->inner / t->heads)),
                             .out = attended,
                             .out_stride = t->inner,
                             .scratch = attended + rows * t->inner},
                NULL);
  matrix_run(t->out, attended, t->inner, rows, out, t->width, NULL, NULL);
  layer_norm(out, t->width, rows, t->width, t->gain, t->bias, EPSILON, out, t->width);
}
