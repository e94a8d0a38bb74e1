// SPDX-License-Identifier: GPL-3.0-or-later
//
// MeanVC and MeanVC 2 at their published sizes, with weights and inputs by formula. Of each result
// the official code left the first and last 64 values, mean, standard deviation and count: digests
// in expected.json. Tolerances as for the small cases: 1e-4 of the largest value for one stage,
// 5e-4 where chunks feed on chunks.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asr_encoder.h"
#include "bench_weights.h"
#include "flow_vc.h"
#include "golden.h"
#include "vocos.h"

enum { BINS = 80, WIDTH = 256, ENDS = 64 };

static float *draw(const char *name, double centre, double amplitude, size_t count)
{
  float *values = malloc((count + 1) * sizeof(float));
  formula_values(FORMULA_MEANVC, name, centre, amplitude, values, count);
  return values;
}

// Largest difference from a list of values; infinite when one of ours is no number.
static double list_error(const json_node *list, const float *values)
{
  double error = 0.0;
  for (const json_node *n = list->first; n != NULL; n = n->next, values++) {
    double difference = fabs(n->number - (double)*values);
    if (!(difference <= error)) error = isnan(difference) ? INFINITY : difference;
  }
  return error;
}

static void compare_digest(golden_run *run, const char *entry, const float *values, size_t count,
                           double tolerance)
{
  const json_node *wanted = json_get(run->config, entry);
  const json_node *first = json_get(wanted, "first64");
  const json_node *last = json_get(wanted, "last64");
  if (first == NULL || last == NULL || first->length != ENDS || last->length != ENDS ||
      json_number_or(json_get(wanted, "count"), 0) != (double)count || count < ENDS) {
    golden_fail(run, entry);
    return;
  }
  double sum = 0.0;
  double squares = 0.0;
  double largest = 0.0;
  for (size_t i = 0; i < count; i++) {
    sum += values[i];
    squares += (double)values[i] * values[i];
    largest = fmax(largest, fabs(values[i]));
  }
  double mean = sum / (double)count;
  double deviation = sqrt(fmax(0.0, squares / (double)count - mean * mean));
  double error = fmax(list_error(first, values), list_error(last, values + count - ENDS));
  error = fmax(error, fabs(mean - json_number_or(json_get(wanted, "mean"), INFINITY)));
  error = fmax(error, fabs(deviation - json_number_or(json_get(wanted, "std"), INFINITY)));
  bool good = error <= tolerance * largest && isfinite(sum);
  printf("  %-36s absolute %.2e  relative %.2e  tolerance %.0e%s\n", entry, error, error / largest,
         tolerance, good ? "" : "  FAILED");
  run->failed = run->failed || !good;
}

// ---- encoder and vocoder ----

static void compare_encoder(golden_run *run, const char *entry, const char *kind, size_t chunk,
                            bool second, double centre, double amplitude)
{
  enum { WINDOWS = 6 };
  size_t frames = 4 * chunk * WINDOWS + 3;
  float *fbank = draw("input.fbank", centre, amplitude, frames * BINS);
  float *features = malloc(WINDOWS * chunk * WIDTH * sizeof(float));
  weights *file = NULL;
  weights_view view;
  asr_encoder *e = NULL;
  asr_state *s = NULL;
  mw_error error;
  mw_status status = bench_weights_open(&file, &view, kind, FORMULA_MEANVC, MW_WEIGHTS_F32, &error);
  if (status == MW_OK) status = asr_encoder_load(&e, &view, &error);
  if (status == MW_OK) status = asr_state_new(&s, e, chunk, second, &error);
  if (status == MW_OK) {
    for (size_t i = 0; i < WINDOWS; i++)
      asr_run(s, fbank + 4 * chunk * i * BINS, asr_window_frames(s), chunk,
              features + i * chunk * WIDTH);
    compare_digest(run, entry, features, WINDOWS * chunk * WIDTH, 1e-4);
  } else {
    golden_fail(run, error.text);
  }
  asr_state_free(s);
  asr_encoder_free(e);
  weights_close(file);
  free(fbank);
  free(features);
}

