// SPDX-License-Identifier: GPL-3.0-or-later
//
// Taking a network out of a file: everything taken belongs to one `parts`, and the first failure
// sticks, so that a load is a list of lines checked once at its end.
#ifndef MEANWAVE_LOADER_H
#define MEANWAVE_LOADER_H

#include "conv.h"

typedef struct {
  arena *memory;
  struct {
    matrix *m; // one of
    conv *c;   // these
  } * kept;
  size_t count;
  size_t capacity;
  mw_status status;
  mw_error *error; // only while loading
} parts;

mw_status parts_start(parts *p, mw_error *error);
// The status of the load; forgets `error`.
mw_status parts_finish(parts *p);
void parts_free(parts *p);
// Floats of scratch that are enough for each convolution.
size_t parts_scratch(const parts *p, size_t rows, size_t threads);

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
// NAME.weight [outputs, inputs] and NAME.bias [outputs].
matrix *loader_matrix(const loader *l, const char *name, size_t outputs, size_t inputs,
                      bool has_bias);
// The same of NAME.weight [outputs, inputs, taps] too, the number of taps being odd.
conv *loader_conv(const loader *l, const char *name, size_t outputs, size_t inputs, bool has_bias);
// From values already in memory.
matrix *loader_pack(const loader *l, size_t outputs, size_t inputs, size_t taps, matrix_dtype dtype,
                    const float *values, const float *bias);
conv *loader_pack_conv(const loader *l, size_t outputs, size_t inputs, size_t taps,
                       matrix_dtype dtype, const float *values, const float *bias);
void loader_fail(const loader *l, const char *what);

#endif
