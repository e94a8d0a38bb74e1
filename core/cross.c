// SPDX-License-Identifier: GPL-3.0-or-later
#include "cross.h"

#include <stdlib.h>
#include <string.h>

#include "ring.h"

enum { PIECE_FRAMES = 256, FADES_PER_SECOND = 50, WARM_UPS_PER_SECOND = 2 };

// A stream and what makes its delay that of all.
typedef struct {
  mw_stream *stream;
  ring *pad;
} voice_path;

struct cross {
  voice_path now;
  voice_path next; // its stream is NULL when nothing changes
  voice_path gone; // faded out; freed by the next call that may free
  size_t delay;
  size_t warm_up; // frames the next one hears before it is heard
  size_t fade;    // frames
  size_t heard;   // by the next one
  mw_voice_controls controls;
};

static void path_free(voice_path *p)
{
  mw_stream_free(p->stream);
  ring_free(p->pad);
  *p = (voice_path){0};
}

static void path_reset(voice_path *p, size_t delay)
{
  static const float silence[PIECE_FRAMES];
  mw_stream_reset(p->stream);
  ring_reset(p->pad);
  for (size_t left = delay - mw_stream_delay_frames(p->stream); left > 0;)
    left -= ring_write(p->pad, silence, left < PIECE_FRAMES ? left : PIECE_FRAMES);
}

static void path_run(voice_path *p, const float *in, float *out, size_t frames)
{
  mw_stream_run(p->stream, in, out, frames);
  ring_write(p->pad, out, frames);
  ring_read(p->pad, out, frames);
}

// The pad of a stream with `delay` - its own frames behind it. Owns `stream` on success.
static mw_status path_new(voice_path *p, mw_stream *stream, size_t delay, mw_error *error)
{
  ring *pad = ring_new(delay - mw_stream_delay_frames(stream) + PIECE_FRAMES);
  if (pad == NULL) return mw_fail_memory(error, "making a stream");
  *p = (voice_path){stream, pad};
  return MW_OK;
}

mw_status cross_new(cross **made, mw_stream *first, unsigned rate_hz, mw_error *error)
{
  cross *c = calloc(1, sizeof *c);
  mw_status status = MW_OK;
  if (c == NULL) status = mw_fail_memory(error, "making a stream");
  if (status == MW_OK) {
    c->delay = mw_stream_delay_frames(first);
    c->fade = rate_hz / FADES_PER_SECOND;
    c->warm_up = c->delay + rate_hz / WARM_UPS_PER_SECOND;
    c->controls = MW_VOICE_CONTROLS;
    status = path_new(&c->now, first, c->delay, error);
  }
  if (status != MW_OK) {
    mw_stream_free(first);
    free(c);
    return status;
  }
  path_reset(&c->now, c->delay);
  *made = c;
  return MW_OK;
}

void cross_free(cross *c)
{
  if (c == NULL) return;
  path_free(&c->now);
  path_free(&c->next);
  path_free(&c->gone);
  free(c);
}

static void finish_change(cross *c)
{
  if (c->next.stream == NULL) return;
  c->gone = c->now; // it is free: a change begins with that
  c->now = c->next;
  c->next = (voice_path){0};
}

void cross_settle(cross *c)
{
  finish_change(c);
  path_free(&c->gone);
}

mw_status cross_change(cross *c, mw_stream *next, mw_error *error)
{
  voice_path path;
  size_t delay = mw_stream_delay_frames(next);
  if (delay > c->delay)
    return mw_fail(error, MW_ERROR_ARGUMENT,
                   "this model is heard %zu frames later than the one it is to replace: start anew "
                   "with it",
                   delay - c->delay);
  mw_status status = path_new(&path, next, c->delay, error);
  if (status != MW_OK) return status;
  cross_settle(c);
  c->next = path;
  c->heard = 0;
  mw_stream_set(next, &c->controls);
  path_reset(&c->next, c->delay);
  return MW_OK;
}

bool cross_changing(const cross *c)
{
  return c->next.stream != NULL;
}

mw_stream *cross_latest(const cross *c)
{
  return c->next.stream != NULL ? c->next.stream : c->now.stream;
}

// The next one's sound, more and more of it.
static void fade_in_next(cross *c, const float *in, float *out, size_t frames)
{
  float piece[PIECE_FRAMES];
  path_run(&c->next, in, piece, frames);
  for (size_t i = 0; i < frames; i++) {
    size_t heard = c->heard + i;
    float share = heard < c->warm_up ? 0.0f : (float)(heard - c->warm_up) / (float)c->fade;
    if (share > 1.0f) share = 1.0f;
    out[i] = (1.0f - share) * out[i] + share * piece[i];
  }
  c->heard += frames;
  if (c->heard >= c->warm_up + c->fade) finish_change(c);
}

void cross_run(cross *c, const float *in, float *out, size_t frames)
{
  float kept[PIECE_FRAMES]; // in and out may be the same
  while (frames > 0) {
    size_t count = frames < PIECE_FRAMES ? frames : PIECE_FRAMES;
    memcpy(kept, in, count * sizeof(float));
    path_run(&c->now, kept, out, count);
    if (c->next.stream != NULL) fade_in_next(c, kept, out, count);
    in += count;
    out += count;
    frames -= count;
  }
}

void cross_reset(cross *c)
{
  finish_change(c);
  path_reset(&c->now, c->delay);
}

size_t cross_delay_frames(const cross *c)
{
  return c->delay;
}

void cross_set(cross *c, const mw_voice_controls *controls)
{
  c->controls = *controls;
  mw_stream_set(c->now.stream, controls);
  if (c->next.stream != NULL) mw_stream_set(c->next.stream, controls);
}

float cross_gate_gain(const cross *c)
{
  return mw_stream_gate_gain(c->now.stream);
}

void cross_take_times(cross *c, uint64_t ns[STAGES])
{
  stream_take_times(c->now.stream, ns);
  if (c->next.stream != NULL) stream_take_times(c->next.stream, ns);
}
