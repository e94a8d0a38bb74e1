// SPDX-License-Identifier: GPL-3.0-or-later
//
// One chunk of n mel frames (n = 20: 200 ms), in the order sound takes:
//
//   samples   640 n / 4 new ones behind the last 720: a window of 4 (n / 4 - 1) + 7 filterbank
//   frames encoder   n / 4 content frames stretch   straight lines from the last content frame
//   before: new frame k lands on row 4 k + 3 pitch   where the decoder wants it: each row's, moved
//   from the source's running mean to the voice's decoder   n mel frames in -1..1 vocoder   (mel +
//   1) / 2, with the 3 frames before; joined by a cross-fade of 2 hops
#include "convert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "fbank.h"
#include "pitch.h"
#include "random.h"

// Samples before the window that the first row's pitch looks at; later rows look 360 ahead, less
// than the filterbank does.
enum { KEPT_SAMPLES = 720, BEFORE_SAMPLES = PITCH_WINDOW / 2, VOCODER_OVERLAP = 3, STRETCH = 4 };

// The running mean of the source's pitch begins as MEAN_FIRST frames of 150 Hz, and forgets what is
// more than MEAN_MOST voiced frames ago.
enum { MEAN_FIRST = 10, MEAN_MOST = 1000 };
#define MEAN_FIRST_OCTAVES 7.2288187f

struct converter {
  converter_model m;
  arena *memory;
  fbank *analysis;
  asr_state *encoder;
  pitch_tracker *pitch; // NULL when the decoder is not told
  float pitch_mean;     // of the source, octaves
  float pitch_weight;   // voiced frames in it
  float semitones;
  flow_vc_state *decoder;
  vocos_stream *vocoder;
  size_t content_frames; // a chunk: n / 4
  size_t reset_chunks;
  size_t chunks; // done
  random_stream random;
  float *window;   // samples: BEFORE_SAMPLES, then the window
  float *fbank;    // [window frames, 80]
  float *features; // [1 + content_frames, width]: the last one before, then the new ones
  float *content;  // [n, width]
  float *noise;    // [n, mel]
  float *mel;      // [n, mel]
};

static mw_status check_fit(const converter_model *m, mw_error *error)
{
  if (flow_vc_chunk_frames(m->decoder) % STRETCH != 0 ||
      flow_vc_content(m->decoder) != asr_encoder_width(m->encoder) ||
      flow_vc_mel(m->decoder) != vocos_mel_bins(m->vocoder) ||
      asr_encoder_bins(m->encoder) != FBANK_BINS)
    return mw_fail(error, MW_ERROR_MODEL,
                   "encoder, decoder and vocoder do not belong together: %zu features, %zu wanted; "
                   "%zu mel bins, %zu wanted",
                   asr_encoder_width(m->encoder), flow_vc_content(m->decoder),
                   flow_vc_mel(m->decoder), vocos_mel_bins(m->vocoder));
  return MW_OK;
}

mw_status converter_new(converter **made, const converter_model *model,
                        size_t longest_prompt_frames, size_t reset_chunks, mw_error *error)
{
  mw_status status = check_fit(model, error);
  if (status != MW_OK) return status;
  converter *c = calloc(1, sizeof *c);
  if (c == NULL || (c->memory = arena_new()) == NULL) {
    converter_free(c);
    return mw_fail_memory(error, "making a converter");
  }
  size_t n = flow_vc_chunk_frames(model->decoder);
  size_t width = asr_encoder_width(model->encoder);
  size_t mel = flow_vc_mel(model->decoder);
  c->m = *model;
  c->content_frames = n / STRETCH;
  c->reset_chunks = reset_chunks;
  c->window = arena_floats(c->memory, BEFORE_SAMPLES + KEPT_SAMPLES + n * FBANK_SHIFT);
  c->features = arena_floats(c->memory, (1 + c->content_frames) * width);
  c->content = arena_floats(c->memory, n * width);
  c->noise = arena_floats(c->memory, n * mel);
  c->mel = arena_floats(c->memory, n * mel);
  status = fbank_new(&c->analysis, error);
  if (status == MW_OK)
    status = asr_state_new(&c->encoder, model->encoder, c->content_frames, false, error);
  if (status == MW_OK && flow_vc_wants_pitch(model->decoder))
    status = pitch_tracker_new(&c->pitch, error);
  if (status == MW_OK)
    status = flow_vc_state_new(&c->decoder, model->decoder, model->schedule, longest_prompt_frames,
                               error);
  if (status == MW_OK)
    status = vocos_stream_new(&c->vocoder, model->vocoder, n, VOCODER_OVERLAP,
                              (VOCODER_OVERLAP - 1) * vocos_hop(model->vocoder), error);
  if (status == MW_OK)
    c->fbank = arena_floats(c->memory, asr_window_frames(c->encoder) * FBANK_BINS);
  if (status == MW_OK && arena_failed(c->memory))
    status = mw_fail_memory(error, "making a converter");
  if (status != MW_OK) {
    converter_free(c);
    return status;
  }
  converter_reset(c, 0);
  *made = c;
  return MW_OK;
}

