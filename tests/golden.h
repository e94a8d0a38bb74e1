// SPDX-License-Identifier: GPL-3.0-or-later
//
// Golden folders: config.json, checkpoints and arrays written by the official code. A case is a
// function that computes what the folder holds and compares; golden.c lists them by the name that
// config.json gives under "case".
#ifndef MEANWAVE_TESTS_GOLDEN_H
#define MEANWAVE_TESTS_GOLDEN_H

#include "json.h"
#include "npy.h"

typedef struct {
  const char *folder;
  const json_node *config;
  bool failed;
} golden_run;

// Compares with the array FILE and prints the largest absolute error, and the largest error
// relative to the array's largest magnitude, which must not exceed `tolerance`.
void golden_compare(golden_run *run, const char *file, const float *values, size_t count,
                    double tolerance);
// The same with `wanted` [count] that no file holds.
void golden_compare_values(golden_run *run, const char *name, const float *values,
                           const float *wanted, size_t count, double tolerance);
// An input: false (and the run has failed) when it cannot be read.
bool golden_input(golden_run *run, npy *array, const char *file);
// The run has failed for another reason, told in one line.
void golden_fail(golden_run *run, const char *line);

// What a network shows along the way, put together from both rows of a batch: arrays [2, ...].
typedef struct {
  struct {
    char name[64];
    float *values;
    size_t count; // of one row
  } seen[16];
  size_t count;
  size_t row; // at hand, 0 or 1
} golden_seen;

void golden_watch(void *seen, const char *name, const float *values, size_t count);
// Compares each with the array NAME.npy of the folder, three at least, and frees it. `some`: the
// folder may lack others.
void golden_compare_seen(golden_run *run, golden_seen *seen, double tolerance, bool some);

void golden_fbank(golden_run *run);
void golden_mel_meanvc(golden_run *run);
void golden_mel_meanvc2(golden_run *run);
void golden_mel_meanaudio(golden_run *run);
void golden_pitch(golden_run *run);
void golden_normal_noise(golden_run *run);
void golden_containers(golden_run *run);
void golden_flow_transformer(golden_run *run);
void golden_flux_sampler(golden_run *run);
void golden_meanflow_sampler(golden_run *run);
void golden_bigvgan(golden_run *run);
void golden_latent_decoder(golden_run *run);
void golden_latent_encoder(golden_run *run);
void golden_latent_statistics(golden_run *run);
void golden_default_sound(golden_run *run);
void golden_end_to_end(golden_run *run);
void golden_full_size(golden_run *run);
void golden_tokenizers(golden_run *run);
void golden_text_encoder(golden_run *run);
void golden_clap_text(golden_run *run);
void golden_vocos(golden_run *run);
void golden_vocos_harmonic(golden_run *run);
void golden_speaker(golden_run *run);
void golden_convert(golden_run *run);
void golden_convert_second(golden_run *run);
void golden_asr_first(golden_run *run);
void golden_asr_second(golden_run *run);
void golden_asr_narrow(golden_run *run);
void golden_timbre(golden_run *run);
void golden_decoder_single(golden_run *run);
void golden_decoder_stream(golden_run *run);
void golden_decoder_pitch(golden_run *run);
void golden_decoder_second(golden_run *run);
void golden_full(golden_run *run);

#endif
