// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_audio_internal.h"

static gated_unit load_unit(const loader *l, size_t width)
{
  gated_unit unit = {.inner = loader_size(l, "w1.weight", 0)};
  unit.w1 = loader_conv(l, "w1", unit.inner, width, false);
  unit.w2 = loader_conv(l, "w2", width, unit.inner, false);
  unit.w3 = loader_conv(l, "w3", unit.inner, width, false);
  return unit;
}

static gated_unit load_unit_at(const loader *l, const char *name, size_t width)
{
  loader unit = loader_within(l, "%s.", name);
  return load_unit(&unit, width);
}

// The rows of a prompt have no neighbours.
static void need_one_tap(const loader *l, const gated_unit *unit)
{
  const conv *all[] = {unit->w1, unit->w2, unit->w3};
  for (int i = 0; l->parts->status == MW_OK && i < 3; i++)
    if (conv_get_shape(all[i])->taps != 1) loader_fail(l, "a prompt goes through a convolution");
}

static time_embedder load_time(const loader *l, const char *name, size_t width)
{
  loader mlp = loader_within(l, "%s.mlp.", name);
  time_embedder e = {.angles = loader_size(&mlp, "0.weight", 1)};
  if (e.angles % 2 != 0) loader_fail(&mlp, "has an odd number of angles");
  e.first = loader_matrix(&mlp, "0", width, e.angles, true);
  e.second = loader_matrix(&mlp, "2", width, width, true);
  return e;
}

// Stored rows run head, element, (q, k, v); ours run (q, k, v), head, element.
static matrix *load_qkv(const loader *l, size_t width)
{
  size_t rows = 3 * width;
  matrix *made = NULL;
  if (loader_size(l, "qkv.weight", 0) != rows || loader_size(l, "qkv.weight", 1) != width ||
      loader_size(l, "qkv.bias", 0) != rows) {
    loader_fail(l, "qkv has another shape than the network's");
    return NULL;
  }
  const tensor *weight = loader_find(l, "qkv.weight");
  const tensor *bias = loader_find(l, "qkv.bias");
  if (weight == NULL || bias == NULL) return NULL;
  if (weight->count != rows * width || bias->count != rows) {
    loader_fail(l, "qkv has another shape than the network's");
    return NULL;
  }
  float *values = malloc(weight->count * sizeof(float));
  float *offsets = malloc(rows * sizeof(float));
  if (values != NULL && offsets != NULL) {
    for (size_t kind = 0; kind < 3; kind++) {
      for (size_t i = 0; i < width; i++) {
        tensor_read(weight, (3 * i + kind) * width, width, values + (kind * width + i) * width);
        tensor_read(bias, 3 * i + kind, 1, offsets + kind * width + i);
      }
    }
    made = loader_pack(l, rows, width, 1, matrix_dtype_of(weight), values, offsets);
  } else {
    loader_fail(l, "out of memory");
  }
  free(values);
  free(offsets);
  return made;
}

static flow_block load_block(const loader *l, const flow_audio_config *config, bool keys_only)
{
  size_t d = config->width;
  loader attention_part = loader_within(l, "attn.");
  flow_block b = {
      .qkv = load_qkv(&attention_part, d),
      .q_gain = loader_vector(&attention_part, "q_norm.weight", config->head_size),
      .k_gain = loader_vector(&attention_part, "k_norm.weight", config->head_size),
      .modulation = loader_matrix(l, "adaLN_modulation.1", keys_only ? 2 * d : 6 * d, d, true),
  };
  if (keys_only) return b;
  b.linear1 = loader_conv(l, "linear1", d, d, true);
  b.ffn = load_unit_at(l, "ffn", d);
  return b;
}

static size_t count_blocks(const loader *l, const char *list, const char *inside)
{
  char name[96];
  size_t count = 0;
  for (; count < 1024; count++) {
    snprintf(name, sizeof name, "%s.%zu.%sattn.qkv.weight", list, count, inside);
    if (loader_find(l, name) == NULL) break;
  }
  return count;
}

