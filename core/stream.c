// SPDX-License-Identifier: GPL-3.0-or-later
//
// A stream at any rate around the 16 kHz chunk loop:
//
//   in [rate] -> resampler -> chunk of the converter -> pitch -> resampler -> queue -> mix -> gain
//       |\-------------------------- the same delay --------------------------/        |
//        \-------------------------------- gate --------------------------------------/
//
// The queue begins with silence, just enough that it never runs dry: what the converter owes, the
// delay of the pitch shifter, whose output of before the beginning is dropped, and the look-ahead
// of each resampler. The delay is that and what the converter's output has in front.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "denormal.h"
#include "gate.h"
#include "glide.h"
#include "pitch_shift.h"
#include "resample.h"
#include "ring.h"
#include "stream.h"
#include "voice.h"

enum { PIECE_FRAMES = 256, GLIDES_PER_SECOND = 50 };

struct mw_stream {
  converter *loop;
  const mw_voice *voice;
  uint64_t seed;
  unsigned rate_hz;
  size_t delay;
  size_t silence;     // of the delay: what the queue begins with
  pitch_shift *shift; // NULL: the converter does it, or it stays
  size_t early;       // samples it gives that are of before the beginning
  resampler *in;      // NULL at the model's rate
  resampler *out;     // likewise
  float *chunk;       // [longest wanted] samples for the next step
  size_t held;        // of them there
  float *made;        // [longest returned]
  float *piece;       // [PIECE_FRAMES * 3]
  ring *queue;        // converted, at the stream's rate
  ring *dry;          // the input, `delay` behind
  gate *noise_gate;
  float gate_db;
  float gate_gain;     // of the last frame
  size_t glide_frames; // 20 ms
  glide wet;
  glide gain;
  uint64_t stage_begun_ns;
  uint64_t stage_ns[STAGES]; // taken since they were asked for
};

static uint64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void note_stage(void *context, converter_stage done)
{
  mw_stream *s = context;
  uint64_t now = now_ns();
  s->stage_ns[done] += now - s->stage_begun_ns;
  s->stage_begun_ns = now;
}

void stream_take_times(mw_stream *s, uint64_t ns[STAGES])
{
  for (int i = 0; i < STAGES; i++) ns[i] += s->stage_ns[i];
  memset(s->stage_ns, 0, sizeof s->stage_ns);
}

static void set_delay(mw_stream *s)
{
  size_t owed = converter_owed(s->loop);
  size_t in_front = converter_shift(s->loop);
  if (s->shift != NULL) owed += PITCH_SHIFT_DELAY;
  s->silence = owed;
  s->delay = owed + in_front;
  if (s->in == NULL) return;
  // both round the position of a sample: one frame each
  double scale = (double)s->rate_hz / VC_MODEL_HZ;
  s->silence = resampler_look_ahead(s->in) + 2 +
               (size_t)ceil((double)(owed + 1 + resampler_look_ahead(s->out)) * scale);
  s->delay = s->silence + (size_t)lround((double)in_front * scale);
}

static mw_status allocate(mw_stream *s, mw_error *error)
{
  size_t returned = converter_most_returned(s->loop);
  double scale = (double)s->rate_hz / VC_MODEL_HZ;
  mw_status status = MW_OK;
  if (!converter_moves_pitch(s->loop)) status = pitch_shift_new(&s->shift, error);
  if (status == MW_OK && s->rate_hz != VC_MODEL_HZ) {
    status = resampler_new(&s->in, s->rate_hz, VC_MODEL_HZ, error);
    if (status == MW_OK) status = resampler_new(&s->out, VC_MODEL_HZ, s->rate_hz, error);
  }
  if (status != MW_OK) return status;
  set_delay(s);
  s->glide_frames = s->rate_hz / GLIDES_PER_SECOND;
  s->chunk = malloc(converter_most_wanted(s->loop) * sizeof(float));
  s->made = malloc(returned * sizeof(float));
  s->piece = malloc(3 * PIECE_FRAMES * sizeof(float));
  s->queue = ring_new(s->silence + (size_t)ceil((double)returned * scale) + 4 * PIECE_FRAMES);
  s->dry = ring_new(s->delay + 2 * PIECE_FRAMES);
  if (s->chunk == NULL || s->made == NULL || s->piece == NULL || s->queue == NULL || s->dry == NULL)
    return mw_fail_memory(error, "making a stream");
  return gate_new(&s->noise_gate, s->rate_hz, s->delay, error);
}

