// SPDX-License-Identifier: GPL-3.0-or-later
//
// A program that links this has a system clock that somebody sets by hours, forth and back, before
// every look at it: in its own code, in libraries and in plugins. Monotonic clocks go on as ever.
#ifndef MEANWAVE_TESTS_JUMPING_CLOCK_H
#define MEANWAVE_TESTS_JUMPING_CLOCK_H

#include <stdbool.h>

void jumping_clock_hold(bool still); // from here on it is what it is, or jumps again

#endif
