// SPDX-License-Identifier: GPL-3.0-or-later
//
// WavLM-large. Official sizes: 7 convolutions of 512, width 1024, 24 layers of 16 heads, inner
// 4096, 320 relative positions.
//
//   samples to mean 0, variance 1
//   conv (no bias, no padding), LN over channels, GELU, seven times: 320 samples a frame
//   LN, linear to width; x += GELU(grouped conv of 128 taps)
//   layer: x += attention(LN x); x += fc2 GELU(fc1 LN x);  LN at the end
//   attention: q k / sqrt(size) + gate bias(j - i); the bias is layer 0's for all, the gate is from
//   the layer's own input result: sum of softmax(feature_weight) times the inputs of all layers and
//   the last output, plus 1e-6
#include "wavlm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum { CONV_LAYERS = 7, LAYER_LIMIT = 64, GATE_ROWS = 8 };
#define EPSILON 1e-5f
static const size_t conv_stride[CONV_LAYERS] = {5, 2, 2, 2, 2, 2, 2};

typedef struct {
  float *gain;
  float *bias;
} norm;

typedef struct {
  matrix *conv;
  size_t taps;
  norm after;
} conv_layer;

typedef struct {
  norm before_attention;
  norm before_ffn;
  matrix *query;
  matrix *key;
  matrix *value;
  matrix *out;
  matrix *gate;      // grep_linear [8, head_size]
  float *gate_scale; // grep_a [heads]
  matrix *fc1;
  matrix *fc2;
} layer;

struct wavlm {
  arena *memory;
  size_t channels;
  size_t width;
  size_t inner;
  size_t heads;
  size_t layers;
  size_t buckets;
  size_t max_distance;
  size_t groups;
  size_t position_taps;
  conv_layer convs[CONV_LAYERS];
  norm after_convs;
  matrix *project;
  matrix **position; // [groups]: [width / groups, width / groups, taps]
  float *relative;   // [buckets, heads]
  layer layer[LAYER_LIMIT];
  norm last;
  float *share; // [layers + 1]
};

static void read_norm(wavlm *w, norm *n, const weights_view *view, const char *name, size_t count,
                      mw_status *status, mw_error *error)
{
  char full[128];
  n->gain = arena_floats(w->memory, count);
  n->bias = arena_floats(w->memory, count);
  if (*status == MW_OK && arena_failed(w->memory)) *status = mw_fail_memory(error, "reading WavLM");
  snprintf(full, sizeof full, "%s.weight", name);
  if (*status == MW_OK) *status = weights_read(view, full, 1, &count, n->gain, error);
  snprintf(full, sizeof full, "%s.bias", name);
  if (*status == MW_OK) *status = weights_read(view, full, 1, &count, n->bias, error);
}

static matrix *read_linear(const weights_view *view, const char *name, size_t outputs,
                           size_t inputs, mw_status *status, mw_error *error)
{
  matrix *m = NULL;
  if (*status == MW_OK)
    *status = matrix_load(&m, view, name, &(matrix_shape){outputs, inputs, 1, 1, 1}, true, error);
  return m;
}

static mw_status read_convs(wavlm *w, const weights_view *view, mw_error *error)
{
  size_t inputs = 1;
  for (size_t i = 0; i < CONV_LAYERS; i++) {
    char name[64];
    const tensor *t;
    snprintf(name, sizeof name, "feature_extractor.conv_layers.%zu.0.weight", i);
    mw_status status =
        weights_need(&t, view, name, 3, (size_t[]){w->channels, inputs, ANY_SIZE}, error);
    if (status != MW_OK) return status;
    w->convs[i].taps = t->shape[2];
    snprintf(name, sizeof name, "feature_extractor.conv_layers.%zu.0", i);
    matrix_shape shape = {w->channels, inputs, t->shape[2], 1, conv_stride[i]};
    status = matrix_load(&w->convs[i].conv, view, name, &shape, false, error);
    snprintf(name, sizeof name, "feature_extractor.conv_layers.%zu.2.1", i);
    read_norm(w, &w->convs[i].after, view, name, w->channels, &status, error);
    if (status != MW_OK) return status;
    inputs = w->channels;
  }
  return MW_OK;
}

