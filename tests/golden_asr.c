// SPDX-License-Identifier: GPL-3.0-or-later
//
// The content encoder over many windows. Tolerance 1e-4 of the largest value: float32 sums in
// another order.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asr_encoder.h"
#include "golden.h"

typedef struct {
  size_t chunk; // content frames a window
  bool zero_filled;
  size_t shortest; // a shorter window ends the loop ...
  bool pad;        // ... or is padded with zeros to this length
} window_rule;

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
  for (size_t i = 0; i < frames; i += 4 * rule.chunk) {
    size_t count = frames - i < window ? frames - i : window;
    if (count < rule.shortest && !rule.pad) break;
    memset(padded, 0, window * bins * sizeof(float));
    memcpy(padded, fbank->values + i * bins, count * bins * sizeof(float));
    made += asr_run(s, padded, count < rule.shortest ? rule.shortest : count, rule.chunk,
                    features + made * asr_encoder_width(e));
  }
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
  static const window_rule rules[3] = {
      {5, false, 10, true}, {4, false, 10, false}, {2, false, 10, false}};
  static const char *const files[3] = {"bnf_chunk5.npy", "bnf_chunk4.npy", "bnf_chunk2.npy"};
  run_case(run, "fastu2pp.pt", "encoder.", rules, files, 3);
}

void golden_asr_second(golden_run *run)
{
  size_t chunk = 0;
  size_t window = 0;
  json_size(json_get(run->config, "step"), 1, 64, &chunk);
  json_size(json_get(run->config, "win"), 1, 1024, &window);
  const window_rule rule = {chunk, true, window, false};
  static const char *const file = "bnf.npy";
  run_case(run, "fastu2pp.pt", "m.encoder.", &rule, &file, 1);
}

void golden_asr_narrow(golden_run *run)
{
  static const window_rule rule = {2, false, 7, false};
  static const char *const file = "bnf.npy";
  run_case(run, "encoder.safetensors", "encoder.", &rule, &file, 1);
}
