// SPDX-License-Identifier: GPL-3.0-or-later
//
// Pitch of speech at 16 kHz, frame by frame: F0 and how voiced the frame is (Boersma 1993:
// autocorrelation divided by the window's own; the best path through its peaks). Frames before and
// PITCH_AHEAD after decide between octaves, so a tracker is one stream.
#ifndef MEANWAVE_PITCH_H
#define MEANWAVE_PITCH_H

#include "status.h"

enum {
  PITCH_WINDOW = 720, // samples of a frame, its centre in the middle
  PITCH_AHEAD = 3,    // frames
};

typedef struct {
  float octaves; // log2 of F0 in Hz; of an unvoiced frame, the last one's
  float voicing; // 0..1
} pitch_value;

typedef struct pitch_tracker pitch_tracker;

mw_status pitch_tracker_new(pitch_tracker **made, mw_error *error);
void pitch_tracker_free(pitch_tracker *p);
void pitch_tracker_reset(pitch_tracker *p);

// Real time. Hears the next frame, samples [PITCH_WINDOW] -> the value of the frame PITCH_AHEAD
// before it; what the first PITCH_AHEAD calls give is no frame's.
pitch_value pitch_track(pitch_tracker *p, const float *samples);

// The mean of a whole recording's voiced frames, log2 Hz; NAN when there are none. Not real time.
mw_status pitch_mean(float *octaves, const float *samples, size_t count, mw_error *error);

#endif
