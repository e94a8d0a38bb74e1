// SPDX-License-Identifier: GPL-3.0-or-later
//
// A target voice: what a model knows of it (speaker embedding, reference mel, examples), folded for
// its decoder, and where it came from. Immutable.
#ifndef MEANWAVE_VOICE_H
#define MEANWAVE_VOICE_H

#include "vc_model.h"

enum { VOICE_LONGEST_FRAMES = 6000, VOICE_NAME_SIZE = 128, VOICE_CONSENT_SIZE = 1024 };

struct mw_voice {
  char name[VOICE_NAME_SIZE];
  char consent[VOICE_CONSENT_SIZE]; // who allowed its use; "" when nothing was said
  char source[SHA256_TEXT];         // hash of the recordings; "" for a model's own voice
  char speaker_space[SHA256_TEXT];
  size_t speaker;
  size_t mel;
  size_t prompt_frames;
  float *embedding; // [speaker]
  float *prompt;    // [prompt_frames, mel], -1..1
  float pitch;      // mean, log2 of Hz; NAN when unknown
  char content_space[SHA256_TEXT];
  size_t content;       // width
  size_t example_count; // 0 when there are none
  float *said;          // [example_count, content]: content frames of the recordings
  float *envelopes;     // [example_count, EXAMPLES_ENVELOPE]: how each was spoken
  examples *examples;   // of these; NULL for none
  flow_vc_voice *folded;
};

// An empty voice of the model's sizes, to be filled and folded. `prompt_frames`: 1 to the longest.
mw_status voice_new(mw_voice **made, const mw_voice_model *model, size_t prompt_frames,
                    mw_error *error);
// Examples behind those that are there, as many as there is room for; both are copied.
mw_status voice_add_examples(mw_voice *v, const float *said, const float *envelopes, size_t count,
                             mw_error *error);
mw_status voice_fold(mw_voice *v, const mw_voice_model *model, mw_error *error);

// "pitch" [1], log2 of Hz, when the view has it.
mw_status voice_read_pitch(mw_voice *v, const weights_view *view, mw_error *error);

// A .voice file, made by a model with the same speaker space.
mw_status voice_read(mw_voice **read, const mw_voice_model *model, const char *path,
                     mw_error *error);

// What one recording tells, from the cache when it is there.
mw_status voice_listen(mw_voice **heard, const mw_voice_model *model, const char *path,
                       const char *cache_folder, mw_error *error);

#endif
