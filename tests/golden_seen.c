// SPDX-License-Identifier: GPL-3.0-or-later
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void golden_watch(void *context, const char *name, const float *values, size_t count)
{
  golden_seen *w = context;
  size_t i = 0;
  while (i < w->count && strcmp(w->seen[i].name, name) != 0) i++;
  if (i == sizeof w->seen / sizeof w->seen[0]) return;
  if (i == w->count) {
    snprintf(w->seen[i].name, sizeof w->seen[i].name, "%s", name);
    w->seen[i].values = calloc(2 * count, sizeof(float));
    w->seen[i].count = count;
    w->count++;
  }
  memcpy(w->seen[i].values + w->row * count, values, count * sizeof(float));
}

void golden_compare_seen(golden_run *run, golden_seen *w, double tolerance, bool some)
{
  size_t compared = 0;
  for (size_t i = 0; i < w->count; i++) {
    char file[80];
    char path[4200];
    snprintf(file, sizeof file, "%s.npy", w->seen[i].name);
    snprintf(path, sizeof path, "%s/%s", run->folder, file);
    if (!some || access(path, F_OK) == 0) {
      golden_compare(run, file, w->seen[i].values, 2 * w->seen[i].count, tolerance);
      compared++;
    }
    free(w->seen[i].values);
  }
  if (compared < 3) golden_fail(run, "hardly anything to compare with");
}
