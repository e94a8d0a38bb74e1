// SPDX-License-Identifier: GPL-3.0-or-later
//
//   in -> pitch of each 10 ms -> marks, one a period, on its pulse
//      -> grains of two periods around marks, set out at the new distance -> sum / windows
//      -> as loud as the input -> out
//
// Unvoiced sound has no marks: its grains stay where they are, and windows that meet add up to one,
// so it passes as it is. A grain for output time t is set out when the samples up to t + DELAY are
// there: a half window (LONGEST), half a period to the nearest mark and an eighth for its search,
// another half window, and what the fractional delay reads.
#include "pitch_shift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "glide.h"
#include "pitch.h"
#include "sinc.h"

enum {
  RATE_HZ = 16000,
  HOP = 160,     // of the tracker
  LONGEST = 267, // period: that of the tracker, 60 Hz
  UNVOICED = 80, // distance of grains without pitch: 5 ms
  CAPACITY = 8192,
  KEPT = 2048,   // samples behind the newest that marks and windows reach back to
  SPREAD = 2048, // power of two: output under work, more than two half windows
  FRAMES = 16,   // power of two: pitch values remembered
  PHASES = 256,
  TAPS = 16,
  GLIDE_FRAMES = RATE_HZ / 20,
  BLEND_FRAMES = RATE_HZ / 50,
};
#define VOICED 0.3f // voicing from which on there are marks
#define STRAY 0.12f // how far the period between marks may be from the tracker's
#define KAISER_BETA 6.0
#define MOST_GAIN 8.0f
#define LEVEL (1.0f / (0.1f * RATE_HZ))
#define ANCHOR 0.05f // share of the way to the pulse that a mark goes each period

struct pitch_shift {
  pitch_tracker *tracker;
  float sinc[PHASES][TAPS]; // row i reads i / PHASES behind its middle
  float in[CAPACITY];
  int64_t base; // time of in[0]
  size_t held;
  pitch_value frames[FRAMES]; // of frame i at i % FRAMES
  int64_t frame_first;        // known since the shifter was switched on
  int64_t frame_end;
  float target; // semitones
  glide semitones;
  glide blend; // 0: the input passes
  bool active;
  double next; // time of the next grain
  float right; // half window of the last one
  bool voiced; // it was
  double mark; // the last one's, in the input
  float period;
  float power_in; // of the input and of what was set out, over 100 ms
  float power_out;
  float sum[SPREAD]; // output at time t at t % SPREAD
  float weight[SPREAD];
};

mw_status pitch_shift_new(pitch_shift **made, mw_error *error)
{
  pitch_shift *p = calloc(1, sizeof *p);
  if (p == NULL) return mw_fail_memory(error, "making a pitch shifter");
  mw_status status = pitch_tracker_new(&p->tracker, error);
  if (status != MW_OK) {
    pitch_shift_free(p);
    return status;
  }
  for (int i = 0; i < PHASES; i++)
    sinc_row(p->sinc[i], TAPS / 2, (double)i / PHASES, 1.0, KAISER_BETA);
  pitch_shift_reset(p);
  *made = p;
  return MW_OK;
}

void pitch_shift_free(pitch_shift *p)
{
  if (p == NULL) return;
  pitch_tracker_free(p->tracker);
  free(p);
}

static void switch_off(pitch_shift *p)
{
  p->active = false;
  memset(p->sum, 0, sizeof p->sum);
  memset(p->weight, 0, sizeof p->weight);
}

// From output time `now` on; the pitch of what lies before is not known.
static void switch_on(pitch_shift *p, int64_t now)
{
  p->active = true;
  pitch_tracker_reset(p->tracker);
  p->frame_first = p->frame_end = (p->base + (int64_t)p->held - PITCH_WINDOW / 2) / HOP + 1;
  p->power_in = p->power_out = 0.0f;
  p->next = (double)now;
  p->right = 0.0f;
  p->voiced = false;
}

