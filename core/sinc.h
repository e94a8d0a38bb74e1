// SPDX-License-Identifier: GPL-3.0-or-later
//
// What all resamplers share: rows of windowed sinc, and the stretch of input they slide over.
#ifndef MEANWAVE_SINC_H
#define MEANWAVE_SINC_H

#include <stdbool.h>
#include <stddef.h>

enum { SINC_LANES = 8 }; // rows are padded with zeros to whole lanes

// row [2 * half]: the filter for an output `part` (0 to 1) behind the window's middle, with the
// gain at 0 Hz exactly one. `cutoff` is a share of the Nyquist frequency, `beta` Kaiser's.
void sinc_row(float *row, size_t half, double part, double cutoff, double beta);

// Real time. x [taps] under a row, or under what lies `share` of the way between two rows. One
// order of addition whatever the compiler makes of it.
float sinc_filtered(const float *x, const float *row, size_t taps);
float sinc_between(const float *x, const float *before, const float *after, float share,
                   size_t taps);

typedef struct {
  float *values; // values[0 .. held)
  size_t capacity;
  size_t held;
  size_t at;   // the window's first sample
  size_t half; // the window is 2 * half long
  size_t taps; // the same, padded
} sinc_window;

bool sinc_window_new(sinc_window *w, size_t half); // false: no memory
void sinc_window_free(sinc_window *w);

// Real time. Before the first input there is silence: half - 1 samples of it belong to the first
// window.
void sinc_window_reset(sinc_window *w);
// Whether all samples under the window are there; the padding meets zeros or real samples.
static inline bool sinc_window_ready(const sinc_window *w)
{
  return w->at + 2 * w->half <= w->held && w->at + w->taps <= w->capacity;
}
// Takes what it has room for; the number comes back, at least 1 when the window is not ready.
size_t sinc_window_feed(sinc_window *w, const float *in, size_t count);

#endif
