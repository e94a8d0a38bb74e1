// SPDX-License-Identifier: GPL-3.0-or-later
//
// The streaming content encoder of MeanVC and MeanVC 2 (Fast-U2++, a WeNet conformer): windows of
// filterbank frames to content features of 40 ms. Weights immutable and shared; a state is one
// stream.
#ifndef MEANWAVE_ASR_ENCODER_H
#define MEANWAVE_ASR_ENCODER_H

#include "kernels.h"
#include "weights.h"

typedef struct asr_encoder asr_encoder;

// Reads the names behind "encoder." (first generation) or "m.encoder." (second); sizes from the
// tensors. Normalises by the stored statistics when there are any.
mw_status asr_encoder_load(asr_encoder **loaded, const weights_view *view, mw_error *error);
void asr_encoder_free(asr_encoder *e);
size_t asr_encoder_width(const asr_encoder *e);
size_t asr_encoder_bins(const asr_encoder *e);

// Content frames of a window of `frames` filterbank frames: ((frames - 1) / 2 - 1) / 2; 0 below 7.
size_t asr_encoder_frames(size_t frames);

typedef struct asr_state asr_state;

// `chunk_frames`: content frames of a full window; attention remembers twice as many.
// `zero_filled`: begin with caches full of zeros that are attended to, and count positions from
// behind them (second generation).
mw_status asr_state_new(asr_state **made, const asr_encoder *e, size_t chunk_frames,
                        bool zero_filled, mw_error *error);
void asr_state_free(asr_state *s);
void asr_reset(asr_state *s);
size_t asr_window_frames(const asr_state *s); // 4 (chunk - 1) + 7

// Real time. fbank [frames, bins], at most a full window -> features [asr_encoder_frames(frames),
// width], whose number comes back. The first `kept` of them become the past; those behind are a
// look-ahead that the next window begins with again.
size_t asr_run(asr_state *s, const float *fbank, size_t frames, size_t kept, float *features);

// Real time. The position of the next frame; the published loops set it back now and then.
size_t asr_position(const asr_state *s);
void asr_set_position(asr_state *s, size_t position);

#endif
