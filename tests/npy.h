// SPDX-License-Identifier: GPL-3.0-or-later
//
// NumPy arrays (.npy, little-endian, C order) of golden folders, converted to float.
#ifndef MEANWAVE_TESTS_NPY_H
#define MEANWAVE_TESTS_NPY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  unsigned rank;
  size_t shape[8];
  size_t count;
  float *values; // int32 and int64 arrays are converted: exact up to 2^24
} npy;

// False, with a line on standard error, when the file is missing or of another form.
bool npy_open(npy *array, const char *folder, const char *name);
void npy_free(npy *array);

#endif
