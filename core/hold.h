// SPDX-License-Identifier: GPL-3.0-or-later
//
// Holds the filling between two clocks at a target: from the level now and then to the correction a
// drift resampler wants. A slow loop (10 s) that nobody hears; levels too far off are not worked
// away but jumped.
#ifndef MEANWAVE_HOLD_H
#define MEANWAVE_HOLD_H

#include <stdbool.h>

typedef struct {
  double target;  // frames
  double rate_hz; // of those frames
  double far;     // frames off the target from which on it jumps
  double error;   // smoothed, frames above the target
  double drift;   // what the loop has learned of the clocks: 1e-6 is a ppm
  double settled; // seconds since the start or a jump
} hold;

void hold_start(hold *h, double target_frames, double rate_hz, double far_frames);

// Real time. `level` frames are there, `seconds` since the last step; returns the correction
// (positive: more frames).
double hold_step(hold *h, double level, double seconds);

// Frames to leave out (positive) or to put in now, 0 as a rule; the loop takes it as done.
double hold_jump(hold *h);

#endif
