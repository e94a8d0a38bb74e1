// SPDX-License-Identifier: GPL-3.0-or-later
#include "vocos_internal.h"

#include <stdio.h>
#include <stdlib.h>

static float *read_vector(vocos *v, const weights_view *view, const char *name, size_t count,
                          mw_status *status, mw_error *error)
{
  if (*status != MW_OK) return NULL;
  float *values = arena_floats(v->memory, count);
  if (values == NULL)
    *status = mw_fail_memory(error, "reading the vocoder");
  else
    *status = weights_read(view, name, 1, &count, values, error);
  return values;
}

static matrix *read_matrix(const weights_view *view, const char *name, size_t outputs,
                           size_t inputs, size_t taps, mw_status *status, mw_error *error)
{
  matrix *m = NULL;
  if (*status == MW_OK)
    *status =
        matrix_load(&m, view, name, &(matrix_shape){outputs, inputs, taps, 1, 1}, true, error);
  return m;
}

static mw_status read_depthwise(vocos *v, vocos_block *b, const weights_view *view, mw_error *error)
{
  const size_t shape[3] = {v->dim, 1, VOCOS_TAPS};
  const tensor *t;
  mw_status status = weights_need(&t, view, "dwconv.weight", 3, shape, error);
  if (status != MW_OK) return status;
  b->depthwise = arena_floats(v->memory, v->dim * VOCOS_TAPS);
  if (b->depthwise == NULL) return mw_fail_memory(error, "reading the vocoder");
  for (size_t c = 0; c < v->dim; c++)
    for (size_t j = 0; j < VOCOS_TAPS; j++)
      tensor_read(t, c * VOCOS_TAPS + j, 1, &b->depthwise[j * v->dim + c]);
  return MW_OK;
}

static mw_status read_block(vocos *v, size_t index, const weights_view *view, mw_error *error)
{
  char prefix[64];
  vocos_block *b = &v->blocks[index];
  snprintf(prefix, sizeof prefix, "backbone.convnext.%zu.", index);
  weights_view inside = weights_within(view, prefix);
  mw_status status = read_depthwise(v, b, &inside, error);
  b->depthwise_bias = read_vector(v, &inside, "dwconv.bias", v->dim, &status, error);
  b->norm_gain = read_vector(v, &inside, "norm.weight", v->dim, &status, error);
  b->norm_bias = read_vector(v, &inside, "norm.bias", v->dim, &status, error);
  b->widen = read_matrix(&inside, "pwconv1", v->inner, v->dim, 1, &status, error);
  b->narrow = read_matrix(&inside, "pwconv2", v->dim, v->inner, 1, &status, error);
  b->gamma = read_vector(v, &inside, "gamma", v->dim, &status, error);
  return status;
}

// Every size is that of a tensor.
static mw_status read_sizes(vocos *v, const weights_view *view, size_t hop, mw_error *error)
{
  const tensor *t;
  mw_status status = weights_need(&t, view, "backbone.embed.weight", 3,
                                  (size_t[]){ANY_SIZE, ANY_SIZE, VOCOS_TAPS}, error);
  if (status != MW_OK) return status;
  v->dim = t->shape[0];
  v->mel = t->shape[1];
  status = weights_need(&t, view, "backbone.convnext.0.pwconv1.weight", 2,
                        (size_t[]){ANY_SIZE, v->dim}, error);
  if (status != MW_OK) return status;
  v->inner = t->shape[0];
  for (; v->layers < VOCOS_LAYER_LIMIT; v->layers++) {
    char name[64];
    snprintf(name, sizeof name, "backbone.convnext.%zu.gamma", v->layers);
    if (weights_view_find(view, name) == NULL) break;
  }
  status = weights_need(&t, view, "head.istft.window", 1, (size_t[]){ANY_SIZE}, error);
  if (status != MW_OK) return status;
  v->transform = t->shape[0];
  v->hop = hop != 0 ? hop : v->transform / 4;
  if (v->dim == 0 || v->mel == 0 || v->inner == 0 || v->transform < 8 || v->transform % 2 != 0 ||
      v->transform > 1 << 16 || v->hop == 0 || v->transform / 2 % v->hop != 0)
    return mw_fail(error, MW_ERROR_MODEL,
                   "%s: a vocoder with a transform of %zu and hop %zu is not possible",
                   weights_path(view->file), v->transform, v->hop);
  return MW_OK;
}

static mw_status read_excitation(vocos *v, const weights_view *view, mw_error *error)
{
  weights_view inside = weights_within(view, "excitation.");
  mw_status status = pitch_embedding_read(&v->pitch, v->memory, view, v->dim, error);
  if (status == MW_OK)
    status = excitation_load(&v->excitation, &inside, v->mel, v->transform, v->hop, error);
  return status;
}

mw_status vocos_load(vocos **loaded, const weights_view *view, size_t hop, mw_error *error)
{
  vocos *v = calloc(1, sizeof *v);
  if (v == NULL || (v->memory = arena_new()) == NULL) {
    vocos_free(v);
    return mw_fail_memory(error, "reading the vocoder");
  }
  mw_status status = read_sizes(v, view, hop, error);
  v->embed = read_matrix(view, "backbone.embed", v->dim, v->mel, VOCOS_TAPS, &status, error);
  v->norm_gain = read_vector(v, view, "backbone.norm.weight", v->dim, &status, error);
  v->norm_bias = read_vector(v, view, "backbone.norm.bias", v->dim, &status, error);
  for (size_t i = 0; status == MW_OK && i < v->layers; i++) status = read_block(v, i, view, error);
  v->final_gain = read_vector(v, view, "backbone.final_layer_norm.weight", v->dim, &status, error);
  v->final_bias = read_vector(v, view, "backbone.final_layer_norm.bias", v->dim, &status, error);
  v->head = read_matrix(view, "head.out", v->transform + 2, v->dim, 1, &status, error);
  v->window = read_vector(v, view, "head.istft.window", v->transform, &status, error);
  if (status == MW_OK && pitch_embedding_stored(view)) status = read_excitation(v, view, error);
  if (status != MW_OK) {
    vocos_free(v);
    return status;
  }
  *loaded = v;
  return MW_OK;
}

void vocos_free(vocos *v)
{
  if (v == NULL) return;
  matrix_free(v->embed);
  matrix_free(v->head);
  excitation_free(v->excitation);
  for (size_t i = 0; i < v->layers; i++) {
    matrix_free(v->blocks[i].widen);
    matrix_free(v->blocks[i].narrow);
  }
  arena_free(v->memory);
  free(v);
}