static void compare_vocoder(golden_run *run)
{
  enum { FRAMES = 40 };
  float *drawn = draw("input.vocos_mel", 0.0, 1.0, BINS * FRAMES); // [bins, frames]
  float mel[FRAMES * BINS];
  weights *file = NULL;
  weights_view view;
  vocos *v = NULL;
  vocos_state *s = NULL;
  mw_error error;
  for (int f = 0; f < FRAMES; f++)
    for (int b = 0; b < BINS; b++) mel[f * BINS + b] = (drawn[b * FRAMES + f] + 1.0f) / 2.0f;
  mw_status status =
      bench_weights_open(&file, &view, "vocos-16k", FORMULA_MEANVC, MW_WEIGHTS_F32, &error);
  if (status == MW_OK) status = vocos_load(&v, &view, 0, &error);
  if (status == MW_OK) status = vocos_state_new(&s, v, FRAMES, &error);
  if (status == MW_OK) {
    size_t count = vocos_samples(v, FRAMES);
    float *samples = malloc(count * sizeof(float));
    vocos_decode(s, mel, FRAMES, samples, NULL);
    compare_digest(run, "vocos_40frames", samples, count, 2e-4);
    free(samples);
  } else {
    golden_fail(run, error.text);
  }
  vocos_state_free(s);
  vocos_free(v);
  weights_close(file);
  free(drawn);
}

// ---- decoders ----

typedef struct {
  weights *file;
  weights_view view;
  flow_vc *f;
  flow_vc_voice *voice;
  float *speaker;
  float *prompt; // NULL in the second generation
} decoder;

enum { PROMPT_FRAMES = 200 };

static bool open_decoder(golden_run *run, decoder *d, const char *kind, size_t chunk, size_t ahead)
{
  mw_error error;
  *d = (decoder){.speaker = draw("input.spk", 0.0, 1.7, WIDTH)};
  if (ahead == 0) d->prompt = draw("input.prompt", 0.0, 1.0, PROMPT_FRAMES * BINS);
  mw_status status =
      bench_weights_open(&d->file, &d->view, kind, FORMULA_MEANVC, MW_WEIGHTS_F32, &error);
  if (status == MW_OK) status = flow_vc_load(&d->f, &d->view, chunk, ahead, &error);
  if (status == MW_OK)
    status = flow_vc_voice_new(&d->voice, d->f, d->speaker, d->prompt, PROMPT_FRAMES, &error);
  if (status != MW_OK) golden_fail(run, error.text);
  return status == MW_OK;
}

static void close_decoder(decoder *d)
{
  flow_vc_voice_free(d->voice);
  flow_vc_free(d->f);
  weights_close(d->file);
  free(d->speaker);
  free(d->prompt);
}

static void compare_velocity(golden_run *run, const decoder *d, float t, const float *previous,
                             const char *entry)
{
  size_t rows = flow_vc_chunk_frames(d->f);
  const float times[2] = {t, 0.0f};
  float *x = draw("input.x", 0.0, 1.7, rows * BINS);
  float *content = draw("input.cond", 0.0, 1.7, rows * WIDTH);
  float *u = malloc(rows * BINS * sizeof(float));
  flow_vc_schedule *schedule = NULL;
  flow_vc_state *state = NULL;
  if (flow_vc_schedule_new(&schedule, d->f, times, 1, NULL) == MW_OK &&
      flow_vc_state_new(&state, d->f, schedule, PROMPT_FRAMES, NULL) == MW_OK) {
    if (previous != NULL) flow_vc_set_previous(state, previous);
    flow_vc_chunk(state, d->voice, content, x, rows, 0, u);
    for (size_t i = 0; i < rows * BINS; i++) u[i] = (x[i] - u[i]) / t;
    compare_digest(run, entry, u, rows * BINS, 1e-4);
  } else {
    golden_fail(run, entry);
  }
  flow_vc_state_free(state);
  flow_vc_schedule_free(schedule);
  free(x);
  free(content);
  free(u);
}

