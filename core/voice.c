// SPDX-License-Identifier: GPL-3.0-or-later
#include "voice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

mw_status voice_new(mw_voice **made, const mw_voice_model *m, size_t prompt_frames, mw_error *error)
{
  if (prompt_frames < 1 || prompt_frames > VOICE_LONGEST_FRAMES)
    return mw_fail(error, MW_ERROR_FORMAT, "a voice of %zu frames: wanted 1 to %d", prompt_frames,
                   VOICE_LONGEST_FRAMES);
  mw_voice *v = calloc(1, sizeof *v);
  if (v == NULL) return mw_fail_memory(error, "making a voice");
  v->speaker = flow_vc_speaker(m->decoder);
  v->mel = flow_vc_mel(m->decoder);
  v->prompt_frames = prompt_frames;
  v->pitch = NAN;
  v->content = flow_vc_content(m->decoder);
  memcpy(v->speaker_space, m->speaker_space, sizeof v->speaker_space);
  memcpy(v->content_space, m->content_space, sizeof v->content_space);
  v->embedding = malloc((v->speaker + 1) * sizeof(float));
  v->prompt = malloc((prompt_frames * v->mel + 1) * sizeof(float));
  if (v->embedding == NULL || v->prompt == NULL) {
    mw_voice_close(v);
    return mw_fail_memory(error, "making a voice");
  }
  *made = v;
  return MW_OK;
}

void mw_voice_close(mw_voice *v)
{
  if (v == NULL) return;
  flow_vc_voice_free(v->folded);
  examples_free(v->examples);
  free(v->said);
  free(v->envelopes);
  free(v->embedding);
  free(v->prompt);
  free(v);
}

mw_status voice_read_pitch(mw_voice *v, const weights_view *view, mw_error *error)
{
  static const float LOWEST = 3.0f;
  static const float HIGHEST = 13.0f; // octaves: 8 Hz to 8 kHz
  if (weights_view_find(view, "pitch") == NULL) return MW_OK;
  mw_status status = weights_read(view, "pitch", 1, (size_t[]){1}, &v->pitch, error);
  if (status == MW_OK && !isnan(v->pitch) && !(v->pitch >= LOWEST && v->pitch <= HIGHEST))
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: a voice with a pitch of 2^%g Hz",
                     weights_path(view->file), (double)v->pitch);
  return status;
}

static bool append(float **values, size_t have, const float *more, size_t count)
{
  float *grown = realloc(*values, (have + count) * sizeof(float));
  if (grown == NULL) return false;
  *values = grown;
  memcpy(grown + have, more, count * sizeof(float));
  return true;
}

mw_status voice_add_examples(mw_voice *v, const float *said, const float *envelopes, size_t count,
                             mw_error *error)
{
  size_t have = v->example_count;
  if (count > EXAMPLES_MOST - have) count = EXAMPLES_MOST - have;
  if (count == 0) return MW_OK;
  if (!append(&v->said, have * v->content, said, count * v->content) ||
      !append(&v->envelopes, have * EXAMPLES_ENVELOPE, envelopes, count * EXAMPLES_ENVELOPE))
    return mw_fail_memory(error, "making a voice");
  v->example_count += count;
  return MW_OK;
}

mw_status voice_fold(mw_voice *v, const mw_voice_model *m, mw_error *error)
{
  mw_status status =
      flow_vc_voice_new(&v->folded, m->decoder, v->embedding, v->prompt, v->prompt_frames, error);
  if (status == MW_OK) flow_vc_voice_set_pitch(v->folded, v->pitch);
  if (status == MW_OK && v->example_count > 0)
    status = examples_new(&v->examples, v->said, v->envelopes, v->example_count, v->content, error);
  return status;
}

const char *mw_voice_name(const mw_voice *v)
{
  return v->name;
}

const char *mw_voice_consent(const mw_voice *v)
{
  return v->consent;
}

const char *mw_voice_source(const mw_voice *v)
{
  return v->source;
}

