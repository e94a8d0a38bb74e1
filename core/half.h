// SPDX-License-Identifier: GPL-3.0-or-later
//
// The two 16-bit float types of weight files. To float exactly; from float rounded to the nearest,
// ties to even. Any thread.
#ifndef MEANWAVE_HALF_H
#define MEANWAVE_HALF_H

#include <stdint.h>

float half_to_float(uint16_t half);     // IEEE binary16
float bfloat_to_float(uint16_t bfloat); // the upper half of a float

uint16_t float_to_half(float value); // beyond +-65504: infinity
uint16_t float_to_bfloat(float value);

#endif
