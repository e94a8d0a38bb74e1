// SPDX-License-Identifier: GPL-3.0-or-later
//
// The latent transformer and its samplers against the official modules. Tolerance: float32 sums in
// another order, 2e-4 of the largest magnitude.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow_audio.h"

static const double tolerance = 2e-4;

typedef struct {
  weights *file;
  flow_audio *f;
  arena *memory;
  pool *pool;
} setup;

static bool start(setup *s, golden_run *run)
{
  char path[4096];
  mw_error error;
  *s = (setup){.memory = arena_new(), .pool = pool_new(2)};
  snprintf(path, sizeof path, "%s/%s", run->folder,
           json_string_or(json_get(run->config, "weights"), ""));
  if (s->memory != NULL && weights_open(&s->file, path, &error) == MW_OK &&
      flow_audio_load(&s->f, s->file, &error) == MW_OK)
    return true;
  golden_fail(run, error.text);
  return false;
}

static void finish(setup *s)
{
  flow_audio_free(s->f);
  weights_close(s->file);
  arena_free(s->memory);
  pool_free(s->pool);
}

void golden_flow_transformer(golden_run *run)
{
  setup s;
  npy latent;
  npy text;
  npy pooled;
  npy t;
  npy r;
  npy second;
  mw_error error;
  if (!start(&s, run) || !golden_input(run, &latent, "in_latent.npy") ||
      !golden_input(run, &text, "in_text_f.npy") ||
      !golden_input(run, &pooled, "in_text_f_c.npy") || !golden_input(run, &t, "in_t.npy") ||
      !golden_input(run, &r, "in_r.npy") || !golden_input(run, &second, "in2_latent.npy"))
    return;
  golden_seen seen = {.count = 0};
  size_t rows = latent.shape[1];
  size_t text_rows = text.shape[1];
  float *u = calloc(latent.count + second.count, sizeof(float));
  flow_prompt prompts[2];
  flow_audio_watch(s.f, golden_watch, &seen);
  for (size_t i = 0; i < 2; i++) {
    seen.row = i;
    if (flow_audio_prompt(s.f, text.values + i * text.count / 2, text_rows,
                          pooled.values + i * pooled.count / 2, &prompts[i], s.memory, s.pool,
                          &error) != MW_OK ||
        flow_audio_call(s.f, &prompts[i], latent.values + i * latent.count / 2, rows, t.values[i],
                        r.values[i], u + i * latent.count / 2, s.memory, s.pool, &error) != MW_OK)
      golden_fail(run, error.text);
  }
  flow_audio_watch(s.f, NULL, NULL);
  golden_compare_seen(run, &seen, tolerance, false);
  golden_compare(run, "u.npy", u, latent.count, tolerance);
  if (flow_audio_call(s.f, &prompts[0], second.values, second.shape[1], t.values[1], r.values[1],
                      u + latent.count, s.memory, NULL, &error) != MW_OK)
    golden_fail(run, error.text);
  golden_compare(run, "u2.npy", u + latent.count, second.count, tolerance);
  free(u);
  npy_free(&latent);
  npy_free(&text);
  npy_free(&pooled);
  npy_free(&t);
  npy_free(&r);
  npy_free(&second);
  finish(&s);
}

typedef struct {
  const char *file;
  const char *unnormalised; // NULL: not compared
  size_t steps;
  float guidance;
  bool stored_empty;
} sampler_case;

