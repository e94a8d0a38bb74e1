// SPDX-License-Identifier: GPL-3.0-or-later
//
// A file holds raw weights. An output's weights become w / (1e-4 + |w| / sqrt(K)) / sqrt(K), K
// their number; the factors of activations and sums around a convolution are multiplied in with
// them.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "latent_coder_internal.h"

enum { TAPS = 3, FACTOR_MOST = 1 << 12 };

// NAME.weight [outputs, inputs, taps], normalised and times `factor`, to be freed; NULL once
// anything has failed. With `interleaved`, output 3 c + j of the file becomes output
// j * outputs / 3 + c: q, k and v apart.
static float *read_weights(const loader *l, const char *name, size_t outputs, size_t inputs,
                           size_t taps, double factor, bool interleaved, matrix_dtype *dtype)
{
  char full[64];
  const tensor *t;
  size_t count = inputs * taps; // of an output
  size_t shape[3] = {outputs, inputs, taps};
  if (l->parts->status != MW_OK) return NULL;
  snprintf(full, sizeof full, "%s.weight", name);
  l->parts->status = weights_need(&t, &l->view, full, 3, shape, l->parts->error);
  if (l->parts->status != MW_OK) return NULL;
  float *values = malloc((t->count + 1) * sizeof(float));
  if (values == NULL) {
    loader_fail(l, "out of memory");
    return NULL;
  }
  for (size_t o = 0; o < outputs; o++) {
    size_t to = interleaved ? o % 3 * (outputs / 3) + o / 3 : o;
    float *w = values + to * count;
    double squares = 0.0;
    tensor_read(t, o * count, count, w);
    for (size_t i = 0; i < count; i++) squares += (double)w[i] * (double)w[i];
    double root = sqrt((double)count);
    double scale = factor / (MAGNITUDE_EPSILON + sqrt(squares) / root) / root;
    for (size_t i = 0; i < count; i++) w[i] = (float)(w[i] * scale);
  }
  *dtype = matrix_dtype_of(t);
  return values;
}

static matrix *load_linear(const loader *l, const char *name, size_t outputs, size_t inputs,
                           double factor, bool interleaved)
{
  matrix_dtype dtype = MATRIX_F32;
  float *values = read_weights(l, name, outputs, inputs, 1, factor, interleaved, &dtype);
  matrix *made = loader_pack(l, outputs, inputs, 1, dtype, values, NULL);
  free(values);
  return made;
}

static conv *load_conv(const loader *l, const char *name, size_t outputs, size_t inputs,
                       double factor)
{
  matrix_dtype dtype = MATRIX_F32;
  float *values = read_weights(l, name, outputs, inputs, TAPS, factor, false, &dtype);
  conv *made = loader_pack_conv(l, outputs, inputs, TAPS, dtype, values, NULL);
  free(values);
  return made;
}

static residual_block load_block(const loader *parent, const char *name, coder_half *half)
{
  loader l = loader_within(parent, "%s.", name);
  residual_block b = {.inside = loader_size(&l, "conv1.weight", 1),
                      .outside = loader_size(&l, "conv1.weight", 0)};
  if (b.inside > half->widest) half->widest = b.inside;
  if (b.outside > half->widest) half->widest = b.outside;
  b.conv1 = load_conv(&l, "conv1", b.outside, b.inside, MAGNITUDE_SILU);
  b.conv2 = load_conv(&l, "conv2", b.outside, b.outside, MAGNITUDE_SILU * MAGNITUDE_GIVE);
  if (b.inside != b.outside)
    b.shortcut = load_linear(&l, "nin_shortcut", b.outside, b.inside, MAGNITUDE_KEEP, false);
  return b;
}

static void need_width(const loader *l, size_t found, size_t wanted)
{
  if (found != wanted) loader_fail(l, "widths of neighbouring layers differ");
}

static void load_middle(const loader *parent, coder_half *half, size_t width)
{
  loader l = loader_within(parent, "mid.");
  loader attention_part = loader_within(&l, "attn_1.");
  half->middle[0] = load_block(&l, "block_1", half);
  half->qkv = load_linear(&attention_part, "qkv", 3 * width, width, 1.0, true);
  half->proj_out = load_linear(&attention_part, "proj_out", width, width, MAGNITUDE_GIVE, false);
  half->middle[1] = load_block(&l, "block_2", half);
  for (int i = 0; i < 2; i++) {
    need_width(&l, half->middle[i].inside, width);
    need_width(&l, half->middle[i].outside, width);
  }
}

