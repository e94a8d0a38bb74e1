// SPDX-License-Identifier: GPL-3.0-or-later
//
// MRTE of MeanVC (official module `timbre_encoder`). Official sizes: width 256, 4 heads, 2 layers.
//
//   G = vp_proj speaker;  keys in [prompt mel ; G], values in prompt mel, the same for all layers
//   a = linear_out(attention(linear_q x, linear_k keys, linear_v values), scale 1 / sqrt(head))
//   x = norm1(x + a);  x = norm2(x + w_2 relu(w_1 x))      LayerNorm eps 1e-5
#include "timbre.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum { LAYER_LIMIT = 16 };
#define EPSILON 1e-5f

typedef struct {
  matrix *query;  // [width, width]
  matrix *key;    // [width, mel + projected]
  matrix *value;  // [width, mel]
  matrix *out;    // [width, width]
  matrix *ffn_in; // [inner, width]
  matrix *ffn_out;
  float *norm[4]; // norm1 gain, bias, norm2 gain, bias: [width]
} layer;

struct timbre {
  arena *memory;
  size_t width;
  size_t mel;
  size_t speaker;
  size_t projected;
  size_t inner;
  size_t heads;
  size_t layers;
  matrix *project; // [projected, speaker]
  layer layer[LAYER_LIMIT];
};

struct timbre_prompt {
  arena *memory;
  size_t frames;
  float *key[LAYER_LIMIT];   // [frames, width]
  float *value[LAYER_LIMIT]; // [frames, width]
};

static mw_status read_layer(timbre *t, size_t index, const weights_view *view, mw_error *error)
{
  static const char *const norms[4] = {"norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"};
  layer *l = &t->layer[index];
  char prefix[64];
  snprintf(prefix, sizeof prefix, "prompt_vp_encoders.%zu.", index);
  weights_view inside = weights_within(view, prefix);
  const struct {
    matrix **made;
    const char *name;
    size_t outputs;
    size_t inputs;
  } matrices[] = {
      {&l->query, "self_attn.linear_q", t->width, t->width},
      {&l->key, "self_attn.linear_k", t->width, t->mel + t->projected},
      {&l->value, "self_attn.linear_v", t->width, t->mel},
      {&l->out, "self_attn.linear_out", t->width, t->width},
      {&l->ffn_in, "ffn.w_1", t->inner, t->width},
      {&l->ffn_out, "ffn.w_2", t->width, t->inner},
  };
  for (size_t i = 0; i < sizeof matrices / sizeof matrices[0]; i++) {
    matrix_shape shape = {matrices[i].outputs, matrices[i].inputs, 1, 1, 1};
    mw_status status =
        matrix_load(matrices[i].made, &inside, matrices[i].name, &shape, true, error);
    if (status != MW_OK) return status;
  }
  for (int i = 0; i < 4; i++) {
    l->norm[i] = arena_floats(t->memory, t->width);
    if (l->norm[i] == NULL) return mw_fail_memory(error, "reading the timbre encoder");
    mw_status status = weights_read(&inside, norms[i], 1, &t->width, l->norm[i], error);
    if (status != MW_OK) return status;
  }
  return MW_OK;
}

static mw_status read_sizes(timbre *t, const weights_view *view, mw_error *error)
{
  const tensor *found;
  mw_status status =
      weights_need(&found, view, "vp_proj.weight", 2, (size_t[]){ANY_SIZE, ANY_SIZE}, error);
  if (status != MW_OK) return status;
  t->projected = found->shape[0];
  t->speaker = found->shape[1];
  status = weights_need(&found, view, "prompt_vp_encoders.0.self_attn.linear_v.weight", 2,
                        (size_t[]){ANY_SIZE, ANY_SIZE}, error);
  if (status != MW_OK) return status;
  t->width = found->shape[0];
  t->mel = found->shape[1];
  status = weights_need(&found, view, "prompt_vp_encoders.0.ffn.w_1.weight", 2,
                        (size_t[]){ANY_SIZE, t->width}, error);
  if (status != MW_OK) return status;
  t->inner = found->shape[0];
  for (; t->layers < LAYER_LIMIT; t->layers++) {
    char name[64];
    snprintf(name, sizeof name, "prompt_vp_encoders.%zu.norm1.bias", t->layers);
    if (weights_view_find(view, name) == NULL) break;
  }
  if (t->heads == 0 || t->width == 0 || t->width % t->heads != 0)
    return mw_fail(error, MW_ERROR_MODEL,
                   "%s: a timbre encoder of width %zu does not split into %zu heads",
                   weights_path(view->file), t->width, t->heads);
  return MW_OK;
}

