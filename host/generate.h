// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_HOST_GENERATE_H
#define MEANWAVE_HOST_GENERATE_H

#include "meanwave.h"
#include "options.h"

// What generate does, with `preset` (NULL: none) where the options say nothing. An exit code.
int generate_sounds(const arguments *a, const mw_preset *preset);

#endif
