// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a network makes of speech is smoother than speech: the cepstra of its mel spread less about
// their mean than those of recordings do. They are spread again by fixed ratios (after the global
// variance of Toda and Tokuda 2007), of our own models only: "global_variance" [count] says by how
// much, for the first cosines over the mel bins; 1 leaves one as it is.
#ifndef MEANWAVE_GLOBAL_VARIANCE_H
#define MEANWAVE_GLOBAL_VARIANCE_H

#include "status.h"
#include "weights.h"

typedef struct global_variance global_variance; // immutable

// NULL where the file has none.
mw_status global_variance_load(global_variance **loaded, const weights_view *view, size_t bins,
                               mw_error *error);
void global_variance_free(global_variance *g); // NULL is fine

typedef struct global_variance_state global_variance_state;

mw_status global_variance_state_new(global_variance_state **made, const global_variance *g,
                                    mw_error *error);
void global_variance_state_free(global_variance_state *s); // NULL is fine
void global_variance_reset(global_variance_state *s);      // real time; for another voice
// Real time. The next mel [frames, bins] of a stream, in -1..1. What is quiet stays as it is.
void global_variance_run(global_variance_state *s, float *mel, size_t frames);

#endif
