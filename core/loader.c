// SPDX-License-Identifier: GPL-3.0-or-later
#include "loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAPS_LIMIT = 15, PADDING = TAPS_LIMIT / 2 };

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
  for (size_t i = 0; i < p->count; i++) matrix_free(p->matrices[i]);
  free(p->matrices);
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

static matrix *keep(const loader *l, matrix *m)
{
  parts *p = l->parts;
  if (p->count == p->capacity) {
    size_t capacity = p->capacity != 0 ? 2 * p->capacity : 64;
    matrix **larger = realloc(p->matrices, capacity * sizeof *larger);
    if (larger == NULL) {
      matrix_free(m);
      p->status = mw_fail_memory(p->error, "loading a network");
      return NULL;
    }
    p->matrices = larger;
    p->capacity = capacity;
  }
  p->matrices[p->count++] = m;
  return m;
}

matrix *loader_matrix(const loader *l, const char *name, size_t outputs, size_t inputs,
                      bool has_bias)
{
  char full[192];
  matrix *m = NULL;
  snprintf(full, sizeof full, "%s.weight", name);
  const tensor *t = loader_find(l, full);
  if (t == NULL) {
    fail_absent(l, full);
    return NULL;
  }
  size_t taps = t->rank == 3 ? t->shape[2] : 1;
  if (taps % 2 == 0 || taps > TAPS_LIMIT) {
    loader_fail(l, "a kernel is even or too long");
    return NULL;
  }
  matrix_shape shape = {outputs, inputs, taps, 1, 1};
  l->parts->status = matrix_load(&m, &l->view, name, &shape, has_bias, l->parts->error);
  return l->parts->status == MW_OK ? keep(l, m) : NULL;
}

matrix *loader_pack(const loader *l, size_t outputs, size_t inputs, size_t taps, matrix_dtype dtype,
                    const float *values, const float *bias)
{
  matrix *m = NULL;
  matrix_shape shape = {outputs, inputs, taps, 1, 1};
  if (l->parts->status != MW_OK) return NULL;
  l->parts->status = matrix_new(&m, &shape, dtype, values, bias, l->parts->error);
  return l->parts->status == MW_OK ? keep(l, m) : NULL;
}

float *rows_take(arena *a, size_t rows, size_t width)
{
  if (rows > SIZE_MAX / 64 || width > SIZE_MAX / sizeof(float) / (rows + 2 * PADDING)) return NULL;
  float *block = arena_floats(a, (rows + 2 * PADDING) * width);
  if (block == NULL) return NULL;
  memset(block, 0, (rows + 2 * PADDING) * width * sizeof(float)); // reused memory is not zero
  return block + PADDING * width;
}

void conv_same(const matrix *m, const float *x, size_t rows, float *y, const epilogue *after,
               pool *p)
{
  const matrix_shape *shape = matrix_get_shape(m);
  size_t padding = (shape->taps - 1) * shape->dilation / 2;
  matrix_run(m, x - padding * shape->inputs, shape->inputs, rows, y, shape->outputs, after, p);
}
