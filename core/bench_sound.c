// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a clip of generated sound costs, stage by stage: the published sizes with weights by
// formula, or the default model. The whole model is in memory, as when a user generates, so that
// the most memory beyond it is what mw_sound_generate takes.
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_weights.h"
#include "prompt.h"
#include "random.h"

enum { TEXT_ROWS = 77, PROMPT_TOKENS = 12, VOCOS_TILE_FRAMES = 256 };

typedef struct {
  const mw_bench_sound_wish *wish;
  mw_error *error;
  mw_sound_model *model;
  pool *pool;
  arena *memory;
  size_t rows;   // of latents
  size_t frames; // of mel
  prompt_features prompt;
  float *latent;  // [rows, channels]
  float *mel;     // [frames + 1, bins]
  float *samples; // [rows * latent_hop]
} bench;

static double clock_seconds(clockid_t which)
{
  struct timespec t;
  clock_gettime(which, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// Resident memory, in megabytes: "VmRSS" now, "VmHWM" the most since it was last forgotten.
static double resident_mb(const char *which)
{
  char line[128];
  double kilobytes = 0.0;
  size_t length = strlen(which);
  FILE *status = fopen("/proc/self/status", "r");
  if (status == NULL) return 0.0;
  while (fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, which, length) == 0 && line[length] == ':')
      kilobytes = strtod(line + length + 1, NULL);
  fclose(status);
  return kilobytes / 1024.0;
}

static void forget_peak(void)
{
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (file == NULL) return;
  fputs("5", file);
  fclose(file);
}

// ---- The model ----

static mw_status open_formula(bench *b, weights **file, const char *kind)
{
  weights_view view;
  return bench_weights_open(file, &view, kind, FORMULA_MEANAUDIO, b->wish->type, b->error);
}

// A network that has its own copy of all it needs does without its file.
static void drop(weights **file)
{
  weights_close(*file);
  *file = NULL;
}

static mw_status load_published(bench *b)
{
  mw_sound_model *m = b->model = calloc(1, sizeof *m);
  if (m == NULL) return mw_fail_memory(b->error, "measuring");
  mw_status status = open_formula(b, &m->text_file, "t5-encoder");
  if (status == MW_OK) status = text_encoder_load(&m->text, m->text_file, b->error);
  if (status == MW_OK) status = open_formula(b, &m->clap_file, "clap-text");
  if (status == MW_OK) status = clap_text_load(&m->clap, m->clap_file, 0, b->error);
  if (status == MW_OK)
    status = open_formula(b, &m->flow_file,
                          strcmp(b->wish->size, "l") == 0 ? "meanaudio-l" : "meanaudio-s");
  if (status == MW_OK) status = flow_audio_load(&m->flow, m->flow_file, b->error);
  drop(&m->flow_file);
  if (status == MW_OK) status = open_formula(b, &m->coder_file, "vae-16k");
  if (status == MW_OK) status = latent_coder_load(&m->coder, m->coder_file, false, b->error);
  drop(&m->coder_file);
  if (status == MW_OK) status = open_formula(b, &m->vocoder_file, "bigvgan-16k");
  if (status == MW_OK) status = bigvgan_load(&m->bigvgan, m->vocoder_file, b->error);
  drop(&m->vocoder_file);
  if (status != MW_OK) return status;
  m->text_rows = TEXT_ROWS;
  m->text_width = text_encoder_width(m->text);
  m->pooled_width = clap_text_width(m->clap);
  m->latent_hop = latent_coder_get_config(m->coder)->factor * bigvgan_hop(m->bigvgan);
  m->about.steps = 1;
  return MW_OK;
}

static mw_status load(bench *b)
{
  bool published = strcmp(b->wish->size, "s") == 0 || strcmp(b->wish->size, "l") == 0;
  if (!published && strcmp(b->wish->size, "default") != 0)
    return mw_fail(b->error, MW_ERROR_ARGUMENT, "no size '%s': s, l or default", b->wish->size);
  if (published) return load_published(b);
  return mw_sound_model_open(&b->model, NULL, NULL, b->error);
}

static mw_status take_room(bench *b)
{
  const mw_sound_model *m = b->model;
  size_t factor = latent_coder_get_config(m->coder)->factor;
  b->memory = arena_new();
  b->pool = pool_new(b->wish->threads);
  b->rows = (size_t)ceil(b->wish->seconds * SOUND_MODEL_HZ / (double)m->latent_hop);
  b->frames = b->rows * factor;
  if (b->memory == NULL || b->pool == NULL) return mw_fail_memory(b->error, "measuring");
  b->prompt.text = arena_floats(b->memory, m->text_rows * m->text_width);
  b->prompt.pooled = arena_floats(b->memory, m->pooled_width);
  b->latent = arena_floats(b->memory, b->rows * flow_audio_get_config(m->flow)->latent_channels);
  b->mel = arena_floats(b->memory, (b->frames + 1) * MEL_BINS);
  b->samples = arena_floats(b->memory, b->rows * m->latent_hop);
  return arena_failed(b->memory) ? mw_fail_memory(b->error, "measuring") : MW_OK;
}

// ---- Stages ----

static mw_status run_text(bench *b)
{
  uint32_t ids[TEXT_ROWS] = {0};
  for (uint32_t i = 0; i < PROMPT_TOKENS; i++) ids[i] = 100 + 7 * i;
  if (b->model->words != NULL)
    return prompt_encode(b->model, "rain on a tin roof", &b->prompt, b->memory, b->pool, b->error);
  return text_encoder_run(b->model->text, ids, PROMPT_TOKENS, TEXT_ROWS, b->prompt.text, b->memory,
                          b->pool, b->error);
}

static mw_status run_clap(bench *b)
{
  uint32_t ids[PROMPT_TOKENS] = {0};
  for (uint32_t i = 1; i < PROMPT_TOKENS; i++) ids[i] = 100 + 7 * i;
  if (b->model->clap == NULL) return MW_OK;
  return clap_text_run(b->model->clap, ids, PROMPT_TOKENS, b->prompt.pooled, b->memory, b->pool,
                       b->error);
}

static mw_status run_flow(bench *b)
{
  const mw_sound_model *m = b->model;
  flow_prompt prompt;
  random_stream random;
  random_seed(&random, 42);
  random_normal(&random, b->latent, b->rows * flow_audio_get_config(m->flow)->latent_channels);
  mw_status status = flow_audio_prompt(m->flow, b->prompt.text, m->text_rows, b->prompt.pooled,
                                       &prompt, b->memory, b->pool, b->error);
  flow_sampling sampling = {.steps = m->about.steps, .start = 1.0f, .prompt = &prompt};
  if (status == MW_OK)
    status =
        flow_audio_sample(m->flow, &sampling, b->latent, b->rows, b->memory, b->pool, b->error);
  if (status == MW_OK) flow_audio_denormalise(m->flow, b->latent, b->rows);
  return status;
}

static mw_status run_decoder(bench *b)
{
  return latent_decode(b->model->coder, b->latent, b->rows, b->mel, b->memory, b->pool, b->error);
}

static mw_status run_vocoder(bench *b)
{
  const mw_sound_model *m = b->model;
  vocos_state *state = NULL;
  if (m->bigvgan != NULL)
    return bigvgan_run(m->bigvgan, b->mel, b->frames, b->samples, NULL, NULL, b->pool, b->error);
  mw_status status = vocos_state_new(&state, m->vocos, VOCOS_TILE_FRAMES, b->error);
  if (status == MW_OK) vocos_decode(state, b->mel, b->frames + 1, b->samples, b->pool);
  vocos_state_free(state);
  return status;
}

static const struct {
  const char *name;
  mw_status (*run)(bench *b);
} stages[] = {{"text", run_text},
              {"clap", run_clap},
              {"transformer", run_flow},
              {"decoder", run_decoder},
              {"vocoder", run_vocoder}};
enum { STAGES = sizeof stages / sizeof stages[0], TOTAL = STAGES };

// All stages once; each row keeps its best times and its most memory.
static mw_status run_stages(bench *b, mw_bench_sound_row *rows)
{
  double begun = clock_seconds(CLOCK_MONOTONIC);
  double computed = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
  mw_bench_sound_row *total = &rows[TOTAL];
  double seconds = 0.0;
  double cpu_seconds = 0.0;
  mw_status status = b->memory == NULL ? take_room(b) : MW_OK;
  arena_mark mark = status == MW_OK ? arena_set_mark(b->memory) : (arena_mark){0};
  for (size_t i = 0; status == MW_OK && i < STAGES; i++) {
    forget_peak();
    status = stages[i].run(b);
    double now = clock_seconds(CLOCK_MONOTONIC);
    double now_computed = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    rows[i].seconds = fmin(rows[i].seconds, now - begun);
    rows[i].cpu_seconds = fmin(rows[i].cpu_seconds, now_computed - computed);
    rows[i].peak_mb = fmax(rows[i].peak_mb, resident_mb("VmHWM") - total->model_mb);
    total->peak_mb = fmax(total->peak_mb, rows[i].peak_mb);
    seconds += now - begun;
    cpu_seconds += now_computed - computed;
    begun = now;
    computed = now_computed;
  }
  if (status == MW_OK) arena_release(b->memory, mark);
  total->seconds = fmin(total->seconds, seconds);
  total->cpu_seconds = fmin(total->cpu_seconds, cpu_seconds);
  return status;
}

mw_status mw_bench_sound(const mw_bench_sound_wish *wish,
                         void (*row)(void *context, const mw_bench_sound_row *row), void *context,
                         mw_error *error)
{
  bench b = {.wish = wish, .error = error};
  mw_bench_sound_row rows[STAGES + 1];
  mw_status status = load(&b);
  malloc_trim(0); // what loading freed is not room to work in
  double model_mb = resident_mb("VmRSS");
  for (size_t i = 0; i <= TOTAL; i++)
    rows[i] = (mw_bench_sound_row){.name = i < STAGES ? stages[i].name : "total",
                                   .seconds = INFINITY,
                                   .cpu_seconds = INFINITY,
                                   .model_mb = model_mb};
  for (unsigned i = 0; status == MW_OK && (i == 0 || i < wish->repeat); i++)
    status = run_stages(&b, rows);
  for (size_t i = 0; status == MW_OK && i <= TOTAL; i++) {
    rows[i].rtf = rows[i].seconds / wish->seconds;
    row(context, &rows[i]);
  }
  arena_free(b.memory);
  pool_free(b.pool);
  mw_sound_model_close(b.model);
  return status;
}
