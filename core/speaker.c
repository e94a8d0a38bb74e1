// SPDX-License-Identifier: GPL-3.0-or-later
//
// ECAPA-TDNN. Official sizes: inputs 1024, channels 512, cat 1536, attention 128, size 256.
//
//   unit       conv, ReLU, batch norm: in one pass, the norm being a scale and an offset behind the
//   ReLU layer1     unit k5 layer2..4  x + SE(unit k1(Res2(unit k1(x)))), dilation 2, 3, 4 Res2 8
//   groups: g0' = B(g0), gi' = B(gi + g(i-1)'), the last passes unchanged; B a unit k3 SE mean over
//   time, linear, ReLU, linear, sigmoid, scales the channels conv       [layer2, layer3, layer4] ->
//   cat, k1, ReLU pooling    a = softmax over time of linear2 tanh(linear1 x); mean and deviation
//   under a bn, linear -> embedding
#include "speaker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum { BLOCKS = 3, GROUPS = 8, FIRST_TAPS = 5, GROUP_TAPS = 3 };
#define EPSILON 1e-5f

typedef struct {
  matrix *conv;
  float *scale;  // [outputs] of the norm
  float *offset; // [outputs]
} unit;

typedef struct {
  unit in;                // [channels, channels]
  unit group[GROUPS - 1]; // [channels / 8, channels / 8, 3]
  unit out;
  matrix *squeeze; // [inner, channels]
  matrix *excite;  // [channels, inner]
} block;

struct speaker {
  arena *memory;
  size_t inputs;
  size_t channels;
  size_t inner; // of SE
  size_t cat;
  size_t attention;
  size_t size;
  unit first;
  block blocks[BLOCKS];
  matrix *join;       // [cat, 3 channels]
  matrix *attend_in;  // [attention, cat]
  matrix *attend_out; // [cat, attention]
  float *final_scale; // [2 cat]
  float *final_offset;
  matrix *linear; // [size, 2 cat]
};

// A batch norm at rest is a scale and an offset.
static mw_status read_norm(speaker *s, const weights_view *view, const char *name, size_t count,
                           float **scale, float **offset, mw_error *error)
{
  static const char *const parts[4] = {"weight", "bias", "running_mean", "running_var"};
  float *values[4];
  for (int i = 0; i < 4; i++) {
    char full[96];
    snprintf(full, sizeof full, "%s.%s", name, parts[i]);
    values[i] = arena_floats(s->memory, count);
    if (values[i] == NULL) return mw_fail_memory(error, "reading the speaker encoder");
    mw_status status = weights_read(view, full, 1, &count, values[i], error);
    if (status != MW_OK) return status;
  }
  for (size_t c = 0; c < count; c++) {
    values[0][c] /= sqrtf(values[3][c] + EPSILON);
    values[1][c] -= values[2][c] * values[0][c];
  }
  *scale = values[0];
  *offset = values[1];
  return MW_OK;
}

static mw_status read_unit(speaker *s, unit *u, const weights_view *view, const char *conv,
                           const char *norm, matrix_shape shape, mw_error *error)
{
  mw_status status = matrix_load(&u->conv, view, conv, &shape, true, error);
  if (status != MW_OK) return status;
  return read_norm(s, view, norm, shape.outputs, &u->scale, &u->offset, error);
}

