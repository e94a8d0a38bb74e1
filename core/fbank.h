// SPDX-License-Identifier: GPL-3.0-or-later
//
// Kaldi log-mel filterbank of the streaming encoder: 16 kHz, frames of 400 samples every 160,
// 80 bins (MeanVC's front end; torchaudio.compliance.kaldi.fbank without dither).
#ifndef MEANWAVE_FBANK_H
#define MEANWAVE_FBANK_H

#include "status.h"

enum { FBANK_FRAME = 400, FBANK_SHIFT = 160, FBANK_BINS = 80 };

typedef struct fbank fbank;

mw_status fbank_new(fbank **made, mw_error *error);
void fbank_free(fbank *f);

// Complete frames in `samples` samples.
size_t fbank_frames(size_t samples);
// samples [fbank_frames(count) frames' worth] in -1..1 -> out [frames, 80]. Real time; keeps no
// state between calls.
void fbank_run(fbank *f, const float *samples, size_t count, float *out);

#endif
