// SPDX-License-Identifier: GPL-3.0-or-later
//
// MeanVC 2's timbre tokens and decoder. Tolerances as in golden_meanvc.c: 1e-4 of the largest value
// for one evaluation, 5e-4 where chunks feed on chunks.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_vc_internal.h"
#include "golden.h"
#include "stretch.h"

typedef struct {
  weights *w;
  flow_vc *f;
  flow_vc_voice *voice;
  npy content;
  npy noise;
  npy speaker;
  npy off_features;
} decoder;

static mw_status open_decoder(golden_run *run, decoder *d, mw_error *error)
{
  char path[4096];
  size_t chunk = 0;
  size_t ahead = 0;
  json_size(json_get(run->config, "chunk"), 1, 1000, &chunk);
  json_size(json_get(run->config, "block"), 1, 1000, &ahead);
  snprintf(path, sizeof path, "%s/dit.safetensors", run->folder);
  mw_status status = weights_open(&d->w, path, error);
  if (status != MW_OK) return status;
  weights_view view = weights_under(d->w, "");
  status = flow_vc_load(&d->f, &view, chunk, ahead, error);
  if (status == MW_OK)
    status = flow_vc_voice_new(&d->voice, d->f, d->speaker.values, NULL, 0, error);
  return status;
}

static void compare_tokens(golden_run *run, const decoder *d)
{
  weights_view view = weights_under(d->w, "");
  timbre_tokens *t = NULL;
  timbre_token_set *set = NULL;
  mw_error error;
  if (timbre_tokens_load(&t, &view, 4, &error) != MW_OK ||
      timbre_token_set_new(&set, t, d->speaker.values, &error) != MW_OK) {
    golden_fail(run, error.text);
  } else {
    size_t count = timbre_tokens_count(t) * timbre_tokens_width(t);
    size_t rows = d->content.shape[0];
    float *keys = malloc(count * sizeof(float));
    float *values = malloc(count * sizeof(float));
    float *out = malloc(d->content.count * sizeof(float));
    float *scratch = malloc(timbre_tokens_scratch(t, rows) * sizeof(float));
    timbre_tokens_expand(t, d->speaker.values, keys, values, NULL);
    golden_compare(run, "tokens_k.npy", keys, count, 1e-4);
    golden_compare(run, "tokens_v.npy", values, count, 1e-4);
    timbre_tokens_run(t, set, d->content.values, rows, out, scratch);
    golden_compare(run, "timbre.npy", out, d->content.count, 1e-4);
    free(keys);
    free(values);
    free(out);
    free(scratch);
  }
  timbre_token_set_free(set);
  timbre_tokens_free(t);
}

// Chunk by chunk over `frames` rows of content and noise; the last chunk may be shorter, and where
// no `more` rows follow, so may its look-ahead. `lengths`, when not NULL, receives the positions
// each block remembers [chunks, depth].
static bool run_chunks(golden_run *run, const decoder *d, const float *content, const float *times,
                       size_t steps, size_t frames, size_t more, float *mel, float *lengths)
{
  flow_vc_schedule *schedule = NULL;
  flow_vc_state *state = NULL;
  mw_error error;
  size_t chunk = flow_vc_chunk_frames(d->f);
  size_t bins = flow_vc_mel(d->f);
  bool good = flow_vc_schedule_new(&schedule, d->f, times, steps, &error) == MW_OK &&
              flow_vc_state_new(&state, d->f, schedule, 1, &error) == MW_OK;
  if (!good) golden_fail(run, error.text);
  for (size_t i = 0; good && i < frames; i += chunk) {
    size_t rows = frames - i < chunk ? frames - i : chunk;
    size_t ahead = frames + more - i - rows;
    if (ahead > flow_vc_ahead_frames(d->f)) ahead = flow_vc_ahead_frames(d->f);
    flow_vc_chunk(state, d->voice, content + i * flow_vc_content(d->f), d->noise.values + i * bins,
                  rows, ahead, mel + i * bins);
    for (size_t b = 0; lengths != NULL && b < d->f->depth; b++)
      *lengths++ = (float)flow_vc_remembered(state, b).count;
  }
  flow_vc_state_free(state);
  flow_vc_schedule_free(schedule);
  return good;
}