static mw_status read_block(speaker *s, size_t index, const weights_view *view, mw_error *error)
{
  block *b = &s->blocks[index];
  char prefix[16];
  snprintf(prefix, sizeof prefix, "layer%zu.", index + 2);
  weights_view in = weights_within(view, prefix);
  matrix_shape whole = {s->channels, s->channels, 1, 1, 1};
  matrix_shape part = {s->channels / GROUPS, s->channels / GROUPS, GROUP_TAPS, index + 2, 1};
  mw_status status =
      read_unit(s, &b->in, &in, "Conv1dReluBn1.conv", "Conv1dReluBn1.bn", whole, error);
  if (status == MW_OK)
    status = read_unit(s, &b->out, &in, "Conv1dReluBn2.conv", "Conv1dReluBn2.bn", whole, error);
  for (size_t g = 0; status == MW_OK && g < GROUPS - 1; g++) {
    char conv[64];
    char norm[64];
    snprintf(conv, sizeof conv, "Res2Conv1dReluBn.convs.%zu", g);
    snprintf(norm, sizeof norm, "Res2Conv1dReluBn.bns.%zu", g);
    status = read_unit(s, &b->group[g], &in, conv, norm, part, error);
  }
  matrix_shape squeeze = {s->inner, s->channels, 1, 1, 1};
  matrix_shape excite = {s->channels, s->inner, 1, 1, 1};
  if (status == MW_OK)
    status = matrix_load(&b->squeeze, &in, "SE_Connect.linear1", &squeeze, true, error);
  if (status == MW_OK)
    status = matrix_load(&b->excite, &in, "SE_Connect.linear2", &excite, true, error);
  return status;
}

static mw_status read_sizes(speaker *s, const weights_view *view, mw_error *error)
{
  const tensor *t;
  const size_t any = ANY_SIZE;
  mw_status status =
      weights_need(&t, view, "layer1.conv.weight", 3, (size_t[]){any, any, FIRST_TAPS}, error);
  if (status != MW_OK) return status;
  s->channels = t->shape[0];
  s->inputs = t->shape[1];
  status = weights_need(&t, view, "layer2.SE_Connect.linear1.weight", 2,
                        (size_t[]){any, s->channels}, error);
  if (status != MW_OK) return status;
  s->inner = t->shape[0];
  status = weights_need(&t, view, "pooling.linear1.weight", 3, (size_t[]){any, any, 1}, error);
  if (status != MW_OK) return status;
  s->attention = t->shape[0];
  s->cat = t->shape[1];
  status = weights_need(&t, view, "linear.weight", 2, (size_t[]){any, 2 * s->cat}, error);
  if (status != MW_OK) return status;
  s->size = t->shape[0];
  if (s->channels == 0 || s->channels % GROUPS != 0 || s->inputs == 0 || s->inner == 0 ||
      s->attention == 0 || s->cat == 0 || s->size == 0)
    return mw_fail(error, MW_ERROR_MODEL, "%s: a speaker encoder of %zu channels is not possible",
                   weights_path(view->file), s->channels);
  return MW_OK;
}

mw_status speaker_load(speaker **loaded, const weights_view *view, mw_error *error)
{
  speaker *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    speaker_free(s);
    return mw_fail_memory(error, "reading the speaker encoder");
  }
  mw_status status = read_sizes(s, view, error);
  if (status == MW_OK)
    status = read_unit(s, &s->first, view, "layer1.conv", "layer1.bn",
                       (matrix_shape){s->channels, s->inputs, FIRST_TAPS, 1, 1}, error);
  for (size_t i = 0; status == MW_OK && i < BLOCKS; i++) status = read_block(s, i, view, error);
  const struct {
    matrix **made;
    const char *name;
    size_t outputs;
    size_t inputs;
  } matrices[] = {
      {&s->join, "conv", s->cat, BLOCKS * s->channels},
      {&s->attend_in, "pooling.linear1", s->attention, s->cat},
      {&s->attend_out, "pooling.linear2", s->cat, s->attention},
      {&s->linear, "linear", s->size, 2 * s->cat},
  };
  for (size_t i = 0; status == MW_OK && i < sizeof matrices / sizeof matrices[0]; i++)
    status =
        matrix_load(matrices[i].made, view, matrices[i].name,
                    &(matrix_shape){matrices[i].outputs, matrices[i].inputs, 1, 1, 1}, true, error);
  if (status == MW_OK)
    status = read_norm(s, view, "bn", 2 * s->cat, &s->final_scale, &s->final_offset, error);
  if (status != MW_OK) {
    speaker_free(s);
    return status;
  }
  *loaded = s;
  return MW_OK;
}

