// SPDX-License-Identifier: GPL-3.0-or-later
//
//   x = LN(word[ids] + type[0] + position[2 + place])       [used, D]
//   each layer:  x = LN(x + softmax(q k^T / sqrt(head size)) v Wo)
//                x = LN(x + gelu(x Wi) Wd)
//   vector = unit length of (relu(tanh(x[0] Wp) W0) W2)
#include "clap_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader.h"

static const float norm_epsilon = 1e-5f;
enum { FIRST_POSITION = 2, PUBLISHED_HEAD_SIZE = 64 };

typedef struct {
  float *gain; // [D]
  float *bias; // [D]
} norm;

typedef struct {
  matrix *q; // [D, D]
  matrix *k;
  matrix *v;
  matrix *out;
  norm after_attention;
  matrix *up;   // [M, D]
  matrix *down; // [D, M]
  norm after_unit;
} layer;

struct clap_text {
  parts parts;
  size_t width; // D
  size_t heads;
  size_t inner; // M
  size_t joint; // of the vector
  size_t layer_count;
  const tensor *words;     // [vocabulary, D]
  const tensor *positions; // [positions, D]
  float *type;             // [D]
  norm embedding_norm;
  layer *layers;
  matrix *pooler;     // [D, D]
  matrix *projection; // [joint, D]
  matrix *last;       // [joint, joint]
  clap_text_probe *probe;
  void *probe_context;
};

// ---- Load ----

static norm load_norm(const loader *l, const char *name, size_t width)
{
  loader part = loader_within(l, "%s.LayerNorm.", name);
  return (norm){loader_vector(&part, "weight", width), loader_vector(&part, "bias", width)};
}

static layer load_layer(const loader *l, size_t d, size_t inner)
{
  return (layer){
      .q = loader_matrix(l, "attention.self.query", d, d, true),
      .k = loader_matrix(l, "attention.self.key", d, d, true),
      .v = loader_matrix(l, "attention.self.value", d, d, true),
      .out = loader_matrix(l, "attention.output.dense", d, d, true),
      .after_attention = load_norm(l, "attention.output", d),
      .up = loader_matrix(l, "intermediate.dense", inner, d, true),
      .down = loader_matrix(l, "output.dense", d, inner, true),
      .after_unit = load_norm(l, "output", d),
  };
}

static size_t count_layers(const loader *l)
{
  char name[64];
  size_t count = 0;
  for (; count < 1024; count++) {
    snprintf(name, sizeof name, "%zu.attention.self.query.weight", count);
    if (loader_find(l, name) == NULL) break;
  }
  return count;
}

static void load_all(clap_text *c, const loader *l, size_t heads)
{
  loader text = loader_within(l, "text_branch.");
  loader embeddings = loader_within(&text, "embeddings.");
  loader layers = loader_within(&text, "encoder.layer.");
  c->width = loader_size(&embeddings, "word_embeddings.weight", 1);
  c->words = loader_find(&embeddings, "word_embeddings.weight");
  c->positions = loader_find(&embeddings, "position_embeddings.weight");
  c->inner = loader_size(&layers, "0.intermediate.dense.weight", 0);
  c->joint = loader_size(l, "text_projection.0.weight", 0);
  size_t position_width = loader_size(&embeddings, "position_embeddings.weight", 1);
  if (c->parts.status != MW_OK) return;
  c->heads = heads != 0 ? heads : c->width / PUBLISHED_HEAD_SIZE;
  if (c->heads == 0) c->heads = 1;
  if (c->width % c->heads != 0 || position_width != c->width || c->words->rank != 2 ||
      c->positions->rank != 2 || c->positions->shape[0] <= FIRST_POSITION) {
    loader_fail(&text, "its sizes do not fit each other");
    return;
  }
  c->type = loader_vector(&embeddings, "token_type_embeddings.weight", c->width);
  c->embedding_norm = load_norm(&text, "embeddings", c->width);
  c->layer_count = count_layers(&layers);
  c->layers = arena_take(c->parts.memory, c->layer_count, sizeof *c->layers);
  for (size_t i = 0; c->layers != NULL && i < c->layer_count; i++) {
    loader one = loader_within(&layers, "%zu.", i);
    c->layers[i] = load_layer(&one, c->width, c->inner);
  }
  c->pooler = loader_matrix(&text, "pooler.dense", c->width, c->width, true);
  c->projection = loader_matrix(l, "text_projection.0", c->joint, c->width, true);
  c->last = loader_matrix(l, "text_projection.2", c->joint, c->joint, true);
}

mw_status clap_text_load(clap_text **loaded, const weights *file, size_t heads, mw_error *error)
{
  clap_text *c = calloc(1, sizeof *c);
  if (c == NULL) return mw_fail_memory(error, "loading the text tower");
  mw_status status = parts_start(&c->parts, error);
  if (status == MW_OK) {
    loader whole = {&c->parts,
                    weights_locate(file, "text_branch.embeddings.word_embeddings.weight")};
    load_all(c, &whole, heads);
    status = parts_finish(&c->parts);
  }
  if (status == MW_OK)
    *loaded = c;
  else
    clap_text_free(c);
  return status;
}

void clap_text_free(clap_text *c)
{
  if (c == NULL) return;
  parts_free(&c->parts);
  free(c);
}

size_t clap_text_width(const clap_text *c)
{
  return c->joint;
}

size_t clap_text_vocabulary(const clap_text *c)
{
  return c->words->shape[0];
}

