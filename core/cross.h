// SPDX-License-Identifier: GPL-3.0-or-later
//
// One stream heard, another one getting ready behind it: how a model is changed while it sounds.
// Both hear the same input; when the new one has heard enough, it fades in over 20 ms in time with
// the old one. The delay is that of the first stream, and stays.
#ifndef MEANWAVE_CROSS_H
#define MEANWAVE_CROSS_H

#include <stdbool.h>

#include "status.h"
#include "stream.h"

typedef struct cross cross;

// Owns `first` from now on, also when it fails. Not real time.
mw_status cross_new(cross **made, mw_stream *first, unsigned rate_hz, mw_error *error);
void cross_free(cross *c); // NULL is fine

// Owns `next` when it returns MW_OK. MW_ERROR_ARGUMENT when its delay is longer than the first
// one's. A change under way is finished at once. Not real time; not while cross_run runs.
mw_status cross_change(cross *c, mw_stream *next, mw_error *error);
bool cross_changing(const cross *c);
// Finishes a change under way and frees the stream that is heard no more.
void cross_settle(cross *c);
// The stream heard from now on or soon.
mw_stream *cross_latest(const cross *c);

// Real time, like mw_stream_run and mw_stream_reset.
void cross_run(cross *c, const float *in, float *out, size_t frames);
void cross_reset(cross *c); // a change under way is finished
size_t cross_delay_frames(const cross *c);
void cross_set(cross *c, const mw_voice_controls *controls);
float cross_gate_gain(const cross *c);
void cross_take_times(cross *c, uint64_t ns[STAGES]); // stream_take_times of all that run

#endif
