// SPDX-License-Identifier: GPL-3.0-or-later
//
// MeanVC's timbre encoder and decoder. Tolerance 1e-4 of the largest value for one evaluation:
// float32 sums in another order; 5e-4 where chunks feed on chunks. The arrays of dit_single that
// only training needs (train_*, mf_*) are not compared here.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_vc_internal.h"
#include "golden.h"

static weights *open_checkpoint(golden_run *run, const char *name)
{
  char path[4096];
  weights *w = NULL;
  mw_error error;
  snprintf(path, sizeof path, "%s/%s", run->folder, name);
  if (weights_open(&w, path, &error) != MW_OK) golden_fail(run, error.text);
  return w;
}

void golden_timbre(golden_run *run)
{
  npy content;
  npy prompt;
  npy speaker;
  timbre *t = NULL;
  timbre_prompt *p = NULL;
  mw_error error;
  size_t heads = 4;
  json_size(json_get(run->config, "mrte_heads"), 1, 64, &heads);
  weights *w = open_checkpoint(run, "mrte.safetensors");
  if (w == NULL || !golden_input(run, &content, "cond.npy") ||
      !golden_input(run, &prompt, "prompt.npy") || !golden_input(run, &speaker, "spk.npy"))
    return;
  weights_view view = weights_under(w, "timbre_encoder.");
  if (timbre_load(&t, &view, heads, &error) == MW_OK &&
      timbre_prompt_new(&p, t, prompt.values, prompt.shape[0], speaker.values, &error) == MW_OK) {
    size_t rows = content.shape[0];
    float *out = malloc(content.count * sizeof(float));
    float *scratch = malloc(timbre_scratch(t, rows, prompt.shape[0]) * sizeof(float));
    timbre_run(t, p, content.values, rows, out, scratch);
    golden_compare(run, "out.npy", out, content.count, 1e-4);
    free(out);
    free(scratch);
  } else {
    golden_fail(run, error.text);
  }
  timbre_prompt_free(p);
  timbre_free(t);
  weights_close(w);
  npy_free(&content);
  npy_free(&prompt);
  npy_free(&speaker);
}

typedef struct {
  weights *w;
  flow_vc *f;
  flow_vc_voice *voice;
  npy content;
  npy prompt;
  npy speaker;
} decoder;

static bool open_decoder(golden_run *run, decoder *d)
{
  mw_error error;
  size_t chunk = 0;
  json_size(json_get(run->config, "chunk"), 1, 1000, &chunk);
  *d = (decoder){.w = open_checkpoint(run, "dit.safetensors")};
  if (d->w == NULL || !golden_input(run, &d->content, "cond.npy") ||
      !golden_input(run, &d->prompt, "prompt.npy") || !golden_input(run, &d->speaker, "spk.npy"))
    return false;
  weights_view view = weights_under(d->w, "");
  if (flow_vc_load(&d->f, &view, chunk, 0, &error) == MW_OK &&
      flow_vc_voice_new(&d->voice, d->f, d->speaker.values, d->prompt.values, d->prompt.shape[0],
                        &error) == MW_OK)
    return true;
  golden_fail(run, error.text);
  return false;
}

static void close_decoder(decoder *d)
{
  flow_vc_voice_free(d->voice);
  flow_vc_free(d->f);
  weights_close(d->w);
  npy_free(&d->content);
  npy_free(&d->prompt);
  npy_free(&d->speaker);
}

// u from one step: x' = x - (t - r) u.
static void compare_velocity(golden_run *run, const decoder *d, const npy *x, const npy *previous,
                             float t, float r, const char *file)
{
  flow_vc_schedule *schedule = NULL;
  flow_vc_state *state = NULL;
  float times[2] = {t, r};
  float *u = malloc(x->count * sizeof(float));
  if (flow_vc_schedule_new(&schedule, d->f, times, 1, NULL) == MW_OK &&
      flow_vc_state_new(&state, d->f, schedule, d->prompt.shape[0], NULL) == MW_OK) {
    if (previous != NULL) flow_vc_set_previous(state, previous->values);
    flow_vc_chunk(state, d->voice, d->content.values, x->values, x->shape[0], 0, u);
    for (size_t i = 0; i < x->count; i++) u[i] = (x->values[i] - u[i]) / (t - r);
    golden_compare(run, file, u, x->count, 1e-4);
  } else {
    golden_fail(run, "no state");
  }
  flow_vc_state_free(state);
  flow_vc_schedule_free(schedule);
  free(u);
}