static size_t count_in(const loader *l, const char *format)
{
  char name[64];
  size_t count = 0;
  for (; count < 64; count++) {
    snprintf(name, sizeof name, format, count);
    if (loader_find(l, name) == NULL) break;
  }
  return count;
}

// An encoder's levels halve the rows, a decoder's double them.
static void load_level(const loader *l, coder_level *level, size_t *width, coder_half *half,
                       bool encoder)
{
  arena *memory = l->parts->memory;
  level->count = count_in(l, "block.%zu.conv1.weight");
  level->blocks = arena_take(memory, level->count, sizeof(residual_block));
  for (size_t i = 0; level->blocks != NULL && i < level->count; i++) {
    char name[32];
    snprintf(name, sizeof name, "block.%zu", i);
    level->blocks[i] = load_block(l, name, half);
    need_width(l, level->blocks[i].inside, *width);
    *width = level->blocks[i].outside;
  }
  level->width = *width;
  if (!encoder && loader_find(l, "upsample.conv.weight") != NULL)
    level->upsample = load_conv(l, "upsample.conv", *width, *width, 1.0);
  if (encoder && loader_find(l, "downsample.conv1.weight") != NULL) {
    level->before = load_linear(l, "downsample.conv1", *width, *width, 1.0, false);
    level->after = load_linear(l, "downsample.conv2", *width, *width, 1.0, false);
  }
  if (level->upsample == NULL && level->before == NULL) return;
  half->factor *= 2;
  if (half->factor > FACTOR_MOST) loader_fail(l, "too many levels double the rows");
}

// Levels in the order sound takes: an encoder's go up and the middle follows, a decoder's go down
// after the middle.
static void load_half(const loader *l, coder_half *half, bool encoder)
{
  float gain = 0.0f;
  const tensor *stored = loader_find(l, "learnable_gain");
  if (stored != NULL && stored->count == 1) tensor_read(stored, 0, 1, &gain);
  size_t width = loader_size(l, "conv_in.weight", 0);
  half->factor = 1;
  half->widest = width;
  half->inputs = loader_size(l, "conv_in.weight", 1);
  half->outputs = loader_size(l, "conv_out.weight", 0);
  half->conv_in = load_conv(l, "conv_in", width, half->inputs, 1.0);
  if (!encoder) load_middle(l, half, width);
  half->level_count =
      count_in(l, encoder ? "down.%zu.block.0.conv1.weight" : "up.%zu.block.0.conv1.weight");
  half->levels = arena_take(l->parts->memory, half->level_count, sizeof(coder_level));
  for (size_t i = 0; half->levels != NULL && i < half->level_count; i++) {
    size_t number = encoder ? i : half->level_count - 1 - i;
    loader level = loader_within(l, "%s.%zu.", encoder ? "down" : "up", number);
    load_level(&level, &half->levels[i], &width, half, encoder);
  }
  if (encoder) load_middle(l, half, width);
  half->conv_out =
      load_conv(l, "conv_out", half->outputs, width, MAGNITUDE_SILU * (1.0 + (double)gain));
}

mw_status latent_coder_load(latent_coder **loaded, const weights *file, bool encoder,
                            mw_error *error)
{
  latent_coder *c = calloc(1, sizeof *c);
  if (c == NULL) return mw_fail_memory(error, "loading the latent coder");
  mw_status status = parts_start(&c->parts, error);
  if (status != MW_OK) goto fail;
  loader whole = {&c->parts, weights_locate(file, "decoder.conv_in.weight")};
  loader decoder = loader_within(&whole, "decoder.");
  load_half(&decoder, &c->decoder, false);
  latent_coder_config *config = &c->config;
  *config = (latent_coder_config){.latent_channels = c->decoder.inputs,
                                  .mel_bins = c->decoder.outputs,
                                  .factor = c->decoder.factor,
                                  .has_encoder = encoder};
  c->data_mean = loader_vector(&whole, "data_mean", config->mel_bins);
  c->data_std = loader_vector(&whole, "data_std", config->mel_bins);
  if (encoder) {
    loader l = loader_within(&whole, "encoder.");
    load_half(&l, &c->encoder, true);
    if (c->encoder.inputs != config->mel_bins ||
        c->encoder.outputs != 2 * config->latent_channels || c->encoder.factor != config->factor)
      loader_fail(&l, "does not fit the decoder");
  }
  status = parts_finish(&c->parts);
  if (status != MW_OK) goto fail;
  *loaded = c;
  return MW_OK;
fail:
  latent_coder_free(c);
  return status;
}

void latent_coder_free(latent_coder *c)
{
  if (c == NULL) return;
  parts_free(&c->parts);
  free(c);
}
