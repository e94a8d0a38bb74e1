// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where files lie, for the program and the plugins alike: the places of the XDG base directory
// specification, and $MEANWAVE_MODELS in front of them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "status.h"

// An environment variable that holds an absolute path; others are to be ignored, says XDG.
static const char *absolute(const char *variable)
{
  const char *path = getenv(variable);
  return path != NULL && path[0] == '/' ? path : NULL;
}

static bool readable(char *path, size_t size, int length)
{
  return length >= 0 && (size_t)length < size && access(path, R_OK) == 0;
}

mw_status mw_find_model(char *path, size_t size, const char *file, mw_error *error)
{
  const char *chosen = getenv("MEANWAVE_MODELS");
  const char *data = absolute("XDG_DATA_HOME");
  const char *home = absolute("HOME");
  const char *shared = getenv("XDG_DATA_DIRS");
  if (chosen != NULL && readable(path, size, snprintf(path, size, "%s/%s", chosen, file)))
    return MW_OK;
  if (data != NULL &&
      readable(path, size, snprintf(path, size, "%s/meanwave/models/%s", data, file)))
    return MW_OK;
  if (data == NULL && home != NULL &&
      readable(path, size, snprintf(path, size, "%s/.local/share/meanwave/models/%s", home, file)))
    return MW_OK;
  if (readable(path, size, snprintf(path, size, "%s/models/%s", MW_DATA_DIR, file))) return MW_OK;
  if (shared == NULL || shared[0] == '\0') shared = "/usr/local/share:/usr/share";
  for (const char *at = shared; *at != '\0'; at += at[0] == ':') {
    int length = (int)strcspn(at, ":");
    if (at[0] == '/' &&
        readable(path, size, snprintf(path, size, "%.*s/meanwave/models/%s", length, at, file)))
      return MW_OK;
    at += length;
  }
  return mw_fail(error, MW_ERROR_MODEL,
                 "no %s in $MEANWAVE_MODELS, the user's data, %s/models or $XDG_DATA_DIRS", file,
                 MW_DATA_DIR);
}

const char *mw_voice_cache(char *path, size_t size)
{
  const char *cache = absolute("XDG_CACHE_HOME");
  const char *home = absolute("HOME");
  int length = -1;
  if (cache != NULL)
    length = snprintf(path, size, "%s/meanwave/voices", cache);
  else if (home != NULL)
    length = snprintf(path, size, "%s/.cache/meanwave/voices", home);
  return length > 0 && (size_t)length < size ? path : NULL;
}
