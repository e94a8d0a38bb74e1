// SPDX-License-Identifier: GPL-3.0-or-later
//
// What our own vocoder starts its phases from. A convolution over mel frames cannot count time: a
// steady tone would come out with the period of the hop. So a small causal network hears pitch and
// noise in the mel, the phases of the pitch's harmonics accumulate, and where the sound is noise,
// random ones are added.
//
//   conv1 k7 [width, mel] -> SiLU -> conv2 k7 [width, width] -> SiLU -> out [3, width]
//   octaves  7.4 + 1.8 tanh(out 0)      voicing  sigmoid(out 1)      noise  sigmoid(out 2)
//   turns += (hertz before + hertz) / 2 * hop / rate
//   phase of bin k = 2 pi * h * turns + pi * noise * chance    h = round(centre of k / hertz)
// Where h is 0, below the pitch, nothing turns and all is chance.
#ifndef MEANWAVE_EXCITATION_H
#define MEANWAVE_EXCITATION_H

#include "pitch.h"
#include "pool.h"
#include "weights.h"

typedef struct excitation excitation;

// Reads "conv1.*", "conv2.*" and "out.*".
mw_status excitation_load(excitation **loaded, const weights_view *view, size_t mel_bins,
                          size_t transform, size_t hop, mw_error *error);
void excitation_free(excitation *e);

typedef struct {
  pitch_value pitch;
  float noise; // 0..1
} excitation_frame;

typedef struct excitation_state excitation_state;

mw_status excitation_state_new(excitation_state **made, const excitation *e, size_t most_frames,
                               mw_error *error);
void excitation_state_free(excitation_state *s);
void excitation_reset(excitation_state *s);

// All real time when `p` is NULL; frames come in order.
// mel01 [count, mel_bins] -> heard [count]
void excitation_hear(excitation_state *s, const float *mel01, size_t count, excitation_frame *heard,
                     pool *p);
// Adds the next frame's to phases [transform / 2 + 1].
void excitation_add_phases(excitation_state *s, float octaves, float noise, float *phases);

#endif