static void run_cases(golden_run *run, const sampler_case *cases, size_t count, bool velocities)
{
  setup s;
  npy noise;
  npy text;
  npy pooled;
  npy neg_text;
  npy neg_pooled;
  mw_error error;
  if (!start(&s, run) || !golden_input(run, &noise, "noise.npy") ||
      !golden_input(run, &text, "text_f.npy") || !golden_input(run, &pooled, "text_f_c.npy") ||
      !golden_input(run, &neg_text, "neg_text_f.npy") ||
      !golden_input(run, &neg_pooled, "neg_text_f_c.npy"))
    return;
  size_t rows = noise.shape[1];
  flow_prompt prompt = {0};
  flow_prompt negative = {0};
  flow_prompt empty = {0};
  const float *empty_text;
  const float *empty_pooled;
  size_t empty_rows;
  float *x = calloc(noise.count, sizeof(float));
  if (!flow_audio_empty(s.f, &empty_text, &empty_rows, &empty_pooled) ||
      flow_audio_prompt(s.f, text.values, text.shape[1], pooled.values, &prompt, s.memory, s.pool,
                        &error) != MW_OK ||
      flow_audio_prompt(s.f, neg_text.values, neg_text.shape[1], neg_pooled.values, &negative,
                        s.memory, s.pool, &error) != MW_OK ||
      flow_audio_prompt(s.f, empty_text, empty_rows, empty_pooled, &empty, s.memory, s.pool,
                        &error) != MW_OK)
    golden_fail(run, "the prompts could not be prepared");
  for (size_t i = 0; i < count && !run->failed; i++) {
    const sampler_case *c = &cases[i];
    flow_sampling sampling = {.steps = c->steps,
                              .start = 1.0f,
                              .guidance = c->guidance,
                              .prompt = &prompt,
                              .negative = c->stored_empty ? &empty : &negative};
    memcpy(x, noise.values, noise.count * sizeof(float));
    if (flow_audio_sample(s.f, &sampling, x, rows, s.memory, s.pool, &error) != MW_OK)
      golden_fail(run, error.text);
    golden_compare(run, c->file, x, noise.count, tolerance);
    if (c->unnormalised == NULL) continue;
    flow_audio_denormalise(s.f, x, rows);
    golden_compare(run, c->unnormalised, x, noise.count, tolerance);
  }
  static const struct {
    const char *file;
    float t;
  } calls[] = {{"v_t1.npy", 1.0f}, {"v_t025.npy", 0.25f}};
  for (size_t i = 0; velocities && i < 2; i++) {
    if (flow_audio_call(s.f, &prompt, noise.values, rows, calls[i].t, 0.0f, x, s.memory, s.pool,
                        &error) != MW_OK)
      golden_fail(run, error.text);
    golden_compare(run, calls[i].file, x, noise.count, tolerance);
  }
  free(x);
  npy_free(&noise);
  npy_free(&text);
  npy_free(&pooled);
  npy_free(&neg_text);
  npy_free(&neg_pooled);
  finish(&s);
}

void golden_meanflow_sampler(golden_run *run)
{
  static const sampler_case cases[] = {
      {"steps1_cfg0.npy", "steps1_cfg0_unnorm.npy", 1, 0.0f, false},
      {"steps2_cfg0.npy", "steps2_cfg0_unnorm.npy", 2, 0.0f, false},
      {"steps5_cfg0.npy", "steps5_cfg0_unnorm.npy", 5, 0.0f, false},
      {"steps1_cfg3_neg.npy", NULL, 1, 3.0f, false},
      {"steps2_cfg3_neg.npy", NULL, 2, 3.0f, false},
      {"steps5_cfg3_neg.npy", NULL, 5, 3.0f, false},
      {"steps1_cfg3_stored_empty.npy", NULL, 1, 3.0f, true},
      {"steps2_cfg3_stored_empty.npy", NULL, 2, 3.0f, true},
      {"steps5_cfg3_stored_empty.npy", NULL, 5, 3.0f, true},
  };
  run_cases(run, cases, sizeof cases / sizeof cases[0], false);
}

void golden_flux_sampler(golden_run *run)
{
  static const sampler_case cases[] = {
      {"steps1_cfg0.npy", NULL, 1, 0.0f, false},   {"steps5_cfg0.npy", NULL, 5, 0.0f, false},
      {"steps25_cfg0.npy", NULL, 25, 0.0f, false}, {"steps1_cfg4.5.npy", NULL, 1, 4.5f, false},
      {"steps5_cfg4.5.npy", NULL, 5, 4.5f, false}, {"steps25_cfg4.5.npy", NULL, 25, 4.5f, false},
  };
  run_cases(run, cases, sizeof cases / sizeof cases[0], true);
}
