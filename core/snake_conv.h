// SPDX-License-Identifier: GPL-3.0-or-later
//
// The step BigVGAN is made of: an anti-aliased periodic activation and the convolution behind it,
// in one pass, so that what is between them never leaves the cache. A signal can be done piece by
// piece.
#ifndef MEANWAVE_SNAKE_CONV_H
#define MEANWAVE_SNAKE_CONV_H

#include "kernels.h"

typedef struct snake_conv snake_conv;

// `values` [outputs, act->channels, taps], taps odd; `bias` [outputs]; both are copied, the arrays
// `act` points to must stay.
mw_status snake_conv_new(snake_conv **made, const snake_antialias *act, size_t outputs, size_t taps,
                         size_t dilation, const float *values, const float *bias, mw_error *error);
void snake_conv_free(snake_conv *c);

// Rows of the input read before and after each row of the output.
size_t snake_conv_reach(const snake_conv *c);
// Pieces must begin at a multiple of this, and end at one or at the signal's end.
size_t snake_conv_grid(const snake_conv *c);

// Multiply-adds of a row, to tell how much work is done.
double snake_conv_work(const snake_conv *c);

typedef struct {
  const float *x; // [.., channels]: row `x_first` of the signal
  size_t x_first;
  size_t first;  // rows first..first + rows - 1 of the result are made; x holds them and `reach`
  size_t rows;   // more on both sides, unless the signal ends there
  size_t length; // of the signal; outside it the activation's output is zero
  float *y;      // [rows, outputs]
  const float *residual; // [rows, outputs], added at last; NULL: none
  activation after;      // of the convolution
} snake_conv_piece;

// Floats of scratch for pieces of at most `rows` rows. Not zeroed.
size_t snake_conv_scratch(const snake_conv *c, size_t rows, size_t threads);

// The same bits however a signal is cut into pieces, and for any number of threads.
void snake_conv_run(const snake_conv *c, const snake_conv_piece *piece, float *scratch, pool *p);

#endif
