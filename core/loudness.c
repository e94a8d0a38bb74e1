// SPDX-License-Identifier: GPL-3.0-or-later
//
// K-weighting is a shelf for the head and a high pass. The standard gives both as coefficients for
// 48 kHz; for other rates the analogue filters they come from are transformed again (their
// frequencies, qualities and gain are those which give the standard's coefficients at 48 kHz).
#include "loudness.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static const double shelf_hz = 1681.974450955533;
static const double shelf_quality = 0.7071752369554196;
static const double shelf_db = 3.999843853973347;
static const double shelf_middle =
    0.4996667741545416; // of the gain in dB, at the middle of the slope
static const double pass_hz = 38.13547087602444;
static const double pass_quality = 0.5003270373238773;
static const double offset_db = -0.691; // makes the filters' gain at 997 Hz 0 dB
static const double absolute_gate = -70.0;
static const double relative_gate = -10.0;
enum { BLOCK_TENTHS = 4 }; // of a second; a step is one

typedef struct {
  double b[3];
  double a[2];
  double memory[2];
} biquad;

static biquad make_shelf(double rate_hz)
{
  if (rate_hz <= 2.0 * shelf_hz) return (biquad){.b = {1.0}}; // it lies above all there is
  double k = tan(acos(-1.0) * shelf_hz / rate_hz);
  double high = pow(10.0, shelf_db / 20.0);
  double middle = pow(high, shelf_middle);
  double a0 = 1.0 + k / shelf_quality + k * k;
  return (biquad){
      .b = {(high + middle * k / shelf_quality + k * k) / a0, 2.0 * (k * k - high) / a0,
            (high - middle * k / shelf_quality + k * k) / a0},
      .a = {2.0 * (k * k - 1.0) / a0, (1.0 - k / shelf_quality + k * k) / a0},
  };
}

static biquad make_pass(double rate_hz)
{
  double k = tan(acos(-1.0) * pass_hz / rate_hz);
  double a0 = 1.0 + k / pass_quality + k * k;
  // the standard leaves the gain of this one as it is
  return (biquad){
      .b = {1.0, -2.0, 1.0},
      .a = {2.0 * (k * k - 1.0) / a0, (1.0 - k / pass_quality + k * k) / a0},
  };
}

static double filter(biquad *f, double x)
{
  double y = f->b[0] * x + f->memory[0];
  f->memory[0] = f->b[1] * x - f->a[0] * y + f->memory[1];
  f->memory[1] = f->b[2] * x - f->a[1] * y;
  return y;
}

static double to_lufs(double power)
{
  return offset_db + 10.0 * log10(power);
}

// Mean power of the blocks louder than the gate; 0 when there are none.
static double gated_mean(const double *blocks, size_t count, double gate_lufs)
{
  double sum = 0.0;
  size_t louder = 0;
  for (size_t i = 0; i < count; i++) {
    if (!(blocks[i] > 0.0 && to_lufs(blocks[i]) > gate_lufs)) continue;
    sum += blocks[i];
    louder++;
  }
  return louder > 0 ? sum / (double)louder : 0.0;
}

double loudness_integrated(const float *samples, size_t frames, unsigned rate_hz)
{
  size_t step = rate_hz / 10;
  size_t tenths = step > 0 ? frames / step : 0;
  bool one = tenths < BLOCK_TENTHS;
  if (frames == 0) return -HUGE_VAL;
  if (one) {
    step = frames;
    tenths = 1;
  }
  double *power = calloc(tenths, sizeof *power); // of each step, then of the block it begins
  if (power == NULL) return -HUGE_VAL;
  biquad shelf = make_shelf(rate_hz);
  biquad pass = make_pass(rate_hz);
  for (size_t i = 0; i < tenths * step; i++) {
    double y = filter(&pass, filter(&shelf, samples[i]));
    power[i / step] += y * y / (double)step;
  }
  size_t blocks = one ? 1 : tenths - BLOCK_TENTHS + 1;
  for (size_t i = 0; !one && i < blocks; i++) {
    for (size_t k = 1; k < BLOCK_TENTHS; k++) power[i] += power[i + k];
    power[i] /= BLOCK_TENTHS;
  }
  double mean = gated_mean(power, blocks, absolute_gate);
  if (mean > 0.0)
    mean = gated_mean(power, blocks, fmax(absolute_gate, to_lufs(mean) + relative_gate));
  free(power);
  return mean > 0.0 ? to_lufs(mean) : -HUGE_VAL;
}
