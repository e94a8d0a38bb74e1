// SPDX-License-Identifier: GPL-3.0-or-later
#include "vc_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "mel.h"
#include "speaker.h"
#include "wavfile.h"
#include "wavlm.h"

enum { MOST_STEPS = 16, PUBLISHED_CHUNK = 20 };

void vc_model_close(vc_model *m)
{
  flow_vc_voice_free(m->voice);
  flow_vc_schedule_free(m->schedule);
  flow_vc_free(m->decoder);
  asr_encoder_free(m->encoder);
  vocos_free(m->vocoder);
  weights_close(m->decoder_file);
  weights_close(m->encoder_file);
  weights_close(m->vocoder_file);
}

// The first of `names` that is in the folder; `tensor_name` tells what the container puts in front
// of the names.
static mw_status open_published(weights **file, const char *folder, const char *const *names,
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

// A preset of the bundle: "voices.NAME.embedding" and "voices.NAME.prompt".
static mw_status read_preset(vc_model *m, const char *name, mw_error *error)
{
  char prefix[96];
  const tensor *embedding;
  const tensor *prompt;
  if (snprintf(prefix, sizeof prefix, "voices.%s.", name) >= (int)sizeof prefix)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%.60s...: no voice has so long a name", name);
  weights_view view = weights_under(m->decoder_file, prefix);
  if (weights_view_find(&view, "embedding") == NULL)
    return mw_fail(error, MW_ERROR_MODEL,
                   "%s: there is no voice '%s' in it; see meanwave convert --list",
                   weights_path(m->decoder_file), name);
  mw_status status = weights_need(&embedding, &view, "embedding", 1,
                                  (size_t[]){flow_vc_speaker(m->decoder)}, error);
  if (status == MW_OK)
    status = weights_need(&prompt, &view, "prompt", 2,
                          (size_t[]){ANY_SIZE, flow_vc_mel(m->decoder)}, error);
  if (status != MW_OK) return status;
  float *vector = malloc((embedding->count + 1) * sizeof(float));
  float *reference = malloc((prompt->count + 1) * sizeof(float));
  if (vector == NULL || reference == NULL) {
    status = mw_fail_memory(error, "reading a voice");
  } else {
    tensor_read(embedding, 0, embedding->count, vector);
    tensor_read(prompt, 0, prompt->count, reference);
    m->prompt_frames = prompt->shape[0];
    status = flow_vc_voice_new(&m->voice, m->decoder, vector, reference, m->prompt_frames, error);
  }
  free(vector);
  free(reference);
  return status;
}

// How a recording becomes an embedding.
typedef struct {
  weights *file; // of its own, or NULL
  wavlm *hears;  // in front of the speaker encoder; NULL: it takes the prompt's mel
  speaker *knows;
} ears;

static void ears_close(ears *e)
{
  wavlm_free(e->hears);
  speaker_free(e->knows);
  weights_close(e->file);
}

static mw_status ears_open(ears *e, const vc_model *m, mw_error *error)
{
  enum { WAVLM_DISTANCE = 800 };
  weights_view view = weights_under(m->decoder_file, "speaker.");
  mw_status status = MW_OK;
  if (m->folder[0] != '\0') {
    static const char *const names[] = {"wavlm_large_finetune.pth", NULL};
    status = open_published(&e->file, m->folder, names, "layer1.conv.weight", &view, error);
    if (status == MW_OK) status = wavlm_load(&e->hears, &view, WAVLM_DISTANCE, error);
  }
  if (status == MW_OK) status = speaker_load(&e->knows, &view, error);
  if (status != MW_OK) return status;
  size_t inputs = e->hears != NULL ? wavlm_width(e->hears) : MEL_BINS;
  if (speaker_inputs(e->knows) != inputs || speaker_size(e->knows) != flow_vc_speaker(m->decoder))
    return mw_fail(error, MW_ERROR_MODEL, "%s: its speaker encoder does not fit the decoder",
                   weights_path(view.file));
  return MW_OK;
}

// samples and their mel [frames, 80] -> embedding
static mw_status hear(const ears *e, const sound *s, const float *prompt, size_t prompt_frames,
                      float *embedding, mw_error *error)
{
  size_t frames = e->hears != NULL ? wavlm_frames(e->hears, s->frames) : prompt_frames;
  size_t width = e->hears != NULL ? wavlm_width(e->hears) : MEL_BINS;
  float *features = malloc((frames * width + 1) * sizeof(float));
  pool *workers = pool_new(0);
  mw_status status = MW_OK;
  if (features == NULL)
    status = mw_fail_memory(error, "listening to a voice");
  else if (e->hears != NULL)
    status = wavlm_run(e->hears, s->samples, s->frames, features, workers, error);
  else
    memcpy(features, prompt, frames * width * sizeof(float));
  if (status == MW_OK) {
    speaker_normalise(features, frames, width);
    status = speaker_embed(e->knows, features, frames, embedding, workers, error);
  }
  pool_free(workers);
  free(features);
  return status;
}

static mw_status read_recording(sound *s, const char *path, mw_error *error)
{
  enum { SHORTEST_SECONDS = 1, LONGEST_SECONDS = 60 };
  sound recording;
  mw_status status = sound_read(&recording, path, error);
  if (status != MW_OK) return status;
  status = sound_resample(s, &recording, VC_MODEL_HZ, error);
  sound_free(&recording);
  if (status == MW_OK && s->frames < SHORTEST_SECONDS * VC_MODEL_HZ)
    status =
        mw_fail(error, MW_ERROR_ARGUMENT, "%s: a voice needs at least a second of speech", path);
  // the prompt's length costs time in every chunk
  if (s->frames > LONGEST_SECONDS * VC_MODEL_HZ) s->frames = LONGEST_SECONDS * VC_MODEL_HZ;
  return status;
}

// A recording: its mel is the prompt.
static mw_status listen(vc_model *m, const char *path, mw_error *error)
{
  ears e = {0};
  mel *analysis = NULL;
  sound s = {0};
  float *prompt = NULL;
  float *embedding = NULL;
  mw_status status = read_recording(&s, path, error);
  if (status == MW_OK) status = ears_open(&e, m, error);
  if (status == MW_OK) status = mel_new(&analysis, MEL_MEANVC, error);
  if (status == MW_OK && flow_vc_mel(m->decoder) != MEL_BINS)
    status =
        mw_fail(error, MW_ERROR_MODEL, "%s: a recording has %d mel bins, its decoder wants %zu",
                weights_path(m->decoder_file), MEL_BINS, flow_vc_mel(m->decoder));
  if (status != MW_OK) goto done;
  m->prompt_frames = mel_frames(analysis, s.frames);
  prompt = malloc(m->prompt_frames * MEL_BINS * sizeof(float));
  embedding = malloc((speaker_size(e.knows) + 1) * sizeof(float));
  if (prompt == NULL || embedding == NULL) {
    status = mw_fail_memory(error, "listening to a voice");
    goto done;
  }
  mel_run(analysis, s.samples, s.frames, prompt);
  float loudest = -1.0f;
  for (size_t i = 0; i < m->prompt_frames * MEL_BINS; i++) loudest = fmaxf(loudest, prompt[i]);
  if (loudest <= -0.9f) {
    status = mw_fail(error, MW_ERROR_ARGUMENT, "%s: there is only silence in it", path);
    goto done;
  }
  status = hear(&e, &s, prompt, m->prompt_frames, embedding, error);
  if (status == MW_OK)
    status = flow_vc_voice_new(&m->voice, m->decoder, embedding, prompt, m->prompt_frames, error);
done:
  free(prompt);
  free(embedding);
  sound_free(&s);
  mel_free(analysis);
  ears_close(&e);
  return status;
}

static mw_status open_bundle(vc_model *m, const mw_conversion *how, mw_error *error)
{
  size_t chunk = 0;
  mw_status status = weights_open(&m->decoder_file, how->model_path, error);
  if (status == MW_OK && how->vocoder_path == NULL)
    status = mw_fail(error, MW_ERROR_ARGUMENT, "a voice bundle needs a vocoder");
  if (status == MW_OK) status = weights_open(&m->vocoder_file, how->vocoder_path, error);
  if (status == MW_OK) status = read_chunk(m->decoder_file, &chunk, error);
  if (status != MW_OK) return status;
  weights_view encoder = weights_under(m->decoder_file, "encoder.");
  weights_view decoder = weights_under(m->decoder_file, "decoder.");
  weights_view vocoder = weights_under(m->vocoder_file, "vocoder.");
  status = asr_encoder_load(&m->encoder, &encoder, error);
  if (status == MW_OK) status = flow_vc_load(&m->decoder, &decoder, chunk, error);
  if (status == MW_OK) status = vocos_load(&m->vocoder, &vocoder, 0, error);
  return status;
}

static mw_status open_folder(vc_model *m, const char *folder, mw_error *error)
{
  static const char *const decoders[] = {"model_200ms.safetensors", "meanvc_200ms.pt", NULL};
  static const char *const encoders[] = {"fastu2++.pt", NULL};
  static const char *const vocoders[] = {"vocos.pt", NULL};
  weights_view view;
  if (snprintf(m->folder, sizeof m->folder, "%s", folder) >= (int)sizeof m->folder)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%.200s...: the name is too long", folder);
  mw_status status =
      open_published(&m->encoder_file, folder, encoders, "embed.out.0.weight", &view, error);
  if (status == MW_OK) status = asr_encoder_load(&m->encoder, &view, error);
  if (status == MW_OK)
    status = open_published(&m->decoder_file, folder, decoders, "proj_out.weight", &view, error);
  if (status == MW_OK) status = flow_vc_load(&m->decoder, &view, PUBLISHED_CHUNK, error);
  if (status == MW_OK)
    status = open_published(&m->vocoder_file, folder, vocoders, "head.out.weight", &view, error);
  if (status == MW_OK) status = vocos_load(&m->vocoder, &view, 0, error);
  return status;
}

mw_status vc_model_open(vc_model *m, const mw_conversion *how, mw_error *error)
{
  float times[MOST_STEPS + 1];
  struct stat about;
  if (how->steps < 1 || how->steps > MOST_STEPS)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%u steps: wanted 1 to %d", how->steps, MOST_STEPS);
  bool folder = stat(how->model_path, &about) == 0 && S_ISDIR(about.st_mode);
  mw_status status = folder ? open_folder(m, how->model_path, error) : open_bundle(m, how, error);
  if (status != MW_OK) return status;
  flow_vc_published_times(times, how->steps);
  status = flow_vc_schedule_new(&m->schedule, m->decoder, times, how->steps, error);
  if (status != MW_OK) return status;
  // a name with a dot or a slash is a file; published files hold no voices
  bool recording = folder || strpbrk(how->voice, "./") != NULL;
  return recording ? listen(m, how->voice, error) : read_preset(m, how->voice, error);
}

mw_status mw_list_voices(const char *model_path, void (*voice)(void *context, const char *name),
                         void *context, mw_error *error)
{
  static const char before[] = "voices.";
  static const char after[] = ".embedding";
  weights *w = NULL;
  mw_status status = weights_open(&w, model_path, error);
  if (status != MW_OK) return status;
  for (size_t i = 0; i < weights_count(w); i++) {
    const char *name = weights_at(w, i)->name;
    size_t length = strlen(name);
    char found[64];
    if (strncmp(name, before, sizeof before - 1) != 0 || length < sizeof before + sizeof after ||
        strcmp(name + length - (sizeof after - 1), after) != 0)
      continue;
    length -= sizeof before - 1 + sizeof after - 1;
    if (length >= sizeof found) continue;
    memcpy(found, name + sizeof before - 1, length);
    found[length] = '\0';
    voice(context, found);
  }
  weights_close(w);
  return MW_OK;
}
