// SPDX-License-Identifier: GPL-3.0-or-later
//
// From token ids and a seed to samples through all of the small models, and the transformer at its
// published size with weights by formula.
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bigvgan.h"
#include "clap_text.h"
#include "flow_audio.h"
#include "formula.h"
#include "latent_coder.h"
#include "random.h"
#include "text_encoder.h"

enum { MOST_ROWS = 512 };
// Float32 sums in another order.
static const double tolerance = 2e-4;

// ---- End to end ----

enum { T5, CLAP, NET, VAE, VOCODER, FILES };

typedef struct {
  weights *files[FILES];
  text_encoder *text;
  clap_text *clap;
  flow_audio *flow;
  latent_coder *coder;
  bigvgan *vocoder;
  arena *memory;
  pool *pool;
  flow_prompt prompt;
  flow_prompt negative;
} setup;

// The heads of the small text tower, which its checkpoint does not tell.
static size_t read_heads(golden_run *run)
{
  char path[4096];
  json *config = NULL;
  size_t heads = 0;
  snprintf(path, sizeof path, "%s/../clap_text/config.json", run->folder);
  if (json_open(&config, path, NULL) != MW_OK) return 0;
  json_size(json_get(json_get(json_root(config), "config"), "num_attention_heads"), 1, 64, &heads);
  json_free(config);
  return heads;
}

static bool start(setup *s, golden_run *run)
{
  static const char *const names[FILES] = {"t5", "clap", "net", "vae", "vocoder"};
  char path[4096];
  mw_error error = {.text = "out of memory"};
  *s = (setup){.memory = arena_new(), .pool = pool_new(2)};
  mw_status status = s->memory != NULL && s->pool != NULL ? MW_OK : MW_ERROR_MEMORY;
  for (size_t i = 0; status == MW_OK && i < FILES; i++) {
    const json_node *name = json_get(json_get(run->config, "weights"), names[i]);
    snprintf(path, sizeof path, "%s/%s", run->folder, json_string_or(name, ""));
    status = weights_open(&s->files[i], path, &error);
  }
  if (status == MW_OK) status = text_encoder_load(&s->text, s->files[T5], &error);
  if (status == MW_OK) status = clap_text_load(&s->clap, s->files[CLAP], read_heads(run), &error);
  if (status == MW_OK) status = flow_audio_load(&s->flow, s->files[NET], &error);
  if (status == MW_OK) status = latent_coder_load(&s->coder, s->files[VAE], false, &error);
  if (status == MW_OK) status = bigvgan_load(&s->vocoder, s->files[VOCODER], &error);
  if (status != MW_OK) golden_fail(run, error.text);
  return status == MW_OK;
}

static void finish(setup *s)
{
  text_encoder_free(s->text);
  clap_text_free(s->clap);
  flow_audio_free(s->flow);
  latent_coder_free(s->coder);
  bigvgan_free(s->vocoder);
  for (size_t i = 0; i < FILES; i++) weights_close(s->files[i]);
  arena_free(s->memory);
  pool_free(s->pool);
}

// The ids in FILE, of which the mask in MASK says how many are text.
static size_t read_ids(golden_run *run, const char *file, const char *mask_file, uint32_t *ids,
                       size_t *used)
{
  npy array;
  npy mask;
  if (!golden_input(run, &array, file) || !golden_input(run, &mask, mask_file)) return 0;
  size_t rows = array.count < MOST_ROWS ? array.count : MOST_ROWS;
  *used = 0;
  for (size_t i = 0; i < rows; i++) {
    ids[i] = (uint32_t)array.values[i];
    *used += mask.values[i] != 0.0f;
  }
  npy_free(&array);
  npy_free(&mask);
  return rows;
}

