// SPDX-License-Identifier: GPL-3.0-or-later
//
// A PyTorch zip, and the older stream, with shared storages, strides and other element types: equal
// to the last bit.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights.h"

static const tensor *find_by_last_name(const weights *w, const char *name)
{
  for (size_t i = 0; i < weights_count(w); i++) {
    const char *full = weights_at(w, i)->name;
    const char *dot = strrchr(full, '.');
    if (strcmp(dot != NULL ? dot + 1 : full, name) == 0) return weights_at(w, i);
  }
  return NULL;
}

static void compare_container(golden_run *run, const char *container)
{
  char path[4096];
  weights *w = NULL;
  mw_error error;
  snprintf(path, sizeof path, "%s/%s", run->folder, container);
  if (weights_open(&w, path, &error) != MW_OK) {
    golden_fail(run, error.text);
    return;
  }
  const json_node *arrays = json_get(run->config, "arrays");
  for (const json_node *a = arrays != NULL ? arrays->first : NULL; a != NULL; a = a->next) {
    char file[256];
    const tensor *t = find_by_last_name(w, a->key);
    snprintf(file, sizeof file, "%s.npy", a->key);
    if (t == NULL) {
      golden_fail(run, file);
      continue;
    }
    float *values = malloc((t->count + 1) * sizeof(float));
    tensor_read(t, 0, t->count, values);
    golden_compare(run, file, values, t->count, 0.0);
    free(values);
  }
  weights_close(w);
}

void golden_containers(golden_run *run)
{
  compare_container(run, "odd.pth");
  compare_container(run, "legacy.pth");
}
