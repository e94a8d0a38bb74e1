// SPDX-License-Identifier: GPL-3.0-or-later
//
// A gate for sound that comes out later than it goes in: it listens at the input, acts at the
// output, and so is open before a word begins. It adds no delay. How the input is cut into calls
// changes no bit.
#ifndef MEANWAVE_GATE_H
#define MEANWAVE_GATE_H

#include "status.h"

typedef struct gate gate;

// `delay_frames`: how much later an input frame is heard. The gate opens 80 ms before the frame
// that is louder than the threshold, or `delay_frames` when that is less. Not real time.
mw_status gate_new(gate **made, unsigned rate_hz, size_t delay_frames, mw_error *error);
void gate_free(gate *g); // NULL is fine

// Real time, all of it.
void gate_reset(gate *g);
// dB of full scale, measured as RMS over 10 ms above 80 Hz; MW_GATE_OFF or less: always open.
void gate_set(gate *g, float threshold_db);
// in [frames] -> gains [frames], 0 to 1, of the frames heard `delay_frames` behind `in`.
void gate_run(gate *g, const float *in, float *gains, size_t frames);

#endif
