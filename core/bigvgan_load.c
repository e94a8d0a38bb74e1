// SPDX-License-Identifier: GPL-3.0-or-later
//
// A file holds each weight as length and direction (weight norm): W[a] = g[a] v[a] / |v[a]|, one
// length for an index of the first dimension, which is the output of a convolution and the input
// of a transposed one. Two spellings of the names, and merged weights, are read.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bigvgan_internal.h"

enum { COUNT_LIMIT = 64, TAPS_MOST = 63, FILTER_TAPS = 12, HOP_MOST = 1 << 16 };

typedef struct {
  const tensor *g; // NULL: merged
  const tensor *v;
} weight_parts;

static weight_parts find_weight(const loader *l, const char *name)
{
  static const char *const spellings[][2] = {
      {"weight_g", "weight_v"},
      {"parametrizations.weight.original0", "parametrizations.weight.original1"},
  };
  char full[2][96];
  for (int i = 0; i < 2; i++) {
    for (int k = 0; k < 2; k++) snprintf(full[k], sizeof full[k], "%s.%s", name, spellings[i][k]);
    weight_parts found = {loader_find(l, full[0]), loader_find(l, full[1])};
    if (found.g != NULL && found.v != NULL) return found;
  }
  snprintf(full[0], sizeof full[0], "%s.weight", name);
  return (weight_parts){NULL, loader_find(l, full[0])};
}

// A convolution's weight, merged: [shape[0], shape[1], shape[2]]. To be freed. NULL once anything
// has failed.
static float *read_weight(const loader *l, const char *name, size_t *shape)
{
  weight_parts found = find_weight(l, name);
  char line[160];
  if (l->parts->status != MW_OK) return NULL;
  if (found.v == NULL || found.v->rank != 3 || found.v->count == 0 ||
      found.v->shape[2] > TAPS_MOST || (found.g != NULL && found.g->count != found.v->shape[0])) {
    snprintf(line, sizeof line, "%s: no weight of a convolution; is it another model?", name);
    loader_fail(l, line);
    return NULL;
  }
  float *values = malloc(found.v->count * sizeof(float));
  if (values == NULL) {
    loader_fail(l, "out of memory");
    return NULL;
  }
  memcpy(shape, found.v->shape, 3 * sizeof *shape);
  tensor_read(found.v, 0, found.v->count, values);
  size_t count = shape[1] * shape[2];
  for (size_t a = 0; found.g != NULL && a < shape[0]; a++) {
    float *row = values + a * count;
    float length;
    double squares = 0.0;
    tensor_read(found.g, a, 1, &length);
    for (size_t i = 0; i < count; i++) squares += (double)row[i] * (double)row[i];
    double scale = squares > 0.0 ? (double)length / sqrt(squares) : 0.0;
    for (size_t i = 0; i < count; i++) row[i] = (float)(row[i] * scale);
  }
  return values;
}

static float *read_bias(const loader *l, const char *name, size_t count)
{
  char full[96];
  snprintf(full, sizeof full, "%s.bias", name);
  return loader_vector(l, full, count);
}

static snake_antialias read_activation(const loader *parent, const char *name, size_t channels)
{
  loader l = loader_within(parent, "%s.", name);
  float *alpha = loader_vector(&l, "act.alpha", channels);
  float *beta = loader_vector(&l, "act.beta", channels);
  snake_antialias act = {.channels = channels,
                         .frequency = alpha,
                         .amplitude = beta,
                         .up = loader_vector(&l, "upsample.filter", FILTER_TAPS),
                         .down = loader_vector(&l, "downsample.lowpass.filter", FILTER_TAPS)};
  for (size_t i = 0; alpha != NULL && beta != NULL && i < channels; i++) {
    alpha[i] = expf(alpha[i]);
    beta[i] = 1.0f / (expf(beta[i]) + 1e-9f);
  }
  return act;
}

// The activation `act_name` and the convolution `name` behind it.
static snake_conv *load_step(const loader *l, const char *act_name, const char *name,
                             size_t channels, size_t outputs, size_t dilation)
{
  size_t shape[3];
  snake_conv *made = NULL;
  float *values = read_weight(l, name, shape);
  float *bias = read_bias(l, name, outputs);
  snake_antialias act = read_activation(l, act_name, channels);
  parts *p = l->parts;
  if (values != NULL && bias != NULL &&
      (shape[0] != outputs || shape[1] != channels || shape[2] % 2 == 0))
    loader_fail(l, "a residual block has another shape than the network's");
  if (p->status == MW_OK && arena_failed(p->memory)) loader_fail(l, "out of memory");
  if (p->status == MW_OK)
    p->status = snake_conv_new(&made, &act, outputs, shape[2], dilation, values, bias, p->error);
  free(values);
  return made;
}

static size_t count_in(const loader *l, const char *format)
{
  char name[96];
  size_t count = 0;
  for (; count < COUNT_LIMIT; count++) {
    snprintf(name, sizeof name, format, count);
    if (find_weight(l, name).v == NULL) break;
  }
  return count;
}