static void compare_stream(golden_run *run, const decoder *d, size_t chunks, size_t steps,
                           const char *entry)
{
  size_t n = flow_vc_chunk_frames(d->f);
  size_t ahead = flow_vc_ahead_frames(d->f);
  size_t frames = chunks * n + ahead;
  float times[8];
  float *noise = draw("input.noise", 0.0, 1.7, frames * BINS);
  float *content = draw("input.stream_cond", 0.0, 1.7, frames * WIDTH);
  float *mel = malloc(chunks * n * BINS * sizeof(float));
  flow_vc_schedule *schedule = NULL;
  flow_vc_state *state = NULL;
  flow_vc_published_times(d->f, times, steps);
  if (flow_vc_schedule_new(&schedule, d->f, times, steps, NULL) == MW_OK &&
      flow_vc_state_new(&state, d->f, schedule, PROMPT_FRAMES, NULL) == MW_OK) {
    for (size_t i = 0; i < chunks; i++)
      flow_vc_chunk(state, d->voice, content + i * n * WIDTH, noise + i * n * BINS, n, ahead,
                    mel + i * n * BINS);
    compare_digest(run, entry, mel, chunks * n * BINS, 5e-4);
  } else {
    golden_fail(run, entry);
  }
  flow_vc_state_free(state);
  flow_vc_schedule_free(schedule);
  free(noise);
  free(content);
  free(mel);
}

static void compare_timbre(golden_run *run, const decoder *d)
{
  size_t rows = flow_vc_chunk_frames(d->f);
  weights_view view = weights_within(&d->view, "timbre_encoder.");
  float *content = draw("input.cond", 0.0, 1.7, rows * WIDTH);
  float *out = malloc(rows * WIDTH * sizeof(float));
  timbre *t = NULL;
  timbre_prompt *p = NULL;
  if (timbre_load(&t, &view, 4, NULL) == MW_OK &&
      timbre_prompt_new(&p, t, d->prompt, PROMPT_FRAMES, d->speaker, NULL) == MW_OK) {
    float *scratch = malloc(timbre_scratch(t, rows, PROMPT_FRAMES) * sizeof(float));
    timbre_run(t, p, content, rows, out, scratch);
    compare_digest(run, "mrte", out, rows * WIDTH, 1e-4);
    free(scratch);
  } else {
    golden_fail(run, "mrte");
  }
  timbre_prompt_free(p);
  timbre_free(t);
  free(content);
  free(out);
}

static void compare_tokens(golden_run *run, const decoder *d)
{
  timbre_tokens *t = NULL;
  if (timbre_tokens_load(&t, &d->view, 4, NULL) == MW_OK) {
    size_t count = timbre_tokens_count(t) * timbre_tokens_width(t);
    float *keys = malloc(count * sizeof(float));
    float *values = malloc(count * sizeof(float));
    timbre_tokens_expand(t, d->speaker, keys, values, NULL);
    compare_digest(run, "tokens_k", keys, count, 1e-4);
    free(keys);
    free(values);
  } else {
    golden_fail(run, "tokens_k");
  }
  timbre_tokens_free(t);
}

static void compare_first(golden_run *run)
{
  enum { CHUNK = 20, CHUNKS = 9 };
  decoder d;
  float *previous = draw("input.prev", 0.0, 1.0, CHUNK * BINS);
  if (open_decoder(run, &d, "meanvc", CHUNK, 0)) {
    compare_velocity(run, &d, 1.0f, NULL, "u_first");
    compare_velocity(run, &d, 0.8f, previous, "u_prev_t0.8");
    compare_timbre(run, &d);
    compare_stream(run, &d, CHUNKS, 1, "stream_steps1_chunks9");
    compare_stream(run, &d, CHUNKS, 2, "stream_steps2_chunks9");
  }
  close_decoder(&d);
  free(previous);
  compare_vocoder(run);
  compare_encoder(run, "asr_6chunks", "fastu2pp-v1", 5, false, 10.0, 4.0);
}

static void compare_second(golden_run *run)
{
  decoder d;
  if (open_decoder(run, &d, "meanvc2", 12, 4)) {
    compare_tokens(run, &d);
    compare_stream(run, &d, 8, 2, "rt_120ms_steps2");
  }
  close_decoder(&d);
  if (open_decoder(run, &d, "meanvc2", 4, 4)) compare_stream(run, &d, 16, 2, "rt_40ms_steps2");
  close_decoder(&d);
  compare_encoder(run, "asr_160ms_6chunks", "fastu2pp-v2", 4, true, 0.0, 1.0);
}

void golden_full(golden_run *run)
{
  if (json_get(run->config, "tokens_k") != NULL)
    compare_second(run);
  else
    compare_first(run);
}
