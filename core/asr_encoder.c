// SPDX-License-Identifier: GPL-3.0-or-later
//
// The encoder's weights. Official sizes: 80 bins, d 256, heads 4, ff 2048, 7 or 6 layers, kernel 9.
//
//   (x - mean) istd
//   conv 3x3 stride 2, ReLU, twice (time x frequency: T x 80 -> T1 x 39 -> t x 19), linear 19 d ->
//   d, times sqrt(d) layers: see asr_state.c;  after_norm
//
// A 2-D convolution is a 1-D one here: the taps are the three times, the inputs of a tap the three
// neighbouring frequencies with their channels, which lie side by side.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asr_encoder_internal.h"

enum { KERNEL_2D = 3 };

static float *read_vector(asr_encoder *e, const weights_view *view, const char *name, size_t count,
                          mw_status *status, mw_error *error)
{
  if (*status != MW_OK) return NULL;
  float *values = arena_floats(e->memory, count);
  if (values == NULL)
    *status = mw_fail_memory(error, "reading the encoder");
  else
    *status = weights_read(view, name, 1, &count, values, error);
  return values;
}

static asr_norm read_norm(asr_encoder *e, const weights_view *view, const char *name,
                          mw_status *status, mw_error *error)
{
  weights_view inside = weights_within(view, name);
  asr_norm norm;
  norm.gain = read_vector(e, &inside, ".weight", e->d, status, error);
  norm.bias = read_vector(e, &inside, ".bias", e->d, status, error);
  return norm;
}

static matrix *read_matrix(const weights_view *view, const char *name, size_t outputs,
                           size_t inputs, bool has_bias, mw_status *status, mw_error *error)
{
  matrix *m = NULL;
  if (*status == MW_OK)
    *status =
        matrix_load(&m, view, name, &(matrix_shape){outputs, inputs, 1, 1, 1}, has_bias, error);
  return m;
}

// [out, in, time, frequency] -> [out, (frequency, in), time]
static matrix *read_conv_2d(const asr_encoder *e, const weights_view *view, const char *name,
                            size_t inputs, size_t bins, mw_status *status, mw_error *error)
{
  char full[64];
  const size_t shape[4] = {e->channels, inputs, KERNEL_2D, KERNEL_2D};
  size_t count = e->channels * inputs * KERNEL_2D * KERNEL_2D;
  matrix *m = NULL;
  if (*status != MW_OK) return NULL;
  float *stored = malloc((count + 1) * sizeof(float));
  float *values = malloc((count + 1) * sizeof(float));
  float *bias = malloc((e->channels + 1) * sizeof(float));
  if (stored == NULL || values == NULL || bias == NULL)
    *status = mw_fail_memory(error, "reading the encoder");
  snprintf(full, sizeof full, "%s.weight", name);
  if (*status == MW_OK) *status = weights_read(view, full, 4, shape, stored, error);
  snprintf(full, sizeof full, "%s.bias", name);
  if (*status == MW_OK) *status = weights_read(view, full, 1, &e->channels, bias, error);
  if (*status == MW_OK) {
    const float *from = stored;
    for (size_t o = 0; o < e->channels; o++)
      for (size_t i = 0; i < inputs; i++)
        for (size_t t = 0; t < KERNEL_2D; t++)
          for (size_t f = 0; f < KERNEL_2D; f++)
            values[((o * KERNEL_2D + f) * inputs + i) * KERNEL_2D + t] = *from++;
    matrix_shape packed = {e->channels, KERNEL_2D * inputs, KERNEL_2D, bins, 2};
    *status = matrix_new(&m, &packed, MATRIX_F32, values, bias, error);
  }
  free(stored);
  free(values);
  free(bias);
  return m;
}

// The stored columns go channel by channel; ours frequency by frequency. The factor sqrt(d) is
// folded in.
static matrix *read_projection(const asr_encoder *e, const weights_view *view, mw_status *status,
                               mw_error *error)
{
  size_t inputs = e->bins2 * e->channels;
  matrix *m = NULL;
  if (*status != MW_OK) return NULL;
  float scale = sqrtf((float)e->d);
  float *stored = malloc((e->d * inputs + 1) * sizeof(float));
  float *values = malloc((e->d * inputs + 1) * sizeof(float));
  float *bias = malloc((e->d + 1) * sizeof(float));
  if (stored == NULL || values == NULL || bias == NULL)
    *status = mw_fail_memory(error, "reading the encoder");
  if (*status == MW_OK)
    *status = weights_read(view, "embed.out.0.weight", 2, (size_t[]){e->d, inputs}, stored, error);
  if (*status == MW_OK) *status = weights_read(view, "embed.out.0.bias", 1, &e->d, bias, error);
  if (*status == MW_OK) {
    for (size_t o = 0; o < e->d; o++) {
      bias[o] *= scale;
      for (size_t c = 0; c < e->channels; c++)
        for (size_t f = 0; f < e->bins2; f++)
          values[o * inputs + f * e->channels + c] = stored[o * inputs + c * e->bins2 + f] * scale;
    }
    *status =
        matrix_new(&m, &(matrix_shape){e->d, inputs, 1, 1, 1}, MATRIX_F32, values, bias, error);
  }
  free(stored);
  free(values);
  free(bias);
  return m;
}

