// SPDX-License-Identifier: GPL-3.0-or-later
#include "loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mw_status parts_start(parts *p, mw_error *error)
{
  *p = (parts){.memory = arena_new(), .error = error};
  if (p->memory == NULL) p->status = mw_fail_memory(error, "loading a network");
  return p->status;
}

mw_status parts_finish(parts *p)
{
  if (p->status == MW_OK && arena_failed(p->memory))
    p->status = mw_fail_memory(p->error, "loading a network");
  p->error = NULL;
  return p->status;
}

void parts_free(parts *p)
{
  for (size_t i = 0; i < p->count; i++) {
    matrix_free(p->kept[i].m);
    conv_free(p->kept[i].c);
  }
  free(p->kept);
  arena_free(p->memory);
  *p = (parts){0};
}

loader loader_within(const loader *l, const char *format, ...)
{
  char prefix[160];
  va_list list;
  va_start(list, format);
  vsnprintf(prefix, sizeof prefix, format, list);
  va_end(list);
  return (loader){l->parts, weights_within(&l->view, prefix)};
}

const tensor *loader_find(const loader *l, const char *name)
{
  return l->parts->status == MW_OK ? weights_view_find(&l->view, name) : NULL;
}

void loader_fail(const loader *l, const char *what)
{
  if (l->parts->status == MW_OK)
    l->parts->status = mw_fail(l->parts->error, MW_ERROR_MODEL, "%s: %s%s",
                               weights_path(l->view.file), l->view.prefix, what);
}

static void fail_absent(const loader *l, const char *name)
{
  if (l->parts->status == MW_OK)
    l->parts->status =
        mw_fail(l->parts->error, MW_ERROR_MODEL, "%s: has no tensor '%s%s'; is it another model?",
                weights_path(l->view.file), l->view.prefix, name);
}

size_t loader_size(const loader *l, const char *name, unsigned dimension)
{
  const tensor *t = loader_find(l, name);
  if (t == NULL || t->rank <= dimension || t->count == 0) {
    fail_absent(l, name);
    return 0;
  }
  return t->shape[dimension];
}

float *loader_vector(const loader *l, const char *name, size_t count)
{
  const tensor *t = loader_find(l, name);
  if (t == NULL) {
    fail_absent(l, name);
    return NULL;
  }
  if (t->count != count) {
    loader_fail(l, "a vector has another size than the network's");
    return NULL;
  }
  float *values = arena_floats(l->parts->memory, count);
  if (values != NULL) tensor_read(t, 0, count, values);
  return values;
}

// Takes what was made: a matrix or a convolution.
static void keep(const loader *l, matrix *m, conv *c)
{
  parts *p = l->parts;
  if (p->count == p->capacity) {
    size_t capacity = p->capacity != 0 ? 2 * p->capacity : 64;
    void *larger = realloc(p->kept, capacity * sizeof *p->kept);
    if (larger == NULL) {
      matrix_free(m);
      conv_free(c);
      p->status = mw_fail_memory(p->error, "loading a network");
      return;
    }
    p->kept = larger;
    p->capacity = capacity;
  }
  p->kept[p->count].m = m;
  p->kept[p->count++].c = c;
}

static matrix *keep_matrix(const loader *l, matrix *m)
{
  if (l->parts->status == MW_OK) keep(l, m, NULL);
  return l->parts->status == MW_OK ? m : NULL;
}

static conv *keep_conv(const loader *l, conv *c)
{
  if (l->parts->status == MW_OK) keep(l, NULL, c);
  return l->parts->status == MW_OK ? c : NULL;
}

size_t parts_scratch(const parts *p, size_t rows, size_t threads)
{
  size_t most = 0;
  for (size_t i = 0; i < p->count; i++) {
    size_t scratch = p->kept[i].c != NULL ? conv_scratch(p->kept[i].c, rows, threads) : 0;
    if (scratch > most) most = scratch;
  }
  return most;
}

matrix *loader_matrix(const loader *l, const char *name, size_t outputs, size_t inputs,
                      bool has_bias)
{
  matrix *m = NULL;
  matrix_shape shape = {outputs, inputs, 1, 1, 1};
  if (l->parts->status != MW_OK) return NULL;
  l->parts->status = matrix_load(&m, &l->view, name, &shape, has_bias, l->parts->error);
  return keep_matrix(l, m);
}

conv *loader_conv(const loader *l, const char *name, size_t outputs, size_t inputs, bool has_bias)
{
  char full[192];
  conv *c = NULL;
  snprintf(full, sizeof full, "%s.weight", name);
  const tensor *t = loader_find(l, full);
  if (t == NULL) {
    fail_absent(l, full);
    return NULL;
  }
  size_t taps = t->rank == 3 ? t->shape[2] : 1;
  if (taps % 2 == 0 || taps > CONV_TAPS_MOST) {
    loader_fail(l, "a kernel is even or too long");
    return NULL;
  }
  matrix_shape shape = {outputs, inputs, taps, 1, 1};
  l->parts->status = conv_load(&c, &l->view, name, &shape, has_bias, l->parts->error);
  return keep_conv(l, c);
}

matrix *loader_pack(const loader *l, size_t outputs, size_t inputs, size_t taps, matrix_dtype dtype,
                    const float *values, const float *bias)
{
  matrix *m = NULL;
  matrix_shape shape = {outputs, inputs, taps, 1, 1};
  if (l->parts->status != MW_OK) return NULL;
  l->parts->status = matrix_new(&m, &shape, dtype, values, bias, l->parts->error);
  return keep_matrix(l, m);
}

conv *loader_pack_conv(const loader *l, size_t outputs, size_t inputs, size_t taps,
                       matrix_dtype dtype, const float *values, const float *bias)
{
  conv *c = NULL;
  matrix_shape shape = {outputs, inputs, taps, 1, 1};
  if (l->parts->status != MW_OK) return NULL;
  l->parts->status = conv_new(&c, &shape, dtype, values, bias, l->parts->error);
  return keep_conv(l, c);
}
