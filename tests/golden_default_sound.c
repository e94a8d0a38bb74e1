// SPDX-License-Identifier: GPL-3.0-or-later
//
// The default sound path on a tiny bundle of random weights, against the modules it is trained
// with: words, features, latent, mel, samples.
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_audio.h"
#include "latent_coder.h"
#include "random.h"
#include "vocos.h"
#include "word_encoder.h"

enum { MOST_ROWS = 512, TILE_FRAMES = 16 };
// Float32 sums in another order.
static const double tolerance = 2e-4;

typedef struct {
  weights *file;
  weights *vocoder_file;
  word_encoder *words;
  flow_audio *flow;
  latent_coder *coder;
  vocos *vocoder;
  vocos_state *state;
  arena *memory;
  pool *pool;
} setup;

static size_t read_heads(const weights *file)
{
  json *config = NULL;
  size_t heads = 0;
  const char *text = weights_metadata(file, "config");
  if (text == NULL || json_parse(&config, text, strlen(text), "config", NULL) != MW_OK) return 0;
  json_size(json_get(json_root(config), "text_heads"), 1, 64, &heads);
  json_free(config);
  return heads;
}

static bool start(setup *s, golden_run *run)
{
  char path[2][4096];
  mw_error error = {.text = "out of memory"};
  *s = (setup){.memory = arena_new(), .pool = pool_new(2)};
  snprintf(path[0], sizeof path[0], "%s/../sound.safetensors", run->folder);
  snprintf(path[1], sizeof path[1], "%s/../vocoder.safetensors", run->folder);
  mw_status status = s->memory != NULL ? weights_open(&s->file, path[0], &error) : MW_ERROR_MEMORY;
  if (status == MW_OK) status = weights_open(&s->vocoder_file, path[1], &error);
  if (status == MW_OK) {
    weights_view words = weights_under(s->file, "text.");
    weights_view vocoder = weights_under(s->vocoder_file, "vocoder.");
    status = word_encoder_load(&s->words, &words, read_heads(s->file), &error);
    if (status == MW_OK) status = vocos_load(&s->vocoder, &vocoder, 0, &error);
  }
  if (status == MW_OK) status = flow_audio_load(&s->flow, s->file, &error);
  if (status == MW_OK) status = latent_coder_load(&s->coder, s->file, false, &error);
  if (status == MW_OK) status = vocos_state_new(&s->state, s->vocoder, TILE_FRAMES, &error);
  if (status != MW_OK) golden_fail(run, error.text);
  return status == MW_OK;
}

static void finish(setup *s)
{
  word_encoder_free(s->words);
  flow_audio_free(s->flow);
  latent_coder_free(s->coder);
  vocos_state_free(s->state);
  vocos_free(s->vocoder);
  weights_close(s->file);
  weights_close(s->vocoder_file);
  arena_free(s->memory);
  pool_free(s->pool);
}

static void encode(setup *s, golden_run *run, flow_prompt *made)
{
  uint32_t ids[MOST_ROWS];
  float numbers[MOST_ROWS];
  mw_error error = {.text = "out of memory"};
  const json_node *prompt = json_get(run->config, "prompt");
  size_t rows = word_encoder_rows(s->words);
  size_t width = word_encoder_width(s->words);
  size_t pooled = word_encoder_pooled(s->words);
  float *features = arena_floats(s->memory, rows * width);
  float *vector = arena_floats(s->memory, pooled);
  size_t used = word_encoder_words(s->words, prompt->string, prompt->length, ids, NULL);
  for (size_t i = 0; i < used; i++) numbers[i] = (float)ids[i];
  golden_compare(run, "ids.npy", numbers, used, 0.0);
  mw_status status =
      word_encoder_run(s->words, ids, used, features, vector, s->memory, s->pool, &error);
  golden_compare(run, "text_f.npy", features, rows * width, tolerance);
  golden_compare(run, "text_f_c.npy", vector, pooled, tolerance);
  if (status == MW_OK)
    status = flow_audio_prompt(s->flow, features, rows, vector, made, s->memory, s->pool, &error);
  if (status != MW_OK) golden_fail(run, error.text);
}

// Latents to mel, clamped, and to samples; the mel is channel-first in its file.
static void decode(setup *s, golden_run *run, const float *z, size_t rows)
{
  mw_error error = {.text = "out of memory"};
  const latent_coder_config *coder = latent_coder_get_config(s->coder);
  size_t frames = rows * coder->factor;
  float *mel = arena_floats(s->memory, frames * coder->mel_bins);
  float *turned = arena_floats(s->memory, frames * coder->mel_bins);
  float *samples = arena_floats(s->memory, vocos_samples(s->vocoder, frames));
  if (latent_decode(s->coder, z, rows, mel, s->memory, s->pool, &error) != MW_OK)
    golden_fail(run, error.text);
  for (size_t i = 0; i < frames; i++) {
    for (size_t bin = 0; bin < coder->mel_bins; bin++) {
      float *value = &mel[i * coder->mel_bins + bin];
      *value = fmaxf(-1.0f, fminf(1.0f, *value));
      turned[bin * frames + i] = *value;
      *value = (*value + 1.0f) / 2.0f;
    }
  }
  golden_compare(run, "mel.npy", turned, frames * coder->mel_bins, tolerance);
  vocos_decode(s->state, mel, frames, samples, s->pool);
  golden_compare(run, "samples.npy", samples, vocos_samples(s->vocoder, frames), tolerance);
}

void golden_default_sound(golden_run *run)
{
  setup s;
  npy noise;
  flow_prompt prompt = {0};
  random_stream random;
  mw_error error = {.text = "out of memory"};
  if (start(&s, run) && golden_input(run, &noise, "noise.npy")) {
    size_t rows = noise.shape[0];
    float *x = arena_floats(s.memory, noise.count);
    flow_sampling sampling = {.steps = (size_t)json_number_or(json_get(run->config, "steps"), 0.0),
                              .start = 1.0f,
                              .prompt = &prompt};
    encode(&s, run, &prompt);
    random_seed(&random, (uint64_t)json_number_or(json_get(run->config, "seed"), 0.0));
    random_normal(&random, x, noise.count);
    golden_compare(run, "noise.npy", x, noise.count, 1e-6);
    memcpy(x, noise.values, noise.count * sizeof(float));
    if (flow_audio_sample(s.flow, &sampling, x, rows, s.memory, s.pool, &error) != MW_OK)
      golden_fail(run, error.text);
    golden_compare(run, "latent.npy", x, noise.count, tolerance);
    flow_audio_denormalise(s.flow, x, rows);
    decode(&s, run, x, rows);
    npy_free(&noise);
  }
  finish(&s);
}