static mw_status make(mw_stream **made, const mw_voice_model *model, const mw_voice *voice,
                      unsigned rate_hz, uint64_t seed, bool published, mw_error *error)
{
  converter_model networks = vc_model_networks(model);
  mw_stream *s = calloc(1, sizeof *s);
  if (s == NULL) return mw_fail_memory(error, "making a stream");
  s->voice = voice;
  s->seed = seed;
  s->rate_hz = rate_hz;
  s->gate_db = MW_GATE_OFF;
  glide_jump(&s->wet, 1.0f);
  glide_jump(&s->gain, 1.0f);
  mw_status status = converter_new(&s->loop, &networks, VOICE_LONGEST_FRAMES,
                                   CONVERTER_RESET_CHUNKS, published, error);
  if (status == MW_OK) status = allocate(s, error);
  if (status != MW_OK) {
    mw_stream_free(s);
    return status;
  }
  converter_set_mark(s->loop, note_stage, s);
  mw_stream_reset(s);
  *made = s;
  return MW_OK;
}

mw_status mw_stream_new(mw_stream **made, const mw_voice_model *model, const mw_voice *voice,
                        unsigned rate_hz, uint64_t seed, mw_error *error)
{
  return make(made, model, voice, rate_hz, seed, false, error);
}

mw_status mw_stream_new_published(mw_stream **made, const mw_voice_model *model,
                                  const mw_voice *voice, unsigned rate_hz, uint64_t seed,
                                  mw_error *error)
{
  return make(made, model, voice, rate_hz, seed, true, error);
}

void mw_stream_free(mw_stream *s)
{
  if (s == NULL) return;
  converter_free(s->loop);
  pitch_shift_free(s->shift);
  resampler_free(s->in);
  resampler_free(s->out);
  ring_free(s->queue);
  ring_free(s->dry);
  gate_free(s->noise_gate);
  free(s->chunk);
  free(s->made);
  free(s->piece);
  free(s);
}

static void fill_silence(mw_stream *s, ring *r, size_t frames)
{
  memset(s->piece, 0, PIECE_FRAMES * sizeof(float));
  ring_reset(r);
  for (size_t left = frames; left > 0;)
    left -= ring_write(r, s->piece, left < PIECE_FRAMES ? left : PIECE_FRAMES);
}

void mw_stream_reset(mw_stream *s)
{
  converter_reset(s->loop, s->seed);
  if (s->shift != NULL) pitch_shift_reset(s->shift);
  s->early = s->shift != NULL ? PITCH_SHIFT_DELAY : 0;
  if (s->in != NULL) resampler_reset(s->in);
  if (s->out != NULL) resampler_reset(s->out);
  s->held = 0;
  glide_jump(&s->wet, s->wet.target);
  glide_jump(&s->gain, s->gain.target);
  gate_reset(s->noise_gate);
  s->gate_gain = 0.0f;
  fill_silence(s, s->queue, s->silence);
  fill_silence(s, s->dry, s->delay);
}

size_t mw_stream_delay_frames(const mw_stream *s)
{
  return s->delay;
}

// What is as long as the delay, anew; resets.
static mw_status shorten(mw_stream *s, mw_error *error)
{
  gate *shorter = NULL;
  set_delay(s);
  mw_status status = gate_new(&shorter, s->rate_hz, s->delay, error);
  if (status != MW_OK) return status;
  gate_free(s->noise_gate);
  s->noise_gate = shorter;
  gate_set(s->noise_gate, s->gate_db);
  mw_stream_reset(s);
  return MW_OK;
}

mw_status mw_stream_fix_pitch(mw_stream *s, mw_error *error)
{
  if (s->shift == NULL) return MW_OK;
  pitch_shift_free(s->shift);
  s->shift = NULL;
  return shorten(s, error);
}

mw_status mw_stream_guess_ahead(mw_stream *s, mw_error *error)
{
  return converter_guess_ahead(s->loop) ? shorten(s, error) : MW_OK;
}

void mw_stream_set_voice(mw_stream *s, const mw_voice *voice)
{
  s->voice = voice;
}

static float within(float value, float least, float most, float fallback)
{
  return isnan(value) ? fallback : fmaxf(least, fminf(most, value));
}

void mw_stream_set_mix(mw_stream *s, float wet)
{
  glide_to(&s->wet, within(wet, 0.0f, 1.0f, 1.0f), s->glide_frames);
}

void mw_stream_set_gain(mw_stream *s, float gain_db)
{
  float gain = powf(10.0f, within(gain_db, -60.0f, 24.0f, 0.0f) / 20.0f);
  glide_to(&s->gain, gain, s->glide_frames);
}

