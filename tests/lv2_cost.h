// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_LV2_COST_H
#define MEANWAVE_LV2_COST_H

#include "lv2_host.h"

// What a run of 64 frames takes of its thread, in per cent of their time at 48 kHz: the median of
// 3000, with `level` at the inputs, printed after `what`. The host has the plugin's other threads
// work meanwhile, at their own speed.
double cost_percent(lv2_host *h, float level, const char *what);
// Fails when it is 1 per cent or more; not under a sanitizer, and not without optimisation.
void cost_is_small(double percent);

#endif
