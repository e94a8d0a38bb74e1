// SPDX-License-Identifier: GPL-3.0-or-later
//
// Mel frames to latents and back: the magnitude-preserving 1-D autoencoder of MeanAudio.
// Source: MeanAudio, official modules `autoencoder`, `vae`, `edm2_utils`.
#ifndef MEANWAVE_LATENT_CODER_H
#define MEANWAVE_LATENT_CODER_H

#include "arena.h"
#include "pool.h"
#include "weights.h"

typedef struct latent_coder latent_coder;

typedef struct {
  size_t latent_channels; // C
  size_t mel_bins;
  size_t factor; // mel frames of a latent
  bool has_encoder;
} latent_coder_config;

// Reads "decoder.*", "data_mean", "data_std" and, when `encoder`, "encoder.*", behind any prefix;
// every size comes from the tensors. Not real time.
mw_status latent_coder_load(latent_coder **loaded, const weights *file, bool encoder,
                            mw_error *error);
void latent_coder_free(latent_coder *c);
const latent_coder_config *latent_coder_get_config(const latent_coder *c);

// z [rows, C], not normalised -> log10 mel [rows * factor, mel_bins]. Scratch is taken from
// `memory` and given back. Same bits for any number of threads.
mw_status latent_decode(const latent_coder *c, const float *z, size_t rows, float *mel,
                        arena *memory, pool *p, mw_error *error);

// log10 mel [frames, mel_bins] -> mean and log variance [frames / factor, C] of the latents; frames
// left over at the end are dropped.
mw_status latent_encode(const latent_coder *c, const float *mel, size_t frames, float *mean,
                        float *log_variance, arena *memory, pool *p, mw_error *error);

// Outputs along the way, for comparisons with the official code: name, values [rows, width].
typedef void latent_coder_probe(void *context, const char *name, const float *values, size_t rows,
                                size_t width);
void latent_coder_watch(latent_coder *c, latent_coder_probe *probe, void *context);

#endif