// The whole sequence evaluated at once in the layout of training is, mask and all, what chunks do
// whose history is noisy with the same times.
static void compare_velocity(golden_run *run, const decoder *d)
{
  static const float times[2] = {0.7f, 0.2f};
  size_t count = d->noise.count;
  float *u = malloc(count * sizeof(float));
  if (run_chunks(run, d, d->content.values, times, 1, d->noise.shape[0], 0, u, NULL)) {
    for (size_t i = 0; i < count; i++) u[i] = (d->noise.values[i] - u[i]) / (times[0] - times[1]);
    golden_compare(run, "train_u.npy", u, count, 1e-4);
  }
  free(u);
}

// The official cache keeps a chunk more of each block than any row sees; ours does not.
static void compare_lengths(golden_run *run, const decoder *d, const float *lengths, size_t count)
{
  npy wanted;
  size_t depth = d->f->depth;
  if (!golden_input(run, &wanted, "kv_len.npy")) return;
  if (wanted.count != count) golden_fail(run, "kv_len.npy");
  for (size_t i = 0; i < wanted.count; i++) {
    float seen = (float)(d->f->blocks[i % depth].past * d->f->chunk);
    if (wanted.values[i] > seen) wanted.values[i] = seen;
  }
  if (wanted.count == count)
    golden_compare_values(run, "kv_len.npy", lengths, wanted.values, count, 0.0);
  npy_free(&wanted);
}

static void compare_loops(golden_run *run, const decoder *d)
{
  size_t bins = flow_vc_mel(d->f);
  size_t ahead = flow_vc_ahead_frames(d->f);
  size_t frames = d->noise.shape[0] - ahead;
  size_t off_frames = 4 * d->off_features.shape[0];
  float *mel = malloc(d->noise.count * sizeof(float));
  float *content = malloc(off_frames * flow_vc_content(d->f) * sizeof(float));
  float *lengths = calloc(d->noise.shape[0] * d->f->depth, sizeof(float));
  float times[4];
  for (size_t steps = 1; steps <= 2; steps++) {
    char file[32];
    snprintf(file, sizeof file, "x_rt_steps%zu.npy", steps);
    flow_vc_published_times(d->f, times, steps);
    if (run_chunks(run, d, d->content.values, times, steps, frames, ahead, mel, lengths))
      golden_compare(run, file, mel, frames * bins, 5e-4);
  }
  compare_lengths(run, d, lengths, frames / flow_vc_chunk_frames(d->f) * d->f->depth);
  stretch_rows(d->off_features.values, d->off_features.shape[0], flow_vc_content(d->f), 0, content,
               off_frames);
  flow_vc_published_times(d->f, times, 3);
  if (run_chunks(run, d, content, times, 3, off_frames, 0, mel, NULL))
    golden_compare(run, "off_x_steps3.npy", mel, off_frames * bins, 5e-4);
  free(mel);
  free(content);
  free(lengths);
}

void golden_decoder_second(golden_run *run)
{
  decoder d = {0};
  mw_error error;
  if (golden_input(run, &d.content, "cond.npy") && golden_input(run, &d.noise, "noise.npy") &&
      golden_input(run, &d.speaker, "spk.npy") &&
      golden_input(run, &d.off_features, "off_bnf.npy")) {
    if (open_decoder(run, &d, &error) == MW_OK) {
      compare_tokens(run, &d);
      compare_velocity(run, &d);
      compare_loops(run, &d);
    } else {
      golden_fail(run, error.text);
    }
  }
  flow_vc_voice_free(d.voice);
  flow_vc_free(d.f);
  weights_close(d.w);
  npy_free(&d.content);
  npy_free(&d.noise);
  npy_free(&d.speaker);
  npy_free(&d.off_features);
}