double mw_voice_seconds(const mw_voice *v)
{
  enum { FRAMES_PER_SECOND = 100 };
  return (double)v->prompt_frames / FRAMES_PER_SECOND;
}

// A voice of the bundle: "voices.NAME.embedding", "voices.NAME.prompt" and perhaps
// "voices.NAME.pitch".
static mw_status read_own(mw_voice **read, const mw_voice_model *m, const char *name,
                          mw_error *error)
{
  char prefix[96];
  const tensor *embedding;
  const tensor *prompt;
  if (snprintf(prefix, sizeof prefix, "voices.%s.", name) >= (int)sizeof prefix)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%.60s...: no voice has so long a name", name);
  mw_status status = weights_check(m->decoder_file, error);
  if (status != MW_OK) return status;
  weights_view view = weights_under(m->decoder_file, prefix);
  if (weights_view_find(&view, "embedding") == NULL)
    return mw_fail(error, MW_ERROR_MODEL,
                   "%s: there is no voice '%s' in it; see meanwave voice list",
                   weights_path(m->decoder_file), name);
  status = weights_need(&embedding, &view, "embedding", 1, (size_t[]){flow_vc_speaker(m->decoder)},
                        error);
  if (status == MW_OK)
    status = weights_need(&prompt, &view, "prompt", 2,
                          (size_t[]){ANY_SIZE, flow_vc_mel(m->decoder)}, error);
  if (status == MW_OK) status = voice_new(read, m, prompt->shape[0], error);
  if (status != MW_OK) return status;
  tensor_read(embedding, 0, embedding->count, (*read)->embedding);
  tensor_read(prompt, 0, prompt->count, (*read)->prompt);
  status = voice_read_pitch(*read, &view, error);
  snprintf((*read)->name, sizeof(*read)->name, "%s", name);
  return status;
}

static bool ends_with(const char *text, const char *ending)
{
  size_t length = strlen(text);
  size_t want = strlen(ending);
  return length >= want && strcmp(text + length - want, ending) == 0;
}

// Whether `what` names neither a file nor a voice of the model, but a .voice file where voices lie.
static bool find_among_data(char *path, size_t size, const mw_voice_model *m, const char *what)
{
  char name[256];
  char prefix[288];
  bool whole = ends_with(what, ".voice");
  if (strchr(what, '/') != NULL || access(what, F_OK) == 0) return false;
  int length = snprintf(name, sizeof name, "%s%s", what, whole ? "" : ".voice");
  snprintf(prefix, sizeof prefix, "voices.%s.", what);
  if (length >= (int)sizeof name) return false;
  if (!whole && m->decoder_file != NULL) {
    weights_view own = weights_under(m->decoder_file, prefix);
    if (weights_view_find(&own, "embedding") != NULL) return false;
  }
  return mw_find_voice(path, size, name, NULL) == MW_OK;
}

// Folds the voice and hands it over, or frees it.
static mw_status finish(mw_voice **finished, mw_voice *v, const mw_voice_model *m, mw_status status,
                        mw_error *error)
{
  if (status == MW_OK) status = voice_fold(v, m, error);
  if (status == MW_OK)
    *finished = v;
  else
    mw_voice_close(v);
  return status;
}

mw_status mw_voice_open(mw_voice **opened, const mw_voice_model *m, const char *what,
                        const char *cache_folder, mw_error *error)
{
  char path[4096];
  mw_voice *v = NULL;
  mw_status status;
  if (find_among_data(path, sizeof path, m, what))
    status = voice_read(&v, m, path, error);
  else if (ends_with(what, ".voice"))
    status = voice_read(&v, m, what, error);
  else if (m->folder[0] != '\0' || strpbrk(what, "./") != NULL)
    status = voice_listen(&v, m, what, cache_folder, error);
  else
    status = read_own(&v, m, what, error);
  return finish(opened, v, m, status, error);
}

