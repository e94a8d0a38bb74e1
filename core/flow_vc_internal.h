// SPDX-License-Identifier: GPL-3.0-or-later
//
// What flow_vc.c fills and flow_vc_state.c runs on.
#ifndef MEANWAVE_FLOW_VC_INTERNAL_H
#define MEANWAVE_FLOW_VC_INTERNAL_H

#include "arena.h"
#include "flow_vc.h"
#include "pitch_embedding.h"

enum { FLOW_VC_DEPTH_LIMIT = 64 };

typedef struct {
  size_t past;        // chunks before its own that a row sees
  size_t future;      // frames of the chunk after its own that a row sees
  matrix *modulation; // [6 dim, dim]: shift, scale, gate, shift, scale, gate
  matrix *qkv;        // [3 inner, dim]
  matrix *out;        // [dim, inner]
  matrix *ff_in;      // [ff, dim]
  matrix *ff_out;     // [dim, ff]
  float *q_gain;      // [head_size]
  float *k_gain;      // [head_size]
} flow_block;

struct flow_vc {
  arena *memory;
  size_t dim;
  size_t inner; // heads * head_size
  size_t head_size;
  size_t ff;
  size_t depth;
  size_t mel;
  size_t content;
  size_t speaker;
  size_t chunk;              // frames
  size_t ahead;              // frames of look-ahead
  timbre *timbre;            // first generation, else NULL
  timbre_tokens *tokens;     // second generation, else NULL
  matrix *embed_mel;         // [dim, mel]
  matrix *embed_timbre;      // [dim, content]
  matrix *embed_speaker;     // [dim, speaker], with the bias of the whole projection
  matrix *embed_clean;       // [dim, mel]; first generation, else NULL
  matrix *time_in[2];        // t, r: [dim, 256]
  matrix *time_out[2];       // [dim, dim]
  matrix *final_modulation;  // [2 dim, dim]: scale, shift
  matrix *out;               // [mel, dim]
  pitch_embedding pitch;     // no bins: it is not told
  global_variance *variance; // NULL: not known
  flow_block blocks[FLOW_VC_DEPTH_LIMIT];
};

struct flow_vc_voice {
  timbre_prompt *prompt;    // first generation, else NULL
  timbre_token_set *tokens; // second generation, else NULL
  float *embedded;          // [dim]: the speaker's share of the input projection, bias included
  float pitch;              // mean, log2 of Hz; NAN when unknown
};

struct flow_vc_schedule {
  arena *memory;
  size_t steps;
  size_t row;         // floats a step
  float *times;       // [steps + 1]
  float *modulations; // [steps, row]: 6 dim a block, then scale and shift; scales have 1 added
};

// What a stream remembers of a block, to compare with the official caches.
typedef struct {
  size_t count;
  const float *keys;   // [count, inner], normalised, before rotation
  const float *values; // [count, inner]
} flow_vc_memory;
flow_vc_memory flow_vc_remembered(const flow_vc_state *s, size_t block);

#endif
