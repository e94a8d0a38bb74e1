// SPDX-License-Identifier: GPL-3.0-or-later
//
// A resampler whose ratio moves while it runs: for two sound devices whose clocks are only nearly
// what they claim. Windowed sinc, 256 phases with straight lines between; flat to 0.85 of the lower
// Nyquist frequency, 80 dB down above it. One channel. How the input is cut changes no bit.
#ifndef MEANWAVE_DRIFT_H
#define MEANWAVE_DRIFT_H

#include "status.h"

typedef struct drift drift;

#define DRIFT_LIMIT 0.01 // of a correction, either way

// Rates as resample_check_rates() allows. Not real time.
mw_status drift_new(drift **made, unsigned in_hz, unsigned out_hz, mw_error *error);
void drift_free(drift *d); // NULL is fine

// Real time, all of them.
void drift_reset(drift *d);
size_t drift_look_ahead(const drift *d); // in input frames: its delay
// From the next output on, out / in * (1 + correction) of them belong to an input frame.
void drift_correct(drift *d, double correction);
// Takes up to `count` frames of `in` and writes up to `room` of `out`; returns the number written
// and stores the number taken. Call again while input is left.
size_t drift_run(drift *d, const float *in, size_t count, size_t *taken, float *out, size_t room);

#endif
