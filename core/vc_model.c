// SPDX-License-Identifier: GPL-3.0-or-later
#include "vc_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fbank.h"
#include "json.h"
#include "registry.h"
#include "vc_published.h"

enum { MOST_STEPS = 16 };

static bool is_folder(const char *path)
{
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

// Files as published, and not one of our bundles.
static bool is_published(const char *path)
{
  return is_folder(path) || vc_published_named(path) != NULL;
}

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

// The sizes that the tensors do not tell, in the words of our bundles or of the published
// configurations; a bundle made without one is known by the files it was made of.
static mw_status read_chunk(const weights *file, size_t *chunk, size_t *ahead, mw_error *error)
{
  const char *text = weights_metadata(file, "config");
  const vc_published *source = vc_published_source(file);
  json *config = NULL;
  if (text == NULL)
    return mw_fail(error, MW_ERROR_MODEL, "%s: not a voice bundle: it has no config",
                   weights_path(file));
  mw_status status = json_parse(&config, text, strlen(text), weights_path(file), error);
  if (status != MW_OK) return status;
  const json_node *own = json_get(json_root(config), "decoder");
  const json_node *published = json_get(json_root(config), "model");
  *chunk = source != NULL ? source->chunk : 0;
  *ahead = source != NULL ? source->ahead : 0;
  json_size(json_get(published, "chunk_size"), 4, 1024, chunk);
  json_size(json_get(published, "block_size"), 4, 1024, ahead);
  json_size(json_get(own, "chunk"), 4, 1024, chunk);
  json_size(json_get(own, "ahead"), 0, 1024, ahead);
  if (*chunk == 0)
    status =
        mw_fail(error, MW_ERROR_MODEL, "%s: its config names no decoder chunk", weights_path(file));
  json_free(config);
  return status;
}

static mw_status open_bundle(mw_voice_model *m, const char *model_path, const char *vocoder_path,
                             mw_error *error)
{
  size_t chunk = 0;
  size_t ahead = 0;
  char found[4096];
  mw_status status = weights_open(&m->decoder_file, model_path, error);
  if (status == MW_OK) status = read_chunk(m->decoder_file, &chunk, &ahead, error);
  if (status != MW_OK) return status;
  weights_view encoder = weights_under(m->decoder_file, "encoder.");
  weights_view decoder = weights_under(m->decoder_file, "decoder.");
  weights_view vocoder = weights_under(m->decoder_file, "vocoder.");
  if (vocoder_path != NULL || weights_view_find(&vocoder, "head.out.weight") == NULL) {
    if (vocoder_path == NULL)
      status = mw_find_model(found, sizeof found, "vocoder.safetensors", error);
    if (status == MW_OK)
      status = weights_open(&m->vocoder_file, vocoder_path != NULL ? vocoder_path : found, error);
    if (status != MW_OK) return status;
    vocoder = weights_under(m->vocoder_file, "vocoder.");
  }
  status = asr_encoder_load(&m->encoder, &encoder, error);
  if (status == MW_OK) status = flow_vc_load(&m->decoder, &decoder, chunk, ahead, error);
  if (status == MW_OK) status = vocos_load(&m->vocoder, &vocoder, 0, error);
  return status;
}

// `path`: a folder, or the decoder in it.
static mw_status open_published(mw_voice_model *m, const char *path, mw_error *error)
{
  const vc_published *files = vc_published_named(path);
  weights_view view;
  mw_status status = MW_OK;
  if (snprintf(m->folder, sizeof m->folder, "%s", path) >= (int)sizeof m->folder)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%.200s...: the name is too long", path);
  if (is_folder(path)) {
    status = vc_published_in(&files, path, error);
  } else {
    char *slash = strrchr(m->folder, '/');
    snprintf(slash != NULL ? slash + 1 : m->folder, 2, ".");
  }
  if (status == MW_OK)
    status = vc_published_open(&m->encoder_file, m->folder, files->encoder, "embed.out.0.weight",
                               &view, error);
  if (status == MW_OK) status = asr_encoder_load(&m->encoder, &view, error);
  if (status == MW_OK)
    status = vc_published_open(&m->decoder_file, m->folder, files->decoder, "proj_out.weight",
                               &view, error);
  if (status == MW_OK) status = flow_vc_load(&m->decoder, &view, files->chunk, files->ahead, error);
  if (status == MW_OK)
    status = vc_published_open(&m->vocoder_file, m->folder, VC_PUBLISHED_VOCODER, "head.out.weight",
                               &view, error);
  if (status == MW_OK) status = vocos_load(&m->vocoder, &view, 0, error);
  return status;
}

bool vc_hears_with_wavlm(const mw_voice_model *m)
{
  return m->folder[0] != '\0' ||
         weights_find(m->decoder_file, "speaker.feature_extract.model.layer_norm.weight") != NULL;
}

// What the values of a network mean: a hash of its size and of where its tensors begin.
static void name_space(char text[SHA256_TEXT], const weights *file, const char *prefix, size_t size)
{
  enum { MOST_BYTES = 256 };
  sha256 hash;
  sha256_start(&hash);
  sha256_add(&hash, &size, sizeof size);
  for (size_t i = 0; file != NULL && i < weights_count(file); i++) {
    const tensor *t = weights_at(file, i);
    if (strncmp(t->name, prefix, strlen(prefix)) != 0) continue;
    sha256_add(&hash, t->name, strlen(t->name));
    size_t count = t->count < MOST_BYTES / sizeof(float) ? t->count : MOST_BYTES / sizeof(float);
    float values[MOST_BYTES / sizeof(float)];
    tensor_read(t, 0, count, values);
    sha256_add(&hash, values, count * sizeof(float));
  }
  sha256_finish(&hash, text);
}

// A bundle's own speaker encoder defines its embeddings; published models share WavLM's.
static void name_spaces(mw_voice_model *m)
{
  name_space(m->speaker_space, vc_hears_with_wavlm(m) ? NULL : m->decoder_file, "speaker.",
             flow_vc_speaker(m->decoder));
  name_space(m->content_space, m->decoder_file, "encoder.", flow_vc_content(m->decoder));
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
    if (strncmp(name, before, sizeof before - 1) != 0 ||
        length < sizeof before - 1 + sizeof after ||
        strcmp(name + length - (sizeof after - 1), after) != 0)
      continue;
    length -= sizeof before - 1 + sizeof after - 1;
    if (length >= sizeof m->voices[0]) continue;
    memcpy(m->voices[m->voice_count++], name + sizeof before - 1, length);
  }
  return MW_OK;
}