static void load_block(bigvgan *b, const loader *l, amp_block *block, size_t width)
{
  block->count = count_in(l, "convs1.%zu");
  block->units = arena_take(b->parts.memory, block->count, sizeof(amp_unit));
  if (block->count == 0) loader_fail(l, "a residual block without convolutions");
  for (size_t m = 0; block->units != NULL && l->parts->status == MW_OK && m < block->count; m++) {
    char act_name[48];
    char name[48];
    snprintf(act_name, sizeof act_name, "activations.%zu", 2 * m);
    snprintf(name, sizeof name, "convs1.%zu", m);
    block->units[m].first = load_step(l, act_name, name, width, width, 2 * m + 1);
    snprintf(act_name, sizeof act_name, "activations.%zu", 2 * m + 1);
    snprintf(name, sizeof name, "convs2.%zu", m);
    block->units[m].second = load_step(l, act_name, name, width, width, 1);
  }
}

static void load_up(bigvgan *b, const loader *l, vocoder_stage *stage, size_t index)
{
  char name[32];
  size_t shape[3];
  snprintf(name, sizeof name, "ups.%zu.0", index);
  float *values = read_weight(l, name, shape);
  if (values == NULL) return;
  stage->width = shape[1];
  stage->rate = shape[2] / 2;
  const float *bias = read_bias(l, name, shape[1]);
  parts *p = l->parts;
  if (shape[0] != stage->inputs || shape[2] < 2 || shape[2] % 2 != 0 || stage->rate % 2 != 0)
    loader_fail(l, "an up-sampler has another shape than the network's");
  if (p->status == MW_OK)
    p->status = transposed_new(&stage->up, shape[0], shape[1], shape[2], stage->rate,
                               (shape[2] - stage->rate) / 2, values, bias, p->error);
  if (__builtin_mul_overflow(b->hop, stage->rate, &b->hop) || b->hop > HOP_MOST)
    loader_fail(l, "up-samplers make too many samples of a frame");
  free(values);
}

static void load_stages(bigvgan *b, const loader *l, size_t width)
{
  b->stage_count = count_in(l, "ups.%zu.0");
  size_t blocks = count_in(l, "resblocks.%zu.convs1.0");
  if (b->stage_count == 0 || blocks == 0 || blocks % b->stage_count != 0) {
    loader_fail(l, "up-samplers and residual blocks do not fit; is it another model?");
    return;
  }
  b->stages = arena_take(b->parts.memory, b->stage_count, sizeof(vocoder_stage));
  for (size_t i = 0; b->stages != NULL && l->parts->status == MW_OK && i < b->stage_count; i++) {
    vocoder_stage *stage = &b->stages[i];
    stage->inputs = width;
    load_up(b, l, stage, i);
    width = stage->width;
    stage->block_count = blocks / b->stage_count;
    stage->blocks = arena_take(b->parts.memory, stage->block_count, sizeof(amp_block));
    for (size_t k = 0; stage->blocks != NULL && k < stage->block_count; k++) {
      loader block = loader_within(l, "resblocks.%zu.", i * stage->block_count + k);
      load_block(b, &block, &stage->blocks[k], width);
      if (l->parts->status == MW_OK && stage->blocks[k].count != stage->blocks[0].count)
        loader_fail(l, "residual blocks of different lengths in one stage");
    }
  }
  b->conv_post = load_step(l, "activation_post", "conv_post", width, 1, 1);
}

mw_status bigvgan_load(bigvgan **loaded, const weights *file, mw_error *error)
{
  size_t shape[3] = {0};
  bigvgan *b = calloc(1, sizeof *b);
  if (b == NULL) return mw_fail_memory(error, "loading the vocoder");
  mw_status status = parts_start(&b->parts, error);
  if (status != MW_OK) goto fail;
  loader l = {&b->parts, weights_locate(file, "ups.0.0.bias")};
  float *values = read_weight(&l, "conv_pre", shape);
  const float *bias = read_bias(&l, "conv_pre", shape[0]);
  if (values != NULL && shape[2] % 2 == 0) loader_fail(&l, "conv_pre: an even kernel");
  b->conv_pre = loader_pack(&l, shape[0], shape[1], shape[2], MATRIX_F32, values, bias);
  free(values);
  b->hop = 1;
  b->mel_bins = shape[1];
  load_stages(b, &l, shape[0]);
  status = parts_finish(&b->parts);
  if (status != MW_OK) goto fail;
  *loaded = b;
  return MW_OK;
fail:
  bigvgan_free(b);
  return status;
}

void bigvgan_free(bigvgan *b)
{
  if (b == NULL) return;
  for (size_t i = 0; b->stages != NULL && i < b->stage_count; i++) {
    vocoder_stage *stage = &b->stages[i];
    transposed_free(stage->up);
    for (size_t k = 0; stage->blocks != NULL && k < stage->block_count; k++) {
      amp_block *block = &stage->blocks[k];
      for (size_t m = 0; block->units != NULL && m < block->count; m++) {
        snake_conv_free(block->units[m].first);
        snake_conv_free(block->units[m].second);
      }
    }
  }
  snake_conv_free(b->conv_post);
  parts_free(&b->parts);
  free(b);
}

size_t bigvgan_mel_bins(const bigvgan *b)
{
  return b->mel_bins;
}

size_t bigvgan_hop(const bigvgan *b)
{
  return b->hop;
}

void bigvgan_watch(bigvgan *b, bigvgan_probe *watcher, void *context)
{
  b->probe = watcher;
  b->probe_context = context;
}
