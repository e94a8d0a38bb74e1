// SPDX-License-Identifier: GPL-3.0-or-later
//
// The decoder of MeanVC (arXiv 2510.08392) and MeanVC 2: a diffusion transformer that turns noise
// into a chunk of mel frames in one or a few mean-flow steps, seeing the content, the target's
// timbre, its own past chunks and, in the second generation, a little of what comes. Weights are
// immutable and shared. A voice and a schedule hold what they fix; a state is one stream.
#ifndef MEANWAVE_FLOW_VC_H
#define MEANWAVE_FLOW_VC_H

#include "global_variance.h"
#include "pitch.h"
#include "timbre.h"
#include "timbre_tokens.h"

typedef struct flow_vc flow_vc;

// Reads the names of model_200ms.safetensors or meanvc2_120ms_40ms.safetensors: the tensors tell
// the generation and the sizes. `chunk_frames`: 20 for 200 ms. `ahead_frames` of look-ahead: 4 in
// the second generation, 0 in the first.
mw_status flow_vc_load(flow_vc **loaded, const weights_view *view, size_t chunk_frames,
                       size_t ahead_frames, mw_error *error);
void flow_vc_free(flow_vc *f);
bool flow_vc_second_generation(const flow_vc *f);
size_t flow_vc_chunk_frames(const flow_vc *f);
size_t flow_vc_ahead_frames(const flow_vc *f);
size_t flow_vc_mel(const flow_vc *f);
size_t flow_vc_content(const flow_vc *f);
size_t flow_vc_speaker(const flow_vc *f);

// Our own models are told the pitch of each row (pitch_embedding); the published ones are not.
bool flow_vc_wants_pitch(const flow_vc *f);
// Real time. Adds a row's pitch to its content.
void flow_vc_add_pitch(const flow_vc *f, pitch_value told, float *content);

// How much too smooth our own models' mels are; NULL: nothing is known of that.
const global_variance *flow_vc_variance(const flow_vc *f);

// A target: speaker embedding [speaker] and reference mel [frames, mel] in -1..1, folded. The
// second generation needs no reference mel. Not real time.
typedef struct flow_vc_voice flow_vc_voice;
mw_status flow_vc_voice_new(flow_vc_voice **made, const flow_vc *f, const float *speaker,
                            const float *prompt, size_t prompt_frames, mw_error *error);
void flow_vc_voice_free(flow_vc_voice *v);
// The mean pitch the voice speaks with, log2 of Hz; NAN, as it is at first, when unknown.
void flow_vc_voice_set_pitch(flow_vc_voice *v, float octaves);
float flow_vc_voice_pitch(const flow_vc_voice *v);

// Times t_0 > t_1 > ... > t_steps of a sampling, with every modulation they fix. Not real time.
typedef struct flow_vc_schedule flow_vc_schedule;
mw_status flow_vc_schedule_new(flow_vc_schedule **made, const flow_vc *f, const float *times,
                               size_t steps, mw_error *error);
void flow_vc_schedule_free(flow_vc_schedule *s);
// The published times: equal steps, but {1, 0.8, 0} in the first generation. `times` holds
// steps + 1.
void flow_vc_published_times(const flow_vc *f, float *times, size_t steps);

typedef struct flow_vc_state flow_vc_state;
mw_status flow_vc_state_new(flow_vc_state **made, const flow_vc *f, const flow_vc_schedule *s,
                            size_t longest_prompt_frames, mw_error *error);
void flow_vc_state_free(flow_vc_state *s);
void flow_vc_reset(flow_vc_state *s);

// Real time. content [rows + ahead, content], noise [rows + ahead, mel] -> mel [rows, mel] in about
// -1..1. `rows` is the chunk, or less for the last one of a stream; `ahead` the look-ahead, or less
// at the end of one. Nothing depends on how long the stream has been running: positions count from
// the start of the window.
void flow_vc_chunk(flow_vc_state *s, const flow_vc_voice *v, const float *content,
                   const float *noise, size_t rows, size_t ahead, float *mel);

// Real time. The stream goes on behind `mel` [chunk_frames, mel], with no other history.
void flow_vc_set_previous(flow_vc_state *s, const float *mel);

#endif
