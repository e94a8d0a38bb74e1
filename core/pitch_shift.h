// SPDX-License-Identifier: GPL-3.0-or-later
//
// Moves the pitch of speech at 16 kHz and leaves its formants: pitch-synchronous overlap-add
// (Moulines and Charpentier 1990). It stands behind the vocoder of models that cannot be told a
// pitch: in front of the encoder it would change little (content features hardly know pitch) and
// make the encoder hear what nobody speaks.
#ifndef MEANWAVE_PITCH_SHIFT_H
#define MEANWAVE_PITCH_SHIFT_H

#include "status.h"

typedef struct pitch_shift pitch_shift;

enum { PITCH_SHIFT_DELAY = 720 }; // samples (45 ms), whatever the pitch

mw_status pitch_shift_new(pitch_shift **made, mw_error *error);
void pitch_shift_free(pitch_shift *p); // NULL is fine

// Real time, all of it.
void pitch_shift_reset(pitch_shift *p);
// Glides there in 50 ms. At 0 the samples pass untouched, bit for bit.
void pitch_shift_set(pitch_shift *p, float semitones);
// in, out [count], PITCH_SHIFT_DELAY later; may be the same array. How the input is cut changes no
// bit.
void pitch_shift_run(pitch_shift *p, const float *in, float *out, size_t count);

#endif
