// SPDX-License-Identifier: GPL-3.0-or-later
//
//   frame under a Hann window -> spectrum of power, kept below about 1 kHz -> autocorrelation
//   r(k) = autocorrelation(k) / autocorrelation(0) * window's(0) / window's(k)
//   peaks of r between the shortest and the longest period; parabola through three points
//   of the four best by height + 0.06 octaves, the one on the best path: on each step from frame to
//   frame less 0.25 (voicing before) min(1, octaves from the one before)
#include "pitch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fft.h"

enum { TRANSFORM = 1024, SHORTEST = 32, LONGEST = 266, HOP = 160, RATE_HZ = 16000 };
enum { CANDIDATES = 4, FRAMES = PITCH_AHEAD + 1 };

#define PI 3.14159265358979323846
#define FLOOR 3e-4f      // power that counts as silence
#define SHARE 0.5f       // of the highest peak: lower ones are no candidates
#define SHORT_COST 0.06f // per octave
#define JUMP_COST 0.25f
#define UNVOICED 0.35f // height of a peak where voicing begins
#define VOICED_OVER 0.3f
#define START_HZ 150.0f

typedef struct {
  pitch_value value;
  float height;  // and what its shortness is worth
  float score;   // of the best path that ends here, less that of the frame's best
  size_t before; // the candidate that this path comes from
} candidate;

typedef struct {
  size_t count; // none: nothing in it repeats itself, and paths begin anew behind it
  candidate of[CANDIDATES];
} frame;

struct pitch_tracker {
  fft *transform;
  float window[PITCH_WINDOW];
  float keep[TRANSFORM / 2 + 1];
  float gain[LONGEST + 2];
  frame frames[FRAMES]; // the last ones, the newest in `newest`
  size_t newest;
  float octaves; // of the last voiced frame
};

// Autocorrelation of what lies in the transform's samples, into its samples.
static void correlate(pitch_tracker *p, const float *keep)
{
  fft_forward(p->transform);
  float *bins = fft_bins(p->transform);
  for (size_t i = 0; i <= TRANSFORM / 2; i++) {
    float power = bins[2 * i] * bins[2 * i] + bins[2 * i + 1] * bins[2 * i + 1];
    bins[2 * i] = keep != NULL ? power * keep[i] : power;
    bins[2 * i + 1] = 0.0f;
  }
  fft_inverse(p->transform);
}

static float within_one(float value)
{
  return fmaxf(0.0f, fminf(1.0f, value));
}

mw_status pitch_tracker_new(pitch_tracker **made, mw_error *error)
{
  pitch_tracker *p = calloc(1, sizeof *p);
  if (p == NULL) return mw_fail_memory(error, "making a pitch tracker");
  mw_status status = fft_new(&p->transform, TRANSFORM, error);
  if (status != MW_OK) {
    pitch_tracker_free(p);
    return status;
  }
  float *samples = fft_samples(p->transform);
  memset(samples, 0, TRANSFORM * sizeof(float));
  for (size_t i = 0; i < PITCH_WINDOW; i++)
    samples[i] = p->window[i] = (float)(0.5 - 0.5 * cos(2 * PI * ((double)i + 0.5) / PITCH_WINDOW));
  correlate(p, NULL);
  for (size_t i = 0; i < LONGEST + 2; i++) p->gain[i] = samples[0] / samples[i];
  for (size_t i = 0; i <= TRANSFORM / 2; i++) {
    float hertz = (float)i * RATE_HZ / TRANSFORM;
    p->keep[i] = within_one((1500.0f - hertz) / 500.0f) * within_one((hertz - 30.0f) / 30.0f);
  }
  pitch_tracker_reset(p);
  *made = p;
  return MW_OK;
}

void pitch_tracker_free(pitch_tracker *p)
{
  if (p == NULL) return;
  fft_free(p->transform);
  free(p);
}

void pitch_tracker_reset(pitch_tracker *p)
{
  for (size_t i = 0; i < FRAMES; i++) p->frames[i].count = 0;
  p->newest = 0;
  p->octaves = log2f(START_HZ);
}

static bool is_peak(const float *r, size_t k)
{
  return r[k] > r[k - 1] && r[k] >= r[k + 1];
}

// The samples of a frame become its autocorrelation by the period, as a share of its power.
static float *repeats(pitch_tracker *p, const float *samples)
{
  float *r = fft_samples(p->transform);
  for (size_t i = 0; i < PITCH_WINDOW; i++) r[i] = samples[i] * p->window[i];
  memset(r + PITCH_WINDOW, 0, (TRANSFORM - PITCH_WINDOW) * sizeof(float));
  correlate(p, p->keep);
  float whole = r[0] + FLOOR * PITCH_WINDOW / 2;
  for (size_t k = 0; k < LONGEST + 2; k++) r[k] = r[k] * p->gain[k] / whole;
  return r;
}

