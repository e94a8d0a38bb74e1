// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_RECORDING_H
#define MEANWAVE_RECORDING_H

#include "meanwave.h"

// Real time, each on one thread. What finds no room is lost and counted. `shift` of the frames out
// are silence that stands for no input; when negative, so many frames were left out before them.
void recording_take_in(mw_recording *r, const float *in, size_t frames);
void recording_take_out(mw_recording *r, const float *out, size_t frames, long shift);

// While neither is called: what comes next goes side by side, whatever came before.
void recording_align(mw_recording *r);

#endif
