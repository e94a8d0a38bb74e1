// SPDX-License-Identifier: GPL-3.0-or-later
//
//   x = embedding[ids]                                              [rows, D]
//   each layer:  q, k, v = rms(x) Wq, Wk, Wv
//                x += softmax(q k^T + bias[bucket(key - query)]) v Wo      (scores are not scaled)
//                x += (gelu(rms(x) W0) * (rms(x) W1)) W2
//   features = rms(x)
// A padding row is told from the next one only by the buckets of its distances to the text. Buckets
// widen with distance, so that most padding rows far from a short text are equal: one of each kind
// is computed (a "slot").
#include "text_encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader.h"

static const float norm_epsilon = 1e-6f;
static const double farthest =
    128.0; // distance of the last bucket: relative_attention_max_distance

typedef struct {
  float *attention_gain; // [D]
  matrix *q;             // [heads * head_size, D]
  matrix *k;
  matrix *v;
  matrix *o;        // [D, heads * head_size]
  float *unit_gain; // [D]
  matrix *wi_0;     // [M, D]
  matrix *wi_1;     // [M, D]
  matrix *wo;       // [D, M]
} layer;

struct text_encoder {
  parts parts;
  size_t width; // D
  size_t heads;
  size_t head_size;
  size_t inner; // M
  size_t buckets;
  size_t layer_count;
  const tensor *embedding; // [vocabulary, D]
  float *bias;             // [buckets, heads]
  layer *layers;
  float *final_gain; // [D]
  text_encoder_probe *probe;
  void *probe_context;
};

// ---- Load ----

static layer load_layer(const loader *l, const text_encoder *e)
{
  size_t d = e->width;
  size_t inside = e->heads * e->head_size;
  loader attention_part = loader_within(l, "0.SelfAttention.");
  loader unit = loader_within(l, "1.DenseReluDense.");
  return (layer){
      .attention_gain = loader_vector(l, "0.layer_norm.weight", d),
      .q = loader_matrix(&attention_part, "q", inside, d, false),
      .k = loader_matrix(&attention_part, "k", inside, d, false),
      .v = loader_matrix(&attention_part, "v", inside, d, false),
      .o = loader_matrix(&attention_part, "o", d, inside, false),
      .unit_gain = loader_vector(l, "1.layer_norm.weight", d),
      .wi_0 = loader_matrix(&unit, "wi_0", e->inner, d, false),
      .wi_1 = loader_matrix(&unit, "wi_1", e->inner, d, false),
      .wo = loader_matrix(&unit, "wo", d, e->inner, false),
  };
}

static size_t count_layers(const loader *l)
{
  char name[64];
  size_t count = 0;
  for (; count < 1024; count++) {
    snprintf(name, sizeof name, "%zu.layer.0.SelfAttention.q.weight", count);
    if (loader_find(l, name) == NULL) break;
  }
  return count;
}

static void load_all(text_encoder *e, const loader *l)
{
  static const char bias_name[] = "0.layer.0.SelfAttention.relative_attention_bias.weight";
  loader blocks = loader_within(l, "encoder.block.");
  e->width = loader_size(l, "shared.weight", 1);
  e->embedding = loader_find(l, "shared.weight");
  e->buckets = loader_size(&blocks, bias_name, 0);
  e->heads = loader_size(&blocks, bias_name, 1);
  size_t inside = loader_size(&blocks, "0.layer.0.SelfAttention.q.weight", 0);
  e->inner = loader_size(&blocks, "0.layer.1.DenseReluDense.wi_0.weight", 0);
  if (e->parts.status != MW_OK) return;
  if (inside % e->heads != 0 || e->buckets % 4 != 0 || e->embedding->rank != 2) {
    loader_fail(l, "encoder: its sizes do not fit each other");
    return;
  }
  e->head_size = inside / e->heads;
  e->bias = loader_vector(&blocks, bias_name, e->buckets * e->heads);
  e->layer_count = count_layers(&blocks);
  e->layers = arena_take(e->parts.memory, e->layer_count, sizeof *e->layers);
  for (size_t i = 0; e->layers != NULL && i < e->layer_count; i++) {
    loader block = loader_within(&blocks, "%zu.layer.", i);
    e->layers[i] = load_layer(&block, e);
  }
  e->final_gain = loader_vector(l, "encoder.final_layer_norm.weight", e->width);
}