void speaker_free(speaker *s)
{
  if (s == NULL) return;
  matrix_free(s->first.conv);
  for (size_t i = 0; i < BLOCKS; i++) {
    block *b = &s->blocks[i];
    matrix_free(b->in.conv);
    matrix_free(b->out.conv);
    matrix_free(b->squeeze);
    matrix_free(b->excite);
    for (size_t g = 0; g < GROUPS - 1; g++) matrix_free(b->group[g].conv);
  }
  matrix_free(s->join);
  matrix_free(s->attend_in);
  matrix_free(s->attend_out);
  matrix_free(s->linear);
  arena_free(s->memory);
  free(s);
}

size_t speaker_inputs(const speaker *s)
{
  return s->inputs;
}

size_t speaker_size(const speaker *s)
{
  return s->size;
}

void speaker_normalise(float *x, size_t frames, size_t inputs)
{
  for (size_t c = 0; c < inputs; c++) {
    double mean = 0.0;
    double variance = 0.0;
    for (size_t t = 0; t < frames; t++) mean += x[t * inputs + c];
    mean /= (double)frames;
    for (size_t t = 0; t < frames; t++)
      variance += (x[t * inputs + c] - mean) * (x[t * inputs + c] - mean);
    double inverse = 1.0 / sqrt(variance / (double)frames + EPSILON);
    for (size_t t = 0; t < frames; t++)
      x[t * inputs + c] = (float)((x[t * inputs + c] - mean) * inverse);
  }
}

// The offset is a residual row that every row shares.
static void run_unit(const unit *u, const float *x, size_t x_stride, size_t frames, float *y,
                     size_t y_stride, pool *p)
{
  matrix_run(u->conv, x, x_stride, frames, y, y_stride,
             &(epilogue){.act = ACTIVATION_RELU, .scale = u->scale, .residual = u->offset}, p);
}

typedef struct {
  float *a;        // [frames, channels]
  float *b;        // [frames, channels]
  float *padded;   // [frames + 2 dilation, channels / 8]
  float *mean;     // [channels]
  float *squeezed; // [inner]
  float *gate;     // [channels]
} block_memory;

// Group by group, each fed with the one before; zeros pad both ends.
static void run_groups(const block *b, size_t dilation, size_t channels, const float *x,
                       size_t frames, float *y, float *padded, pool *p)
{
  size_t width = channels / GROUPS;
  for (size_t g = 0; g < GROUPS - 1; g++) {
    for (size_t t = 0; t < frames; t++) {
      float *row = padded + (t + dilation) * width;
      memcpy(row, x + t * channels + g * width, width * sizeof(float));
      for (size_t c = 0; g > 0 && c < width; c++) row[c] += y[t * channels + (g - 1) * width + c];
    }
    run_unit(&b->group[g], padded, width, frames, y + g * width, channels, p);
  }
  for (size_t t = 0; t < frames; t++)
    memcpy(y + t * channels + (GROUPS - 1) * width, x + t * channels + (GROUPS - 1) * width,
           width * sizeof(float));
}

// x [frames, channels] -> y, rows `stride` apart
static void run_block(const block *b, size_t dilation, size_t channels, const float *x,
                      size_t x_stride, size_t frames, float *y, size_t y_stride, block_memory *m,
                      pool *p)
{
  run_unit(&b->in, x, x_stride, frames, m->a, channels, p);
  run_groups(b, dilation, channels, m->a, frames, m->b, m->padded, p);
  run_unit(&b->out, m->b, channels, frames, m->a, channels, p);
  memset(m->mean, 0, channels * sizeof(float));
  for (size_t t = 0; t < frames; t++)
    for (size_t c = 0; c < channels; c++) m->mean[c] += m->a[t * channels + c] / (float)frames;
  size_t inner = matrix_get_shape(b->squeeze)->outputs;
  matrix_run(b->squeeze, m->mean, channels, 1, m->squeezed, inner,
             &(epilogue){.act = ACTIVATION_RELU}, NULL);
  matrix_run(b->excite, m->squeezed, inner, 1, m->gate, channels,
             &(epilogue){.act = ACTIVATION_SIGMOID}, NULL);
  for (size_t t = 0; t < frames; t++)
    for (size_t c = 0; c < channels; c++)
      y[t * y_stride + c] = x[t * x_stride + c] + m->a[t * channels + c] * m->gate[c];
}

