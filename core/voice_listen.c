// SPDX-License-Identifier: GPL-3.0-or-later
//
// From a recording to a voice: its mel is the prompt, a speaker encoder gives the embedding. In the
// published system that takes WavLM-large, so what was heard is kept by the recording's content.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mel.h"
#include "pitch.h"
#include "speaker.h"
#include "vc_published.h"
#include "voice.h"
#include "wavfile.h"
#include "wavlm.h"

// Changes with what a recording is heard as (the pitch tracker, the examples): what older versions
// kept is heard again.
#define LISTENING "path of three frames"

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

static mw_status ears_open(ears *e, const mw_voice_model *m, mw_error *error)
{
  enum { WAVLM_DISTANCE = 800 };
  weights_view view = weights_under(m->decoder_file, "speaker.");
  mw_status status = weights_check(m->decoder_file, error);
  if (status == MW_OK && m->folder[0] != '\0')
    status = vc_published_open(&e->file, m->folder, VC_PUBLISHED_SPEAKER, "layer1.conv.weight",
                               &view, error);
  if (status == MW_OK && vc_hears_with_wavlm(m))
    status = wavlm_load(&e->hears, &view, WAVLM_DISTANCE, error);
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
  // A second more is read than is used: the resampler looks ahead.
  enum {
    SHORTEST_SECONDS = 1,
    READ_SECONDS = VOICE_LONGEST_FRAMES / 100 + 1,
    LONGEST_SAMPLES = VOICE_LONGEST_FRAMES * VC_MODEL_HZ / 100 - 1,
  };
  static const float SILENT = 1e-3f; // -60 dB of full scale
  sound recording;
  mw_status status = sound_read(&recording, path, READ_SECONDS, error);
  if (status != MW_OK) return status;
  status = sound_resample(s, &recording, VC_MODEL_HZ, error);
  sound_free(&recording);
  if (status == MW_OK && s->frames < SHORTEST_SECONDS * VC_MODEL_HZ)
    status =
        mw_fail(error, MW_ERROR_ARGUMENT, "%s: a voice needs at least a second of speech", path);
  const char *heard = s->frames > LONGEST_SAMPLES ? "its first minute" : "it";
  // the prompt's length costs time in every chunk
  if (s->frames > LONGEST_SAMPLES) s->frames = LONGEST_SAMPLES;
  float peak = 0.0f;
  for (size_t i = 0; status == MW_OK && i < s->frames; i++)
    peak = fmaxf(peak, fabsf(s->samples[i]));
  if (status == MW_OK && peak < SILENT)
    status = mw_fail(error, MW_ERROR_ARGUMENT, "%s: there is only silence in %s", path, heard);
  return status;
}

// Content of the recording as it is understood when it is converted, with the envelopes of its mel.
static mw_status collect_examples(mw_voice *v, const mw_voice_model *m, const sound *s,
                                  mw_error *error)
{
  enum { SHORTEST_PROMPT = 1 };
  converter_model networks = vc_model_networks(m);
  converter *c = NULL;
  float *said = NULL;
  float *envelopes = NULL;
  size_t count = 0;
  mw_status status =
      converter_new(&c, &networks, SHORTEST_PROMPT, CONVERTER_RESET_CHUNKS, false, error);
  if (status != MW_OK) return status;
  size_t step = converter_content_frames(c);
  size_t most = v->prompt_frames / EXAMPLES_FRAMES + step;
  said = malloc(most * v->content * sizeof(float));
  envelopes = malloc(most * EXAMPLES_ENVELOPE * sizeof(float));
  if (said == NULL || envelopes == NULL) status = mw_fail_memory(error, "listening to a voice");
  for (size_t at = 0; status == MW_OK && count + step < most; count += step) {
    size_t wanted = converter_wanted(c);
    if (wanted > s->frames - at) break;
    converter_understand(c, s->samples + at, said + count * v->content);
    at += wanted;
  }
  if (status == MW_OK)
    status = examples_measure(v->prompt, v->prompt_frames, v->mel, count, envelopes, error);
  if (status == MW_OK) status = voice_add_examples(v, said, envelopes, count, error);
  converter_free(c);
  free(said);
  free(envelopes);
  return status;
}

