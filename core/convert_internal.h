// SPDX-License-Identifier: GPL-3.0-or-later
//
// What both loops of a converter run on.
#ifndef MEANWAVE_CONVERT_INTERNAL_H
#define MEANWAVE_CONVERT_INTERNAL_H

#include "arena.h"
#include "convert.h"
#include "fbank.h"
#include "pitch.h"
#include "random.h"

// The encoder's window begins KEPT_SAMPLES before its chunk; the first row's pitch looks at as many
// samples more as BEFORE_SAMPLES, and the last one at 680 behind the chunk, less than the
// filterbank does. A content frame is STRETCH mel frames.
enum { KEPT_SAMPLES = 720, BEFORE_SAMPLES = PITCH_WINDOW / 2, STRETCH = 4, POSITION_LIMIT = 4000 };
// The published loop of the second generation.
enum { BLOCK_FRAMES = 16, BLOCK_SAMPLES = BLOCK_FRAMES * FBANK_SHIFT, REPEATED_FRAMES = 3 };

struct converter {
  converter_model m;
  arena *memory;
  fbank *analysis;
  asr_state *encoder;
  pitch_tracker *pitch;            // NULL when the decoder is not told
  float pitch_mean;                // of the source, octaves
  float pitch_weight;              // voiced frames in it
  float semitones;                 // wanted
  float semitones_told;            // of the last frame before
  const examples *examples;        // NULL for none
  examples_state *likeness;        // NULL when the decoder is not told the pitch
  global_variance_state *variance; // NULL where nothing is known of it
  const flow_vc_voice *spoken;     // the voice of the chunk before
  flow_vc_state *decoder;
  vocos_stream *vocoder;
  size_t n;       // mel frames of a chunk
  size_t ahead;   // mel frames of look-ahead
  size_t guessed; // filterbank frames at the end of a window that are not waited for
  size_t width;   // of content
  size_t mel_bins;
  bool published; // the loop of blocks
  size_t reset_chunks;
  size_t chunks; // done
  size_t rows;   // of content waiting, in the loop of blocks
  bool begun;    // likewise: there has been a block
  size_t frames; // generated since the decoder's history was forgotten
  random_stream random;
  void (*mark)(void *context, converter_stage done);
  void *mark_context;
  float *window;     // samples: BEFORE_SAMPLES, then the window
  float *fbank;      // [window frames, 80]
  float *features;   // [1 + content frames, width]: the last one before, then the new ones
  float *content;    // [rows, width]
  float *noise;      // [n + ahead, mel]
  float *mel;        // [n, mel]
  pitch_value *told; // [n]: what the decoder was told
};

// Positions run into the thousands otherwise, further than the encoder was trained.
void converter_set_back(converter *c);
void converter_mark(const converter *c, converter_stage done);
// A chunk from content [n + ahead, width] to samples, whose number comes back; `ahead` is smaller
// only at the end of a sound.
size_t converter_speak(converter *c, const flow_vc_voice *voice, const float *content, size_t ahead,
                       const float *noise, float *out, float *mel);

// convert_blocks.c
void blocks_reset(converter *c);
size_t blocks_returned(const converter *c);
size_t blocks_owed(const converter *c);
void blocks_step(converter *c, const flow_vc_voice *voice, const float *samples, const float *noise,
                 float *out, float *mel);

#endif