void pitch_shift_reset(pitch_shift *p)
{
  memset(p->in, 0, sizeof p->in);
  p->held = KEPT;
  p->base = -KEPT;
  glide_jump(&p->semitones, p->target);
  glide_jump(&p->blend, p->target != 0.0f ? 1.0f : 0.0f);
  switch_off(p);
}

void pitch_shift_set(pitch_shift *p, float semitones)
{
  p->target = semitones;
  glide_to(&p->semitones, semitones, GLIDE_FRAMES);
  glide_to(&p->blend, semitones != 0.0f ? 1.0f : 0.0f, BLEND_FRAMES);
}

// The input around time `at`, to be read from well within what is kept.
static const float *input(const pitch_shift *p, int64_t at)
{
  return p->in + (at - p->base);
}

// How far the middle of the energy in one period around `mark` is from it.
static float off_pulse(const pitch_shift *p, double mark, float period)
{
  const float *x = input(p, (int64_t)floor(mark + 0.5));
  int half = (int)(period / 2.0f);
  float moment = 0.0f;
  float energy = 1e-12f;
  for (int j = -half; j <= half; j++) {
    float edge = (float)j / (float)(half + 1);
    float power = (1.0f - edge * edge) * x[j] * x[j];
    moment += (float)j * power;
    energy += power;
  }
  return moment / energy;
}

// How much the period around b is like the one around a, -1 to 1.
static float likeness(const float *a, const float *b, int half)
{
  float product = 0.0f;
  float of_a = 1e-12f;
  float of_b = 1e-12f;
  for (int j = -half; j <= half; j++) {
    product += a[j] * b[j];
    of_a += a[j] * a[j];
    of_b += b[j] * b[j];
  }
  return product / sqrtf(of_a * of_b);
}

// The mark a period behind the last one: where the sound is most like it, then a little towards the
// pulse, so that errors do not add up.
static void advance_mark(pitch_shift *p, float period)
{
  float least = period * (1.0f - STRAY);
  float most = period * (1.0f + STRAY);
  p->period = fmaxf(least, fminf(most, p->period));
  int64_t from = (int64_t)floor(p->mark + 0.5);
  int64_t to = (int64_t)floor(p->mark + (double)p->period + 0.5);
  int half = (int)(period / 2.0f);
  int reach = (int)(period / 8.0f);
  float best = -2.0f;
  int at = 0;
  for (int d = -reach; d <= reach; d++) {
    float like = likeness(input(p, from), input(p, to + d), half);
    if (like <= best) continue;
    best = like;
    at = d;
  }
  float before = likeness(input(p, from), input(p, to + at - 1), half);
  float after = likeness(input(p, from), input(p, to + at + 1), half);
  float bend = before - 2.0f * best + after;
  float part = bend < -1e-9f ? 0.5f * (before - after) / bend : 0.0f;
  double found = (double)(to + at) + (p->mark - (double)from) + fmax(-0.5, fmin(0.5, (double)part));
  p->period = fmaxf(least, fminf(most, (float)(found - p->mark)));
  float pull = ANCHOR * off_pulse(p, found, period);
  p->mark = found + (double)fmaxf(-1.0f, fminf(1.0f, pull));
}

// The input around `from` set out around `to` under a window of two halves of a cosine.
static void set_out(pitch_shift *p, double from, double to, float left, float right)
{
  int64_t begin = (int64_t)ceil(to - (double)left);
  int64_t end = (int64_t)ceil(to + (double)right);
  int64_t shift = (int64_t)floor((from - to) * PHASES + 0.5); // in phases
  const float *row = p->sinc[shift & (PHASES - 1)];
  const float *x = input(p, begin + (shift >> 8) - (TAPS / 2 - 1));
  for (int64_t n = begin; n < end; n++, x++) {
    float away = (float)((double)n - to);
    float edge = away < 0.0f ? away / left : away / right;
    float window = 0.5f + 0.5f * cosf((float)M_PI * edge);
    float value = 0.0f;
    for (int k = 0; k < TAPS; k++) value += row[k] * x[k];
    p->sum[n & (SPREAD - 1)] += window * value;
    p->weight[n & (SPREAD - 1)] += window;
  }
}