// Weight norm over everything but the taps: tap k is g[k] v[:, :, k] / |v[:, :, k]|.
static mw_status read_position(wavlm *w, const weights_view *view, mw_error *error)
{
  const tensor *v;
  mw_status status = weights_need(&v, view, "encoder.pos_conv.0.weight_v", 3,
                                  (size_t[]){w->width, ANY_SIZE, ANY_SIZE}, error);
  if (status != MW_OK) return status;
  size_t inputs = v->shape[1];
  size_t taps = v->shape[2];
  if (inputs == 0 || taps == 0 || w->width % inputs != 0)
    return mw_fail(error, MW_ERROR_MODEL, "%s: positions of %zu channels do not divide %zu",
                   weights_path(view->file), inputs, w->width);
  w->groups = w->width / inputs;
  w->position_taps = taps;
  w->position = arena_take(w->memory, w->groups, sizeof(matrix *));
  float *values = malloc((v->count + 1) * sizeof(float));
  float *gain = malloc((taps + 1) * sizeof(float));
  float *bias = malloc((w->width + 1) * sizeof(float));
  if (w->position == NULL || values == NULL || gain == NULL || bias == NULL)
    status = mw_fail_memory(error, "reading WavLM");
  if (status == MW_OK)
    status =
        weights_read(view, "encoder.pos_conv.0.weight_g", 3, (size_t[]){1, 1, taps}, gain, error);
  if (status == MW_OK)
    status = weights_read(view, "encoder.pos_conv.0.bias", 1, &w->width, bias, error);
  if (status == MW_OK) {
    tensor_read(v, 0, v->count, values);
    for (size_t k = 0; k < taps; k++) {
      double square = 0.0;
      for (size_t i = k; i < v->count; i += taps) square += (double)values[i] * (double)values[i];
      double factor = square > 0.0 ? gain[k] / sqrt(square) : 0.0;
      for (size_t i = k; i < v->count; i += taps) values[i] = (float)(values[i] * factor);
    }
  }
  for (size_t g = 0; status == MW_OK && g < w->groups; g++)
    status = matrix_new(&w->position[g], &(matrix_shape){inputs, inputs, taps, 1, 1}, MATRIX_F32,
                        values + g * inputs * inputs * taps, bias + g * inputs, error);
  free(values);
  free(gain);
  free(bias);
  return status;
}

static mw_status read_layer(wavlm *w, size_t index, const weights_view *view, mw_error *error)
{
  layer *l = &w->layer[index];
  char prefix[48];
  snprintf(prefix, sizeof prefix, "encoder.layers.%zu.", index);
  weights_view in = weights_within(view, prefix);
  mw_status status = MW_OK;
  read_norm(w, &l->before_attention, &in, "self_attn_layer_norm", w->width, &status, error);
  read_norm(w, &l->before_ffn, &in, "final_layer_norm", w->width, &status, error);
  l->query = read_linear(&in, "self_attn.q_proj", w->width, w->width, &status, error);
  l->key = read_linear(&in, "self_attn.k_proj", w->width, w->width, &status, error);
  l->value = read_linear(&in, "self_attn.v_proj", w->width, w->width, &status, error);
  l->out = read_linear(&in, "self_attn.out_proj", w->width, w->width, &status, error);
  l->gate =
      read_linear(&in, "self_attn.grep_linear", GATE_ROWS, w->width / w->heads, &status, error);
  l->fc1 = read_linear(&in, "fc1", w->inner, w->width, &status, error);
  l->fc2 = read_linear(&in, "fc2", w->width, w->inner, &status, error);
  l->gate_scale = arena_floats(w->memory, w->heads);
  if (status == MW_OK && l->gate_scale == NULL) status = mw_fail_memory(error, "reading WavLM");
  if (status == MW_OK)
    status = weights_read(&in, "self_attn.grep_a", 4, (size_t[]){1, w->heads, 1, 1}, l->gate_scale,
                          error);
  return status;
}