static void read_convolution(asr_encoder *e, asr_layer *l, const weights_view *view,
                             mw_status *status, mw_error *error)
{
  weights_view inside = weights_within(view, "conv_module.streaming_conv.");
  const size_t shape[3] = {e->d, 1, e->kernel};
  const tensor *t = NULL;
  l->conv_in = read_matrix(&inside, "pointwise_conv1", 2 * e->d, e->d, true, status, error);
  l->conv_out = read_matrix(&inside, "pointwise_conv2", e->d, e->d, true, status, error);
  l->depthwise_bias = read_vector(e, &inside, "depthwise_conv.bias", e->d, status, error);
  l->conv_norm = read_norm(e, &inside, "norm", status, error);
  if (*status == MW_OK)
    *status = weights_need(&t, &inside, "depthwise_conv.weight", 3, shape, error);
  l->depthwise = arena_floats(e->memory, e->kernel * e->d);
  l->silence = arena_floats(e->memory, e->d);
  float *zero = arena_floats(e->memory, 3 * e->d);
  if (arena_failed(e->memory)) *status = mw_fail_memory(error, "reading the encoder");
  if (*status != MW_OK) return;
  for (size_t c = 0; c < e->d; c++)
    for (size_t j = 0; j < e->kernel; j++)
      tensor_read(t, c * e->kernel + j, 1, &l->depthwise[j * e->d + c]);
  float *gated = zero + e->d;
  matrix_run(l->conv_in, zero, e->d, 1, gated, 2 * e->d, NULL, NULL);
  glu_rows(gated, 2 * e->d, 1, e->d, l->silence, e->d);
}

static mw_status read_layer(asr_encoder *e, size_t index, const weights_view *view, mw_error *error)
{
  asr_layer *l = &e->layer[index];
  mw_status status = MW_OK;
  char prefix[32];
  snprintf(prefix, sizeof prefix, "encoders.%zu.", index);
  weights_view in = weights_within(view, prefix);
  l->norm_ff_macaron = read_norm(e, &in, "norm_ff_macaron", &status, error);
  l->norm_mha = read_norm(e, &in, "norm_mha", &status, error);
  l->norm_conv = read_norm(e, &in, "norm_conv", &status, error);
  l->norm_ff = read_norm(e, &in, "norm_ff", &status, error);
  l->norm_final = read_norm(e, &in, "norm_final", &status, error);
  l->macaron.in = read_matrix(&in, "feed_forward_macaron.w_1", e->ff, e->d, true, &status, error);
  l->macaron.out = read_matrix(&in, "feed_forward_macaron.w_2", e->d, e->ff, true, &status, error);
  l->feed_forward.in = read_matrix(&in, "feed_forward.w_1", e->ff, e->d, true, &status, error);
  l->feed_forward.out = read_matrix(&in, "feed_forward.w_2", e->d, e->ff, true, &status, error);
  l->query = read_matrix(&in, "self_attn.linear_q", e->d, e->d, true, &status, error);
  l->key = read_matrix(&in, "self_attn.linear_k", e->d, e->d, true, &status, error);
  l->value = read_matrix(&in, "self_attn.linear_v", e->d, e->d, true, &status, error);
  l->out = read_matrix(&in, "self_attn.linear_out", e->d, e->d, true, &status, error);
  l->position = read_matrix(&in, "self_attn.linear_pos", e->d, e->d, false, &status, error);
  l->content_bias = arena_floats(e->memory, e->d);
  l->position_bias = arena_floats(e->memory, e->d);
  if (arena_failed(e->memory)) return mw_fail_memory(error, "reading the encoder");
  const size_t shape[2] = {e->heads, e->d / e->heads};
  if (status == MW_OK)
    status = weights_read(&in, "self_attn.pos_bias_u", 2, shape, l->content_bias, error);
  if (status == MW_OK)
    status = weights_read(&in, "self_attn.pos_bias_v", 2, shape, l->position_bias, error);
  read_convolution(e, l, &in, &status, error);
  return status;
}

