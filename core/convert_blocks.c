// SPDX-License-Identifier: GPL-3.0-or-later
//
// The published real-time loop of MeanVC 2, for comparison with the official code. Per block of
// 160 ms, whatever the chunk:
//
//   analysis  the block behind the last 720 samples (at the start all -0.5): 19 frames. From the
//             second block on the last 3 frames of the block before are put in front, though the
//             720 samples gave them already: the encoder sees them twice, and the last 3 of 22 only
//             in the next block.
//   encoder   windows from the first frame on, while they fit: 4 content frames
//   stretch   the last content frame before and the new ones, drawn out to 17 rows without the
//   first decoder   while n + ahead rows wait, at most 4 times: a chunk, n rows go. Its history is
//             forgotten after 4000 frames.
#include <string.h>

#include "convert_internal.h"
#include "stretch.h"

enum { MOST_CHUNKS = 4 };

void blocks_reset(converter *c)
{
  c->rows = 0;
  c->begun = false;
  for (size_t i = 0; i < KEPT_SAMPLES; i++) c->window[i] = -0.5f;
}

// Chunks of a block after which `rows` rows wait.
static size_t chunks_of(const converter *c, size_t rows)
{
  size_t count = 0;
  for (; rows >= c->n + c->ahead && count < MOST_CHUNKS; rows -= c->n) count++;
  return count;
}

static size_t samples_of(const converter *c, size_t chunks, bool first)
{
  size_t all = chunks * c->n * vocos_hop(c->m.vocoder);
  return first && chunks > 0 ? all - c->n * vocos_hop(c->m.vocoder) + vocos_stream_first(c->vocoder)
                             : all;
}

size_t blocks_returned(const converter *c)
{
  return samples_of(c, chunks_of(c, c->rows + BLOCK_FRAMES), c->chunks == 0);
}

// After n blocks as many rows wait as before: all that can happen happens in them.
size_t blocks_owed(const converter *c)
{
  size_t most = 0;
  size_t made = 0;
  size_t rows = 0;
  for (size_t block = 0; block <= c->n; block++) {
    size_t chunks = chunks_of(c, rows + BLOCK_FRAMES);
    rows += BLOCK_FRAMES - chunks * c->n;
    made += samples_of(c, chunks, made == 0);
    // the next block is all in but its last sample
    size_t owed = (block + 2) * BLOCK_SAMPLES - 1 - made;
    if (owed > most) most = owed;
  }
  return most;
}

// `count` samples, at most a block, to rows of content that wait.
static void analyse(converter *c, const float *samples, size_t count)
{
  size_t repeated = c->begun ? REPEATED_FRAMES : 0;
  size_t window = asr_window_frames(c->encoder);
  size_t step = (c->n + c->ahead) / STRETCH;
  size_t made = 0;
  memcpy(c->window + KEPT_SAMPLES, samples, count * sizeof(float));
  fbank_run(c->analysis, c->window, KEPT_SAMPLES + count, c->fbank + repeated * FBANK_BINS);
  size_t frames = repeated + fbank_frames(KEPT_SAMPLES + count);
  memmove(c->window, c->window + count, KEPT_SAMPLES * sizeof(float));
  converter_mark(c, STAGE_ANALYSIS);
  converter_set_back(c);
  for (size_t at = 0; at + window <= frames; at += step * STRETCH)
    made += asr_run(c->encoder, c->fbank + at * FBANK_BINS, window, step,
                    c->features + (1 + made) * c->width);
  memmove(c->fbank, c->fbank + (frames - REPEATED_FRAMES) * FBANK_BINS,
          REPEATED_FRAMES * FBANK_BINS * sizeof(float));
  if (made == 0) return;
  size_t before = c->begun ? 1 : 0;
  stretch_rows(c->features + (1 - before) * c->width, before + made, c->width, 1,
               c->content + c->rows * c->width, BLOCK_FRAMES);
  memcpy(c->features, c->features + made * c->width, c->width * sizeof(float));
  c->rows += BLOCK_FRAMES;
  c->begun = true;
  converter_mark(c, STAGE_ENCODER);
}

// Where the next results of a step go; noise and mel may be NULL.
typedef struct {
  const float *noise;
  float *out;
  float *mel;
  size_t made;
} results;

// The first n rows that wait, with those ahead of them; n of them go.
static void take_chunk(converter *c, const flow_vc_voice *voice, size_t ahead, results *r)
{
  if (c->frames >= POSITION_LIMIT) {
    flow_vc_reset(c->decoder);
    c->frames = 0;
  }
  r->made += converter_speak(c, voice, c->content, ahead, r->noise, r->out + r->made, r->mel);
  if (r->noise != NULL) r->noise += (c->n + c->ahead) * c->mel_bins;
  if (r->mel != NULL) r->mel += c->n * c->mel_bins;
  c->rows -= c->n < c->rows ? c->n : c->rows;
  memmove(c->content, c->content + c->n * c->width, c->rows * c->width * sizeof(float));
}

void blocks_step(converter *c, const flow_vc_voice *voice, const float *samples, const float *noise,
                 float *out, float *mel)
{
  results r = {noise, out, mel, 0};
  analyse(c, samples, BLOCK_SAMPLES);
  for (size_t chunks = chunks_of(c, c->rows); chunks > 0; chunks--)
    take_chunk(c, voice, c->ahead, &r);
}

// The last row that waits stands for those missing up to `rows`.
static void repeat_last_row(converter *c, size_t rows)
{
  const float *last = c->content + (c->rows - 1) * c->width;
  for (size_t i = c->rows; i < rows; i++)
    memcpy(c->content + i * c->width, last, c->width * sizeof(float));
}

size_t converter_finish(converter *c, const flow_vc_voice *voice, const float *samples,
                        size_t count, const float *noise, float *out, float *mel)
{
  results r = {noise, out, mel, 0};
  if (count > 0) analyse(c, samples, count);
  for (size_t chunks = chunks_of(c, c->rows); chunks > 0; chunks--)
    take_chunk(c, voice, c->ahead, &r);
  while (c->rows > 0) {
    size_t left = c->rows > c->n ? c->rows - c->n : 0;
    if (left == 0) repeat_last_row(c, c->n + c->ahead);
    take_chunk(c, voice, left > 0 && left < c->ahead ? left : c->ahead, &r);
  }
  if (c->chunks > 0) {
    vocos_stream_tail(c->vocoder, out + r.made);
    r.made += vocos_hop(c->m.vocoder);
  }
  return r.made;
}