static mw_status read_sizes(wavlm *w, const weights_view *view, mw_error *error)
{
  const tensor *t;
  const size_t any = ANY_SIZE;
  mw_status status =
      weights_need(&t, view, "post_extract_proj.weight", 2, (size_t[]){any, any}, error);
  if (status != MW_OK) return status;
  w->width = t->shape[0];
  w->channels = t->shape[1];
  status = weights_need(&t, view, "encoder.layers.0.self_attn.relative_attention_bias.weight", 2,
                        (size_t[]){any, any}, error);
  if (status != MW_OK) return status;
  w->buckets = t->shape[0];
  w->heads = t->shape[1];
  status =
      weights_need(&t, view, "encoder.layers.0.fc1.weight", 2, (size_t[]){any, w->width}, error);
  if (status != MW_OK) return status;
  w->inner = t->shape[0];
  for (; w->layers < LAYER_LIMIT; w->layers++) {
    char name[64];
    snprintf(name, sizeof name, "encoder.layers.%zu.fc1.bias", w->layers);
    if (weights_view_find(view, name) == NULL) break;
  }
  if (w->width == 0 || w->channels == 0 || w->heads == 0 || w->width % w->heads != 0 ||
      w->buckets < 4 || w->buckets % 4 != 0 || w->max_distance <= w->buckets / 4)
    return mw_fail(error, MW_ERROR_MODEL, "%s: a WavLM of width %zu with %zu heads is not possible",
                   weights_path(view->file), w->width, w->heads);
  return MW_OK;
}

static mw_status read_shares(wavlm *w, const weights_view *view, mw_error *error)
{
  size_t count = w->layers + 1;
  w->share = arena_floats(w->memory, count);
  w->relative = arena_floats(w->memory, w->buckets * w->heads);
  if (arena_failed(w->memory)) return mw_fail_memory(error, "reading WavLM");
  mw_status status = weights_read(view, "feature_weight", 1, &count, w->share, error);
  if (status == MW_OK) softmax_rows(w->share, count, 1, count);
  return status;
}

mw_status wavlm_load(wavlm **loaded, const weights_view *view, size_t max_distance, mw_error *error)
{
  weights_view inside = weights_within(view, "feature_extract.model.");
  wavlm *w = calloc(1, sizeof *w);
  if (w == NULL || (w->memory = arena_new()) == NULL) {
    wavlm_free(w);
    return mw_fail_memory(error, "reading WavLM");
  }
  w->max_distance = max_distance;
  mw_status status = read_sizes(w, &inside, error);
  if (status == MW_OK) status = read_shares(w, view, error);
  if (status == MW_OK)
    status = weights_read(&inside, "encoder.layers.0.self_attn.relative_attention_bias.weight", 2,
                          (size_t[]){w->buckets, w->heads}, w->relative, error);
  if (status == MW_OK) status = read_convs(w, &inside, error);
  read_norm(w, &w->after_convs, &inside, "layer_norm", w->channels, &status, error);
  w->project = read_linear(&inside, "post_extract_proj", w->width, w->channels, &status, error);
  if (status == MW_OK) status = read_position(w, &inside, error);
  for (size_t i = 0; status == MW_OK && i < w->layers; i++)
    status = read_layer(w, i, &inside, error);
  read_norm(w, &w->last, &inside, "encoder.layer_norm", w->width, &status, error);
  if (status != MW_OK) {
    wavlm_free(w);
    return status;
  }
  *loaded = w;
  return MW_OK;
}

void wavlm_free(wavlm *w)
{
  if (w == NULL) return;
  for (size_t i = 0; i < CONV_LAYERS; i++) matrix_free(w->convs[i].conv);
  for (size_t g = 0; w->position != NULL && g < w->groups; g++) matrix_free(w->position[g]);
  matrix_free(w->project);
  for (size_t i = 0; i < w->layers; i++) {
    layer *l = &w->layer[i];
    matrix *all[] = {l->query, l->key, l->value, l->out, l->gate, l->fc1, l->fc2};
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) matrix_free(all[k]);
  }
  arena_free(w->memory);
  free(w);
}

size_t wavlm_width(const wavlm *w)
{
  return w->width;
}

size_t wavlm_frames(const wavlm *w, size_t samples)
{
  for (size_t i = 0; i < CONV_LAYERS; i++) {
    if (samples < w->convs[i].taps) return 0;
    samples = 1 + (samples - w->convs[i].taps) / conv_stride[i];
  }
  return samples;
}

