// SPDX-License-Identifier: GPL-3.0-or-later
//
// Loudness by EBU R128 / ITU-R BS.1770-4 of one channel.
#ifndef MEANWAVE_LOUDNESS_H
#define MEANWAVE_LOUDNESS_H

#include <stddef.h>

// Integrated, in LUFS: K-weighted power of blocks of 400 ms, three quarters overlapping, gated at
// -70 LUFS and 10 LU below the mean. A sound shorter than a block is one block. -HUGE_VAL for
// silence. Allocates nothing but in proportion to the length; -HUGE_VAL too when that fails.
double loudness_integrated(const float *samples, size_t frames, unsigned rate_hz);

#endif
