// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tones that last keep the phase of their own frequency: chords, bells and all that has no one
// pitch for the excitation to count by. What stands out of a frame's magnitudes is a tone; where
// the frame before has it too, its phase goes on from there, and the bins of its main lobe with it
// (after SPSI, Beauregard, Harish and Wyse 2015, and the phase locking of Laroche and Dolson 1999).
#ifndef MEANWAVE_PARTIALS_H
#define MEANWAVE_PARTIALS_H

#include "status.h"

typedef struct partials partials;

// `transform` and `hop` in samples; the magnitudes are those under a Hann window of the transform.
mw_status partials_new(partials **made, size_t transform, size_t hop, mw_error *error);
void partials_free(partials *p); // NULL is fine

// Real time both.
void partials_reset(partials *p);
// The next frame: log magnitudes [transform / 2 + 1] as they are, phases [transform / 2 + 1]
// changed around tones that have lasted. In a frame of more than half `noise` (0..1) none are.
void partials_follow(partials *p, const float *log_magnitudes, float noise, float *phases);

#endif