// `before` is "" or "neg_", `behind` "prompt" or "neg": the names of the arrays.
static void encode(setup *s, golden_run *run, const char *before, const char *behind,
                   flow_prompt *made)
{
  char names[4][64];
  uint32_t ids[MOST_ROWS];
  size_t used;
  mw_error error = {.text = "out of memory"};
  size_t width = text_encoder_width(s->text);
  float *pooled = arena_floats(s->memory, clap_text_width(s->clap));
  snprintf(names[0], sizeof names[0], "%st5_ids.npy", before);
  snprintf(names[1], sizeof names[1], "%st5_mask.npy", before);
  snprintf(names[2], sizeof names[2], "%sclap_ids.npy", before);
  snprintf(names[3], sizeof names[3], "%sclap_mask.npy", before);
  size_t rows = read_ids(run, names[0], names[1], ids, &used);
  float *text = arena_floats(s->memory, rows * width);
  mw_status status = text_encoder_run(s->text, ids, used, rows, text, s->memory, s->pool, &error);
  read_ids(run, names[2], names[3], ids, &used);
  if (status == MW_OK)
    status = clap_text_run(s->clap, ids, used, pooled, s->memory, s->pool, &error);
  if (status == MW_OK)
    status = flow_audio_prompt(s->flow, text, rows, pooled, made, s->memory, s->pool, &error);
  if (status != MW_OK) golden_fail(run, error.text);
  snprintf(names[0], sizeof names[0], "text_f_%s.npy", behind);
  snprintf(names[1], sizeof names[1], "text_f_c_%s.npy", behind);
  golden_compare(run, names[0], text, rows * width, tolerance);
  golden_compare(run, names[1], pooled, clap_text_width(s->clap), tolerance);
}

// `name` is "a" or "b". The mel is channel-first in its file.
static void generate(setup *s, golden_run *run, const char *name, const npy *noise, size_t steps,
                     float guidance)
{
  char file[64];
  mw_error error = {.text = "out of memory"};
  const latent_coder_config *coder = latent_coder_get_config(s->coder);
  size_t rows = noise->shape[1];
  size_t frames = rows * coder->factor;
  float *x = arena_floats(s->memory, noise->count);
  float *mel = arena_floats(s->memory, frames * coder->mel_bins);
  float *turned = arena_floats(s->memory, frames * coder->mel_bins);
  float *samples = arena_floats(s->memory, frames * bigvgan_hop(s->vocoder));
  flow_sampling sampling = {.steps = steps,
                            .start = 1.0f,
                            .guidance = guidance,
                            .prompt = &s->prompt,
                            .negative = &s->negative};
  memcpy(x, noise->values, noise->count * sizeof(float));
  mw_status status = flow_audio_sample(s->flow, &sampling, x, rows, s->memory, s->pool, &error);
  flow_audio_denormalise(s->flow, x, rows);
  snprintf(file, sizeof file, "%s_latent.npy", name);
  golden_compare(run, file, x, noise->count, tolerance);
  if (status == MW_OK) status = latent_decode(s->coder, x, rows, mel, s->memory, s->pool, &error);
  for (size_t i = 0; i < frames; i++)
    for (size_t bin = 0; bin < coder->mel_bins; bin++)
      turned[bin * frames + i] = mel[i * coder->mel_bins + bin];
  snprintf(file, sizeof file, "%s_mel.npy", name);
  golden_compare(run, file, turned, frames * coder->mel_bins, tolerance);
  if (status == MW_OK)
    status = bigvgan_run(s->vocoder, mel, frames, samples, NULL, NULL, s->pool, &error);
  snprintf(file, sizeof file, "%s_wav.npy", name);
  golden_compare(run, file, samples, frames * bigvgan_hop(s->vocoder), tolerance);
  if (status != MW_OK) golden_fail(run, error.text);
}

void golden_end_to_end(golden_run *run)
{
  setup s;
  npy noise;
  random_stream random;
  if (start(&s, run) && golden_input(run, &noise, "noise.npy")) {
    float *drawn = arena_floats(s.memory, noise.count);
    random_seed(&random, (uint64_t)json_number_or(json_get(run->config, "seed"), 0.0));
    random_normal(&random, drawn, noise.count);
    golden_compare(run, "noise.npy", drawn, noise.count, 1e-6);
    encode(&s, run, "", "prompt", &s.prompt);
    encode(&s, run, "neg_", "neg", &s.negative);
    generate(&s, run, "a", &noise, 1, 0.0f);
    generate(&s, run, "b", &noise, 2, 2.0f);
    npy_free(&noise);
  }
  finish(&s);
}

// ---- Full size ----

typedef struct {
  golden_run *run;
  size_t compared;
} watcher;

static void compare_value(watcher *w, const char *name, const char *what, double value,
                          double wanted, double largest)
{
  double error = fabs(value - wanted) / largest;
  if (error <= tolerance) return;
  printf("  %s: %s is %g, wanted %g\n", name, what, value, wanted);
  golden_fail(w->run, name);
}

