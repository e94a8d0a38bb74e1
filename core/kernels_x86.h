// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the paths of x86 take from each other: their products of 8-bit integers.
#ifndef MEANWAVE_KERNELS_X86_H
#define MEANWAVE_KERNELS_X86_H

#include "kernels_path.h"

enum { AVX2_INT8_ROWS = 4, VNNI_INT8_ROWS = 12 };

void avx2_quantise(const float *x, size_t x_stride, size_t rows, size_t inputs, int8_rows *to);
void avx2_tile_int8(const int8_job *job);
void vnni_quantise(const float *x, size_t x_stride, size_t rows, size_t inputs, int8_rows *to);
void vnni_tile_int8(const int8_job *job);

#endif
