// SPDX-License-Identifier: GPL-3.0-or-later
//
//   x[i] = input(vector of word i) or pad, + position[i]          [R, D]
//   each layer:  x += out(softmax(q k^T / sqrt(head size)) v),  q, k, v = qkv(LN1(x))
//                x += fc2(gelu(fc1(LN2(x))))
//   features = LN(x);  vector = pool(mean of the words' rows)
#include "word_encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lexicon.h"
#include "loader.h"

static const float norm_epsilon = 1e-5f;
enum { LONGEST_WORD = 64, SMALL_WORD = 2 }; // letters

typedef struct {
  float *gain; // [D]
  float *bias; // [D]
} norm;

typedef struct {
  norm norm1;
  matrix *qkv; // [3D, D]
  matrix *out; // [D, D]
  norm norm2;
  matrix *fc1; // [M, D]
  matrix *fc2; // [D, M]
} layer;

struct word_encoder {
  parts parts;
  size_t rows;   // R
  size_t width;  // D
  size_t pooled; // of the vector
  size_t heads;
  size_t inner;      // M
  size_t word_width; // of a word's vector
  size_t layer_count;
  char *text;            // the words, each ended by a newline
  lexicon words;         // -> number of the line
  const tensor *vectors; // [words, word_width]
  float *scales;         // [words]
  matrix *input;         // [D, word_width]
  float *pad;            // [D]
  float *position;       // [R, D]
  layer *layers;
  norm last;
  matrix *pool; // [pooled, D]
};

// ---- Load ----

static norm load_norm(const loader *l, const char *name, size_t width)
{
  loader part = loader_within(l, "%s.", name);
  return (norm){loader_vector(&part, "weight", width), loader_vector(&part, "bias", width)};
}

static void load_words(word_encoder *e, const loader *l)
{
  size_t length = loader_size(l, "words", 0);
  size_t lines = loader_size(l, "vectors", 0);
  const tensor *t = loader_find(l, "words");
  e->word_width = loader_size(l, "vectors", 1);
  e->vectors = loader_find(l, "vectors");
  if (l->parts->status != MW_OK) return;
  if (t->dtype != TENSOR_U8 || t->rank != 1 || !t->contiguous || e->vectors->rank != 2) {
    loader_fail(l, "words: not a list of words with a vector each");
    return;
  }
  e->scales = loader_vector(l, "scales", lines);
  e->text = arena_take(e->parts.memory, length + 1, 1);
  if (e->text == NULL || !lexicon_new(&e->words, lines)) {
    loader_fail(l, "out of memory");
    return;
  }
  memcpy(e->text, t->data, length);
  e->text[length] = '\n';
  size_t line = 0;
  for (size_t at = 0; at <= length; line++) {
    size_t size = (size_t)((char *)memchr(e->text + at, '\n', length + 1 - at) - (e->text + at));
    if (line < lines) lexicon_add(&e->words, e->text + at, size, (uint32_t)line);
    at += size + 1;
  }
  if (line != lines || e->words.crowded)
    loader_fail(l, "words: not a list of words with a vector each");
}

static size_t count_layers(const loader *l)
{
  char name[64];
  size_t count = 0;
  for (; count < 1024; count++) {
    snprintf(name, sizeof name, "layers.%zu.qkv.weight", count);
    if (loader_find(l, name) == NULL) break;
  }
  return count;
}

