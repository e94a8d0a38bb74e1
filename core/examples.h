// SPDX-License-Identifier: GPL-3.0-or-later
//
// A voice by example: content frames of its recording, each with the spectral envelope it was
// spoken with. A converted frame takes a share of the envelopes of the examples whose content is
// nearest to its own (after kNN-VC, arXiv 2305.18975, which takes whole spectra). Our own models
// only; others have no examples.
#ifndef MEANWAVE_EXAMPLES_H
#define MEANWAVE_EXAMPLES_H

#include "status.h"

enum {
  EXAMPLES_ENVELOPE = 16, // cosines over the mel bins
  EXAMPLES_FRAMES = 4,    // mel frames of a content frame
  EXAMPLES_MOST = 1500,   // a minute
};

// Of mel [frames, bins], around the row that each of `count` content frames stands for: the last of
// its EXAMPLES_FRAMES -> [count, EXAMPLES_ENVELOPE]. count: at most frames / EXAMPLES_FRAMES.
mw_status examples_measure(const float *mel, size_t frames, size_t bins, size_t count,
                           float *envelopes, mw_error *error);

typedef struct examples examples; // immutable

// content [count, width], envelopes [count, EXAMPLES_ENVELOPE]; count: 1 to EXAMPLES_MOST. Both are
// copied.
mw_status examples_new(examples **made, const float *content, const float *envelopes, size_t count,
                       size_t width, mw_error *error);
void examples_free(examples *e); // NULL is fine

typedef struct examples_state examples_state;

mw_status examples_state_new(examples_state **made, size_t width, size_t bins, mw_error *error);
void examples_state_free(examples_state *s); // NULL is fine
void examples_reset(examples_state *s);      // real time
// Real time. The next content frames [count, width] of a sound and what was made of them, mel
// [count * EXAMPLES_FRAMES, bins] in -1..1, which becomes more like the voice.
void examples_apply(examples_state *s, const examples *e, const float *content, size_t count,
                    float *mel);

#endif