// The files that are opened; a vocoder of NULL is the model's own, or the default one.
typedef struct {
  const char *model;
  const char *vocoder;
  char found[4096];
} model_files;

static mw_status find_files(model_files *f, const char *model_path, const char *vocoder_path,
                            mw_error *error)
{
  mw_status status = MW_OK;
  f->model = model_path != NULL ? model_path : f->found;
  if (model_path == NULL)
    status = mw_find_model(f->found, sizeof f->found, "voice.safetensors", error);
  if (status != MW_OK) return status;
  if (vocoder_path != NULL && is_published(f->model))
    return mw_fail(error, MW_ERROR_ARGUMENT,
                   "%s: has a vocoder of its own; name no other", f->model);
  f->vocoder = vocoder_path;
  return MW_OK;
}

static mw_status open_files(mw_voice_model **opened, const char *model_path,
                            const char *vocoder_path, unsigned steps, mw_error *error)
{
  float times[MOST_STEPS + 1];
  if (steps > MOST_STEPS)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%u steps: wanted 1 to %d", steps, MOST_STEPS);
  mw_voice_model *m = calloc(1, sizeof *m);
  if (m == NULL) return mw_fail_memory(error, "opening a voice model");
  mw_status status = is_published(model_path) ? open_published(m, model_path, error)
                                              : open_bundle(m, model_path, vocoder_path, error);
  // what the published real-time loops take
  if (status == MW_OK && steps == 0) steps = flow_vc_second_generation(m->decoder) ? 2 : 1;
  if (status == MW_OK) flow_vc_published_times(m->decoder, times, steps);
  if (status == MW_OK) status = flow_vc_schedule_new(&m->schedule, m->decoder, times, steps, error);
  if (status == MW_OK) status = list_voices(m, error);
  if (status != MW_OK) {
    mw_voice_model_close(m);
    return status;
  }
  name_spaces(m);
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

double mw_voice_model_chunk_seconds(const mw_voice_model *m)
{
  return (double)(flow_vc_chunk_frames(m->decoder) * FBANK_SHIFT) / VC_MODEL_HZ;
}
