// SPDX-License-Identifier: GPL-3.0-or-later
//
//   filterbank of all samples; windows of the encoder side by side. First generation: a last one of
//   any length, zeros in place of what it lacks of 10 frames; second: only whole windows.
//   n content frames drawn out to 4 n rows;  decoder chunk by chunk, the last one shorter, and its
//   look-ahead too;  vocoder over all rows
#include "golden_whole.h"

#include <stdlib.h>
#include <string.h>

#include "fbank.h"
#include "random.h"
#include "stretch.h"

enum { STRETCH = 4, SHORTEST_WINDOW = 10, TILE_FRAMES = 256 };

void whole_sound_free(whole_sound *w)
{
  free(w->content);
  free(w->mel);
  free(w->samples);
  *w = (whole_sound){0};
}

// bank [frames, 80] -> features; returns how many.
static size_t encode(asr_state *s, const asr_encoder *e, bool second, size_t step,
                     const float *bank, size_t frames, float *features)
{
  float padded[SHORTEST_WINDOW * FBANK_BINS] = {0};
  size_t window = asr_window_frames(s);
  size_t made = 0;
  for (size_t at = 0; at < frames; at += step * STRETCH) {
    size_t count = frames - at < window ? frames - at : window;
    const float *from = bank + at * FBANK_BINS;
    if (count < window && second) break;
    if (count < SHORTEST_WINDOW) {
      memcpy(padded, from, count * FBANK_BINS * sizeof(float));
      from = padded;
      count = SHORTEST_WINDOW;
    }
    made += asr_run(s, from, count, step, features + made * asr_encoder_width(e));
  }
  return made;
}

static mw_status analyse(whole_sound *w, const converter_model *m, const float *samples,
                         size_t count, mw_error *error)
{
  bool second = flow_vc_second_generation(m->decoder);
  size_t step = (flow_vc_chunk_frames(m->decoder) + flow_vc_ahead_frames(m->decoder)) / STRETCH;
  size_t width = asr_encoder_width(m->encoder);
  size_t frames = fbank_frames(count);
  fbank *analysis = NULL;
  asr_state *state = NULL;
  float *bank = malloc((frames + 1) * FBANK_BINS * sizeof(float));
  float *features = malloc((frames / STRETCH + 1 + step) * width * sizeof(float));
  mw_status status = bank != NULL && features != NULL ? MW_OK : mw_fail_memory(error, "converting");
  if (status == MW_OK) status = fbank_new(&analysis, error);
  if (status == MW_OK) status = asr_state_new(&state, m->encoder, step, second, error);
  if (status == MW_OK) {
    fbank_run(analysis, samples, count, bank);
    size_t made = encode(state, m->encoder, second, step, bank, frames, features);
    w->frames = STRETCH * made;
    w->content = malloc((w->frames * width + 1) * sizeof(float));
    if (w->content == NULL)
      status = mw_fail_memory(error, "converting");
    else if (made > 0)
      stretch_rows(features, made, width, 0, w->content, w->frames);
  }
  asr_state_free(state);
  fbank_free(analysis);
  free(features);
  free(bank);
  return status;
}

// Noise as the scripts draw it: chunk by chunk in the first generation, else in one field.
static float *draw(const converter_model *m, size_t frames, uint64_t seed)
{
  size_t bins = flow_vc_mel(m->decoder);
  size_t piece = flow_vc_second_generation(m->decoder) ? frames : flow_vc_chunk_frames(m->decoder);
  float *noise = malloc((frames * bins + 1) * sizeof(float));
  random_stream random;
  random_seed(&random, seed);
  for (size_t at = 0; noise != NULL && at < frames; at += piece)
    random_normal(&random, noise + at * bins, (frames - at < piece ? frames - at : piece) * bins);
  return noise;
}

static mw_status decode(whole_sound *w, const converter_model *m, const flow_vc_voice *voice,
                        size_t longest_prompt_frames, const float *noise, mw_error *error)
{
  size_t chunk = flow_vc_chunk_frames(m->decoder);
  size_t bins = flow_vc_mel(m->decoder);
  size_t width = asr_encoder_width(m->encoder);
  flow_vc_state *state = NULL;
  w->mel = malloc((w->frames * bins + 1) * sizeof(float));
  if (w->mel == NULL) return mw_fail_memory(error, "converting");
  mw_status status =
      flow_vc_state_new(&state, m->decoder, m->schedule, longest_prompt_frames, error);
  if (status != MW_OK) return status;
  for (size_t at = 0; at < w->frames; at += chunk) {
    size_t left = w->frames - at;
    size_t rows = left < chunk ? left : chunk;
    size_t ahead = left - rows;
    if (ahead > flow_vc_ahead_frames(m->decoder)) ahead = flow_vc_ahead_frames(m->decoder);
    flow_vc_chunk(state, voice, w->content + at * width, noise + at * bins, rows, ahead,
                  w->mel + at * bins);
  }
  flow_vc_state_free(state);
  return MW_OK;
}

static mw_status speak(whole_sound *w, const converter_model *m, pool *p, mw_error *error)
{
  size_t values = w->frames * flow_vc_mel(m->decoder);
  vocos_state *state = NULL;
  w->count = vocos_samples(m->vocoder, w->frames);
  w->samples = malloc((w->count + 1) * sizeof(float));
  float *mel01 = malloc((values + 1) * sizeof(float));
  mw_status status = w->samples != NULL && mel01 != NULL
                         ? vocos_state_new(&state, m->vocoder, TILE_FRAMES, error)
                         : mw_fail_memory(error, "converting");
  if (status == MW_OK) {
    for (size_t i = 0; i < values; i++) mel01[i] = (w->mel[i] + 1.0f) / 2.0f;
    vocos_decode(state, mel01, w->frames, w->samples, p);
  }
  vocos_state_free(state);
  free(mel01);
  return status;
}

mw_status convert_whole(whole_sound *made, const converter_model *model, const flow_vc_voice *voice,
                        size_t longest_prompt_frames, const float *samples, size_t count,
                        uint64_t seed, const float *noise, pool *p, mw_error *error)
{
  whole_sound w = {0};
  float *drawn = NULL;
  mw_status status = analyse(&w, model, samples, count, error);
  if (status == MW_OK && w.frames > 0) {
    if (noise == NULL) noise = drawn = draw(model, w.frames, seed);
    if (noise == NULL) status = mw_fail_memory(error, "converting");
    if (status == MW_OK) status = decode(&w, model, voice, longest_prompt_frames, noise, error);
    if (status == MW_OK) status = speak(&w, model, p, error);
  }
  free(drawn);
  if (status == MW_OK)
    *made = w;
  else
    whole_sound_free(&w);
  return status;
}