// Mean, deviation, largest magnitude, and the values at both ends.
static void compare_digest(watcher *w, const char *name, const float *values, size_t count)
{
  const json_node *digest = json_get(json_get(w->run->config, "digest"), name);
  const json_node *first = json_get(digest, "first64");
  const json_node *last = json_get(digest, "last64");
  if (first == NULL || last == NULL) {
    golden_fail(w->run, name);
    return;
  }
  double sum = 0.0;
  double square = 0.0;
  double largest = 0.0;
  for (size_t i = 0; i < count; i++) {
    sum += (double)values[i];
    largest = fmax(largest, fabs((double)values[i]));
  }
  double mean = sum / (double)count;
  for (size_t i = 0; i < count; i++) square += pow((double)values[i] - mean, 2.0);
  double wanted = json_number_or(json_get(digest, "absmax"), -1.0);
  compare_value(w, name, "the mean", mean, json_number_or(json_get(digest, "mean"), NAN), wanted);
  compare_value(w, name, "the deviation", sqrt(square / (double)count),
                json_number_or(json_get(digest, "std"), NAN), wanted);
  compare_value(w, name, "the largest", largest, wanted, wanted);
  const float *at = values;
  for (const json_node *n = first->first; n != NULL; n = n->next)
    compare_value(w, name, "a first value", *at++, n->number, wanted);
  at = values + count - last->length;
  for (const json_node *n = last->first; n != NULL; n = n->next)
    compare_value(w, name, "a last value", *at++, n->number, wanted);
  printf("  %-36s digest of %zu values, tolerance %.0e\n", name, count, tolerance);
  w->compared++;
}

static void watch(void *context, const char *name, const float *values, size_t count)
{
  static const char *const names[][2] = {{"joint0_latent_out", "joint0_latent"},
                                         {"joint_last_latent_out", "joint3_latent"},
                                         {"fused0_out", "fused0"},
                                         {"fused_last_out", "fused7"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(name, names[i][0]) == 0) compare_digest(context, names[i][1], values, count);
}

static float *formula_input(golden_run *run, const char *name, arena *memory, size_t *rows)
{
  char full[128];
  const json_node *input = json_get(json_get(run->config, "inputs"), name);
  const json_node *shape = json_get(input, "shape");
  size_t count = 1;
  for (const json_node *n = shape != NULL ? shape->first : NULL; n != NULL; n = n->next)
    count *= (size_t)n->number;
  *rows = shape != NULL && shape->length > 1 ? (size_t)shape->first->next->number : 0;
  float *values = arena_floats(memory, count);
  snprintf(full, sizeof full, "%s|%s", json_string_or(json_get(run->config, "tag"), ""),
           json_string_or(json_get(input, "name"), ""));
  formula_values(FORMULA_MEANAUDIO, full, 0.0, json_number_or(json_get(input, "amp"), 0.0), values,
                 count);
  return values;
}

void golden_full_size(golden_run *run)
{
  mw_error error = {.text = "out of memory"};
  inventory *known = NULL;
  weights *file = NULL;
  flow_audio *flow = NULL;
  watcher w = {.run = run};
  arena *memory = arena_new();
  pool *p = pool_new(0);
  const char *tag = json_string_or(json_get(run->config, "tag"), "");
  mw_status status = inventory_named(&known, "meanaudio-s", &error);
  if (status == MW_OK) status = weights_formula(&file, known, FORMULA_MEANAUDIO, tag, &error);
  if (status == MW_OK) status = flow_audio_load(&flow, file, &error);
  if (status == MW_OK) {
    size_t rows;
    size_t text_rows;
    size_t pooled_rows;
    flow_prompt prompt;
    float *latent = formula_input(run, "latent", memory, &rows);
    float *text = formula_input(run, "text_f", memory, &text_rows);
    float *pooled = formula_input(run, "text_f_c", memory, &pooled_rows);
    size_t count = rows * flow_audio_get_config(flow)->latent_channels;
    float *u = arena_floats(memory, count);
    flow_audio_watch(flow, watch, &w);
    status = flow_audio_prompt(flow, text, text_rows, pooled, &prompt, memory, p, &error);
    if (status == MW_OK)
      status = flow_audio_call(flow, &prompt, latent, rows, 1.0f, 0.0f, u, memory, p, &error);
    compare_digest(&w, "u", u, count);
    if (w.compared != 5) golden_fail(run, "not every stage was seen");
  }
  if (status != MW_OK) golden_fail(run, error.text);
  flow_audio_free(flow);
  weights_close(file);
  inventory_free(known);
  arena_free(memory);
  pool_free(p);
}