static void load_all(word_encoder *e, const loader *l, size_t heads)
{
  e->rows = loader_size(l, "position", 0);
  e->width = loader_size(l, "position", 1);
  e->pooled = loader_size(l, "pool.weight", 0);
  e->heads = heads;
  if (e->parts.status != MW_OK) return;
  if (heads == 0 || e->width % heads != 0) {
    loader_fail(l, "its heads do not fit its width");
    return;
  }
  load_words(e, l);
  e->input = loader_matrix(l, "input", e->width, e->word_width, true);
  e->pad = loader_vector(l, "pad", e->width);
  e->position = loader_vector(l, "position", e->rows * e->width);
  e->layer_count = count_layers(l);
  e->layers = arena_take(e->parts.memory, e->layer_count, sizeof *e->layers);
  if (e->layer_count > 0) e->inner = loader_size(l, "layers.0.fc1.weight", 0);
  for (size_t i = 0; e->layers != NULL && i < e->layer_count; i++) {
    loader one = loader_within(l, "layers.%zu.", i);
    e->layers[i] = (layer){
        .norm1 = load_norm(&one, "norm1", e->width),
        .qkv = loader_matrix(&one, "qkv", 3 * e->width, e->width, true),
        .out = loader_matrix(&one, "out", e->width, e->width, true),
        .norm2 = load_norm(&one, "norm2", e->width),
        .fc1 = loader_matrix(&one, "fc1", e->inner, e->width, true),
        .fc2 = loader_matrix(&one, "fc2", e->width, e->inner, true),
    };
  }
  e->last = load_norm(l, "norm", e->width);
  e->pool = loader_matrix(l, "pool", e->pooled, e->width, true);
}

mw_status word_encoder_load(word_encoder **loaded, const weights_view *view, size_t heads,
                            mw_error *error)
{
  word_encoder *e = calloc(1, sizeof *e);
  if (e == NULL) return mw_fail_memory(error, "loading the text encoder");
  mw_status status = parts_start(&e->parts, error);
  if (status == MW_OK) {
    loader whole = {&e->parts, *view};
    load_all(e, &whole, heads);
    status = parts_finish(&e->parts);
  }
  if (status == MW_OK)
    *loaded = e;
  else
    word_encoder_free(e);
  return status;
}

void word_encoder_free(word_encoder *e)
{
  if (e == NULL) return;
  lexicon_free(&e->words);
  parts_free(&e->parts);
  free(e);
}

size_t word_encoder_rows(const word_encoder *e)
{
  return e->rows;
}

size_t word_encoder_width(const word_encoder *e)
{
  return e->width;
}

size_t word_encoder_pooled(const word_encoder *e)
{
  return e->pooled;
}

// ---- Words ----