static void normalise_samples(const float *samples, size_t count, float *out)
{
  double mean = 0.0;
  double variance = 0.0;
  for (size_t i = 0; i < count; i++) mean += samples[i];
  mean /= (double)count;
  for (size_t i = 0; i < count; i++) variance += (samples[i] - mean) * (samples[i] - mean);
  double inverse = 1.0 / sqrt(variance / (double)count + EPSILON);
  for (size_t i = 0; i < count; i++) out[i] = (float)((samples[i] - mean) * inverse);
}

// Two buffers in turns; the result's rows and place come back.
static const float *run_convs(const wavlm *w, float *from, float *to, size_t rows, size_t *frames,
                              pool *p)
{
  size_t width = 1;
  for (size_t i = 0; i < CONV_LAYERS; i++) {
    rows = 1 + (rows - w->convs[i].taps) / conv_stride[i];
    matrix_run(w->convs[i].conv, from, width, rows, to, w->channels, NULL, p);
    width = w->channels;
    layer_norm(to, width, rows, width, w->convs[i].after.gain, w->convs[i].after.bias, EPSILON, to,
               width);
    activate(ACTIVATION_GELU_ERF, to, rows * width);
    float *swap = from;
    from = to;
    to = swap;
  }
  *frames = rows;
  return from;
}

// x += GELU(conv): group by group, padded by half its taps; an even kernel's last row is dropped.
static void add_positions(const wavlm *w, float *x, size_t frames, float *padded, float *made,
                          pool *p)
{
  size_t group = w->width / w->groups;
  size_t before = w->position_taps / 2;
  for (size_t g = 0; g < w->groups; g++) {
    memset(padded, 0, (frames + w->position_taps) * group * sizeof(float));
    for (size_t t = 0; t < frames; t++)
      memcpy(padded + (before + t) * group, x + t * w->width + g * group, group * sizeof(float));
    matrix_run(w->position[g], padded, group, frames, made + g * group, w->width,
               &(epilogue){.act = ACTIVATION_GELU_ERF}, p);
  }
  for (size_t i = 0; i < frames * w->width; i++) x[i] += made[i];
}

static size_t bucket(const wavlm *w, long distance)
{
  size_t half = w->buckets / 2;
  size_t exact = half / 2;
  size_t base = distance > 0 ? half : 0;
  size_t size = (size_t)labs(distance);
  if (size < exact) return base + size;
  float ratio =
      logf((float)size / (float)exact) / (float)log((double)w->max_distance / (double)exact);
  size_t far = exact + (size_t)(ratio * (float)(half - exact));
  return base + (far < half - 1 ? far : half - 1);
}

typedef struct {
  float *normal; // [frames, width]
  float *q;      // [frames, width]
  float *k;
  float *v;
  float *attended; // [frames, width]
  float *gates;    // [frames, 8]
  float *bias;     // [frames, frames] of one head
  float *wide;     // [frames, inner]
  float *scratch;
  size_t *bucket; // [2 frames - 1], of distances -(frames - 1) .. frames - 1
} run_memory;

// gate[i] = s(alpha) (s(beta) scale - 1) + 2, alpha and beta sums of four products with the head's
// input
static void gated_bias(const wavlm *w, const layer *l, size_t head, size_t frames, run_memory *m)
{
  size_t size = w->width / w->heads;
  matrix_run(l->gate, m->normal + head * size, w->width, frames, m->gates, GATE_ROWS, NULL, NULL);
  for (size_t i = 0; i < frames; i++) {
    const float *g = m->gates + i * GATE_ROWS;
    float alpha = 1.0f / (1.0f + expf(-(g[0] + g[1] + g[2] + g[3])));
    float beta = 1.0f / (1.0f + expf(-(g[4] + g[5] + g[6] + g[7])));
    float gate = alpha * (beta * l->gate_scale[head] - 1.0f) + 2.0f;
    for (size_t j = 0; j < frames; j++)
      m->bias[i * frames + j] = gate * w->relative[m->bucket[frames - 1 + j - i] * w->heads + head];
  }
}

