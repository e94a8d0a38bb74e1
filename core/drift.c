// SPDX-License-Identifier: GPL-3.0-or-later
#include "drift.h"

#include <math.h>
#include <stdlib.h>

#include "resample.h"
#include "sinc.h"

enum {
  HALF_LENGTH = 24, // zero crossings on each side at the lower rate
  PHASES = 256,
};
#define CUTOFF 0.925 // of the lower Nyquist frequency: middle of the transition
#define BETA 8.0     // Kaiser window: 80 dB

// An output lies `part` of a sample behind the window's middle; it steps on by `step`.
struct drift {
  double ratio;  // in / out
  double step;   // ratio / (1 + correction)
  double part;   // 0 <= part < 1
  float *filter; // [PHASES + 1, window.taps]
  sinc_window window;
};

mw_status drift_new(drift **made, unsigned in_hz, unsigned out_hz, mw_error *error)
{
  mw_status status = resample_check_rates(in_hz, out_hz, error);
  if (status != MW_OK) return status;
  drift *d = calloc(1, sizeof *d);
  if (d == NULL) return mw_fail_memory(error, "making a resampler");
  d->ratio = (double)in_hz / (double)out_hz;
  double longer = d->ratio > 1.0 ? d->ratio : 1.0;
  bool whole = sinc_window_new(&d->window, (size_t)ceil(HALF_LENGTH * longer));
  d->filter = calloc((PHASES + 1) * d->window.taps, sizeof(float));
  if (!whole || d->filter == NULL) {
    drift_free(d);
    return mw_fail_memory(error, "making a resampler");
  }
  for (size_t p = 0; p <= PHASES; p++)
    sinc_row(d->filter + p * d->window.taps, d->window.half, (double)p / PHASES, CUTOFF / longer,
             BETA);
  drift_reset(d);
  *made = d;
  return MW_OK;
}

void drift_free(drift *d)
{
  if (d == NULL) return;
  free(d->filter);
  sinc_window_free(&d->window);
  free(d);
}

void drift_reset(drift *d)
{
  sinc_window_reset(&d->window);
  d->part = 0.0;
  d->step = d->ratio;
}

size_t drift_look_ahead(const drift *d)
{
  return d->window.half;
}

void drift_correct(drift *d, double correction)
{
  d->step = d->ratio / (1.0 + fmax(-DRIFT_LIMIT, fmin(DRIFT_LIMIT, correction)));
}

size_t drift_run(drift *d, const float *in, size_t count, size_t *taken, float *out, size_t room)
{
  sinc_window *w = &d->window;
  size_t written = 0;
  *taken = 0;
  for (;;) {
    while (written < room && sinc_window_ready(w)) {
      double place = d->part * PHASES;
      size_t phase = (size_t)place;
      const float *row = d->filter + phase * w->taps;
      out[written++] = sinc_between(w->values + w->at, row, row + w->taps,
                                    (float)(place - (double)phase), w->taps);
      double next = d->part + d->step;
      w->at += (size_t)next;
      d->part = next - floor(next);
    }
    if (written == room || *taken == count) return written;
    *taken += sinc_window_feed(w, in + *taken, count - *taken);
  }
}
