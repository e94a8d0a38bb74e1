// SPDX-License-Identifier: GPL-3.0-or-later
#include "resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  HALF_LENGTH = 48, // zero crossings on each side at the lower rate: 3 ms at 16 kHz
  LANES = 8,
  SPARE = 1024, // room in the history beyond one filter length
  LOWEST_HZ = 1000,
  HIGHEST_HZ = 768000,
};
#define CUTOFF 0.9375 // of the lower Nyquist frequency: middle of the transition 0.875 .. 1
#define BETA 9.62     // Kaiser window: 95 dB

// Output k lies at input position at + phase / up; both step on by down / up.
struct resampler {
  size_t up;
  size_t down;
  size_t half;    // look-ahead in input frames
  size_t taps;    // 2 * half, rounded up to LANES
  float *filter;  // [up, taps]
  float *history; // the last inputs; history[0 .. held)
  size_t capacity;
  size_t held;
  size_t at; // index of the window's first sample in `history`
  size_t phase;
};

static size_t common_divisor(size_t a, size_t b)
{
  while (b != 0) {
    size_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static double bessel(double x)
{
  double sum = 1.0;
  double term = 1.0;
  for (int k = 1; k < 64 && term > 1e-18 * sum; k++) {
    term *= x / (2.0 * k) * (x / (2.0 * k));
    sum += term;
  }
  return sum;
}

static void design(resampler *r)
{
  double lower = r->up < r->down ? (double)r->up / (double)r->down : 1.0;
  double cutoff = CUTOFF * lower;
  for (size_t p = 0; p < r->up; p++) {
    float *row = r->filter + p * r->taps;
    double sum = 0.0;
    for (int pass = 0; pass < 2; pass++) {
      for (size_t j = 0; j < 2 * r->half; j++) {
        double x = (double)p / (double)r->up + (double)(r->half - 1) - (double)j;
        double edge = x / (double)r->half;
        double angle = M_PI * cutoff * x;
        double sinc = fabs(angle) < 1e-9 ? 1.0 : sin(angle) / angle;
        double window =
            fabs(edge) < 1.0 ? bessel(BETA * sqrt(1.0 - edge * edge)) / bessel(BETA) : 0.0;
        // the second pass makes the gain at 0 Hz exactly one in every phase
        if (pass == 0)
          sum += sinc * window;
        else
          row[j] = (float)(sinc * window / sum);
      }
    }
  }
}

mw_status resampler_new(resampler **made, unsigned in_hz, unsigned out_hz, mw_error *error)
{
  if (in_hz < LOWEST_HZ || in_hz > HIGHEST_HZ || out_hz < LOWEST_HZ || out_hz > HIGHEST_HZ)
    return mw_fail(error, MW_ERROR_ARGUMENT,
                   "cannot resample %u Hz to %u Hz: rates go from %d to %d", in_hz, out_hz,
                   LOWEST_HZ, HIGHEST_HZ);
  resampler *r = calloc(1, sizeof *r);
  if (r == NULL) return mw_fail_memory(error, "making a resampler");
  size_t divisor = common_divisor(in_hz, out_hz);
  r->up = out_hz / divisor;
  r->down = in_hz / divisor;
  double longer = r->down > r->up ? (double)r->down / (double)r->up : 1.0;
  r->half = (size_t)ceil(HALF_LENGTH * longer);
  r->taps = (2 * r->half + LANES - 1) / LANES * LANES;
  r->capacity = r->taps + SPARE;
  r->filter = calloc(r->up * r->taps, sizeof(float));
  r->history = calloc(r->capacity, sizeof(float));
  if (r->filter == NULL || r->history == NULL) {
    resampler_free(r);
    return mw_fail_memory(error, "making a resampler");
  }
  design(r);
  resampler_reset(r);
  *made = r;
  return MW_OK;
}

void resampler_free(resampler *r)
{
  if (r == NULL) return;
  free(r->filter);
  free(r->history);
  free(r);
}

// Before the first input there is silence: half - 1 samples of it belong to the first window.
void resampler_reset(resampler *r)
{
  memset(r->history, 0, r->capacity * sizeof(float));
  r->held = r->half - 1;
  r->at = 0;
  r->phase = 0;
}

size_t resampler_look_ahead(const resampler *r)
{
  return r->half;
}

size_t resampler_length(const resampler *r, size_t count)
{
  return count / r->down * r->up + (count % r->down * r->up + r->down - 1) / r->down;
}

// One order of addition whatever the compiler makes of it.
static float filtered(const float *x, const float *filter, size_t taps)
{
  float sum[LANES] = {0.0f};
  for (size_t j = 0; j < taps; j += LANES)
    for (size_t lane = 0; lane < LANES; lane++) sum[lane] += x[j + lane] * filter[j + lane];
  return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

static void drop_used(resampler *r)
{
  size_t used = r->at < r->held ? r->at : r->held;
  memmove(r->history, r->history + used, (r->held - used) * sizeof(float));
  memset(r->history + r->held - used, 0, used * sizeof(float));
  r->held -= used;
  r->at -= used;
}

size_t resampler_run(resampler *r, const float *in, size_t count, size_t *taken, float *out,
                     size_t room)
{
  size_t written = 0;
  *taken = 0;
  for (;;) {
    // rows are padded with zero taps to whole lanes; the samples they meet are zero or real, never
    // garbage
    while (written < room && r->at + 2 * r->half <= r->held && r->at + r->taps <= r->capacity) {
      out[written++] = filtered(r->history + r->at, r->filter + r->phase * r->taps, r->taps);
      r->phase += r->down;
      r->at += r->phase / r->up;
      r->phase %= r->up;
    }
    if (written == room || *taken == count) return written;
    if (r->at > 0) drop_used(r);
    size_t space = r->capacity - r->held;
    size_t next = count - *taken < space ? count - *taken : space;
    if (r->at > r->held) { // a step longer than what is held: these inputs meet no filter
      next = next < r->at - r->held ? next : r->at - r->held;
      r->at -= next;
      *taken += next;
      continue;
    }
    memcpy(r->history + r->held, in + *taken, next * sizeof(float));
    r->held += next;
    *taken += next;
  }
}

void resampler_whole(resampler *r, const float *in, size_t count, float *out)
{
  static const float silence[64];
  size_t left = resampler_length(r, count);
  size_t taken;
  resampler_reset(r);
  while (count > 0 && left > 0) {
    size_t made = resampler_run(r, in, count, &taken, out, left);
    in += taken;
    count -= taken;
    out += made;
    left -= made;
  }
  while (left > 0) {
    size_t made = resampler_run(r, silence, sizeof silence / sizeof silence[0], &taken, out, left);
    out += made;
    left -= made;
  }
  resampler_reset(r);
}
