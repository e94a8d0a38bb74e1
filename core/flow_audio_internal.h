// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_FLOW_AUDIO_INTERNAL_H
#define MEANWAVE_FLOW_AUDIO_INTERNAL_H

#include "flow_audio.h"
#include "loader.h"

// W2 (silu(W1 x) * (W3 x)), of rows or of a convolution.
typedef struct {
  size_t inner;
  conv *w1; // [inner, D, k]
  conv *w2; // [D, inner, k]
  conv *w3; // [inner, D, k]
} gated_unit;

typedef struct {
  matrix *qkv;        // [3D, D], rows reordered to q, k, v
  float *q_gain;      // [head_size]
  float *k_gain;      // [head_size]
  matrix *modulation; // [6D, D]; [2D, D] of a side that ends with its keys
  conv *linear1;      // [D, D, k]; NULL of such a side
  gated_unit ffn;
} flow_block;

typedef struct {
  size_t angles; // twice the frequencies
  matrix *first; // [D, angles]
  matrix *second;
} time_embedder;

struct flow_audio {
  flow_audio_config config;
  parts parts;
  float *latent_mean; // [C]
  float *latent_std;  // [C]
  float *empty_text;  // [empty_rows, text_width] or NULL
  size_t empty_rows;
  float *empty_pooled; // [pooled_width] or NULL
  conv *latent_in;     // [D, C, 7]
  gated_unit latent_unit;
  matrix *text_in; // [D, text_width]
  gated_unit text_unit;
  matrix *pooled_in; // [D, pooled_width]
  gated_unit pooled_unit;
  time_embedder t_embed;
  time_embedder r_embed;
  size_t joint_count;
  flow_block *joint_latent; // [joint_count]
  flow_block *joint_text;   // [joint_count]
  size_t fused_count;
  flow_block *fused;        // [fused_count]
  matrix *final_modulation; // [2D, D]
  conv *final_conv;         // [C, D, 7]
  flow_audio_probe *probe;
  void *probe_context;
};

#endif