static mw_status read_sizes(asr_encoder *e, const weights_view *view, mw_error *error)
{
  const tensor *t;
  mw_status status =
      weights_need(&t, view, "embed.out.0.weight", 2, (size_t[]){ANY_SIZE, ANY_SIZE}, error);
  if (status != MW_OK) return status;
  e->d = t->shape[0];
  size_t projected = t->shape[1];
  status = weights_need(&t, view, "embed.conv.0.weight", 4,
                        (size_t[]){ANY_SIZE, 1, KERNEL_2D, KERNEL_2D}, error);
  if (status != MW_OK) return status;
  e->channels = t->shape[0];
  e->bins2 = e->channels > 0 ? projected / e->channels : 0;
  // 80 bins give 39 and 19; each step halves, so the first number is known from the last up to what
  // both drop
  e->bins1 = 2 * e->bins2 + 1;
  e->bins = 2 * e->bins1 + 2;
  status = weights_need(&t, view, "encoders.0.self_attn.pos_bias_u", 2,
                        (size_t[]){ANY_SIZE, ANY_SIZE}, error);
  if (status != MW_OK) return status;
  e->heads = t->shape[0];
  status = weights_need(&t, view, "encoders.0.feed_forward.w_1.weight", 2,
                        (size_t[]){ANY_SIZE, e->d}, error);
  if (status != MW_OK) return status;
  e->ff = t->shape[0];
  status = weights_need(&t, view, "encoders.0.conv_module.streaming_conv.depthwise_conv.weight", 3,
                        (size_t[]){e->d, 1, ANY_SIZE}, error);
  if (status != MW_OK) return status;
  e->kernel = t->shape[2];
  for (; e->layers < ASR_LAYER_LIMIT; e->layers++) {
    char name[64];
    snprintf(name, sizeof name, "encoders.%zu.norm_final.weight", e->layers);
    if (weights_view_find(view, name) == NULL) break;
  }
  if (e->d == 0 || e->d % 2 != 0 || e->bins2 == 0 || e->heads == 0 || e->d % e->heads != 0 ||
      e->ff == 0 || e->kernel == 0 || e->kernel > 1024)
    return mw_fail(error, MW_ERROR_MODEL,
                   "%s: an encoder of width %zu with %zu heads is not possible",
                   weights_path(view->file), e->d, e->heads);
  return MW_OK;
}

mw_status asr_encoder_load(asr_encoder **loaded, const weights_view *view, mw_error *error)
{
  asr_encoder *e = calloc(1, sizeof *e);
  if (e == NULL || (e->memory = arena_new()) == NULL) {
    asr_encoder_free(e);
    return mw_fail_memory(error, "reading the encoder");
  }
  mw_status status = read_sizes(e, view, error);
  if (status == MW_OK && weights_view_find(view, "global_cmvn.mean") != NULL) {
    e->mean = read_vector(e, view, "global_cmvn.mean", e->bins, &status, error);
    e->istd = read_vector(e, view, "global_cmvn.istd", e->bins, &status, error);
  }
  e->conv1 = read_conv_2d(e, view, "embed.conv.0", 1, e->bins, &status, error);
  e->conv2 = read_conv_2d(e, view, "embed.conv.2", e->channels, e->bins1, &status, error);
  e->project = read_projection(e, view, &status, error);
  for (size_t i = 0; status == MW_OK && i < e->layers; i++) status = read_layer(e, i, view, error);
  e->after_norm = read_norm(e, view, "after_norm", &status, error);
  if (status != MW_OK) {
    asr_encoder_free(e);
    return status;
  }
  *loaded = e;
  return MW_OK;
}

void asr_encoder_free(asr_encoder *e)
{
  if (e == NULL) return;
  matrix_free(e->conv1);
  matrix_free(e->conv2);
  matrix_free(e->project);
  for (size_t i = 0; i < e->layers; i++) {
    asr_layer *l = &e->layer[i];
    matrix *all[] = {l->macaron.in, l->macaron.out, l->feed_forward.in, l->feed_forward.out,
                     l->query,      l->key,         l->value,           l->out,
                     l->position,   l->conv_in,     l->conv_out};
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) matrix_free(all[k]);
  }
  arena_free(e->memory);
  free(e);
}

size_t asr_encoder_width(const asr_encoder *e)
{
  return e->d;
}

size_t asr_encoder_bins(const asr_encoder *e)
{
  return e->bins;
}

size_t asr_encoder_frames(size_t frames)
{
  return frames < 7 ? 0 : ((frames - 1) / 2 - 1) / 2;
}
