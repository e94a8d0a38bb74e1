// SPDX-License-Identifier: GPL-3.0-or-later
//
// A prompt and what a sound model makes of it: features of T5 and CLAP for the published systems,
// of words for the default one.
#ifndef MEANWAVE_PROMPT_H
#define MEANWAVE_PROMPT_H

#include "sound_model.h"

// UTF-8, not too long, no control characters but tab and newline. `empty_too`: the empty prompt is
// one, as it is for negative prompts.
mw_status prompt_check(const char *prompt, bool empty_too, mw_error *error);

typedef struct {
  float *text;   // [text_rows, text_width] of the model
  float *pooled; // [pooled_width]
} prompt_features;

// In `memory`. The prompt was checked.
mw_status prompt_encode(const mw_sound_model *m, const char *prompt, prompt_features *made,
                        arena *memory, pool *p, mw_error *error);

// (1 - share) a + share b, into a. The pooled vector keeps the length it goes from and to.
void prompt_morph(const mw_sound_model *m, prompt_features *a, const prompt_features *b,
                  double share);

#endif
