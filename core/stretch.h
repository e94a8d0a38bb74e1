// SPDX-License-Identifier: GPL-3.0-or-later
//
// Content frames of 40 ms to mel frames of 10 ms: straight lines between rows, corners aligned.
#ifndef MEANWAVE_STRETCH_H
#define MEANWAVE_STRETCH_H

#include <stddef.h>

// from [rows, width], at least one row, is drawn out over `skip` + `count` points, of which the
// first `skip` are left out: out [count, width]. Real time.
void stretch_rows(const float *from, size_t rows, size_t width, size_t skip, float *out,
                  size_t count);

#endif