static void load_blocks(flow_audio *f, const loader *l)
{
  f->joint_count = count_blocks(l, "joint_blocks", "latent_block.");
  f->fused_count = count_blocks(l, "fused_blocks", "");
  f->joint_latent = arena_take(f->parts.memory, f->joint_count, sizeof(flow_block));
  f->joint_text = arena_take(f->parts.memory, f->joint_count, sizeof(flow_block));
  f->fused = arena_take(f->parts.memory, f->fused_count, sizeof(flow_block));
  if (arena_failed(f->parts.memory)) return;
  for (size_t i = 0; i < f->joint_count; i++) {
    loader latent = loader_within(l, "joint_blocks.%zu.latent_block.", i);
    loader text = loader_within(l, "joint_blocks.%zu.text_block.", i);
    f->joint_latent[i] = load_block(&latent, &f->config, false);
    f->joint_text[i] = load_block(&text, &f->config, i + 1 == f->joint_count);
  }
  for (size_t i = 0; i < f->fused_count; i++) {
    loader fused = loader_within(l, "fused_blocks.%zu.", i);
    f->fused[i] = load_block(&fused, &f->config, false);
  }
}

static void load_empty(flow_audio *f, const loader *l)
{
  const tensor *text = loader_find(l, "empty_string_feat");
  const tensor *pooled = loader_find(l, "empty_string_feat_c");
  if (text == NULL || text->count == 0 || text->count % f->config.text_width != 0) return;
  size_t pooled_width = f->config.pooled_width;
  f->empty_rows = text->count / f->config.text_width;
  f->empty_text = loader_vector(l, "empty_string_feat", text->count);
  if (pooled != NULL) {
    f->empty_pooled = loader_vector(l, "empty_string_feat_c", pooled_width);
  } else if (pooled_width == f->config.text_width && f->empty_text != NULL) {
    f->empty_pooled = arena_floats(f->parts.memory, pooled_width);
    for (size_t i = 0; f->empty_pooled != NULL && i < f->empty_rows * pooled_width; i++)
      f->empty_pooled[i % pooled_width] += f->empty_text[i] / (float)f->empty_rows;
  }
}

mw_status flow_audio_load(flow_audio **loaded, const weights *file, mw_error *error)
{
  flow_audio *f = calloc(1, sizeof *f);
  if (f == NULL) return mw_fail_memory(error, "loading the latent transformer");
  mw_status status = parts_start(&f->parts, error);
  if (status != MW_OK) goto fail;
  loader whole = {&f->parts, weights_locate(file, "audio_input_proj.0.weight")};
  const loader *l = &whole;
  flow_audio_config *c = &f->config;
  c->width = loader_size(l, "audio_input_proj.0.weight", 0);
  c->latent_channels = loader_size(l, "audio_input_proj.0.weight", 1);
  c->text_width = loader_size(l, "text_input_proj.0.weight", 1);
  c->pooled_width = loader_size(l, "text_cond_proj.0.weight", 1);
  c->head_size = loader_size(l, "joint_blocks.0.latent_block.attn.q_norm.weight", 0);
  c->mean_flow = loader_find(l, "r_embed.mlp.0.weight") != NULL;
  if (c->head_size == 0 || c->head_size % 2 != 0 || c->width % c->head_size != 0)
    loader_fail(l, "the width is no multiple of an even head size");
  status = f->parts.status;
  if (status != MW_OK) goto fail;
  c->heads = c->width / c->head_size;
  f->latent_mean = loader_vector(l, "latent_mean", c->latent_channels);
  f->latent_std = loader_vector(l, "latent_std", c->latent_channels);
  load_empty(f, l);
  f->latent_in = loader_conv(l, "audio_input_proj.0", c->width, c->latent_channels, true);
  f->latent_unit = load_unit_at(l, "audio_input_proj.2", c->width);
  f->text_in = loader_matrix(l, "text_input_proj.0", c->width, c->text_width, true);
  f->text_unit = load_unit_at(l, "text_input_proj.1", c->width);
  f->pooled_in = loader_matrix(l, "text_cond_proj.0", c->width, c->pooled_width, true);
  f->pooled_unit = load_unit_at(l, "text_cond_proj.1", c->width);
  need_one_tap(l, &f->text_unit);
  need_one_tap(l, &f->pooled_unit);
  f->t_embed = load_time(l, "t_embed", c->width);
  if (c->mean_flow) f->r_embed = load_time(l, "r_embed", c->width);
  load_blocks(f, l);
  f->final_modulation =
      loader_matrix(l, "final_layer.adaLN_modulation.1", 2 * c->width, c->width, true);
  f->final_conv = loader_conv(l, "final_layer.conv", c->latent_channels, c->width, true);
  status = parts_finish(&f->parts);
  if (status != MW_OK) goto fail;
  *loaded = f;
  return MW_OK;
fail:
  flow_audio_free(f);
  return status;
}

void flow_audio_free(flow_audio *f)
{
  if (f == NULL) return;
  parts_free(&f->parts);
  free(f);
}
