// SPDX-License-Identifier: GPL-3.0-or-later
//
// How our own decoder and vocoder are told a frame's pitch: "pitch_embed.weight" [bins + 1, width]
// has a row for each pitch, evenly in octaves over "pitch_embed.range" [2] in Hz, with straight
// lines between; the last row is unvoiced. The published models have none.
#ifndef MEANWAVE_PITCH_EMBEDDING_H
#define MEANWAVE_PITCH_EMBEDDING_H

#include "arena.h"
#include "pitch.h"
#include "weights.h"

typedef struct {
  size_t bins; // 0: there is none
  size_t width;
  float *rows;  // [bins + 1, width]
  float lowest; // octaves of the first row
  float step;   // octaves from row to row
} pitch_embedding;

bool pitch_embedding_stored(const weights_view *view);
mw_status pitch_embedding_read(pitch_embedding *e, arena *memory, const weights_view *view,
                               size_t width, mw_error *error);
// Real time. Adds the pitch to x [width].
void pitch_embedding_add(const pitch_embedding *e, pitch_value told, float *x);

#endif
