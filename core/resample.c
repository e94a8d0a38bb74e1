// SPDX-License-Identifier: GPL-3.0-or-later
#include "resample.h"

#include <math.h>
#include <stdlib.h>

#include "sinc.h"

enum {
  HALF_LENGTH = 48, // zero crossings on each side at the lower rate: 3 ms at 16 kHz
  LOWEST_HZ = 1000,
  HIGHEST_HZ = 768000,
};
#define CUTOFF 0.9375 // of the lower Nyquist frequency: middle of the transition 0.875 .. 1
#define BETA 9.62     // Kaiser window: 95 dB

// Output k lies phase / up behind the window's middle; both step on by down / up.
struct resampler {
  size_t up;
  size_t down;
  float *filter; // [up, window.taps]
  sinc_window window;
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
  bool whole = sinc_window_new(&r->window, (size_t)ceil(HALF_LENGTH * longer));
  r->filter = calloc(r->up * r->window.taps, sizeof(float));
  if (!whole || r->filter == NULL) {
    resampler_free(r);
    return mw_fail_memory(error, "making a resampler");
  }
  for (size_t p = 0; p < r->up; p++)
    sinc_row(r->filter + p * r->window.taps, r->window.half, (double)p / (double)r->up,
             CUTOFF / longer, BETA);
  resampler_reset(r);
  *made = r;
  return MW_OK;
}

void resampler_free(resampler *r)
{
  if (r == NULL) return;
  free(r->filter);
  sinc_window_free(&r->window);
  free(r);
}

void resampler_reset(resampler *r)
{
  sinc_window_reset(&r->window);
  r->phase = 0;
}

size_t resampler_look_ahead(const resampler *r)
{
  return r->window.half;
}

size_t resampler_length(const resampler *r, size_t count)
{
  return count / r->down * r->up + (count % r->down * r->up + r->down - 1) / r->down;
}

// One order of addition whatever the compiler makes of it.
static float filtered(const float *x, const float *filter, size_t taps)
{
  float sum[SINC_LANES] = {0.0f};
  for (size_t j = 0; j < taps; j += SINC_LANES)
    for (size_t lane = 0; lane < SINC_LANES; lane++) sum[lane] += x[j + lane] * filter[j + lane];
  return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

size_t resampler_run(resampler *r, const float *in, size_t count, size_t *taken, float *out,
                     size_t room)
{
  sinc_window *w = &r->window;
  size_t written = 0;
  *taken = 0;
  for (;;) {
    while (written < room && sinc_window_ready(w)) {
      out[written++] = filtered(w->values + w->at, r->filter + r->phase * w->taps, w->taps);
      r->phase += r->down;
      w->at += r->phase / r->up;
      r->phase %= r->up;
    }
    if (written == room || *taken == count) return written;
    *taken += sinc_window_feed(w, in + *taken, count - *taken);
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
