// SPDX-License-Identifier: GPL-3.0-or-later
//
// A whole sound at once, as the authors' scripts convert a file: content of all of it drawn out in
// one piece, and one pass of the vocoder. No part of the program: what it converts is what a live
// listener would have heard.
#ifndef MEANWAVE_TESTS_GOLDEN_WHOLE_H
#define MEANWAVE_TESTS_GOLDEN_WHOLE_H

#include "convert.h"
#include "pool.h"

typedef struct {
  float *content; // [frames, width]
  float *mel;     // [frames, mel] in -1..1
  float *samples; // [count], in time with the input
  size_t frames;
  size_t count;
} whole_sound;

// samples [count] of 16 kHz. `noise` [frames, mel] is drawn from the seed when NULL. A sound too
// short for one window of the encoder has no frames. Not real time.
mw_status convert_whole(whole_sound *made, const converter_model *model, const flow_vc_voice *voice,
                        size_t longest_prompt_frames, const float *samples, size_t count,
                        uint64_t seed, const float *noise, pool *p, mw_error *error);
void whole_sound_free(whole_sound *w);

#endif