void mw_stream_set_pitch(mw_stream *s, float semitones)
{
  semitones = within(semitones, -24.0f, 24.0f, 0.0f);
  if (s->shift != NULL)
    pitch_shift_set(s->shift, semitones);
  else
    converter_set_pitch(s->loop, semitones);
}

void mw_stream_set_gate(mw_stream *s, float threshold_db)
{
  s->gate_db = within(threshold_db, MW_GATE_OFF, 0.0f, MW_GATE_OFF);
  gate_set(s->noise_gate, s->gate_db);
}

void mw_stream_set(mw_stream *s, const mw_voice_controls *c)
{
  mw_stream_set_mix(s, c->mix);
  mw_stream_set_pitch(s, c->pitch);
  mw_stream_set_gate(s, c->gate_db);
  mw_stream_set_gain(s, c->gain_db);
}

float mw_stream_gate_gain(const mw_stream *s)
{
  return s->gate_gain;
}

// Converted samples of the model's rate to the queue.
static void enqueue(mw_stream *s, const float *made, size_t count)
{
  if (s->out == NULL) {
    ring_write(s->queue, made, count);
    return;
  }
  float *room = s->piece + PIECE_FRAMES;
  for (size_t taken, written = 1; count > 0 || written > 0; made += taken, count -= taken) {
    written = resampler_run(s->out, made, count, &taken, room, PIECE_FRAMES);
    ring_write(s->queue, room, written);
    if (written == 0 && taken == 0) break;
  }
}

// Beyond LOUDEST nothing is speech, and squares must not overflow; what is no number is silence.
static float bearable(float value)
{
  enum { LOUDEST = 8 };
  return isfinite(value) ? fmaxf(-LOUDEST, fminf(LOUDEST, value)) : 0.0f;
}

// Samples of the model's rate into chunks, and full chunks through the loop.
static void collect(mw_stream *s, const float *samples, size_t count)
{
  while (count > 0) {
    size_t wanted = converter_wanted(s->loop);
    size_t part = wanted - s->held < count ? wanted - s->held : count;
    memcpy(s->chunk + s->held, samples, part * sizeof(float));
    s->held += part;
    samples += part;
    count -= part;
    if (s->held < wanted) return;
    size_t made = converter_returned(s->loop);
    s->stage_begun_ns = now_ns();
    converter_set_examples(s->loop, s->voice->examples);
    converter_step(s->loop, s->voice->folded, s->chunk, NULL, s->made, NULL);
    s->held = 0;
    // a voice or model that somebody broke may make anything
    for (size_t i = 0; i < made; i++) s->made[i] = bearable(s->made[i]);
    if (s->shift != NULL) pitch_shift_run(s->shift, s->made, s->made, made);
    size_t early = s->early < made ? s->early : made;
    s->early -= early;
    enqueue(s, s->made + early, made - early);
  }
}

static void feed(mw_stream *s, const float *in, size_t count)
{
  if (s->in == NULL) {
    collect(s, in, count);
    return;
  }
  float room[PIECE_FRAMES];
  for (size_t taken, written = 1; count > 0 || written > 0; in += taken, count -= taken) {
    written = resampler_run(s->in, in, count, &taken, room, PIECE_FRAMES);
    collect(s, room, written);
    if (written == 0 && taken == 0) break;
  }
}

static void finish(mw_stream *s, const float *dry, const float *gates, float *out, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    float wet = glide_next(&s->wet);
    // exactly one or the other at the ends
    float heard = wet == 1.0f ? out[i] : wet * out[i] + (1.0f - wet) * dry[i];
    out[i] = heard * (gates[i] * glide_next(&s->gain));
  }
  s->gate_gain = gates[count - 1];
}

void mw_stream_run(mw_stream *s, const float *in, float *out, size_t frames)
{
  float *gates = s->piece + 2 * PIECE_FRAMES;
  uint64_t before = denormal_flush(); // on every thread alike: the bits must not depend on it
  while (frames > 0) {
    size_t count = frames < PIECE_FRAMES ? frames : PIECE_FRAMES;
    for (size_t i = 0; i < count; i++) s->piece[i] = bearable(in[i]);
    ring_write(s->dry, s->piece, count);
    gate_run(s->noise_gate, s->piece, gates, count);
    feed(s, s->piece, count);
    ring_read(s->queue, out, count);
    ring_read(s->dry, s->piece, count);
    finish(s, s->piece, gates, out, count);
    in += count;
    out += count;
    frames -= count;
  }
  denormal_restore(before);
}