static candidate candidate_at(const float *r, size_t k)
{
  float slope = r[k - 1] - r[k + 1];
  float shift = 0.5f * slope / (r[k - 1] - 2 * r[k] + r[k + 1]);
  float height = r[k] - 0.25f * slope * shift;
  float octaves = log2f((float)RATE_HZ / ((float)k + shift));
  return (candidate){
      .value = {octaves, within_one((height - UNVOICED) / VOICED_OVER)},
      .height = height + SHORT_COST * octaves,
  };
}

static void find_candidates(frame *f, const float *r)
{
  float highest = 0.0f;
  for (size_t k = SHORTEST; k <= LONGEST; k++)
    if (is_peak(r, k)) highest = fmaxf(highest, r[k]);
  f->count = 0;
  for (size_t k = SHORTEST; k <= LONGEST; k++) {
    if (!is_peak(r, k) || r[k] < SHARE * highest || r[k] <= 0.0f) continue;
    candidate found = candidate_at(r, k);
    size_t at = f->count;
    while (at > 0 && f->of[at - 1].height < found.height) at--;
    if (at == CANDIDATES) continue;
    if (f->count < CANDIDATES) f->count++;
    memmove(f->of + at + 1, f->of + at, (f->count - 1 - at) * sizeof *f->of);
    f->of[at] = found;
  }
}

static size_t best_of(const frame *f)
{
  size_t best = 0;
  for (size_t i = 1; i < f->count; i++)
    if (f->of[i].score > f->of[best].score) best = i;
  return best;
}

static void extend_paths(frame *f, const frame *before)
{
  for (size_t i = 0; i < f->count; i++) {
    candidate *c = &f->of[i];
    float most = before->count > 0 ? -INFINITY : 0.0f;
    for (size_t k = 0; k < before->count; k++) {
      const candidate *b = &before->of[k];
      float jump = fminf(1.0f, fabsf(c->value.octaves - b->value.octaves));
      float score = b->score - JUMP_COST * b->value.voicing * jump;
      if (score <= most) continue;
      most = score;
      c->before = k;
    }
    c->score = c->height + most;
  }
  float best = f->of[best_of(f)].score;
  for (size_t i = 0; i < f->count; i++) f->of[i].score -= best;
}

// The value of the oldest frame, on the best path that ends in the newest one it leads to.
static pitch_value decide(pitch_tracker *p)
{
  size_t oldest = p->newest + 1;
  size_t last = oldest;
  if (p->frames[oldest % FRAMES].count == 0) return (pitch_value){p->octaves, 0.0f};
  while (last < oldest + PITCH_AHEAD && p->frames[(last + 1) % FRAMES].count > 0) last++;
  size_t at = best_of(&p->frames[last % FRAMES]);
  for (; last > oldest; last--) at = p->frames[last % FRAMES].of[at].before;
  pitch_value found = p->frames[oldest % FRAMES].of[at].value;
  p->octaves = found.octaves;
  return found;
}

pitch_value pitch_track(pitch_tracker *p, const float *samples)
{
  const frame *before = &p->frames[p->newest];
  p->newest = (p->newest + 1) % FRAMES;
  frame *f = &p->frames[p->newest];
  find_candidates(f, repeats(p, samples));
  extend_paths(f, before);
  return decide(p);
}

mw_status pitch_mean(float *octaves, const float *samples, size_t count, mw_error *error)
{
  pitch_tracker *p = NULL;
  float window[PITCH_WINDOW];
  double sum = 0.0;
  double weight = 0.0;
  mw_status status = pitch_tracker_new(&p, error);
  if (status != MW_OK) return status;
  for (size_t heard = 0; heard <= count / HOP + PITCH_AHEAD; heard++) {
    for (size_t i = 0; i < PITCH_WINDOW; i++) {
      size_t at = heard * HOP + i; // PITCH_WINDOW / 2 too far
      bool inside = at >= PITCH_WINDOW / 2 && at - PITCH_WINDOW / 2 < count;
      window[i] = inside ? samples[at - PITCH_WINDOW / 2] : 0.0f;
    }
    pitch_value value = pitch_track(p, window);
    if (heard < PITCH_AHEAD) continue;
    sum += (double)value.voicing * value.octaves;
    weight += value.voicing;
  }
  *octaves = weight > 0.0 ? (float)(sum / weight) : NAN;
  pitch_tracker_free(p);
  return MW_OK;
}