// The period around `time`, 0 where there is none.
static float period_at(const pitch_shift *p, double time)
{
  int64_t frame = (int64_t)floor(time / HOP + 0.5);
  if (frame < p->frame_first || frame >= p->frame_end) return 0.0f;
  const pitch_value *value = &p->frames[frame & (FRAMES - 1)];
  if (value->voicing < VOICED) return 0.0f;
  return fminf((float)RATE_HZ * exp2f(-value->octaves), LONGEST);
}

static void set_out_next(pitch_shift *p)
{
  float period = period_at(p, p->next);
  if (period == 0.0f) {
    set_out(p, p->next, p->next, p->right, UNVOICED);
    p->voiced = false;
    p->right = UNVOICED;
    p->next += UNVOICED;
    return;
  }
  if (!p->voiced) {
    p->mark = p->next;
    p->period = period;
    for (int i = 0; i < 8; i++) p->mark += (double)off_pulse(p, p->mark, period);
  }
  while (p->next - p->mark > (double)(0.5f * p->period)) advance_mark(p, period);
  set_out(p, p->mark, p->next, p->voiced ? p->period : p->right, p->period);
  p->voiced = true;
  p->right = p->period;
  p->next += (double)(p->period / exp2f(p->semitones.now / 12.0f));
}

static void hear(pitch_shift *p, float sample)
{
  if (p->held == CAPACITY) {
    memmove(p->in, p->in + CAPACITY - KEPT, KEPT * sizeof(float));
    p->base += CAPACITY - KEPT;
    p->held = KEPT;
  }
  p->in[p->held++] = sample;
  int64_t end = p->base + (int64_t)p->held;
  if (!p->active || end < p->frame_end * HOP + PITCH_WINDOW / 2) return;
  const float *window = input(p, p->frame_end * HOP - PITCH_WINDOW / 2);
  p->frames[p->frame_end & (FRAMES - 1)] = pitch_track(p->tracker, window);
  p->frame_end++;
}

// Harmonics that move meet other parts of the formants: without this, a high voice that goes up
// loses 7 dB.
static float as_loud(pitch_shift *p, float through, float moved)
{
  static const float NOTHING = 1e-8f;
  p->power_in += LEVEL * (through * through - p->power_in);
  p->power_out += LEVEL * (moved * moved - p->power_out);
  float gain = sqrtf((p->power_in + NOTHING) / (p->power_out + NOTHING));
  return moved * fmaxf(1.0f / MOST_GAIN, fminf(MOST_GAIN, gain));
}

// The output at time `now`, whose DELAY next samples have been heard.
static float speak(pitch_shift *p, int64_t now)
{
  float through = *input(p, now);
  glide_next(&p->semitones);
  float blend = glide_next(&p->blend);
  if (blend == 0.0f) {
    if (p->active) switch_off(p);
    return through;
  }
  if (!p->active) switch_on(p, now);
  while (p->next <= (double)(now + LONGEST)) set_out_next(p);
  float *sum = &p->sum[now & (SPREAD - 1)];
  float *weight = &p->weight[now & (SPREAD - 1)];
  float moved = as_loud(p, through, *sum / fmaxf(*weight, 1.0f));
  *sum = *weight = 0.0f;
  return blend == 1.0f ? moved : through + blend * (moved - through);
}

void pitch_shift_run(pitch_shift *p, const float *in, float *out, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    hear(p, in[i]);
    out[i] = speak(p, p->base + (int64_t)p->held - 1 - PITCH_SHIFT_DELAY);
  }
}
