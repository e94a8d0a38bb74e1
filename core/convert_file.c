// SPDX-License-Identifier: GPL-3.0-or-later
//
// A whole sound file through the chunk loop, and the model files it takes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "json.h"
#include "mel.h"
#include "speaker.h"
#include "wavfile.h"

enum { MODEL_HZ = 16000, RESET_CHUNKS = 50, MOST_STEPS = 16 };

typedef struct {
  weights *voice_file;
  weights *vocoder_file;
  asr_encoder *encoder;
  flow_vc *decoder;
  flow_vc_schedule *schedule;
  vocos *vocoder;
  flow_vc_voice *voice;
  size_t prompt_frames;
} model;

static void model_close(model *m)
{
  flow_vc_voice_free(m->voice);
  flow_vc_schedule_free(m->schedule);
  flow_vc_free(m->decoder);
  asr_encoder_free(m->encoder);
  vocos_free(m->vocoder);
  weights_close(m->voice_file);
  weights_close(m->vocoder_file);
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
static mw_status read_voice(model *m, const char *name, mw_error *error)
{
  char prefix[96];
  const tensor *embedding;
  const tensor *prompt;
  if (snprintf(prefix, sizeof prefix, "voices.%s.", name) >= (int)sizeof prefix)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%.60s...: no voice has so long a name", name);
  weights_view view = weights_under(m->voice_file, prefix);
  if (weights_view_find(&view, "embedding") == NULL)
    return mw_fail(error, MW_ERROR_MODEL,
                   "%s: there is no voice '%s' in it; see meanwave convert --list",
                   weights_path(m->voice_file), name);
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

// A recording: its mel is the prompt, and the speaker encoder listens to the same mel, normalised.
static mw_status listen(model *m, const char *path, mw_error *error)
{
  enum { SHORTEST_SECONDS = 1, LONGEST_SECONDS = 60 };
  weights_view view = weights_under(m->voice_file, "speaker.");
  speaker *ears = NULL;
  mel *analysis = NULL;
  sound recording = {0};
  sound at_model_rate = {0};
  float *prompt = NULL;
  float *normal = NULL;
  float *embedding = NULL;
  mw_status status = speaker_load(&ears, &view, error);
  if (status == MW_OK && (speaker_inputs(ears) != MEL_BINS || flow_vc_mel(m->decoder) != MEL_BINS ||
                          speaker_size(ears) != flow_vc_speaker(m->decoder)))
    status = mw_fail(error, MW_ERROR_MODEL, "%s: its speaker encoder does not take mel frames",
                     weights_path(m->voice_file));
  if (status == MW_OK) status = mel_new(&analysis, MEL_MEANVC, error);
  if (status == MW_OK) status = sound_read(&recording, path, error);
  if (status == MW_OK) status = sound_resample(&at_model_rate, &recording, MODEL_HZ, error);
  if (status == MW_OK && at_model_rate.frames < SHORTEST_SECONDS * MODEL_HZ)
    status =
        mw_fail(error, MW_ERROR_ARGUMENT, "%s: a voice needs at least a second of speech", path);
  if (status != MW_OK) goto done;
  if (at_model_rate.frames > LONGEST_SECONDS * MODEL_HZ)
    at_model_rate.frames = LONGEST_SECONDS * MODEL_HZ;
  size_t count = mel_frames(analysis, at_model_rate.frames) * MEL_BINS;
  prompt = malloc(count * sizeof(float));
  normal = malloc(count * sizeof(float));
  embedding = malloc(speaker_size(ears) * sizeof(float));
  if (prompt == NULL || normal == NULL || embedding == NULL) {
    status = mw_fail_memory(error, "listening to a voice");
    goto done;
  }
  mel_run(analysis, at_model_rate.samples, at_model_rate.frames, prompt);
  float loudest = -1.0f;
  for (size_t i = 0; i < count; i++) loudest = prompt[i] > loudest ? prompt[i] : loudest;
  if (loudest <= -0.9f) {
    status = mw_fail(error, MW_ERROR_ARGUMENT, "%s: there is only silence in it", path);
    goto done;
  }
  m->prompt_frames = count / MEL_BINS;
  memcpy(normal, prompt, count * sizeof(float));
  speaker_normalise(normal, m->prompt_frames, MEL_BINS);
  status = speaker_embed(ears, normal, m->prompt_frames, embedding, NULL, error);
  if (status == MW_OK)
    status = flow_vc_voice_new(&m->voice, m->decoder, embedding, prompt, m->prompt_frames, error);
done:
  free(prompt);
  free(normal);
  free(embedding);
  sound_free(&recording);
  sound_free(&at_model_rate);
  mel_free(analysis);
  speaker_free(ears);
  return status;
}

static mw_status model_open(model *m, const mw_conversion *how, mw_error *error)
{
  size_t chunk = 0;
  float times[MOST_STEPS + 1];
  if (how->steps < 1 || how->steps > MOST_STEPS)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%u steps: wanted 1 to %d", how->steps, MOST_STEPS);
  mw_status status = weights_open(&m->voice_file, how->model_path, error);
  if (status == MW_OK) status = weights_open(&m->vocoder_file, how->vocoder_path, error);
  if (status == MW_OK) status = read_chunk(m->voice_file, &chunk, error);
  if (status != MW_OK) return status;
  weights_view encoder = weights_under(m->voice_file, "encoder.");
  weights_view decoder = weights_under(m->voice_file, "decoder.");
  weights_view vocoder = weights_under(m->vocoder_file, "vocoder.");
  status = asr_encoder_load(&m->encoder, &encoder, error);
  if (status == MW_OK) status = flow_vc_load(&m->decoder, &decoder, chunk, error);
  if (status == MW_OK) status = vocos_load(&m->vocoder, &vocoder, 0, error);
  flow_vc_published_times(times, how->steps);
  if (status == MW_OK)
    status = flow_vc_schedule_new(&m->schedule, m->decoder, times, how->steps, error);
  if (status != MW_OK) return status;
  // a name with a dot or a slash is a file
  bool is_file = strpbrk(how->voice, "./") != NULL;
  return is_file ? listen(m, how->voice, error) : read_voice(m, how->voice, error);
}

// Silence behind the end flushes the loop: what comes out first belongs to the first sample.
static mw_status run(const model *m, const sound *in, uint64_t seed, sound *out, mw_error *error)
{
  converter *c = NULL;
  converter_model networks = {m->encoder, m->decoder, m->schedule, m->vocoder};
  mw_status status = converter_new(&c, &networks, m->prompt_frames, RESET_CHUNKS, error);
  if (status != MW_OK) return status;
  size_t most = converter_wanted(c);
  float *block = malloc((most + 1) * sizeof(float));
  *out = (sound){.rate_hz = in->rate_hz};
  out->samples = malloc((in->frames + most + 1) * sizeof(float));
  if (block == NULL || out->samples == NULL) status = mw_fail_memory(error, "converting");
  converter_reset(c, seed);
  for (size_t fed = 0; status == MW_OK && out->frames < in->frames;) {
    size_t wanted = converter_wanted(c);
    size_t count = in->frames - fed < wanted ? in->frames - fed : wanted;
    memcpy(block, in->samples + fed, count * sizeof(float));
    memset(block + count, 0, (wanted - count) * sizeof(float));
    fed += count;
    size_t made = converter_returned(c);
    converter_step(c, m->voice, block, NULL, out->samples + out->frames, NULL);
    out->frames += made;
  }
  if (status == MW_OK) out->frames = in->frames;
  free(block);
  converter_free(c);
  return status;
}

mw_status mw_convert_file(const mw_conversion *how, const char *in_path, const char *out_path,
                          bool overwrite, mw_error *error)
{
  model m = {0};
  sound in = {0};
  sound at_model_rate = {0};
  sound made = {0};
  sound out = {0};
  mw_status status = model_open(&m, how, error);
  if (status == MW_OK) status = sound_read(&in, in_path, error);
  if (status == MW_OK) status = sound_resample(&at_model_rate, &in, MODEL_HZ, error);
  if (status == MW_OK) status = run(&m, &at_model_rate, how->seed, &made, error);
  if (status == MW_OK) status = sound_resample(&out, &made, in.rate_hz, error);
  if (status == MW_OK) {
    // rates that do not divide may round to a frame more
    if (out.frames > in.frames) out.frames = in.frames;
    status = sound_write(&out, out_path, overwrite, error);
  }
  sound_free(&in);
  sound_free(&at_model_rate);
  sound_free(&made);
  sound_free(&out);
  model_close(&m);
  return status;
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
