// SPDX-License-Identifier: GPL-3.0-or-later
//
// MeanVC's real-time loop: chunks of 16 kHz samples in, chunks of converted samples out. Content at
// time t of the input sits at time t of the output; it comes out a chunk, the analysis look-ahead
// of 45 ms and the vocoder's 30 ms later.
#ifndef MEANWAVE_CONVERT_H
#define MEANWAVE_CONVERT_H

#include "asr_encoder.h"
#include "flow_vc.h"
#include "vocos.h"

// The networks of one model; all immutable, owned by the caller.
typedef struct {
  const asr_encoder *encoder;
  const flow_vc *decoder;
  const flow_vc_schedule *schedule;
  const vocos *vocoder;
} converter_model;

typedef struct converter converter;

// The decoder's chunk of n mel frames is 4 content frames of the encoder. `reset_chunks`: positions
// are set back every so many chunks as the published loop does (50).
mw_status converter_new(converter **made, const converter_model *model,
                        size_t longest_prompt_frames, size_t reset_chunks, mw_error *error);
void converter_free(converter *c);
void converter_reset(converter *c, uint64_t seed);

// Real time. Whether the model is told its pitch, and how far that is moved, from the next chunk
// on: the voice speaks in its own mean plus `semitones`. Without a voice's mean, in the source's.
bool converter_moves_pitch(const converter *c);
void converter_set_pitch(converter *c, float semitones);

size_t converter_chunk(const converter *c);    // samples a step takes, but for the first
size_t converter_wanted(const converter *c);   // samples the next step takes
size_t converter_returned(const converter *c); // samples the next step writes

// Real time. samples [converter_wanted] -> out [converter_returned]; `noise` [chunk, mel] is drawn
// from the seed when NULL. `mel`, when not NULL, receives the chunk's frames [chunk, mel].
void converter_step(converter *c, const flow_vc_voice *voice, const float *samples,
                    const float *noise, float *out, float *mel);

#endif
