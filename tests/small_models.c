// SPDX-License-Identifier: GPL-3.0-or-later
#include "small_models.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bundle.h"
#include "data_path.h"
#include "voice.h"
#include "weights_internal.h"

const char *const small_decoders[SMALL_MODELS] = {
    "model_200ms.safetensors", "meanvc2_120ms_40ms.safetensors", "meanvc2_40ms_40ms.safetensors"};
static const char *const encoders[SMALL_MODELS] = {"fastu2++.pt", "fastu2pp_160ms.pt",
                                                   "fastu2pp_80ms.pt"};
static const char *const cases[SMALL_MODELS] = {"e2e_v1", "e2e_v2_120ms", "e2e_v2_40ms"};

bool small_folder_make(small_folder *folder)
{
  return temp_folder_make(folder->path);
}

static bool add_link(const small_folder *folder, const char *golden, const char *file,
                     const char *name)
{
  char path[128];
  snprintf(path, sizeof path, "golden/meanvc/%s/%s", golden, file);
  return data_link(folder->path, name, path);
}

bool small_folder_add(const small_folder *folder, small_model model)
{
  return add_link(folder, cases[model], "model.safetensors", small_decoders[model]) &&
         add_link(folder, cases[model], "fastu2pp.pt", encoders[model]) &&
         add_link(folder, cases[model], "vocos.pt", "vocos.pt");
}

bool small_folder_add_speaker(const small_folder *folder)
{
  return add_link(folder, "sv", "sv.pth", "wavlm_large_finetune.pth");
}

void small_folder_remove(const small_folder *folder)
{
  if (!temp_folder_remove(folder->path)) fprintf(stderr, "%s stays\n", folder->path);
}

mw_status small_voice(mw_voice **made, const mw_voice_model *model, mw_error *error)
{
  enum { FRAMES = 50 };
  mw_voice *v = NULL;
  mw_status status = voice_new(&v, model, FRAMES, error);
  if (status != MW_OK) return status;
  for (size_t i = 0; i < v->speaker; i++) v->embedding[i] = 2.0f * (float)sin(1.7 * (double)i);
  for (size_t i = 0; i < FRAMES * v->mel; i++) v->prompt[i] = (float)sin(0.37 * (double)i);
  snprintf(v->name, sizeof v->name, "small");
  status = voice_fold(v, model, error);
  if (status == MW_OK)
    *made = v;
  else
    mw_voice_close(v);
  return status;
}

// ---- The default voice model, smaller ----

static bool has(const char *name, const char *part)
{
  return strstr(name, part) != NULL;
}

static size_t shrunk(const char *name, unsigned dimension, size_t size)
{
  enum { SHARE = 8, MEL = 80 };
  // a mel stands beside the channels
  bool joined = dimension == 1 && (has(name, "input_embed.proj.") ||
                                   (has(name, "prompt_vp_encoders.") && has(name, "linear_k.")));
  bool fixed = size == MEL || size % (2 * SHARE) != 0 || has(name, ".window") ||
               (dimension == 1 && has(name, "time_mlp.0."));
  if (joined) return MEL + (size - MEL) / SHARE;
  return fixed ? size : size / SHARE;
}

static bool is_left_out(const char *name)
{
  static const char *const layers[] = {".encoders.", "transformer_blocks.", "convnext."};
  if (has(name, "voices.") && !has(name, "voices.birch.")) return true;
  for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
    const char *found = strstr(name, layers[i]);
    if (found != NULL && found[strlen(layers[i])] >= '2') return true;
  }
  return false;
}

// The first values of each tensor of `from` that stays.
static mw_status shrink(weights *to, const weights *from, mw_error *error)
{
  mw_status status = MW_OK;
  for (size_t i = 0; status == MW_OK && i < weights_count(from); i++) {
    const tensor *t = weights_at(from, i);
    size_t shape[TENSOR_RANK_LIMIT];
    for (unsigned d = 0; d < t->rank; d++) shape[d] = shrunk(t->name, d, t->shape[d]);
    if (!is_left_out(t->name))
      status = weights_add(to, t->name, t->dtype, t->rank, shape, NULL, t->data,
                           t->count * tensor_dtype_bytes(t->dtype), 0, error);
  }
  return status;
}

mw_status small_own_write(const char *path, mw_error *error)
{
  static const char *const files[] = {"voice.safetensors", "vocoder.safetensors"};
  weights *whole[2] = {NULL, NULL};
  weights *w = calloc(1, sizeof *w);
  char found[4096];
  if (w == NULL) return mw_fail_memory(error, "a small model");
  w->file = -1;
  w->memory = arena_new();
  w->path = strdup(path);
  mw_status status = MW_OK;
  if (w->memory == NULL || w->path == NULL) status = mw_fail_memory(error, "a small model");
  for (int i = 0; status == MW_OK && i < 2; i++) {
    status = mw_find_model(found, sizeof found, files[i], error);
    if (status == MW_OK) status = weights_open(&whole[i], found, error);
    if (status == MW_OK) status = shrink(w, whole[i], error);
  }
  if (status == MW_OK) status = weights_index(w, error);
  if (status == MW_OK) {
    const bundle_part part = {.file = w, .all = true, .prefix = ""};
    const bundle_entry entries[] = {{"config", weights_metadata(whole[0], "config")}};
    status = bundle_write(path, &part, 1, entries, 1, TENSOR_F32, true, error);
  }
  for (int i = 0; i < 2; i++) weights_close(whole[i]);
  weights_close(w);
  return status;
}

// ----

bool small_set_open(small_set *set)
{
  for (small_model m = 0; m < SMALL_MODELS; m++) {
    mw_error error = {"no folder could be made"};
    const small_folder *folder = &set->folders[m];
    bool made = small_folder_make(&set->folders[m]) && small_folder_add(folder, m);
    if (!made || mw_voice_model_open(&set->models[m], folder->path, NULL, 1, &error) != MW_OK ||
        small_voice(&set->voices[m], set->models[m], &error) != MW_OK) {
      fprintf(stderr, "%s\n", error.text);
      return false;
    }
  }
  return true;
}

void small_set_close(small_set *set)
{
  for (small_model m = 0; m < SMALL_MODELS; m++) {
    mw_voice_close(set->voices[m]);
    mw_voice_model_close(set->models[m]);
    small_folder_remove(&set->folders[m]);
  }
}