mw_status mw_voice_make(mw_voice **made, const mw_voice_model *m, const char *const *recordings,
                        size_t count, const char *cache_folder, mw_error *error)
{
  mw_voice **heard = calloc(count + 1, sizeof(mw_voice *));
  mw_voice *v = NULL;
  size_t frames = 0;
  mw_status status = MW_OK;
  if (heard == NULL) return mw_fail_memory(error, "making a voice");
  if (count == 0) status = mw_fail(error, MW_ERROR_ARGUMENT, "a voice needs a recording");
  for (size_t i = 0; status == MW_OK && i < count; i++) {
    status = voice_listen(&heard[i], m, recordings[i], cache_folder, error);
    if (status == MW_OK) frames += heard[i]->prompt_frames;
  }
  bool fits = frames <= VOICE_LONGEST_FRAMES;
  if (!fits) frames = VOICE_LONGEST_FRAMES;
  if (status == MW_OK) status = voice_new(&v, m, frames, error);
  if (status == MW_OK) {
    sha256 hash;
    sha256_start(&hash);
    memset(v->embedding, 0, v->speaker * sizeof(float));
    v->pitch = 0.0f;
    for (size_t i = 0, done = 0; i < count; i++) {
      // all of each when it fits, else equal room for those that are left
      size_t share = heard[i]->prompt_frames;
      if (!fits && share > (frames - done) / (count - i)) share = (frames - done) / (count - i);
      memcpy(v->prompt + done * v->mel, heard[i]->prompt, share * v->mel * sizeof(float));
      done += share;
      v->prompt_frames = done;
      for (size_t k = 0; k < v->speaker; k++)
        v->embedding[k] += heard[i]->embedding[k] / (float)count;
      v->pitch += heard[i]->pitch / (float)count; // NAN when one is
      size_t examples_of = heard[i]->example_count;
      if (examples_of > share / EXAMPLES_FRAMES) examples_of = share / EXAMPLES_FRAMES;
      if (status == MW_OK)
        status = voice_add_examples(v, heard[i]->said, heard[i]->envelopes, examples_of, error);
      sha256_add(&hash, heard[i]->source, strlen(heard[i]->source));
    }
    sha256_finish(&hash, v->source);
    memcpy(v->name, heard[0]->name, sizeof v->name);
  }
  for (size_t i = 0; i < count; i++) mw_voice_close(heard[i]);
  free(heard);
  return finish(made, v, m, status, error);
}

mw_status mw_voice_mix(mw_voice **mixed, const mw_voice_model *m, const mw_voice *a,
                       const mw_voice *b, double share, mw_error *error)
{
  mw_voice *v = NULL;
  if (!(share >= 0.0 && share <= 1.0))
    return mw_fail(error, MW_ERROR_ARGUMENT, "a share of %g: wanted 0 to 1", share);
  size_t from_a = (size_t)lround((1.0 - share) * (double)a->prompt_frames);
  size_t from_b = (size_t)lround(share * (double)b->prompt_frames);
  if (from_a + from_b == 0) from_a = 1;
  mw_status status = voice_new(&v, m, from_a + from_b, error);
  if (status != MW_OK) return status;
  for (size_t k = 0; k < v->speaker; k++)
    v->embedding[k] = (float)((1.0 - share) * a->embedding[k] + share * b->embedding[k]);
  v->pitch = (float)((1.0 - share) * a->pitch + share * b->pitch);
  memcpy(v->prompt, a->prompt, from_a * v->mel * sizeof(float));
  memcpy(v->prompt + from_a * v->mel, b->prompt, from_b * v->mel * sizeof(float));
  snprintf(v->name, sizeof v->name, "%.50s and %.50s", a->name, b->name);
  const char *gap = a->consent[0] != '\0' && b->consent[0] != '\0' ? "; " : "";
  snprintf(v->consent, sizeof v->consent, "%.500s%s%.500s", a->consent, gap, b->consent);
  return finish(mixed, v, m, status, error);
}