void converter_free(converter *c)
{
  if (c == NULL) return;
  fbank_free(c->analysis);
  asr_state_free(c->encoder);
  pitch_tracker_free(c->pitch);
  flow_vc_state_free(c->decoder);
  vocos_stream_free(c->vocoder);
  arena_free(c->memory);
  free(c);
}

void converter_reset(converter *c, uint64_t seed)
{
  c->chunks = 0;
  random_seed(&c->random, seed);
  memset(c->window, 0, BEFORE_SAMPLES * sizeof(float));
  asr_reset(c->encoder);
  if (c->pitch != NULL) pitch_tracker_reset(c->pitch);
  c->pitch_mean = MEAN_FIRST_OCTAVES;
  c->pitch_weight = MEAN_FIRST;
  flow_vc_reset(c->decoder);
  vocos_stream_reset(c->vocoder);
}

bool converter_moves_pitch(const converter *c)
{
  return c->pitch != NULL;
}

void converter_set_pitch(converter *c, float semitones)
{
  c->semitones = semitones;
}

size_t converter_chunk(const converter *c)
{
  return flow_vc_chunk_frames(c->m.decoder) * FBANK_SHIFT;
}

size_t converter_wanted(const converter *c)
{
  size_t chunk = converter_chunk(c);
  return c->chunks == 0 ? chunk + KEPT_SAMPLES : chunk;
}

size_t converter_returned(const converter *c)
{
  return vocos_stream_next(c->vocoder);
}

// Content frames to mel rows; before the first chunk the first frame stands for the one before.
static void stretch(converter *c)
{
  size_t width = asr_encoder_width(c->m.encoder);
  if (c->chunks == 0) memcpy(c->features, c->features + width, width * sizeof(float));
  for (size_t i = 0; i < STRETCH * c->content_frames; i++) {
    const float *from = c->features + i / STRETCH * width;
    float share = (float)(i % STRETCH + 1) / STRETCH;
    for (size_t k = 0; k < width; k++)
      c->content[i * width + k] = (1.0f - share) * from[k] + share * from[width + k];
  }
  memcpy(c->features, c->features + c->content_frames * width, width * sizeof(float));
}

// Row i is centred on the window's sample 160 i.
static void add_pitch(converter *c, const flow_vc_voice *voice)
{
  float target = flow_vc_voice_pitch(voice);
  size_t width = asr_encoder_width(c->m.encoder);
  for (size_t i = 0; i < STRETCH * c->content_frames; i++) {
    pitch_value heard = pitch_track(c->pitch, c->window + i * FBANK_SHIFT);
    c->pitch_weight = fminf(c->pitch_weight + heard.voicing, MEAN_MOST);
    c->pitch_mean += heard.voicing / c->pitch_weight * (heard.octaves - c->pitch_mean);
    float moved = isfinite(target) ? heard.octaves - c->pitch_mean + target : heard.octaves;
    flow_vc_add_pitch(c->m.decoder, moved + c->semitones / 12.0f, heard.voicing,
                      c->content + i * width);
  }
}

// Positions run into the thousands otherwise; both networks care about differences only.
static void set_back(converter *c)
{
  if (c->chunks == 0 || c->chunks % c->reset_chunks != 0) return;
  asr_set_position(c->encoder, 4 * c->content_frames);
  flow_vc_set_position(c->decoder, 6 * flow_vc_chunk_frames(c->m.decoder));
}

void converter_step(converter *c, const flow_vc_voice *voice, const float *samples,
                    const float *noise, float *out, float *mel)
{
  size_t n = flow_vc_chunk_frames(c->m.decoder);
  size_t count = n * flow_vc_mel(c->m.decoder);
  size_t wanted = converter_wanted(c);
  size_t window = KEPT_SAMPLES + n * FBANK_SHIFT;
  float *heard = c->window + BEFORE_SAMPLES;
  set_back(c);
  memcpy(heard + window - wanted, samples, wanted * sizeof(float));
  fbank_run(c->analysis, heard, window, c->fbank);
  asr_run(c->encoder, c->fbank, asr_window_frames(c->encoder),
          c->features + asr_encoder_width(c->m.encoder));
  stretch(c);
  if (c->pitch != NULL) add_pitch(c, voice);
  memmove(c->window, c->window + n * FBANK_SHIFT,
          (BEFORE_SAMPLES + KEPT_SAMPLES) * sizeof(float));
  if (noise == NULL) {
    random_normal(&c->random, c->noise, count);
    noise = c->noise;
  }
  flow_vc_chunk(c->decoder, voice, c->content, noise, n, c->mel);
  if (mel != NULL) memcpy(mel, c->mel, count * sizeof(float));
  for (size_t i = 0; i < count; i++) c->mel[i] = (c->mel[i] + 1.0f) / 2.0f;
  vocos_stream_step(c->vocoder, c->mel, out);
  c->chunks++;
}
