// SPDX-License-Identifier: GPL-3.0-or-later
//
// Samples of 16 kHz in, converted samples out, a step at a time. Two loops:
//   prompt      feeds each network as soon as what it wants is there. Of the first generation this
//               is the published real-time loop. Content at time t of the input sits at time t of
//               the output.
//   published   the real-time loop of MeanVC 2: blocks of 160 ms for any chunk, and an analysis
//               that begins in 45 ms of a constant and repeats three frames at every block.
#ifndef MEANWAVE_CONVERT_H
#define MEANWAVE_CONVERT_H

#include "asr_encoder.h"
#include "examples.h"
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

enum { CONVERTER_RESET_CHUNKS = 50 }; // of the published loop

// A chunk of n mel frames and its look-ahead are (n + ahead) / 4 content frames of the encoder.
// `reset_chunks`: in the first generation positions are set back every so many chunks. `published`:
// that loop where there are two.
mw_status converter_new(converter **made, const converter_model *model,
                        size_t longest_prompt_frames, size_t reset_chunks, bool published,
                        mw_error *error);
void converter_free(converter *c);
void converter_reset(converter *c, uint64_t seed);
// Where there is a look-ahead, in the prompt loop: the last content frame of it is guessed from
// what is there 40 ms earlier (docs/latency.md). Says whether anything changed; reset before going
// on.
bool converter_guess_ahead(converter *c);

// Real time. Whether the model is told its pitch, and how far that is moved; in a straight line
// within the next chunk. The voice speaks in its own mean plus `semitones`; without a voice's mean,
// in the source's.
bool converter_moves_pitch(const converter *c);
void converter_set_pitch(converter *c, float semitones);

// Real time. What a voice sounds like by example, from the next chunk on; NULL for none. Only the
// prompt loop of a model that is told its pitch takes them.
void converter_set_examples(converter *c, const examples *e);

size_t converter_wanted(const converter *c);        // samples the next step takes
size_t converter_returned(const converter *c);      // samples the next step writes
size_t converter_chunks(const converter *c);        // done since the reset
size_t converter_most_wanted(const converter *c);   // of any step
size_t converter_most_returned(const converter *c); // of any step
// Samples that must lie before the output, so that whoever takes one for every one given never
// finds it empty; and samples of the output that come before the first of the input. The sum is
// the delay of a sound.
size_t converter_owed(const converter *c);
size_t converter_shift(const converter *c);

// Real time. samples [converter_wanted] -> out [converter_returned]. `noise` [n + ahead, mel] for
// each chunk of the step is drawn from the seed when NULL; the frames that were ahead keep theirs.
// `mel`, when not NULL, receives the frames of the step [chunks * n, mel].
void converter_step(converter *c, const flow_vc_voice *voice, const float *samples,
                    const float *noise, float *out, float *mel);

// Prompt loop, in the place of a step: what is said in samples [converter_wanted], as content
// [converter_content_frames, width of the encoder]. One converter either understands or converts.
size_t converter_content_frames(const converter *c);
void converter_understand(converter *c, const float *samples, float *content);

// Calls `mark` behind each stage of a step, in their order; NULL: nobody wants to know. What it
// does is in real time too.
typedef enum {
  STAGE_ANALYSIS,
  STAGE_ENCODER,
  STAGE_DECODER,
  STAGE_VOCODER,
  STAGES
} converter_stage;
void converter_set_mark(converter *c, void (*mark)(void *context, converter_stage done),
                        void *context);

// Published loop only, real time: the last `count` samples of a sound, fewer than a step takes, and
// all that is still held. Returns how many samples were written, at most `converter_most_returned`
// and two chunks. Reset before going on.
size_t converter_finish(converter *c, const flow_vc_voice *voice, const float *samples,
                        size_t count, const float *noise, float *out, float *mel);

#endif
