// SPDX-License-Identifier: GPL-3.0-or-later
#include "bank.h"

#include <math.h>

static double slaney_to_hz(double mel)
{
  return mel < 15.0 ? 200.0 * mel / 3.0 : 1000.0 * exp((mel - 15.0) * log(6.4) / 27.0);
}

static double slaney_from_hz(double hz)
{
  return hz < 1000.0 ? 3.0 * hz / 200.0 : 15.0 + 27.0 * log(hz / 1000.0) / log(6.4);
}

static double kaldi_from_hz(double hz)
{
  return 1127.0 * log(1.0 + hz / 700.0);
}

static double triangle(double at, double left, double centre, double right)
{
  double rise = (at - left) / (centre - left);
  double fall = (right - at) / (right - centre);
  return fmax(0.0, fmin(rise, fall));
}

static void allocate(bank *b, arena *memory, size_t filters, size_t bins)
{
  b->filters = filters;
  b->bins = bins;
  b->first = arena_take(memory, filters, sizeof *b->first);
  b->count = arena_take(memory, filters, sizeof *b->count);
  b->weight = arena_take(memory, filters, sizeof *b->weight);
}

// Keeps the run from the first to the last bin that is not zero.
static void set_filter(bank *b, arena *memory, size_t filter, const float *dense)
{
  size_t first = 0;
  size_t end = b->bins;
  while (first < end && dense[first] == 0.0f) first++;
  while (end > first && dense[end - 1] == 0.0f) end--;
  b->first[filter] = first;
  b->weight[filter] = arena_floats(memory, end - first);
  if (arena_failed(memory)) return;
  b->count[filter] = end - first;
  for (size_t i = first; i < end; i++) b->weight[filter][i - first] = dense[i];
}

void bank_slaney(bank *b, arena *memory, size_t filters, size_t fft_size, double rate_hz)
{
  allocate(b, memory, filters, fft_size / 2 + 1);
  float *dense = arena_floats(memory, b->bins);
  if (arena_failed(memory)) return;
  double step = slaney_from_hz(rate_hz / 2.0) / (double)(filters + 1);
  for (size_t m = 0; m < filters; m++) {
    double left = slaney_to_hz(step * (double)m);
    double centre = slaney_to_hz(step * (double)(m + 1));
    double right = slaney_to_hz(step * (double)(m + 2));
    for (size_t k = 0; k < b->bins; k++)
      dense[k] = (float)(triangle((double)k * rate_hz / (double)fft_size, left, centre, right) *
                         2.0 / (right - left));
    set_filter(b, memory, m, dense);
  }
}

void bank_kaldi(bank *b, arena *memory, size_t filters, size_t fft_size, double rate_hz,
                double low_hz, double high_hz)
{
  allocate(b, memory, filters, fft_size / 2 + 1);
  float *dense = arena_floats(memory, b->bins);
  if (arena_failed(memory)) return;
  double low = kaldi_from_hz(low_hz);
  double step = (kaldi_from_hz(high_hz) - low) / (double)(filters + 1);
  for (size_t m = 0; m < filters; m++) {
    double left = low + step * (double)m;
    // the last bin, half the rate, has no weight in Kaldi
    for (size_t k = 0; k + 1 < b->bins; k++)
      dense[k] = (float)triangle(kaldi_from_hz((double)k * rate_hz / (double)fft_size), left,
                                 left + step, left + 2.0 * step);
    set_filter(b, memory, m, dense);
  }
}

void bank_apply(const bank *b, const float *spectrum, float *out)
{
  for (size_t m = 0; m < b->filters; m++) {
    const float *in = spectrum + b->first[m];
    const float *weight = b->weight[m];
    float sum = 0.0f;
    for (size_t k = 0; k < b->count[m]; k++) sum += weight[k] * in[k];
    out[m] = sum;
  }
}
