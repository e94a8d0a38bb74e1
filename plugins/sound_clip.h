// SPDX-License-Identifier: GPL-3.0-or-later
//
// A generated sound as the plugin holds it: as the model made it, for the state, and at the
// plugin's rate, to be played. Immutable; counted, for the audio thread, the state and the
// generator use it at once. Not real time.
#ifndef MEANWAVE_SOUND_CLIP_H
#define MEANWAVE_SOUND_CLIP_H

#include "meanwave.h"
#include "sampler.h"

typedef struct sound_clip sound_clip;

enum { CLIP_COLUMNS = 256 };

// Takes the samples of `sound`, which is empty after a success. One user.
mw_status clip_new(sound_clip **made, mw_sound *sound, unsigned rate_hz, bool loop,
                   mw_error *error);
sound_clip *clip_share(sound_clip *c); // one user more; NULL is fine
void clip_give_back(sound_clip *c);    // the last one frees it; NULL is fine

const sampler_clip *clip_played(const sound_clip *c);
const mw_sound *clip_sound(const sound_clip *c);
// What it looks like: of so many parts of equal length the least and the greatest sample, from -1
// to 1. [CLIP_COLUMNS, 2]
const float *clip_shape(const sound_clip *c);

#endif
