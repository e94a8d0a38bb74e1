// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "trap.h"

enum { FRAMES = 64, RUNS = 3000, RATE = 48000, CHANNELS = 2 };

static int by_size(const void *a, const void *b)
{
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

double cost_percent(lv2_host *h, float level, const char *what)
{
  static double us[RUNS];
  const double period_us = 1e6 * FRAMES / RATE;
  const struct timespec wait = {0, 1000000L * FRAMES / (RATE / 1000)};
  float in[CHANNELS][FRAMES];
  float out[CHANNELS][FRAMES];
  for (int i = 0; i < CHANNELS * FRAMES; i++)
    in[i / FRAMES][i % FRAMES] = i % 40 < 20 ? level : -level;
  for (int i = 0; i < RUNS; i++) {
    host_run(h, (const float *[]){in[0], in[1]}, (float *[]){out[0], out[1]}, FRAMES, false);
    us[i] = host_run_us(h);
    nanosleep(&wait, NULL);
  }
  qsort(us, RUNS, sizeof us[0], by_size);
  double percent = 100.0 * us[RUNS / 2] / period_us;
  printf("%s: %.2f us of %.0f us, %.2f %%; 99 of 100 runs at most %.2f us\n", what, us[RUNS / 2],
         period_us, percent, us[RUNS * 99 / 100]);
  return percent;
}

void cost_is_small(double percent)
{
#ifdef __OPTIMIZE__
  if (trap_works()) assert_true(percent < 1.0);
#else
  (void)percent;
#endif
}