// A letter or digit of a word, lower case; 0 for what separates words.
static char word_character(char c)
{
  if (c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '\0';
}

// A plural that is not known is what it is the plural of.
static bool find_word(const word_encoder *e, const char *word, size_t size, uint32_t *id)
{
  return lexicon_find(&e->words, word, size, id) ||
         (size > 1 && word[size - 1] == 's' && lexicon_find(&e->words, word, size - 1, id));
}

size_t word_encoder_words(const word_encoder *e, const char *text, size_t length, uint32_t *ids,
                          word_count *count)
{
  word_count seen = {0};
  size_t used = 0;
  for (size_t at = 0; at < length;) {
    char word[LONGEST_WORD];
    size_t size = 0;
    uint32_t id;
    while (at + size < length && word_character(text[at + size]) != '\0') {
      if (size < LONGEST_WORD) word[size] = word_character(text[at + size]);
      size++;
    }
    if (size > 0 && size <= LONGEST_WORD && find_word(e, word, size, &id)) {
      if (used < e->rows) ids[used++] = id;
      seen.known++;
    } else if (size > SMALL_WORD) {
      if (seen.unknown++ == 0) {
        seen.first_unknown = text + at;
        seen.first_unknown_length = size;
      }
    }
    at += size > 0 ? size : 1;
  }
  if (count != NULL) *count = seen;
  return used;
}

// ---- Run ----

typedef struct {
  const word_encoder *e;
  float *x;     // [R, D]
  float *norm;  // [R, D]
  float *qkv;   // [R, 3D]
  float *mixed; // [R, D]
  float *inner; // [R, M]
  float *scratch;
  pool *pool;
} call;

static void embed(const call *c, const uint32_t *ids, size_t used)
{
  const word_encoder *e = c->e;
  size_t d = e->width;
  for (size_t row = 0; row < e->rows; row++) {
    float *x = c->x + row * d;
    if (row < used) {
      float *vector = c->qkv;
      tensor_read(e->vectors, ids[row] * e->word_width, e->word_width, vector);
      for (size_t i = 0; i < e->word_width; i++) vector[i] *= e->scales[ids[row]];
      matrix_run(e->input, vector, e->word_width, 1, x, d, NULL, NULL);
    } else {
      memcpy(x, e->pad, d * sizeof(float));
    }
    for (size_t i = 0; i < d; i++) x[i] += e->position[row * d + i];
  }
}

static void run_layer(const call *c, const layer *l)
{
  const word_encoder *e = c->e;
  size_t d = e->width;
  size_t head_size = d / e->heads;
  epilogue add = {.residual = c->x, .residual_stride = d};
  epilogue gelu = {.act = ACTIVATION_GELU_ERF};
  layer_norm(c->x, d, e->rows, d, l->norm1.gain, l->norm1.bias, norm_epsilon, c->norm, d);
  matrix_run(l->qkv, c->norm, d, e->rows, c->qkv, 3 * d, NULL, c->pool);
  attention a = {.heads = e->heads,
                 .head_size = head_size,
                 .queries = e->rows,
                 .keys = e->rows,
                 .q = c->qkv,
                 .q_stride = 3 * d,
                 .k = c->qkv + d,
                 .k_stride = 3 * d,
                 .v = c->qkv + 2 * d,
                 .v_stride = 3 * d,
                 .scale = 1.0f / sqrtf((float)head_size),
                 .out = c->mixed,
                 .out_stride = d,
                 .scratch = c->scratch};
  attention_run(&a, c->pool);
  matrix_run(l->out, c->mixed, d, e->rows, c->x, d, &add, c->pool);
  layer_norm(c->x, d, e->rows, d, l->norm2.gain, l->norm2.bias, norm_epsilon, c->norm, d);
  matrix_run(l->fc1, c->norm, d, e->rows, c->inner, e->inner, &gelu, c->pool);
  matrix_run(l->fc2, c->inner, e->inner, e->rows, c->x, d, &add, c->pool);
}

static void run_pool(const call *c, const float *features, size_t used, float *vector)
{
  const word_encoder *e = c->e;
  size_t d = e->width;
  size_t averaged = used > 0 ? used : 1; // of the empty text: its first row
  memset(c->norm, 0, d * sizeof(float));
  for (size_t row = 0; row < averaged; row++)
    for (size_t i = 0; i < d; i++) c->norm[i] += features[row * d + i];
  for (size_t i = 0; i < d; i++) c->norm[i] /= (float)averaged;
  matrix_run(e->pool, c->norm, d, 1, vector, e->pooled, NULL, NULL);
}

mw_status word_encoder_run(const word_encoder *e, const uint32_t *ids, size_t used, float *features,
                           float *vector, arena *memory, pool *p, mw_error *error)
{
  size_t d = e->width;
  size_t rows = e->rows;
  size_t wide = 3 * d > e->word_width ? 3 * d : e->word_width;
  arena_mark mark = arena_set_mark(memory);
  call c = {.e = e, .pool = p};
  c.x = arena_floats(memory, rows * d);
  c.norm = arena_floats(memory, rows * d);
  c.qkv = arena_floats(memory, rows * wide);
  c.mixed = arena_floats(memory, rows * d);
  c.inner = arena_floats(memory, rows * (e->inner + 1));
  c.scratch = arena_floats(memory, attention_scratch(rows, rows, d / e->heads) * pool_threads(p));
  mw_status status = MW_OK;
  if (arena_failed(memory)) {
    status = mw_fail_memory(error, "encoding a text");
  } else {
    embed(&c, ids, used);
    for (size_t i = 0; i < e->layer_count; i++) run_layer(&c, &e->layers[i]);
    layer_norm(c.x, d, rows, d, e->last.gain, e->last.bias, norm_epsilon, features, d);
    run_pool(&c, features, used, vector);
  }
  arena_release(memory, mark);
  return status;
}
