// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any rate to any other: polyphase windowed sinc, exact rational ratio (pairs with too many phases
// for a small filter blend neighbouring ones). Flat to 0.875 of the lower Nyquist frequency, at
// least 90 dB down above it. Output sample k belongs to input time
// k * in / out exactly, so nothing is shifted; it appears once resampler_look_ahead() further input
// frames are there, which is the delay of a live stream. One channel. How the input is cut changes
// no bit.
#ifndef MEANWAVE_RESAMPLE_H
#define MEANWAVE_RESAMPLE_H

#include "status.h"

typedef struct resampler resampler;

// Rates that resamplers take: from 1 kHz to 768 kHz.
mw_status resample_check_rates(unsigned in_hz, unsigned out_hz, mw_error *error);

// Not real time.
mw_status resampler_new(resampler **made, unsigned in_hz, unsigned out_hz, mw_error *error);
void resampler_free(resampler *r);
void resampler_reset(resampler *r); // as new; real time

size_t resampler_look_ahead(const resampler *r); // in input frames
// Samples that belong to `count` input frames: ceil(count * out / in).
size_t resampler_length(const resampler *r, size_t count);

// Real time. Takes up to `count` frames of `in` and writes up to `room` of `out`; returns the
// number written and stores the number taken. Call again while input is left.
size_t resampler_run(resampler *r, const float *in, size_t count, size_t *taken, float *out,
                     size_t room);

// The whole signal at once: in [count] -> out [resampler_length(count)], silence around it.
// Resets before and after. Allocates nothing.
void resampler_whole(resampler *r, const float *in, size_t count, float *out);

#endif
