// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a clip of generated sound costs, stage by stage: the published sizes with weights by
// formula, one model in memory at a time.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bigvgan.h"
#include "clap_text.h"
#include "flow_audio.h"
#include "formula.h"
#include "latent_coder.h"
#include "random.h"
#include "status.h"
#include "text_encoder.h"

enum { RATE_HZ = 16000, TEXT_ROWS = 77, PROMPT_TOKENS = 12, MEL_HOP = 256 };

typedef struct {
  const mw_bench_sound_wish *wish;
  void (*row)(void *context, const mw_bench_sound_row *row);
  void *context;
  mw_error *error;
  pool *pool;
  arena *memory;
  size_t latents;
  weights *file;     // of the stage at hand
  weights_view view; // of its tensors
  float *text;       // [TEXT_ROWS, text width]
  float *pooled;     // [pooled width]
  float *latent;     // [latents, channels]
  float *mel;        // [frames, bins]
  mw_bench_sound_row total;
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

// One stage: `run` is timed, best of the repetitions.
static mw_status measure(bench *b, const char *name, mw_status (*run)(bench *, void *), void *model)
{
  double sound_seconds = b->wish->seconds;
  mw_bench_sound_row row = {.name = name, .seconds = INFINITY, .cpu_seconds = INFINITY};
  forget_peak();
  double before = resident_mb("VmRSS");
  for (unsigned i = 0; i < b->wish->repeat; i++) {
    double begun = clock_seconds(CLOCK_MONOTONIC);
    double computed = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    mw_status status = run(b, model);
    if (status != MW_OK) return status;
    row.seconds = fmin(row.seconds, clock_seconds(CLOCK_MONOTONIC) - begun);
    row.cpu_seconds = fmin(row.cpu_seconds, clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - computed);
  }
  row.rtf = row.seconds / sound_seconds;
  row.peak_mb = resident_mb("VmHWM");
  row.working_mb = fmax(row.peak_mb - before, 0.0);
  b->row(b->context, &row);
  b->total.seconds += row.seconds;
  b->total.cpu_seconds += row.cpu_seconds;
  b->total.peak_mb = fmax(b->total.peak_mb, row.peak_mb);
  b->total.working_mb = fmax(b->total.working_mb, row.working_mb);
  return MW_OK;
}

static mw_status open_formula(bench *b, const char *kind)
{
  inventory *known = NULL;
  mw_status status = inventory_named(&known, kind, b->error);
  if (status == MW_OK)
    status = weights_formula(&b->file, known, FORMULA_MEANAUDIO, "bench", b->error);
  inventory_free(known);
  return status;
}

static void close_file(bench *b)
{
  weights_close(b->file);
  b->file = NULL;
}

static mw_status run_text(bench *b, void *model)
{
  uint32_t ids[TEXT_ROWS] = {0};
  for (uint32_t i = 0; i < PROMPT_TOKENS; i++) ids[i] = 100 + 7 * i;
  return text_encoder_run(model, ids, PROMPT_TOKENS, TEXT_ROWS, b->text, b->memory, b->pool,
                          b->error);
}

static mw_status bench_text(bench *b)
{
  text_encoder *e = NULL;
  mw_status status = open_formula(b, "t5-encoder");
  if (status == MW_OK) status = text_encoder_load(&e, b->file, b->error);
  if (status == MW_OK) {
    b->text = arena_floats(b->memory, TEXT_ROWS * text_encoder_width(e));
    status = measure(b, "text", run_text, e);
  }
  text_encoder_free(e);
  close_file(b);
  return status;
}

static mw_status run_clap(bench *b, void *model)
{
  uint32_t ids[PROMPT_TOKENS] = {0};
  for (uint32_t i = 1; i < PROMPT_TOKENS; i++) ids[i] = 100 + 7 * i;
  return clap_text_run(model, ids, PROMPT_TOKENS, b->pooled, b->memory, b->pool, b->error);
}

static mw_status bench_clap(bench *b)
{
  clap_text *c = NULL;
  mw_status status = open_formula(b, "clap-text");
  if (status == MW_OK) status = clap_text_load(&c, b->file, 0, b->error);
  if (status == MW_OK) {
    b->pooled = arena_floats(b->memory, clap_text_width(c));
    status = measure(b, "clap", run_clap, c);
  }
  clap_text_free(c);
  close_file(b);
  return status;
}

static mw_status run_flow(bench *b, void *model)
{
  flow_prompt prompt;
  random_stream random;
  arena_mark mark = arena_set_mark(b->memory);
  random_seed(&random, 42);
  random_normal(&random, b->latent, b->latents * flow_audio_get_config(model)->latent_channels);
  mw_status status = flow_audio_prompt(model, b->text, TEXT_ROWS, b->pooled, &prompt, b->memory,
                                       b->pool, b->error);
  flow_sampling one_step = {.steps = 1, .start = 1.0f, .prompt = &prompt};
  if (status == MW_OK)
    status =
        flow_audio_sample(model, &one_step, b->latent, b->latents, b->memory, b->pool, b->error);
  if (status == MW_OK) flow_audio_denormalise(model, b->latent, b->latents);
  arena_release(b->memory, mark);
  return status;
}

static mw_status bench_flow(bench *b)
{
  flow_audio *f = NULL;
  mw_status status =
      open_formula(b, strcmp(b->wish->size, "l") == 0 ? "meanaudio-l" : "meanaudio-s");
  if (status == MW_OK) status = flow_audio_load(&f, b->file, b->error);
  close_file(b);
  if (status == MW_OK) {
    b->latent = arena_floats(b->memory, b->latents * flow_audio_get_config(f)->latent_channels);
    status = measure(b, "transformer", run_flow, f);
  }
  flow_audio_free(f);
  return status;
}

static mw_status run_decoder(bench *b, void *model)
{
  return latent_decode(model, b->latent, b->latents, b->mel, b->memory, b->pool, b->error);
}

static mw_status bench_decoder(bench *b)
{
  latent_coder *c = NULL;
  mw_status status = open_formula(b, "vae-16k");
  if (status == MW_OK) status = latent_coder_load(&c, b->file, false, b->error);
  close_file(b);
  if (status == MW_OK) {
    const latent_coder_config *config = latent_coder_get_config(c);
    b->mel = arena_floats(b->memory, b->latents * config->factor * config->mel_bins);
    status = measure(b, "decoder", run_decoder, c);
  }
  latent_coder_free(c);
  return status;
}

typedef struct {
  bigvgan *vocoder;
  float *samples;
} vocoder_run;

static mw_status run_vocoder(bench *b, void *model)
{
  const vocoder_run *v = model;
  return bigvgan_run(v->vocoder, b->mel, 2 * b->latents, v->samples, NULL, NULL, b->pool, b->error);
}

static mw_status bench_vocoder(bench *b)
{
  vocoder_run v = {0};
  mw_status status = open_formula(b, "bigvgan-16k");
  if (status == MW_OK) status = bigvgan_load(&v.vocoder, b->file, b->error);
  close_file(b);
  if (status == MW_OK) {
    v.samples = arena_floats(b->memory, 2 * b->latents * bigvgan_hop(v.vocoder));
    status = measure(b, "vocoder", run_vocoder, &v);
  }
  bigvgan_free(v.vocoder);
  return status;
}

mw_status mw_bench_sound(const mw_bench_sound_wish *wish,
                         void (*row)(void *context, const mw_bench_sound_row *row), void *context,
                         mw_error *error)
{
  static mw_status (*const stages[])(bench *) = {bench_text, bench_clap, bench_flow, bench_decoder,
                                                 bench_vocoder};
  if (strcmp(wish->size, "s") != 0 && strcmp(wish->size, "l") != 0)
    return mw_fail(error, MW_ERROR_ARGUMENT, "no size '%s': s or l", wish->size);
  bench b = {.wish = wish,
             .row = row,
             .context = context,
             .error = error,
             .pool = pool_new(wish->threads),
             .memory = arena_new(),
             .latents = (size_t)ceil(wish->seconds * RATE_HZ / MEL_HOP / 2),
             .total = {.name = "total"}};
  mw_status status =
      b.pool != NULL && b.memory != NULL ? MW_OK : mw_fail_memory(error, "measuring");
  for (size_t i = 0; status == MW_OK && i < sizeof stages / sizeof stages[0]; i++)
    status = stages[i](&b);
  b.total.rtf = b.total.seconds / wish->seconds;
  if (status == MW_OK) row(context, &b.total);
  arena_free(b.memory);
  pool_free(b.pool);
  return status;
}