void golden_decoder_single(golden_run *run)
{
  decoder d;
  npy x;
  npy previous;
  if (open_decoder(run, &d) && golden_input(run, &x, "x.npy") &&
      golden_input(run, &previous, "prev.npy")) {
    const json_node *t = json_get(run->config, "t")->first;
    const json_node *r = json_get(run->config, "r")->first;
    for (int i = 0; t != NULL && r != NULL; t = t->next, r = r->next, i++) {
      char file[32];
      snprintf(file, sizeof file, "u_first_%d.npy", i);
      compare_velocity(run, &d, &x, NULL, (float)t->number, (float)r->number, file);
      snprintf(file, sizeof file, "u_prev_%d.npy", i);
      compare_velocity(run, &d, &x, &previous, (float)t->number, (float)r->number, file);
    }
    npy_free(&x);
    npy_free(&previous);
  }
  close_decoder(&d);
}

// Behind chunk 6, counted from 0, of all blocks as the official cache has them: [blocks, heads,
// positions, head size].
static void compare_history(golden_run *run, const flow_vc *f, const flow_vc_state *s)
{
  size_t count = flow_vc_remembered(s, 0).count;
  size_t heads = f->inner / f->head_size;
  size_t all = f->depth * f->inner * count;
  float *keys = malloc((all + 1) * sizeof(float));
  float *values = malloc((all + 1) * sizeof(float));
  size_t at = 0;
  for (size_t b = 0; b < f->depth; b++) {
    flow_vc_memory m = flow_vc_remembered(s, b);
    for (size_t h = 0; h < heads; h++)
      for (size_t i = 0; i < count; i++, at += f->head_size) {
        size_t from = i * f->inner + h * f->head_size;
        memcpy(keys + at, m.keys + from, f->head_size * sizeof(float));
        memcpy(values + at, m.values + from, f->head_size * sizeof(float));
      }
  }
  golden_compare(run, "kv_k_after6.npy", keys, all, 5e-4);
  golden_compare(run, "kv_v_after6.npy", values, all, 5e-4);
  free(keys);
  free(values);
}

static void compare_stream(golden_run *run, const decoder *d, const npy *noise, size_t steps,
                           size_t frames, const char *file, bool histories)
{
  flow_vc_schedule *schedule = NULL;
  flow_vc_state *state = NULL;
  float times[8];
  size_t chunk = flow_vc_chunk_frames(d->f);
  size_t bins = flow_vc_mel(d->f);
  float *mel = malloc(frames * bins * sizeof(float));
  float *lengths = calloc(frames / chunk + 1, sizeof(float));
  size_t chunks = 0;
  flow_vc_published_times(d->f, times, steps);
  if (flow_vc_schedule_new(&schedule, d->f, times, steps, NULL) == MW_OK &&
      flow_vc_state_new(&state, d->f, schedule, d->prompt.shape[0], NULL) == MW_OK) {
    for (size_t i = 0; i < frames; i += chunk) {
      flow_vc_chunk(state, d->voice, d->content.values + i * flow_vc_content(d->f),
                    noise->values + i * bins, frames - i < chunk ? frames - i : chunk, 0,
                    mel + i * bins);
      lengths[chunks++] = (float)flow_vc_remembered(state, 0).count;
      if (chunks == 7 && histories) compare_history(run, d->f, state);
    }
    if (histories) golden_compare(run, "kv_len.npy", lengths, frames / chunk, 0.0); // full chunks
    golden_compare(run, file, mel, frames * bins, 5e-4);
  } else {
    golden_fail(run, "no state");
  }
  flow_vc_state_free(state);
  flow_vc_schedule_free(schedule);
  free(mel);
  free(lengths);
}

void golden_decoder_stream(golden_run *run)
{
  decoder d;
  npy noise;
  if (open_decoder(run, &d) && golden_input(run, &noise, "noise.npy")) {
    size_t frames = noise.shape[0];
    compare_stream(run, &d, &noise, 1, frames, "x_steps1.npy", false);
    compare_stream(run, &d, &noise, 2, frames, "x_steps2.npy", true);
    compare_stream(run, &d, &noise, 3, frames, "x_steps3.npy", false);
    // the official loop sets its positions back before one of these chunks; ours have none
    frames -= frames % flow_vc_chunk_frames(d.f);
    compare_stream(run, &d, &noise, 2, frames, "x_reset_steps2.npy", false);
    npy_free(&noise);
  }
  close_decoder(&d);
}

void golden_decoder_pitch(golden_run *run)
{
  decoder d;
  npy noise;
  npy pitch;
  if (open_decoder(run, &d) && golden_input(run, &noise, "noise.npy") &&
      golden_input(run, &pitch, "pitch.npy")) {
    size_t width = flow_vc_content(d.f);
    for (size_t i = 0; i < pitch.shape[0]; i++)
      flow_vc_add_pitch(d.f, (pitch_value){pitch.values[2 * i], pitch.values[2 * i + 1]},
                        d.content.values + i * width);
    compare_stream(run, &d, &noise, 1, noise.shape[0], "x_steps1.npy", false);
    npy_free(&noise);
    npy_free(&pitch);
  }
  close_decoder(&d);
}
