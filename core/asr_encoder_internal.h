// SPDX-License-Identifier: GPL-3.0-or-later
//
// What asr_encoder.c fills and asr_state.c runs on.
#ifndef MEANWAVE_ASR_ENCODER_INTERNAL_H
#define MEANWAVE_ASR_ENCODER_INTERNAL_H

#include "arena.h"
#include "asr_encoder.h"

enum { ASR_LAYER_LIMIT = 64 };

typedef struct {
  float *gain; // [d]
  float *bias; // [d]
} asr_norm;

typedef struct {
  matrix *in;  // w_1 [ff, d]
  matrix *out; // w_2 [d, ff]
} asr_feed_forward;

typedef struct {
  asr_norm norm_ff_macaron;
  asr_norm norm_mha;
  asr_norm norm_conv;
  asr_norm norm_ff;
  asr_norm norm_final;
  asr_feed_forward macaron;
  asr_feed_forward feed_forward;
  matrix *query; // [d, d] each
  matrix *key;
  matrix *value;
  matrix *out;
  matrix *position;      // linear_pos, no bias
  float *content_bias;   // pos_bias_u [heads, d / heads]
  float *position_bias;  // pos_bias_v
  matrix *conv_in;       // pointwise_conv1 [2 d, d]
  float *depthwise;      // [kernel, d]
  float *depthwise_bias; // [d]
  asr_norm conv_norm;
  matrix *conv_out; // pointwise_conv2 [d, d]
  float *silence;   // [d]: the gated unit of a zero row, which pads the convolution
} asr_layer;

struct asr_encoder {
  arena *memory;
  size_t bins;
  size_t d;
  size_t heads;
  size_t ff;
  size_t kernel;
  size_t layers;
  size_t channels; // of the 2-D convolutions; d in the published files
  size_t bins1; // after the first and the second 2-D convolution
  size_t bins2;
  float *mean; // [bins] or NULL
  float *istd;
  matrix *conv1;   // [channels, 3 frequencies, 3 times]
  matrix *conv2;   // [channels, 3 frequencies * channels, 3 times]
  matrix *project; // [d, bins2 * channels], times sqrt(d)
  asr_layer layer[ASR_LAYER_LIMIT];
  asr_norm after_norm;
};

// What a stream remembers of a layer, to compare with the official caches. Those hold what goes
// into the convolution, [kernel - 1, d]; here it is what its gated unit made of it.
typedef struct {
  size_t count;
  const float *keys;   // [count, d], without their positions
  const float *values; // [count, d]
  const float *gated;  // [kernel - 1, d]
} asr_memory;
asr_memory asr_remembered(const asr_state *s, size_t layer);

#endif
