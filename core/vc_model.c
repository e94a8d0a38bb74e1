// SPDX-License-Identifier: GPL-3.0-or-later
#include "vc_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "registry.h"

enum { MOST_STEPS = 16, PUBLISHED_CHUNK = 20 };

void mw_voice_model_close(mw_voice_model *m)
{
  if (m == NULL) return;
  flow_vc_schedule_free(m->schedule);
  flow_vc_free(m->decoder);
  asr_encoder_free(m->encoder);
  vocos_free(m->vocoder);
  weights_close(m->decoder_file);
  weights_close(m->encoder_file);
  weights_close(m->vocoder_file);
  free(m->voices);
  free(m);
}

mw_status vc_open_published(weights **file, const char *folder, const char *const *names,
                            const char *tensor_name, weights_view *view, mw_error *error)
{
  char path[4400];
  for (size_t i = 0; names[i] != NULL; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    if (access(path, F_OK) != 0) continue;
    mw_status status = weights_open(file, path, error);
    if (status == MW_OK) *view = weights_locate(*file, tensor_name);
    return status;
  }
  return mw_fail(error, MW_ERROR_MODEL, "%s: there is no %s in it", folder, names[0]);
}

static mw_status read_chunk(const weights *file, size_t *chunk, mw_error *error)
{
  const char *text = weights_metadata(file, "config");
  json *config = NULL;
  if (text == NULL)
    return mw_fail(error, MW_ERROR_MODEL, "%s: not a voice bundle: it has no config",
                   weights_path(file));
  mw_status status = json_parse(&config, text, strlen(text), weights_path(file), error);
  if (status != MW_OK) return status;
  if (!json_size(json_get(json_get(json_root(config), "decoder"), "chunk"), 4, 1024, chunk))
    status =
        mw_fail(error, MW_ERROR_MODEL, "%s: its config names no decoder chunk", weights_path(file));
  json_free(config);
  return status;
}

static mw_status open_bundle(mw_voice_model *m, const char *model_path, const char *vocoder_path,
                             mw_error *error)
{
  size_t chunk = 0;
  mw_status status = weights_open(&m->decoder_file, model_path, error);
  if (status == MW_OK) status = weights_open(&m->vocoder_file, vocoder_path, error);
  if (status == MW_OK) status = read_chunk(m->decoder_file, &chunk, error);
  if (status != MW_OK) return status;
  weights_view encoder = weights_under(m->decoder_file, "encoder.");
  weights_view decoder = weights_under(m->decoder_file, "decoder.");
  weights_view vocoder = weights_under(m->vocoder_file, "vocoder.");
  status = asr_encoder_load(&m->encoder, &encoder, error);
  if (status == MW_OK) status = flow_vc_load(&m->decoder, &decoder, chunk, 0, error);
  if (status == MW_OK) status = vocos_load(&m->vocoder, &vocoder, 0, error);
  return status;
}

static mw_status open_folder(mw_voice_model *m, const char *folder, mw_error *error)
{
  static const char *const decoders[] = {"model_200ms.safetensors", "meanvc_200ms.pt", NULL};
  static const char *const encoders[] = {"fastu2++.pt", NULL};
  static const char *const vocoders[] = {"vocos.pt", NULL};
  weights_view view;
  if (snprintf(m->folder, sizeof m->folder, "%s", folder) >= (int)sizeof m->folder)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%.200s...: the name is too long", folder);
  mw_status status =
      vc_open_published(&m->encoder_file, folder, encoders, "embed.out.0.weight", &view, error);
  if (status == MW_OK) status = asr_encoder_load(&m->encoder, &view, error);
  if (status == MW_OK)
    status = vc_open_published(&m->decoder_file, folder, decoders, "proj_out.weight", &view, error);
  if (status == MW_OK) status = flow_vc_load(&m->decoder, &view, PUBLISHED_CHUNK, 0, error);
  if (status == MW_OK)
    status = vc_open_published(&m->vocoder_file, folder, vocoders, "head.out.weight", &view, error);
  if (status == MW_OK) status = vocos_load(&m->vocoder, &view, 0, error);
  return status;
}

// A bundle's own speaker encoder defines its embeddings; published models share one.
static void name_speaker_space(mw_voice_model *m)
{
  enum { MOST_BYTES = 256 };
  sha256 hash;
  size_t size = flow_vc_speaker(m->decoder);
  sha256_start(&hash);
  sha256_add(&hash, &size, sizeof size);
  for (size_t i = 0; m->folder[0] == '\0' && i < weights_count(m->decoder_file); i++) {
    const tensor *t = weights_at(m->decoder_file, i);
    if (strncmp(t->name, "speaker.", 8) != 0) continue;
    sha256_add(&hash, t->name, strlen(t->name));
    size_t count = t->count < MOST_BYTES / sizeof(float) ? t->count : MOST_BYTES / sizeof(float);
    float values[MOST_BYTES / sizeof(float)];
    tensor_read(t, 0, count, values);
    sha256_add(&hash, values, count * sizeof(float));
  }
  sha256_finish(&hash, m->speaker_space);
}

