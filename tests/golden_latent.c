// SPDX-License-Identifier: GPL-3.0-or-later
//
// The latent coder against the official module, and the published statistics of latents. Tolerance:
// float32 sums in another order, 2e-4 of the largest magnitude.
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latent_coder.h"

static const double tolerance = 2e-4;

typedef struct {
  weights *file;
  latent_coder *c;
  arena *memory;
  pool *pool;
} setup;

static bool start(setup *s, golden_run *run)
{
  char path[4096];
  mw_error error = {.text = "out of memory"};
  *s = (setup){.memory = arena_new(), .pool = pool_new(2)};
  snprintf(path, sizeof path, "%s/%s", run->folder,
           json_string_or(json_get(run->config, "weights"), ""));
  if (s->memory != NULL && weights_open(&s->file, path, &error) == MW_OK &&
      latent_coder_load(&s->c, s->file, true, &error) == MW_OK)
    return true;
  golden_fail(run, error.text);
  return false;
}

static void finish(setup *s)
{
  latent_coder_free(s->c);
  weights_close(s->file);
  arena_free(s->memory);
  pool_free(s->pool);
}

// values [rows, width] or back: the arrays of this case are channel-first
static float *transposed_copy(const float *values, size_t rows, size_t width)
{
  float *turned = malloc((rows * width + 1) * sizeof(float));
  for (size_t i = 0; i < rows; i++)
    for (size_t c = 0; c < width; c++) turned[c * rows + i] = values[i * width + c];
  return turned;
}

static void compare(golden_run *run, const char *name, const float *values, size_t rows,
                    size_t width)
{
  char file[80];
  float *turned = transposed_copy(values, rows, width);
  snprintf(file, sizeof file, "%s.npy", name);
  golden_compare(run, file, turned, rows * width, tolerance);
  free(turned);
}

// Stages that a folder has no values of are not compared; each it has must be seen.
static const char *const decoder_stages[] = {
    "conv_in",    "mid_block_1",  "mid_attn_1", "mid_block_2", "up2_block2",
    "up1_block2", "up1_upsample", "up0_block2", "raw",
};
static const char *const encoder_stages[] = {"conv_in", "down0_block1", "down0_downsample",
                                             "mid_block_2"};

typedef struct {
  golden_run *run;
  const char *const *stages;
  size_t count;
  size_t seen;
} watcher;

static void watch(void *context, const char *name, const float *values, size_t rows, size_t width)
{
  watcher *w = context;
  for (size_t i = 0; i < w->count; i++) {
    if (strcmp(w->stages[i], name) != 0) continue;
    compare(w->run, name, values, rows, width);
    w->seen++;
  }
}

void golden_latent_decoder(golden_run *run)
{
  setup s;
  npy z;
  mw_error error;
  if (!start(&s, run) || !golden_input(run, &z, "z.npy")) return;
  const latent_coder_config *config = latent_coder_get_config(s.c);
  watcher w = {run, decoder_stages, sizeof decoder_stages / sizeof decoder_stages[0], 0};
  size_t rows = z.shape[2];
  float *in = transposed_copy(z.values, config->latent_channels, rows);
  float *mel = calloc(rows * config->factor * config->mel_bins, sizeof(float));
  latent_coder_watch(s.c, watch, &w);
  if (z.shape[1] != config->latent_channels ||
      latent_decode(s.c, in, rows, mel, s.memory, s.pool, &error) != MW_OK)
    golden_fail(run, "the latents were not decoded");
  else
    compare(run, "mel", mel, rows * config->factor, config->mel_bins);
  if (w.seen != w.count) golden_fail(run, "a stage was not seen");
  free(in);
  free(mel);
  npy_free(&z);
  finish(&s);
}

void golden_latent_encoder(golden_run *run)
{
  setup s;
  npy mel;
  mw_error error;
  if (!start(&s, run) || !golden_input(run, &mel, "mel.npy")) return;
  const latent_coder_config *config = latent_coder_get_config(s.c);
  watcher w = {run, encoder_stages, sizeof encoder_stages / sizeof encoder_stages[0], 0};
  size_t frames = mel.shape[2];
  size_t rows = frames / config->factor;
  size_t channels = config->latent_channels;
  float *in = transposed_copy(mel.values, config->mel_bins, frames);
  float *mean = calloc(rows * channels, sizeof(float));
  float *log_variance = calloc(rows * channels, sizeof(float));
  latent_coder_watch(s.c, watch, &w);
  if (mel.shape[1] != config->mel_bins ||
      latent_encode(s.c, in, frames, mean, log_variance, s.memory, s.pool, &error) != MW_OK)
    golden_fail(run, "the mel frames were not encoded");
  compare(run, "mean", mean, rows, channels);
  compare(run, "logvar", log_variance, rows, channels);
  for (size_t i = 0; i < rows * channels; i++) log_variance[i] = expf(0.5f * log_variance[i]);
  compare(run, "std", log_variance, rows, channels);
  if (w.seen != w.count) golden_fail(run, "a stage was not seen");
  free(in);
  free(mean);
  free(log_variance);
  npy_free(&mel);
  finish(&s);
}

// The published latent_mean.pt and latent_std.pt: a file that is nothing but a tensor.
void golden_latent_statistics(golden_run *run)
{
  static const char *const names[] = {"latent_mean", "latent_std"};
  for (int i = 0; i < 2; i++) {
    char path[4096];
    char wanted[32];
    weights *file = NULL;
    mw_error error;
    snprintf(path, sizeof path, "%s/%s.pt", run->folder, names[i]);
    snprintf(wanted, sizeof wanted, "%s.npy", names[i]);
    if (weights_open(&file, path, &error) != MW_OK) {
      golden_fail(run, error.text);
      continue;
    }
    float values[64];
    const tensor *t = weights_count(file) == 1 ? weights_at(file, 0) : NULL;
    if (t != NULL && t->count <= 64) {
      tensor_read(t, 0, t->count, values);
      golden_compare(run, wanted, values, t->count, 0.0);
    } else {
      golden_fail(run, "the file is not one tensor");
    }
    weights_close(file);
  }
}
