// SPDX-License-Identifier: GPL-3.0-or-later
#include "places.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "report.h"

bool places_find_model(char *path, size_t size, const char *file)
{
  const char *chosen = getenv("MEANWAVE_MODELS");
  const char *data = getenv("XDG_DATA_HOME");
  const char *home = getenv("HOME");
  if (chosen != NULL && snprintf(path, size, "%s/%s", chosen, file) < (int)size &&
      access(path, R_OK) == 0)
    return true;
  // a relative XDG_DATA_HOME is to be ignored, says its specification
  int length = data != NULL && data[0] == '/'
                   ? snprintf(path, size, "%s/meanwave/models/%s", data, file)
                   : snprintf(path, size, "%s/.local/share/meanwave/models/%s",
                              home != NULL ? home : "", file);
  if (length < (int)size && access(path, R_OK) == 0) return true;
  if (snprintf(path, size, "%s/models/%s", MW_DATA_DIR, file) < (int)size &&
      access(path, R_OK) == 0)
    return true;
  report_error("no %s in $MEANWAVE_MODELS, the user's data or %s/models; name one with --model",
               file, MW_DATA_DIR);
  return false;
}
