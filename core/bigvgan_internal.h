// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_BIGVGAN_INTERNAL_H
#define MEANWAVE_BIGVGAN_INTERNAL_H

#include "bigvgan.h"
#include "loader.h"
#include "snake_conv.h"
#include "transposed.h"

// x + second(first(x))
typedef struct {
  snake_conv *first;  // dilated
  snake_conv *second; // dilation 1
} amp_unit;

typedef struct {
  amp_unit *units;
  size_t count;
} amp_block;

typedef struct {
  size_t inputs;
  size_t width;
  size_t rate;
  transposed *up;
  amp_block *blocks; // their results are averaged
  size_t block_count;
} vocoder_stage;

struct bigvgan {
  size_t mel_bins;
  size_t hop;
  parts parts;
  matrix *conv_pre;
  vocoder_stage *stages;
  size_t stage_count;
  snake_conv *conv_post; // one channel
  bigvgan_probe *probe;
  void *probe_context;
};

// bigvgan_run with about `tile_floats` values of a stage in work at a time.
mw_status bigvgan_run_tiled(const bigvgan *b, size_t tile_floats, const float *mel, size_t frames,
                            float *samples, bigvgan_progress *progress, void *context, pool *p,
                            mw_error *error);

#endif
