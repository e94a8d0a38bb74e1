// SPDX-License-Identifier: GPL-3.0-or-later
//
// BigVGAN against the official generator, in tiles of several sizes. Tolerance: float32 sums in
// another order, 2e-4 of the largest magnitude.
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bigvgan_internal.h"

static const double tolerance = 2e-4;

// Pieces of each stage, put together channel-first as the arrays are.
typedef struct {
  const char *name;
  npy wanted;
  float *values;
  size_t rows;
} seen_stage;

static seen_stage stages[] = {
    {.name = "conv_pre"}, {.name = "ups0"}, {.name = "rb0"}, {.name = "rb1"}};
enum { STAGES = sizeof stages / sizeof stages[0] };

static void watch(void *context, const char *name, const float *values, size_t first, size_t rows,
                  size_t width)
{
  golden_run *run = context;
  for (size_t i = 0; i < STAGES; i++) {
    seen_stage *s = &stages[i];
    if (strcmp(s->name, name) != 0) continue;
    size_t length = s->wanted.shape[2];
    if (first != s->rows || first + rows > length || width != s->wanted.shape[1]) {
      golden_fail(run, "a stage has another shape than the official one");
      return;
    }
    for (size_t r = 0; r < rows; r++)
      for (size_t c = 0; c < width; c++) s->values[c * length + first + r] = values[r * width + c];
    s->rows += rows;
  }
}

static void run_tiles(golden_run *run, bigvgan *b, const float *mel, size_t frames, size_t tile,
                      pool *p)
{
  size_t count = frames * bigvgan_hop(b);
  float *samples = calloc(count, sizeof(float));
  mw_error error;
  for (size_t i = 0; i < STAGES; i++) stages[i].rows = 0;
  bigvgan_watch(b, watch, run);
  if (bigvgan_run_tiled(b, tile, mel, frames, samples, NULL, NULL, p, &error) != MW_OK)
    golden_fail(run, error.text);
  for (size_t i = 0; i < STAGES; i++) {
    char file[32];
    snprintf(file, sizeof file, "%s.npy", stages[i].name);
    if (stages[i].rows != stages[i].wanted.shape[2]) golden_fail(run, "a stage was not seen whole");
    golden_compare(run, file, stages[i].values, stages[i].wanted.count, tolerance);
  }
  golden_compare(run, "wav.npy", samples, count, tolerance);
  free(samples);
}

void golden_bigvgan(golden_run *run)
{
  static const size_t tiles[] = {3 << 18, 700, 64};
  char path[4096];
  weights *file = NULL;
  bigvgan *b = NULL;
  npy mel;
  mw_error error;
  pool *p = pool_new(2);
  snprintf(path, sizeof path, "%s/%s", run->folder,
           json_string_or(json_get(run->config, "weights"), ""));
  if (weights_open(&file, path, &error) != MW_OK || bigvgan_load(&b, file, &error) != MW_OK) {
    golden_fail(run, error.text);
    return;
  }
  if (!golden_input(run, &mel, "mel.npy")) return;
  size_t frames = mel.shape[2];
  float *rows = calloc(mel.count, sizeof(float));
  for (size_t i = 0; i < mel.count; i++)
    rows[i % frames * mel.shape[1] + i / frames] = mel.values[i];
  for (size_t i = 0; i < STAGES; i++) {
    char name[32];
    snprintf(name, sizeof name, "%s.npy", stages[i].name);
    if (!golden_input(run, &stages[i].wanted, name)) return;
    stages[i].values = calloc(stages[i].wanted.count, sizeof(float));
  }
  for (size_t i = 0; i < sizeof tiles / sizeof tiles[0]; i++)
    run_tiles(run, b, rows, frames, tiles[i], i == 0 ? NULL : p);
  for (size_t i = 0; i < STAGES; i++) {
    free(stages[i].values);
    npy_free(&stages[i].wanted);
  }
  free(rows);
  npy_free(&mel);
  bigvgan_free(b);
  weights_close(file);
  pool_free(p);
}
