// SPDX-License-Identifier: GPL-3.0-or-later
//
// Mel analyses of whole signals at 16 kHz, 80 Slaney bins each, [frames, 80].
#ifndef MEANWAVE_MEL_H
#define MEANWAVE_MEL_H

#include "status.h"

typedef enum {
  MEL_MEANVC,    // MeanVC prompts: hop 160, window 640 in 1024, reflected ends, dB scaled to -1..1
  MEL_MEANVC2,   // MeanVC 2 training: the same with silence beyond the ends and no offset
  MEL_MEANAUDIO, // hop 256, window 1024, log10
} mel_kind;

enum { MEL_BINS = 80 };

typedef struct mel mel;

size_t mel_hop(mel_kind kind); // samples from a frame to the next

mw_status mel_new(mel **made, mel_kind kind, mw_error *error);
void mel_free(mel *m);

size_t mel_frames(const mel *m, size_t samples); // 0 when the signal is too short to be reflected
// samples [count] -> out [mel_frames(count), 80]. Allocates nothing.
void mel_run(mel *m, const float *samples, size_t count, float *out);

#endif