mw_status text_encoder_load(text_encoder **loaded, const weights *file, mw_error *error)
{
  text_encoder *e = calloc(1, sizeof *e);
  if (e == NULL) return mw_fail_memory(error, "loading the text encoder");
  mw_status status = parts_start(&e->parts, error);
  if (status == MW_OK) {
    loader whole = {&e->parts, weights_locate(file, "encoder.final_layer_norm.weight")};
    load_all(e, &whole);
    status = parts_finish(&e->parts);
  }
  if (status == MW_OK)
    *loaded = e;
  else
    text_encoder_free(e);
  return status;
}

void text_encoder_free(text_encoder *e)
{
  if (e == NULL) return;
  parts_free(&e->parts);
  free(e);
}

size_t text_encoder_width(const text_encoder *e)
{
  return e->width;
}

size_t text_encoder_vocabulary(const text_encoder *e)
{
  return e->embedding->shape[0];
}

void text_encoder_watch(text_encoder *e, text_encoder_probe *probe, void *context)
{
  e->probe = probe;
  e->probe_context = context;
}

// ---- Positions ----

// Half of the buckets for keys behind the query; of each half, the first half one distance a
// bucket, the others in equal steps of the logarithm up to `farthest`.
size_t text_encoder_bucket(size_t buckets, size_t from, size_t to)
{
  size_t half = buckets / 2;
  size_t exact = half / 2;
  size_t distance = to > from ? to - from : from - to;
  size_t first = to > from ? half : 0;
  if (distance < exact) return first + distance;
  // floor(steps log(distance / exact) / log(farthest / exact)), in powers: these are exact where
  // the edges are
  double steps = (double)(half - exact);
  double reached = pow((double)distance / (double)exact, steps);
  size_t step = 0;
  while (exact + step + 1 < half && reached >= pow(farthest / (double)exact, (double)(step + 1)))
    step++;
  return first + exact + step;
}

// The slot of each row, and the row each slot stands for; returns the number of slots.
static size_t find_slots(const text_encoder *e, const uint32_t *ids, size_t used, size_t rows,
                         size_t *slot_of, size_t *row_of)
{
  size_t slots = 0;
  for (size_t row = 0; row < rows; row++) {
    bool equal = row > used && ids[row] == ids[row - 1];
    for (size_t key = 0; equal && key < used; key++)
      equal = text_encoder_bucket(e->buckets, row, key) ==
              text_encoder_bucket(e->buckets, row - 1, key);
    if (!equal) row_of[slots++] = row;
    slot_of[row] = slots - 1;
  }
  return slots;
}

// ---- Run ----

typedef struct {
  const text_encoder *e;
  size_t rows;
  size_t used;
  size_t slots;    // the first `used` of them are the text
  size_t *slot_of; // [rows]
  size_t *row_of;  // [slots]
  float *x;        // [slots, D]
  float *norm;     // [slots, D]
  float *q;        // [slots, heads * head_size]
  float *k;        // [used, heads * head_size]
  float *v;        // [used, heads * head_size]
  float *mixed;    // [slots, heads * head_size]
  float *gate;     // [slots, M]
  float *inner;    // [slots, M]
  float *bias;     // [heads, slots, used]
  float *scratch;
  pool *pool;
} call;

static bool take_memory(call *c, arena *memory)
{
  const text_encoder *e = c->e;
  size_t inside = e->heads * e->head_size;
  c->x = arena_floats(memory, c->slots * e->width);
  c->norm = arena_floats(memory, c->slots * e->width);
  c->q = arena_floats(memory, c->slots * inside);
  c->k = arena_floats(memory, c->used * inside);
  c->v = arena_floats(memory, c->used * inside);
  c->mixed = arena_floats(memory, c->slots * inside);
  c->gate = arena_floats(memory, c->slots * e->inner);
  c->inner = arena_floats(memory, c->slots * e->inner);
  c->bias = arena_floats(memory, e->heads * c->slots * c->used);
  c->scratch = arena_floats(memory, attention_scratch(c->slots, c->used, e->head_size) *
                                        pool_threads(c->pool));
  return !arena_failed(memory);
}

static void expand(const call *c, const float *slots, float *rows)
{
  size_t d = c->e->width;
  for (size_t row = 0; row < c->rows; row++)
    memcpy(rows + row * d, slots + c->slot_of[row] * d, d * sizeof(float));
}