// x and its scores [frames, cat] -> weighted mean and deviation [2 cat]
static void pool_over_time(const float *x, const float *scores, size_t frames, size_t cat,
                           float *pooled)
{
  for (size_t c = 0; c < cat; c++) {
    float largest = scores[c];
    for (size_t t = 1; t < frames; t++) largest = fmaxf(largest, scores[t * cat + c]);
    double total = 0.0;
    double mean = 0.0;
    double square = 0.0;
    for (size_t t = 0; t < frames; t++) {
      double share = exp((double)(scores[t * cat + c] - largest));
      double value = x[t * cat + c];
      total += share;
      mean += share * value;
      square += share * value * value;
    }
    mean /= total;
    pooled[c] = (float)mean;
    pooled[cat + c] = (float)sqrt(fmax(square / total - mean * mean, 1e-9));
  }
}

mw_status speaker_embed(const speaker *s, const float *x, size_t frames, float *embedding, pool *p,
                        mw_error *error)
{
  enum { REACH = FIRST_TAPS / 2, LARGEST_DILATION = BLOCKS + 1 };
  if (frames == 0)
    return mw_fail(error, MW_ERROR_ARGUMENT, "a voice needs a reference of some length");
  arena *memory = arena_new();
  if (memory == NULL) return mw_fail_memory(error, "listening to a voice");
  size_t channels = s->channels;
  size_t wide = BLOCKS * channels;
  size_t group = channels / GROUPS;
  float *input = arena_floats(memory, (frames + 2 * REACH) * s->inputs);
  float *first = arena_floats(memory, frames * channels);
  float *joined = arena_floats(memory, frames * wide);
  float *features = arena_floats(memory, frames * s->cat);
  float *hidden = arena_floats(memory, frames * s->attention);
  float *attended = arena_floats(memory, frames * s->cat);
  float *pooled = arena_floats(memory, 2 * s->cat);
  block_memory m = {.a = arena_floats(memory, frames * channels),
                    .b = arena_floats(memory, frames * channels),
                    .mean = arena_floats(memory, channels),
                    .squeezed = arena_floats(memory, s->inner),
                    .gate = arena_floats(memory, channels)};
  mw_status status = MW_OK;
  if (arena_failed(memory)) {
    status = mw_fail_memory(error, "listening to a voice");
    goto done;
  }
  memcpy(input + REACH * s->inputs, x, frames * s->inputs * sizeof(float));
  run_unit(&s->first, input, s->inputs, frames, first, channels, p);
  for (size_t i = 0; i < BLOCKS; i++) {
    const float *from = i == 0 ? first : joined + (i - 1) * channels;
    // fresh zeros for each dilation's padding
    m.padded = arena_floats(memory, (frames + 2 * LARGEST_DILATION) * group);
    if (m.padded == NULL) {
      status = mw_fail_memory(error, "listening to a voice");
      goto done;
    }
    run_block(&s->blocks[i], i + 2, channels, from, i == 0 ? channels : wide, frames,
              joined + i * channels, wide, &m, p);
  }
  matrix_run(s->join, joined, wide, frames, features, s->cat, &(epilogue){.act = ACTIVATION_RELU},
             p);
  matrix_run(s->attend_in, features, s->cat, frames, hidden, s->attention,
             &(epilogue){.act = ACTIVATION_TANH}, p);
  matrix_run(s->attend_out, hidden, s->attention, frames, attended, s->cat, NULL, p);
  pool_over_time(features, attended, frames, s->cat, pooled);
  for (size_t c = 0; c < 2 * s->cat; c++)
    pooled[c] = pooled[c] * s->final_scale[c] + s->final_offset[c];
  matrix_run(s->linear, pooled, 2 * s->cat, 1, embedding, s->size, NULL, NULL);
done:
  arena_free(memory);
  return status;
}