// Names in tensors "voices.NAME.embedding".
static mw_status list_voices(mw_voice_model *m, mw_error *error)
{
  static const char before[] = "voices.";
  static const char after[] = ".embedding";
  m->voices = calloc(weights_count(m->decoder_file) + 1, sizeof *m->voices);
  if (m->voices == NULL) return mw_fail_memory(error, "listing voices");
  for (size_t i = 0; i < weights_count(m->decoder_file); i++) {
    const char *name = weights_at(m->decoder_file, i)->name;
    size_t length = strlen(name);
    if (strncmp(name, before, sizeof before - 1) != 0 || length < sizeof before + sizeof after ||
        strcmp(name + length - (sizeof after - 1), after) != 0)
      continue;
    length -= sizeof before - 1 + sizeof after - 1;
    if (length >= sizeof m->voices[0]) continue;
    memcpy(m->voices[m->voice_count++], name + sizeof before - 1, length);
  }
  return MW_OK;
}

static bool is_folder(const char *path)
{
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

// The files meant by NULL: the default model, and the default vocoder where one is used.
typedef struct {
  const char *model;
  const char *vocoder;
  char found[2][4096];
} model_files;

static mw_status find_files(model_files *f, const char *model_path, const char *vocoder_path,
                            mw_error *error)
{
  mw_status status = MW_OK;
  f->model = model_path != NULL ? model_path : f->found[0];
  if (model_path == NULL)
    status = mw_find_model(f->found[0], sizeof f->found[0], "voice.safetensors", error);
  if (status != MW_OK) return status;
  f->vocoder = is_folder(f->model) ? NULL : vocoder_path;
  if (is_folder(f->model) || vocoder_path != NULL) return MW_OK;
  f->vocoder = f->found[1];
  return mw_find_model(f->found[1], sizeof f->found[1], "vocoder.safetensors", error);
}

static mw_status open_files(mw_voice_model **opened, const char *model_path,
                            const char *vocoder_path, unsigned steps, mw_error *error)
{
  float times[MOST_STEPS + 1];
  if (steps < 1 || steps > MOST_STEPS)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%u steps: wanted 1 to %d", steps, MOST_STEPS);
  mw_voice_model *m = calloc(1, sizeof *m);
  if (m == NULL) return mw_fail_memory(error, "opening a voice model");
  mw_status status = is_folder(model_path) ? open_folder(m, model_path, error)
                                           : open_bundle(m, model_path, vocoder_path, error);
  if (status == MW_OK) flow_vc_published_times(m->decoder, times, steps);
  if (status == MW_OK) status = flow_vc_schedule_new(&m->schedule, m->decoder, times, steps, error);
  if (status == MW_OK) status = list_voices(m, error);
  if (status != MW_OK) {
    mw_voice_model_close(m);
    return status;
  }
  name_speaker_space(m);
  *opened = m;
  return MW_OK;
}

mw_status mw_voice_model_open(mw_voice_model **opened, const char *model_path,
                              const char *vocoder_path, unsigned steps, mw_error *error)
{
  model_files files;
  mw_status status = find_files(&files, model_path, vocoder_path, error);
  if (status != MW_OK) return status;
  return open_files(opened, files.model, files.vocoder, steps, error);
}

static mw_status open_wish(void **object, const registry_wish *wish, mw_error *error)
{
  return open_files((mw_voice_model **)object, wish->files[0], wish->files[1], wish->steps, error);
}

static void close_object(void *object)
{
  mw_voice_model_close(object);
}

mw_status mw_voice_model_share(mw_voice_model **shared, const char *model_path,
                               const char *vocoder_path, unsigned steps, mw_error *error)
{
  model_files files;
  void *object = NULL;
  mw_status status = find_files(&files, model_path, vocoder_path, error);
  if (status != MW_OK) return status;
  registry_wish wish = {{files.model, files.vocoder}, steps, open_wish, close_object};
  status = registry_take(&object, &wish, error);
  if (status == MW_OK) *shared = object;
  return status;
}

void mw_voice_model_give_back(mw_voice_model *model)
{
  registry_give_back(model);
}

const char *mw_voice_model_voice(const mw_voice_model *m, size_t index)
{
  return index < m->voice_count ? m->voices[index] : NULL;
}

converter_model vc_model_networks(const mw_voice_model *m)
{
  return (converter_model){m->encoder, m->decoder, m->schedule, m->vocoder};
}
