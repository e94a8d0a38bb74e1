// SPDX-License-Identifier: GPL-3.0-or-later
//
// Taking a network out of a file: everything taken belongs to one `parts`, and the first failure
// sticks, so that a load is a list of lines checked once at its end.
#ifndef MEANWAVE_LOADER_H
#define MEANWAVE_LOADER_H

#include "arena.h"
#include "kernels.h"

typedef struct {
  arena *memory;
  matrix **matrices;
  size_t count;
  size_t capacity;
  mw_status status;
  mw_error *error; // only while loading
} parts;

mw_status parts_start(parts *p, mw_error *error);
// The status of the load; forgets `error`.
mw_status parts_finish(parts *p);
void parts_free(parts *p);

typedef struct {
  parts *parts;
  weights_view view;
} loader;

// Names below PREFIX (printf).
loader loader_within(const loader *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Each returns NULL or 0 once anything has failed.
const tensor *loader_find(const loader *l, const char *name); // NULL when absent: no failure
size_t loader_size(const loader *l, const char *name, unsigned dimension); // of a tensor needed
float *loader_vector(const loader *l, const char *name, size_t count); // any shape of this count
// NAME.weight [outputs, inputs] or [outputs, inputs, taps], an odd number of taps up to 15;
// NAME.bias [outputs].
matrix *loader_matrix(const loader *l, const char *name, size_t outputs, size_t inputs,
                      bool has_bias);
// The same from values already in memory; `values` [outputs, inputs, taps].
matrix *loader_pack(const loader *l, size_t outputs, size_t inputs, size_t taps, matrix_dtype dtype,
                    const float *values, const float *bias);
void loader_fail(const loader *l, const char *what);

// Rows with zeros (7, half the longest kernel) before the first and after the last, the place of a
// convolution that keeps the length: conv_same reads into them. NULL when memory is out.
float *rows_take(arena *a, size_t rows, size_t width);
void conv_same(const matrix *m, const float *x, size_t rows, float *y, const epilogue *after,
               pool *p);

#endif
