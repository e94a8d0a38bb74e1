// SPDX-License-Identifier: GPL-3.0-or-later
//
// The content encoder over many windows, and what it remembers between them. Tolerance 1e-4 of the
// largest value: float32 sums in another order.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asr_encoder_internal.h"
#include "golden.h"

typedef struct {
  size_t chunk; // content frames a window
  bool zero_filled;
  size_t shortest;  // a shorter window ends the loop ...
  bool pad;         // ... or is padded with zeros to this length
  size_t cached[3]; // windows behind which caches are compared, counted from 1; 0: none
  bool cached_last; // and behind the last one
} window_rule;

// Keys and values of all layers as the official cache has them: [layers, heads, count, 2 d /
// heads].
static void compare_attention_cache(golden_run *run, const asr_encoder *e, const asr_state *s,
                                    const char *when)
{
  char file[64];
  size_t size = e->d / e->heads;
  size_t count = asr_remembered(s, 0).count;
  float *cache = malloc((2 * e->layers * count * e->d + 1) * sizeof(float));
  float *out = cache;
  for (size_t l = 0; l < e->layers; l++) {
    asr_memory m = asr_remembered(s, l);
    for (size_t h = 0; h < e->heads; h++) {
      for (size_t i = 0; i < count; i++, out += 2 * size) {
        memcpy(out, m.keys + i * e->d + h * size, size * sizeof(float));
        memcpy(out + size, m.values + i * e->d + h * size, size * sizeof(float));
      }
    }
  }
  snprintf(file, sizeof file, "att_cache_%s.npy", when);
  golden_compare(run, file, cache, (size_t)(out - cache), 1e-4);
  free(cache);
}

// The official cache is what goes into the convolution, [layers, 1, d, kernel - 1]: through the
// gated unit it is ours.
static void compare_convolution_cache(golden_run *run, const asr_encoder *e, const asr_state *s,
                                      const char *when)
{
  char file[64];
  npy cache;
  size_t before = e->kernel - 1;
  size_t count = before * e->d;
  float *rows = malloc(count * sizeof(float));
  float *wide = malloc(2 * count * sizeof(float));
  float *wanted = malloc(e->layers * count * sizeof(float));
  float *ours = malloc(e->layers * count * sizeof(float));
  snprintf(file, sizeof file, "cnn_cache_%s.npy", when);
  if (golden_input(run, &cache, file)) {
    if (cache.count != e->layers * count) golden_fail(run, file);
    for (size_t l = 0; l < e->layers && cache.count == e->layers * count; l++) {
      for (size_t i = 0; i < before; i++)
        for (size_t c = 0; c < e->d; c++)
          rows[i * e->d + c] = cache.values[l * count + c * before + i];
      matrix_run(e->layer[l].conv_in, rows, e->d, before, wide, 2 * e->d, NULL, NULL);
      glu_rows(wide, 2 * e->d, before, e->d, wanted + l * count, e->d);
      memcpy(ours + l * count, asr_remembered(s, l).gated, count * sizeof(float));
    }
    golden_compare_values(run, file, ours, wanted, e->layers * count, 1e-4);
    npy_free(&cache);
  }
  free(rows);
  free(wide);
  free(wanted);
  free(ours);
}

static void compare_caches(golden_run *run, const asr_encoder *e, const asr_state *s,
                           const char *when)
{
  compare_attention_cache(run, e, s, when);
  compare_convolution_cache(run, e, s, when);
}

static void compare_windows(golden_run *run, const asr_encoder *e, const npy *fbank,
                            window_rule rule, const char *file)
{
  asr_state *s = NULL;
  size_t bins = asr_encoder_bins(e);
  size_t frames = fbank->shape[0];
  if (asr_state_new(&s, e, rule.chunk, rule.zero_filled, NULL) != MW_OK) {
    golden_fail(run, "no state");
    return;
  }
  size_t window = asr_window_frames(s);
  size_t made = 0;
  float *features = malloc((frames / 4 + window) * asr_encoder_width(e) * sizeof(float));
  float *padded = calloc(window * bins, sizeof(float));
  for (size_t i = 0, call = 1; i < frames; i += 4 * rule.chunk, call++) {
    size_t count = frames - i < window ? frames - i : window;
    if (count < rule.shortest && !rule.pad) break;
    memset(padded, 0, window * bins * sizeof(float));
    memcpy(padded, fbank->values + i * bins, count * bins * sizeof(float));
    made += asr_run(s, padded, count < rule.shortest ? rule.shortest : count, rule.chunk,
                    features + made * asr_encoder_width(e));
    for (size_t c = 0; c < 3; c++) {
      char when[32];
      snprintf(when, sizeof when, "call%zu", call - 1);
      if (rule.cached[c] == call) compare_caches(run, e, s, when);
    }
  }
  if (rule.cached_last) compare_caches(run, e, s, "last");
  golden_compare(run, file, features, made * asr_encoder_width(e), 1e-4);
  free(features);
  free(padded);
  asr_state_free(s);
}

static void run_case(golden_run *run, const char *archive, const char *prefix,
                     const window_rule *rules, const char *const *files, size_t count)
{
  char path[4096];
  npy fbank;
  weights *w = NULL;
  asr_encoder *e = NULL;
  mw_error error;
  if (!golden_input(run, &fbank, "fbank.npy")) return;
  snprintf(path, sizeof path, "%s/%s", run->folder, archive);
  mw_status status = weights_open(&w, path, &error);
  if (status == MW_OK) {
    weights_view view = weights_under(w, prefix);
    status = asr_encoder_load(&e, &view, &error);
  }
  if (status != MW_OK) golden_fail(run, error.text);
  for (size_t i = 0; status == MW_OK && i < count; i++)
    compare_windows(run, e, &fbank, rules[i], files[i]);
  asr_encoder_free(e);
  weights_close(w);
  npy_free(&fbank);
}

void golden_asr_first(golden_run *run)
{
  static const window_rule rules[3] = {{5, false, 10, true, {1, 2, 11}, false},
                                       {4, false, 10, false, {0}, false},
                                       {2, false, 10, false, {0}, false}};
  static const char *const files[3] = {"bnf_chunk5.npy", "bnf_chunk4.npy", "bnf_chunk2.npy"};
  run_case(run, "fastu2pp.pt", "encoder.", rules, files, 3);
}

void golden_asr_second(golden_run *run)
{
  size_t chunk = 0;
  size_t window = 0;
  json_size(json_get(run->config, "step"), 1, 64, &chunk);
  json_size(json_get(run->config, "win"), 1, 1024, &window);
  const window_rule rule = {chunk, true, window, false, {1}, true};
  static const char *const file = "bnf.npy";
  run_case(run, "fastu2pp.pt", "m.encoder.", &rule, &file, 1);
}

void golden_asr_narrow(golden_run *run)
{
  static const window_rule rule = {2, false, 7, false, {0}, false};
  static const char *const file = "bnf.npy";
  run_case(run, "encoder.safetensors", "encoder.", &rule, &file, 1);
}
