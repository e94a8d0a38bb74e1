// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_LATENT_CODER_INTERNAL_H
#define MEANWAVE_LATENT_CODER_INTERNAL_H

#include "latent_coder.h"
#include "loader.h"

// x <- keep * norm(x) + give * conv2(act(conv1(act(norm(x))))), act(a) = silu(a) / 0.596. All
// constant factors are in the weights; where the width changes, `keep` is in the shortcut.
typedef struct {
  size_t inside;
  size_t outside;
  conv *conv1;      // [outside, inside, 3]
  conv *conv2;      // [outside, outside, 3]
  matrix *shortcut; // [outside, inside]; NULL: the same width
} residual_block;

typedef struct {
  residual_block *blocks;
  size_t count;
  size_t width;   // after the blocks
  conv *upsample; // [width, width, 3] after each row was written twice; NULL: none
  matrix *before; // [width, width] before and
  matrix *after;  // after the mean of each two rows; NULL: none
} coder_level;

// Encoder or decoder.
typedef struct {
  size_t inputs;
  size_t outputs;
  size_t widest;
  size_t factor; // rows out of a row, or into one
  conv *conv_in;
  residual_block middle[2];
  matrix *qkv;      // [3 width, width], rows reordered to q, k, v
  matrix *proj_out; // [width, width]
  coder_level *levels;
  size_t level_count;
  conv *conv_out;
} coder_half;

struct latent_coder {
  latent_coder_config config;
  parts parts;
  float *data_mean; // [mel_bins]
  float *data_std;  // [mel_bins]
  coder_half decoder;
  coder_half encoder; // zero when not loaded
  latent_coder_probe *probe;
  void *probe_context;
};

// The sum of two signals keeps its magnitude: (0.7 x + 0.3 h) / sqrt(0.7^2 + 0.3^2).
#define MAGNITUDE_KEEP (0.7 / 0.76157731058639087)
#define MAGNITUDE_GIVE (0.3 / 0.76157731058639087)
#define MAGNITUDE_SILU (1.0 / 0.596) // of act(a)
#define MAGNITUDE_EPSILON 1e-4       // added to a norm, outside its root

#endif