static void run_layer(const wavlm *w, const layer *l, float *x, size_t frames, run_memory *m,
                      pool *p)
{
  size_t width = w->width;
  size_t size = width / w->heads;
  epilogue add = {.residual = x, .residual_stride = width};
  layer_norm(x, width, frames, width, l->before_attention.gain, l->before_attention.bias, EPSILON,
             m->normal, width);
  matrix_run(l->query, m->normal, width, frames, m->q, width, NULL, p);
  matrix_run(l->key, m->normal, width, frames, m->k, width, NULL, p);
  matrix_run(l->value, m->normal, width, frames, m->v, width, NULL, p);
  for (size_t h = 0; h < w->heads; h++) {
    gated_bias(w, l, h, frames, m);
    attention_run(&(attention){.heads = 1,
                               .head_size = size,
                               .queries = frames,
                               .keys = frames,
                               .q = m->q + h * size,
                               .q_stride = width,
                               .k = m->k + h * size,
                               .k_stride = width,
                               .v = m->v + h * size,
                               .v_stride = width,
                               .scale = 1.0f / sqrtf((float)size),
                               .bias = m->bias,
                               .bias_query_stride = frames,
                               .out = m->attended + h * size,
                               .out_stride = width,
                               .scratch = m->scratch},
                  NULL);
  }
  matrix_run(l->out, m->attended, width, frames, x, width, &add, p);
  layer_norm(x, width, frames, width, l->before_ffn.gain, l->before_ffn.bias, EPSILON, m->normal,
             width);
  matrix_run(l->fc1, m->normal, width, frames, m->wide, w->inner,
             &(epilogue){.act = ACTIVATION_GELU_ERF}, p);
  matrix_run(l->fc2, m->wide, w->inner, frames, x, width, &add, p);
}

static void add_state(const float *state, float share, size_t count, float *features)
{
  for (size_t i = 0; i < count; i++) features[i] += share * state[i];
}

mw_status wavlm_run(const wavlm *w, const float *samples, size_t count, float *features, pool *p,
                    mw_error *error)
{
  size_t frames = wavlm_frames(w, count);
  if (frames == 0)
    return mw_fail(error, MW_ERROR_ARGUMENT, "a voice needs a reference of some length");
  arena *memory = arena_new();
  if (memory == NULL) return mw_fail_memory(error, "listening to a voice");
  size_t first_rows = 1 + (count - w->convs[0].taps) / conv_stride[0];
  size_t room = first_rows * w->channels > count ? first_rows * w->channels : count;
  float *a = arena_floats(memory, room);
  float *b = arena_floats(memory, room);
  float *x = arena_floats(memory, frames * w->width);
  float *padded = arena_floats(memory, (frames + w->position_taps) * (w->width / w->groups));
  float *normal = arena_floats(memory, frames * (w->width > w->channels ? w->width : w->channels));
  run_memory m = {.normal = normal,
                  .q = arena_floats(memory, frames * w->width),
                  .k = arena_floats(memory, frames * w->width),
                  .v = arena_floats(memory, frames * w->width),
                  .attended = arena_floats(memory, frames * w->width),
                  .gates = arena_floats(memory, frames * GATE_ROWS),
                  .bias = arena_floats(memory, frames * frames),
                  .wide = arena_floats(memory, frames * w->inner),
                  .scratch =
                      arena_floats(memory, attention_scratch(frames, frames, w->width / w->heads)),
                  .bucket = arena_take(memory, 2 * frames, sizeof(size_t))};
  mw_status status = MW_OK;
  if (arena_failed(memory)) {
    status = mw_fail_memory(error, "listening to a voice");
    goto done;
  }
  for (size_t i = 0; i < 2 * frames - 1; i++) m.bucket[i] = bucket(w, (long)i - (long)(frames - 1));
  normalise_samples(samples, count, a);
  const float *convolved = run_convs(w, a, b, count, &frames, p);
  layer_norm(convolved, w->channels, frames, w->channels, w->after_convs.gain, w->after_convs.bias,
             EPSILON, normal, w->channels);
  matrix_run(w->project, normal, w->channels, frames, x, w->width, NULL, p);
  add_positions(w, x, frames, padded, m.attended, p);
  for (size_t i = 0; i < frames * w->width; i++) features[i] = 1e-6f;
  for (size_t i = 0; i < w->layers; i++) {
    add_state(x, w->share[i], frames * w->width, features);
    run_layer(w, &w->layer[i], x, frames, &m, p);
  }
  layer_norm(x, w->width, frames, w->width, w->last.gain, w->last.bias, EPSILON, x, w->width);
  add_state(x, w->share[w->layers], frames * w->width, features);
done:
  arena_free(memory);
  return status;
}
