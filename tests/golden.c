// SPDX-License-Identifier: GPL-3.0-or-later
//
//   golden DIR...
// Runs each folder of the golden form and prints a line an array; exit 1 when one is beyond its
// tolerance or cannot be run, 2 on wrong use.
#include "golden.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
  const char *name;
  void (*run)(golden_run *);
} cases[] = {
    {"asr_narrow", golden_asr_narrow},
    {"asr_v1", golden_asr_first},
    {"asr_v2_160ms", golden_asr_second},
    {"asr_v2_80ms", golden_asr_second},
    {"bigvgan", golden_bigvgan},
    {"clap_text", golden_clap_text},
    {"containers", golden_containers},
    {"dit_pitch", golden_decoder_pitch},
    {"dit_single", golden_decoder_single},
    {"dit_stream", golden_decoder_stream},
    {"dit2_120ms", golden_decoder_second},
    {"dit2_40ms", golden_decoder_second},
    {"e2e_v1", golden_convert},
    {"end_to_end", golden_end_to_end},
    {"e2e_v2_120ms", golden_convert_second},
    {"e2e_v2_40ms", golden_convert_second},
    {"fbank", golden_fbank},
    {"flux_sampler", golden_flux_sampler},
    {"full_size_s", golden_full_size},
    {"full", golden_full},
    {"host_normal_rng", golden_normal_noise},
    {"latent_stats", golden_latent_statistics},
    {"meanflow_sampler", golden_meanflow_sampler},
    {"mel", golden_mel_meanaudio},
    {"mel_v1", golden_mel_meanvc},
    {"mel_v2", golden_mel_meanvc2},
    {"mrte", golden_timbre},
    {"pitch", golden_pitch},
    {"sound", golden_default_sound},
    {"sv", golden_speaker},
    {"t5_encoder", golden_text_encoder},
    {"tokenizers", golden_tokenizers},
    {"transformer", golden_flow_transformer},
    {"vae_decoder", golden_latent_decoder},
    {"vae_encoder", golden_latent_encoder},
    {"vocos", golden_vocos},
    {"vocos_harmonic", golden_vocos_harmonic},
};

void golden_fail(golden_run *run, const char *line)
{
  printf("  FAILED: %s\n", line);
  run->failed = true;
}

bool golden_input(golden_run *run, npy *array, const char *file)
{
  if (npy_open(array, run->folder, file)) return true;
  golden_fail(run, file);
  return false;
}

void golden_compare_values(golden_run *run, const char *name, const float *values,
                           const float *wanted, size_t count, double tolerance)
{
  double largest = 0.0;
  double error = 0.0;
  for (size_t i = 0; i < count; i++) {
    double difference = fabs((double)values[i] - (double)wanted[i]);
    largest = fmax(largest, fabs((double)wanted[i]));
    // a NaN must fail: fmax would drop it
    if (!(difference <= error)) error = isnan(difference) ? INFINITY : difference;
  }
  double relative = error == 0.0 ? 0.0 : error / fmax(largest, 1e-30);
  bool good = relative <= tolerance;
  printf("  %-36s absolute %.2e  relative %.2e  tolerance %.0e%s\n", name, error, relative,
         tolerance, good ? "" : "  FAILED");
  run->failed = run->failed || !good;
}

void golden_compare(golden_run *run, const char *file, const float *values, size_t count,
                    double tolerance)
{
  npy wanted;
  if (!golden_input(run, &wanted, file)) return;
  if (wanted.count == count) {
    golden_compare_values(run, file, values, wanted.values, count, tolerance);
  } else {
    printf("  %-36s %zu values, wanted %zu  FAILED\n", file, count, wanted.count);
    run->failed = true;
  }
  npy_free(&wanted);
}

// The name of the folder around `folder`.
static void parent_name(const char *folder, char *name, size_t size)
{
  char path[PATH_MAX] = "";
  char *slash = realpath(folder, path) != NULL ? strrchr(path, '/') : NULL;
  if (slash != NULL) *slash = '\0';
  slash = strrchr(path, '/');
  snprintf(name, size, "%s", slash != NULL ? slash + 1 : "");
}

// Most folders have a config.json that names the case; the tokenizers' holds a list of texts, those
// of the published sizes digests.
static const char *find_config(char *path, size_t size, const char *folder)
{
  static const char *const others[][2] = {{"cases.json", "tokenizers"}, {"expected.json", "full"}};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    snprintf(path, size, "%s/%s", folder, others[i][0]);
    if (access(path, F_OK) == 0) return others[i][1];
  }
  snprintf(path, size, "%s/config.json", folder);
  return NULL;
}

static bool run_folder(const char *folder)
{
  char path[4096];
  json *config;
  mw_error error;
  const char *name = find_config(path, sizeof path, folder);
  if (json_open(&config, path, &error) != MW_OK) {
    fprintf(stderr, "%s\n", error.text);
    return false;
  }
  golden_run run = {.folder = folder, .config = json_root(config)};
  char above[256];
  parent_name(folder, above, sizeof above); // several folders of one case are in one of its name
  if (name == NULL) name = json_string_or(json_get(run.config, "case"), above);
  bool known = false;
  printf("%s\n", folder);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (strcmp(cases[i].name, name) != 0) continue;
    cases[i].run(&run);
    known = true;
  }
  if (!known) {
    printf("  FAILED: this program has no case '%s'\n", name);
    run.failed = true;
  }
  json_free(config);
  return !run.failed;
}

int main(int count, char **arguments)
{
  bool good = true;
  if (count < 2) {
    fprintf(stderr, "usage: golden DIR...\n");
    return 2;
  }
  for (int i = 1; i < count; i++) good = run_folder(arguments[i]) && good;
  return good ? 0 : 1;
}
