// SPDX-License-Identifier: GPL-3.0-or-later
//
// A gliding tone at -10 dB, where a test wants any sound.
#ifndef MEANWAVE_TESTS_TONE_H
#define MEANWAVE_TESTS_TONE_H

#include <stddef.h>

void tone_make(float *samples, size_t count);

#endif