mw_status timbre_load(timbre **loaded, const weights_view *view, size_t heads, mw_error *error)
{
  timbre *t = calloc(1, sizeof *t);
  if (t == NULL || (t->memory = arena_new()) == NULL) {
    timbre_free(t);
    return mw_fail_memory(error, "reading the timbre encoder");
  }
  t->heads = heads;
  mw_status status = read_sizes(t, view, error);
  if (status == MW_OK)
    status = matrix_load(&t->project, view, "vp_proj",
                         &(matrix_shape){t->projected, t->speaker, 1, 1, 1}, false, error);
  for (size_t i = 0; status == MW_OK && i < t->layers; i++) status = read_layer(t, i, view, error);
  if (status != MW_OK) {
    timbre_free(t);
    return status;
  }
  *loaded = t;
  return MW_OK;
}

void timbre_free(timbre *t)
{
  if (t == NULL) return;
  matrix_free(t->project);
  for (size_t i = 0; i < t->layers; i++) {
    matrix_free(t->layer[i].query);
    matrix_free(t->layer[i].key);
    matrix_free(t->layer[i].value);
    matrix_free(t->layer[i].out);
    matrix_free(t->layer[i].ffn_in);
    matrix_free(t->layer[i].ffn_out);
  }
  arena_free(t->memory);
  free(t);
}

size_t timbre_width(const timbre *t)
{
  return t->width;
}

size_t timbre_mel(const timbre *t)
{
  return t->mel;
}

size_t timbre_speaker(const timbre *t)
{
  return t->speaker;
}

mw_status timbre_prompt_new(timbre_prompt **made, const timbre *t, const float *mel, size_t frames,
                            const float *speaker, mw_error *error)
{
  if (frames == 0)
    return mw_fail(error, MW_ERROR_ARGUMENT, "a voice needs a reference of some length");
  timbre_prompt *p = calloc(1, sizeof *p);
  if (p == NULL || (p->memory = arena_new()) == NULL) {
    timbre_prompt_free(p);
    return mw_fail_memory(error, "folding a voice");
  }
  size_t joined = t->mel + t->projected;
  p->frames = frames;
  float *rows = arena_floats(p->memory, frames * joined);
  float *projected = arena_floats(p->memory, t->projected);
  for (size_t i = 0; i < t->layers; i++) {
    p->key[i] = arena_floats(p->memory, frames * t->width);
    p->value[i] = arena_floats(p->memory, frames * t->width);
  }
  if (arena_failed(p->memory)) {
    timbre_prompt_free(p);
    return mw_fail_memory(error, "folding a voice");
  }
  matrix_run(t->project, speaker, t->speaker, 1, projected, t->projected, NULL, NULL);
  for (size_t f = 0; f < frames; f++) {
    memcpy(rows + f * joined, mel + f * t->mel, t->mel * sizeof(float));
    memcpy(rows + f * joined + t->mel, projected, t->projected * sizeof(float));
  }
  for (size_t i = 0; i < t->layers; i++) {
    matrix_run(t->layer[i].key, rows, joined, frames, p->key[i], t->width, NULL, NULL);
    matrix_run(t->layer[i].value, mel, t->mel, frames, p->value[i], t->width, NULL, NULL);
  }
  *made = p;
  return MW_OK;
}

void timbre_prompt_free(timbre_prompt *p)
{
  if (p == NULL) return;
  arena_free(p->memory);
  free(p);
}

size_t timbre_scratch(const timbre *t, size_t rows, size_t frames)
{
  return rows * (2 * t->width + t->inner) + attention_scratch(rows, frames, t->width / t->heads);
}

void timbre_run(const timbre *t, const timbre_prompt *p, const float *content, size_t rows,
                float *out, float *scratch)
{
  size_t width = t->width;
  float *query = scratch;
  float *attended = query + rows * width;
  float *inner = attended + rows * width;
  float *attention_memory = inner + rows * t->inner;
  memcpy(out, content, rows * width * sizeof(float));
  for (size_t i = 0; i < t->layers; i++) {
    const layer *l = &t->layer[i];
    epilogue add = {.residual = out, .residual_stride = width};
    matrix_run(l->query, out, width, rows, query, width, NULL, NULL);
    attention_run(&(attention){.heads = t->heads,
                               .head_size = width / t->heads,
                               .queries = rows,
                               .keys = p->frames,
                               .q = query,
                               .q_stride = width,
                               .k = p->key[i],
                               .k_stride = width,
                               .v = p->value[i],
                               .v_stride = width,
                               .scale = 1.0f / sqrtf((float)(width / t->heads)),
                               .out = attended,
                               .out_stride = width,
                               .scratch = attention_memory},
                  NULL);
    matrix_run(l->out, attended, width, rows, out, width, &add, NULL);
    layer_norm(out, width, rows, width, l->norm[0], l->norm[1], EPSILON, out, width);
    matrix_run(l->ffn_in, out, width, rows, inner, t->inner, &(epilogue){.act = ACTIVATION_RELU},
               NULL);
    matrix_run(l->ffn_out, inner, t->inner, rows, out, width, &add, NULL);
    layer_norm(out, width, rows, width, l->norm[2], l->norm[3], EPSILON, out, width);
  }
}