size_t clap_text_longest(const clap_text *c)
{
  return c->positions->shape[0] - FIRST_POSITION;
}

void clap_text_watch(clap_text *c, clap_text_probe *probe, void *context)
{
  c->probe = probe;
  c->probe_context = context;
}

// ---- Run ----

typedef struct {
  const clap_text *c;
  size_t rows;
  float *x;     // [rows, D]
  float *q;     // [rows, D]
  float *k;     // [rows, D]
  float *v;     // [rows, D]
  float *mixed; // [rows, D]
  float *inner; // [rows, M]
  float *scratch;
  pool *pool;
} call;

static void run_norm(const call *k, const norm *n)
{
  size_t d = k->c->width;
  layer_norm(k->x, d, k->rows, d, n->gain, n->bias, norm_epsilon, k->x, d);
}

static void run_layer(call *k, const layer *l)
{
  size_t d = k->c->width;
  size_t m = k->c->inner;
  size_t head_size = d / k->c->heads;
  epilogue add = {.residual = k->x, .residual_stride = d};
  epilogue gelu = {.act = ACTIVATION_GELU_ERF};
  matrix_run(l->q, k->x, d, k->rows, k->q, d, NULL, k->pool);
  matrix_run(l->k, k->x, d, k->rows, k->k, d, NULL, k->pool);
  matrix_run(l->v, k->x, d, k->rows, k->v, d, NULL, k->pool);
  attention a = {.heads = k->c->heads,
                 .head_size = head_size,
                 .queries = k->rows,
                 .keys = k->rows,
                 .q = k->q,
                 .q_stride = d,
                 .k = k->k,
                 .k_stride = d,
                 .v = k->v,
                 .v_stride = d,
                 .scale = 1.0f / sqrtf((float)head_size),
                 .out = k->mixed,
                 .out_stride = d,
                 .scratch = k->scratch};
  attention_run(&a, k->pool);
  matrix_run(l->out, k->mixed, d, k->rows, k->x, d, &add, k->pool);
  run_norm(k, &l->after_attention);
  matrix_run(l->up, k->x, d, k->rows, k->inner, m, &gelu, k->pool);
  matrix_run(l->down, k->inner, m, k->rows, k->x, d, &add, k->pool);
  run_norm(k, &l->after_unit);
}

static void embed(call *k, const uint32_t *ids)
{
  size_t d = k->c->width;
  for (size_t row = 0; row < k->rows; row++) {
    float *x = k->x + row * d;
    float *position = k->q;
    tensor_read(k->c->words, ids[row] * d, d, x);
    tensor_read(k->c->positions, (FIRST_POSITION + row) * d, d, position);
    for (size_t i = 0; i < d; i++) x[i] = x[i] + k->c->type[i] + position[i];
  }
  run_norm(k, &k->c->embedding_norm);
}

// The first row to the vector.
static void project(call *k, float *vector)
{
  const clap_text *c = k->c;
  size_t d = c->width;
  epilogue bounded = {.act = ACTIVATION_TANH};
  epilogue positive = {.act = ACTIVATION_RELU};
  matrix_run(c->pooler, k->x, d, 1, k->q, d, &bounded, NULL);
  if (c->probe != NULL) c->probe(c->probe_context, "pooler", k->q, d);
  matrix_run(c->projection, k->q, d, 1, k->inner, c->joint, &positive, NULL);
  matrix_run(c->last, k->inner, c->joint, 1, vector, c->joint, NULL, NULL);
  if (c->probe != NULL) c->probe(c->probe_context, "projection", vector, c->joint);
  float square = 0.0f;
  for (size_t i = 0; i < c->joint; i++) square += vector[i] * vector[i];
  float length = fmaxf(sqrtf(square), 1e-12f);
  for (size_t i = 0; i < c->joint; i++) vector[i] /= length;
}

mw_status clap_text_run(const clap_text *c, const uint32_t *ids, size_t used, float *vector,
                        arena *memory, pool *p, mw_error *error)
{
  size_t d = c->width;
  if (used < 1 || used > clap_text_longest(c))
    return mw_fail(error, MW_ERROR_ARGUMENT, "%zu tokens: the text tower takes 1 to %zu", used,
                   clap_text_longest(c));
  for (size_t row = 0; row < used; row++)
    if (ids[row] >= clap_text_vocabulary(c))
      return mw_fail(error, MW_ERROR_MODEL,
                     "token %u is none of the text tower's: the tokenizer belongs to another",
                     ids[row]);
  arena_mark mark = arena_set_mark(memory);
  size_t inner = c->inner > c->joint ? c->inner : c->joint;
  call k = {.c = c, .rows = used, .pool = p};
  k.x = arena_floats(memory, used * d);
  k.q = arena_floats(memory, used * d);
  k.k = arena_floats(memory, used * d);
  k.v = arena_floats(memory, used * d);
  k.mixed = arena_floats(memory, used * d);
  k.inner = arena_floats(memory, used * inner);
  k.scratch = arena_floats(memory, attention_scratch(used, used, d / c->heads) * pool_threads(p));
  mw_status status = MW_OK;
  if (arena_failed(memory)) {
    status = mw_fail_memory(error, "encoding a text");
  } else {
    embed(&k, ids);
    for (size_t i = 0; i < c->layer_count; i++) run_layer(&k, &c->layers[i]);
    project(&k, vector);
  }
  arena_release(memory, mark);
  return status;
}
