// SPDX-License-Identifier: GPL-3.0-or-later
#include "data_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *data_path(const char *name)
{
  static char paths[4][4096];
  static unsigned next;
  const char *data = getenv("MEANWAVE_TEST_DATA");
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", data != NULL ? data : "tests/data", name);
  return path;
}

bool data_link(const char *folder, const char *name, const char *file)
{
  char link[4096];
  char *target = realpath(data_path(file), NULL);
  snprintf(link, sizeof link, "%s/%s", folder, name);
  unlink(link);
  bool done = target != NULL && symlink(target, link) == 0;
  free(target);
  return done;
}
