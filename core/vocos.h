// SPDX-License-Identifier: GPL-3.0-or-later
//
// Vocos (arXiv 2306.00814) as MeanVC uses it: mel to samples, and our own variant, causal and with
// phases that start from the pitch. Weights are immutable and shared; a state holds the scratch of
// one thread.
#ifndef MEANWAVE_VOCOS_H
#define MEANWAVE_VOCOS_H

#include "pitch.h"
#include "pool.h"
#include "weights.h"

typedef struct vocos vocos;

// Reads "backbone.*" and "head.*", and where they are, which makes it our own variant,
// "pitch_embed.*" and "excitation.*"; every size comes from the tensors. `hop` in samples; 0 is a
// quarter of the transform, as published.
mw_status vocos_load(vocos **loaded, const weights_view *view, size_t hop, mw_error *error);
void vocos_free(vocos *v);
size_t vocos_mel_bins(const vocos *v);
size_t vocos_hop(const vocos *v);
size_t vocos_samples(const vocos *v, size_t frames); // (frames - 1) * hop; 0 for none

typedef struct vocos_state vocos_state;

// `tile_frames`: how many frames are in memory at a time; any signal can be decoded with any
// number.
mw_status vocos_state_new(vocos_state **made, const vocos *v, size_t tile_frames, mw_error *error);
void vocos_state_free(vocos_state *s);

// mel01 [frames, mel_bins], values in [0, 1] -> samples [vocos_samples(frames)]. Real time when
// `p` is NULL. The same bits for every tile size and number of threads.
void vocos_decode(vocos_state *s, const float *mel01, size_t frames, float *samples, pool *p);

// The loop of MeanVC's real-time script: each chunk is decoded with the last `overlap_frames` of
// the one before, and joined to it by a linear cross-fade of `fade` samples. Our own variant
// carries its states instead; both numbers are then its own, and it equals vocos_decode bit for
// bit.
typedef struct vocos_stream vocos_stream;

mw_status vocos_stream_new(vocos_stream **made, const vocos *v, size_t chunk_frames,
                           size_t overlap_frames, size_t fade, mw_error *error);
void vocos_stream_free(vocos_stream *s);
void vocos_stream_reset(vocos_stream *s);
// Samples the next step returns: first (chunk - 1) * hop - fade, then (chunk + overlap - 1) * hop -
// fade.
size_t vocos_stream_next(const vocos_stream *s);
size_t vocos_stream_first(const vocos_stream *s); // samples of the first step
// Real time. mel01 [chunk_frames, mel_bins] -> samples; the number written comes back. `told`
// [chunk_frames] is the pitch, for our own variant; NULL: as heard in the mel.
size_t vocos_stream_step(vocos_stream *s, const float *mel01, const pitch_value *told,
                         float *samples);
// The `fade` samples still held, as they are.
void vocos_stream_tail(const vocos_stream *s, float *samples);

#endif