static void probe(const call *c, size_t index, const char *what, float *rows)
{
  char name[32];
  if (c->e->probe == NULL) return;
  snprintf(name, sizeof name, "block%zu_%s", index, what);
  expand(c, c->x, rows);
  c->e->probe(c->e->probe_context, name, rows, c->rows * c->e->width);
}

static void run_attention(call *c, const layer *l)
{
  const text_encoder *e = c->e;
  size_t d = e->width;
  size_t inside = e->heads * e->head_size;
  rms_norm(c->x, d, c->slots, d, l->attention_gain, norm_epsilon, c->norm, d);
  matrix_run(l->q, c->norm, d, c->slots, c->q, inside, NULL, c->pool);
  matrix_run(l->k, c->norm, d, c->used, c->k, inside, NULL, c->pool);
  matrix_run(l->v, c->norm, d, c->used, c->v, inside, NULL, c->pool);
  attention a = {.heads = e->heads,
                 .head_size = e->head_size,
                 .queries = c->slots,
                 .keys = c->used,
                 .q = c->q,
                 .q_stride = inside,
                 .k = c->k,
                 .k_stride = inside,
                 .v = c->v,
                 .v_stride = inside,
                 .scale = 1.0f,
                 .bias = c->bias,
                 .bias_head_stride = c->slots * c->used,
                 .bias_query_stride = c->used,
                 .out = c->mixed,
                 .out_stride = inside,
                 .scratch = c->scratch};
  attention_run(&a, c->pool);
  epilogue add = {.residual = c->x, .residual_stride = d};
  matrix_run(l->o, c->mixed, inside, c->slots, c->x, d, &add, c->pool);
}

static void run_unit(call *c, const layer *l)
{
  size_t d = c->e->width;
  size_t m = c->e->inner;
  epilogue gated = {.act = ACTIVATION_GELU_TANH, .factor = c->gate, .factor_stride = m};
  epilogue add = {.residual = c->x, .residual_stride = d};
  rms_norm(c->x, d, c->slots, d, l->unit_gain, norm_epsilon, c->norm, d);
  matrix_run(l->wi_1, c->norm, d, c->slots, c->gate, m, NULL, c->pool);
  matrix_run(l->wi_0, c->norm, d, c->slots, c->inner, m, &gated, c->pool);
  matrix_run(l->wo, c->inner, m, c->slots, c->x, d, &add, c->pool);
}

mw_status text_encoder_run(const text_encoder *e, const uint32_t *ids, size_t used, size_t rows,
                           float *features, arena *memory, pool *p, mw_error *error)
{
  size_t d = e->width;
  arena_mark mark = arena_set_mark(memory);
  call c = {.e = e, .rows = rows, .used = used, .pool = p};
  mw_status status = MW_OK;
  for (size_t row = 0; row < rows; row++)
    if (ids[row] >= text_encoder_vocabulary(e))
      return mw_fail(error, MW_ERROR_MODEL,
                     "token %u is none of the text encoder's: the tokenizer belongs to another",
                     ids[row]);
  c.slot_of = arena_take(memory, rows, sizeof *c.slot_of);
  c.row_of = arena_take(memory, rows, sizeof *c.row_of);
  if (c.slot_of != NULL && c.row_of != NULL)
    c.slots = find_slots(e, ids, used, rows, c.slot_of, c.row_of);
  if (!take_memory(&c, memory)) {
    status = mw_fail_memory(error, "encoding a text");
    goto done;
  }
  for (size_t slot = 0; slot < c.slots; slot++) {
    size_t row = c.row_of[slot];
    tensor_read(e->embedding, ids[row] * d, d, c.x + slot * d);
    for (size_t key = 0; key < used; key++) {
      const float *bias = e->bias + text_encoder_bucket(e->buckets, row, key) * e->heads;
      for (size_t head = 0; head < e->heads; head++)
        c.bias[(head * c.slots + slot) * used + key] = bias[head];
    }
  }
  for (size_t i = 0; i < e->layer_count; i++) {
    run_attention(&c, &e->layers[i]);
    probe(&c, i, "after_attn", features);
    run_unit(&c, &e->layers[i]);
    probe(&c, i, "out", features);
  }
  rms_norm(c.x, d, c.slots, d, e->final_gain, norm_epsilon, c.norm, d);
  expand(&c, c.norm, features);
done:
  arena_release(memory, mark);
  return status;
}