// The recording's mel, embedding, pitch and examples into a new voice.
static mw_status study(mw_voice **made, const mw_voice_model *m, const sound *s, mw_error *error)
{
  ears e = {0};
  mel *analysis = NULL;
  mw_voice *v = NULL;
  mw_status status = ears_open(&e, m, error);
  if (status == MW_OK) status = mel_new(&analysis, MEL_MEANVC, error);
  if (status == MW_OK && flow_vc_mel(m->decoder) != MEL_BINS)
    status =
        mw_fail(error, MW_ERROR_MODEL, "%s: a recording has %d mel bins, its decoder wants %zu",
                weights_path(m->decoder_file), MEL_BINS, flow_vc_mel(m->decoder));
  if (status == MW_OK) status = voice_new(&v, m, mel_frames(analysis, s->frames), error);
  if (status == MW_OK) {
    mel_run(analysis, s->samples, s->frames, v->prompt);
    status = hear(&e, s, v->prompt, v->prompt_frames, v->embedding, error);
    if (status == MW_OK && flow_vc_wants_pitch(m->decoder))
      status = pitch_mean(&v->pitch, s->samples, s->frames, error);
    if (status == MW_OK && flow_vc_wants_pitch(m->decoder))
      status = collect_examples(v, m, s, error);
  }
  if (status != MW_OK) {
    mw_voice_close(v);
    v = NULL;
  }
  *made = v;
  mel_free(analysis);
  ears_close(&e);
  return status;
}

// A name for what this model hears in that recording. "" when the path would be too long.
static void name_cached(char *path, size_t size, const mw_voice_model *m, const char *folder,
                        const char *source)
{
  sha256 hash;
  char key[SHA256_TEXT];
  sha256_start(&hash);
  sha256_add(&hash, LISTENING, strlen(LISTENING));
  sha256_add(&hash, source, strlen(source));
  sha256_add(&hash, m->speaker_space, strlen(m->speaker_space));
  sha256_add(&hash, m->content_space, strlen(m->content_space));
  sha256_finish(&hash, key);
  if (snprintf(path, size, "%s/%s.voice", folder, key) >= (int)size) path[0] = '\0';
}

// Makes the folder and those above it; one that cannot be made shows when it is written to.
static void make_folders(const char *folder)
{
  char path[4096];
  if (snprintf(path, sizeof path, "%s", folder) >= (int)sizeof path) return;
  for (char *p = path + 1; *p != '\0'; p++) {
    if (*p != '/') continue;
    *p = '\0';
    mkdir(path, 0777);
    *p = '/';
  }
  mkdir(path, 0700);
}

mw_status voice_listen(mw_voice **heard, const mw_voice_model *m, const char *path,
                       const char *cache_folder, mw_error *error)
{
  sound s = {0};
  char source[SHA256_TEXT];
  char cached[4352] = "";
  const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
  mw_status status = mw_file_check(path, error);
  if (status == MW_OK) status = sha256_file(path, source, error);
  if (status == MW_OK && cache_folder != NULL) {
    name_cached(cached, sizeof cached, m, cache_folder, source);
    // a broken or foreign file in the cache is replaced below
    if (cached[0] != '\0' && voice_read(heard, m, cached, NULL) == MW_OK) return MW_OK;
  }
  if (status == MW_OK) status = read_recording(&s, path, error);
  if (status == MW_OK) status = study(heard, m, &s, error);
  sound_free(&s);
  if (status != MW_OK) return status;
  snprintf((*heard)->name, sizeof(*heard)->name, "%.*s", (int)strcspn(base, "."), base);
  memcpy((*heard)->source, source, sizeof source);
  if (cached[0] != '\0') {
    // a cache that cannot be written costs time, nothing else
    make_folders(cache_folder);
    mw_voice_save(*heard, cached, (*heard)->name, NULL, true, NULL);
  }
  return MW_OK;
}
