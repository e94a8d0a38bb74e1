// SPDX-License-Identifier: GPL-3.0-or-later
#include "resample.h"

#include <math.h>
#include <stdlib.h>

#include "sinc.h"

enum {
  HALF_LENGTH = 48, // zero crossings on each side at the lower rate: 3 ms at 16 kHz
  LOWEST_HZ = 1000,
  HIGHEST_HZ = 768000,
  MOST_FILTER = 1 << 18, // values; all usual pairs of rates have fewer
  ROWS = 1024,           // at equal rates, when what lies between two is blended: 119 dB
};
#define CUTOFF 0.9375 // of the lower Nyquist frequency: middle of the transition 0.875 .. 1
#define BETA 9.62     // Kaiser window: 95 dB

// Output k lies phase / up behind the window's middle; both step on by down / up.
struct resampler {
  size_t up;
  size_t down;
  size_t rows;   // up; fewer when so many would be too large, and one more then: the last's neighbour
  float *filter; // [rows or rows + 1, window.taps]
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

mw_status resample_check_rates(unsigned in_hz, unsigned out_hz, mw_error *error)
{
  if (in_hz >= LOWEST_HZ && in_hz <= HIGHEST_HZ && out_hz >= LOWEST_HZ && out_hz <= HIGHEST_HZ)
    return MW_OK;
  return mw_fail(error, MW_ERROR_ARGUMENT,
                 "cannot resample %u Hz to %u Hz: rates go from %d to %d", in_hz, out_hz,
                 LOWEST_HZ, HIGHEST_HZ);
}

mw_status resampler_new(resampler **made, unsigned in_hz, unsigned out_hz, mw_error *error)
{
  mw_status status = resample_check_rates(in_hz, out_hz, error);
  if (status != MW_OK) return status;
  resampler *r = calloc(1, sizeof *r);
  if (r == NULL) return mw_fail_memory(error, "making a resampler");
  size_t divisor = common_divisor(in_hz, out_hz);
  r->up = out_hz / divisor;
  r->down = in_hz / divisor;
  double longer = r->down > r->up ? (double)r->down / (double)r->up : 1.0;
  bool whole = sinc_window_new(&r->window, (size_t)ceil(HALF_LENGTH * longer));
  r->rows = r->up * r->window.taps <= MOST_FILTER ? r->up : (size_t)ceil(ROWS / longer);
  size_t made_rows = r->rows == r->up ? r->rows : r->rows + 1;
  r->filter = calloc(made_rows * r->window.taps, sizeof(float));
  if (!whole || r->filter == NULL) {
    resampler_free(r);
    return mw_fail_memory(error, "making a resampler");
  }
  for (size_t p = 0; p < made_rows; p++)
    sinc_row(r->filter + p * r->window.taps, r->window.half, (double)p / (double)r->rows,
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

static float output(const resampler *r)
{
  const sinc_window *w = &r->window;
  const float *x = w->values + w->at;
  if (r->rows == r->up) return sinc_filtered(x, r->filter + r->phase * w->taps, w->taps);
  double place = (double)r->phase / (double)r->up * (double)r->rows;
  const float *row = r->filter + (size_t)place * w->taps;
  return sinc_between(x, row, row + w->taps, (float)(place - floor(place)), w->taps);
}

size_t resampler_run(resampler *r, const float *in, size_t count, size_t *taken, float *out,
                     size_t room)
{
  sinc_window *w = &r->window;
  size_t written = 0;
  *taken = 0;
  for (;;) {
    while (written < room && sinc_window_ready(w)) {
      out[written++] = output(r);
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
