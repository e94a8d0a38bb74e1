// SPDX-License-Identifier: GPL-3.0-or-later
#include "sinc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPARE = 1024 }; // room beyond one window

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

void sinc_row(float *row, size_t half, double part, double cutoff, double beta)
{
  double sum = 0.0;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t j = 0; j < 2 * half; j++) {
      double x = part + (double)(half - 1) - (double)j;
      double edge = x / (double)half;
      double angle = M_PI * cutoff * x;
      double sinc = fabs(angle) < 1e-9 ? 1.0 : sin(angle) / angle;
      double window =
          fabs(edge) < 1.0 ? bessel(beta * sqrt(1.0 - edge * edge)) / bessel(beta) : 0.0;
      // the second pass makes the gain exactly one
      if (pass == 0)
        sum += sinc * window;
      else
        row[j] = (float)(sinc * window / sum);
    }
  }
}

static float lanes_sum(const float *sum)
{
  return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

float sinc_filtered(const float *x, const float *row, size_t taps)
{
  float sum[SINC_LANES] = {0.0f};
  for (size_t j = 0; j < taps; j += SINC_LANES)
    for (size_t lane = 0; lane < SINC_LANES; lane++) sum[lane] += x[j + lane] * row[j + lane];
  return lanes_sum(sum);
}

float sinc_between(const float *x, const float *before, const float *after, float share,
                   size_t taps)
{
  float sum[SINC_LANES] = {0.0f};
  for (size_t j = 0; j < taps; j += SINC_LANES)
    for (size_t lane = 0; lane < SINC_LANES; lane++)
      sum[lane] += x[j + lane] * (before[j + lane] + share * (after[j + lane] - before[j + lane]));
  return lanes_sum(sum);
}

bool sinc_window_new(sinc_window *w, size_t half)
{
  *w = (sinc_window){.half = half};
  w->taps = (2 * half + SINC_LANES - 1) / SINC_LANES * SINC_LANES;
  w->capacity = w->taps + SPARE;
  w->values = calloc(w->capacity, sizeof(float));
  return w->values != NULL;
}

void sinc_window_free(sinc_window *w)
{
  free(w->values);
}

void sinc_window_reset(sinc_window *w)
{
  memset(w->values, 0, w->capacity * sizeof(float));
  w->held = w->half - 1;
  w->at = 0;
}

static void drop_used(sinc_window *w)
{
  size_t used = w->at < w->held ? w->at : w->held;
  memmove(w->values, w->values + used, (w->held - used) * sizeof(float));
  memset(w->values + w->held - used, 0, used * sizeof(float));
  w->held -= used;
  w->at -= used;
}

size_t sinc_window_feed(sinc_window *w, const float *in, size_t count)
{
  if (w->at > 0) drop_used(w);
  size_t skipped = 0;
  if (w->at > w->held) { // a step longer than what is held: these inputs meet no filter
    skipped = count < w->at - w->held ? count : w->at - w->held;
    w->at -= skipped;
  }
  size_t space = w->capacity - w->held;
  size_t kept = count - skipped < space ? count - skipped : space;
  memcpy(w->values + w->held, in + skipped, kept * sizeof(float));
  w->held += kept;
  return skipped + kept;
}
