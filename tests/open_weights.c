// SPDX-License-Identifier: GPL-3.0-or-later
#include "open_weights.h"
#include "data_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "weights_internal.h"

weights *open_golden(const char *name)
{
  weights *w = NULL;
  mw_error error = {""};
  char path[256];
  snprintf(path, sizeof path, "golden/meanaudio/%s", name);
  if (weights_open(&w, data_path(path), &error) != MW_OK) fail_msg("%s", error.text);
  return w;
}

static void add_changed(weights *to, const tensor *source, const char *name, const tensor *changed)
{
  mw_error error = {""};
  size_t count = 1;
  for (unsigned d = 0; d < changed->rank; d++) count *= changed->shape[d];
  float *values = arena_floats(to->memory, count + source->count);
  assert_non_null(values);
  for (size_t done = 0; source->count > 0 && done < count; done += source->count)
    tensor_read(source, 0, source->count, values + done);
  if (weights_add(to, name, TENSOR_F32, changed->rank, changed->shape, NULL,
                  (const unsigned char *)values, count * sizeof(float), 0, &error) != MW_OK)
    fail_msg("%s", error.text);
}

weights *weights_changed(const weights *from, bool (*change)(char *name, tensor *t))
{
  mw_error error = {""};
  weights *w = calloc(1, sizeof *w);
  assert_non_null(w);
  w->file = -1;
  w->memory = arena_new();
  w->path = strdup("changed");
  assert_true(w->memory != NULL && w->path != NULL);
  for (size_t i = 0; i < weights_count(from); i++) {
    const tensor *source = weights_at(from, i);
    tensor changed = *source;
    char name[CHANGED_NAME_SIZE];
    snprintf(name, sizeof name, "%s", source->name);
    if (change(name, &changed)) add_changed(w, source, name, &changed);
  }
  if (weights_index(w, &error) != MW_OK) fail_msg("%s", error.text);
  return w;
}
