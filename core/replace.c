// SPDX-License-Identifier: GPL-3.0-or-later
#include "replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

mw_status replace_begin(char temporary[REPLACE_PATH_SIZE], const char *path, bool overwrite,
                        mw_error *error)
{
  if (!overwrite && access(path, F_OK) == 0)
    return mw_fail(error, MW_ERROR_IO, "%s exists already; -y replaces it", path);
  if (snprintf(temporary, REPLACE_PATH_SIZE, "%s.%ld.part", path, (long)gettid()) >=
      REPLACE_PATH_SIZE)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%.200s...: the name is too long", path);
  return MW_OK;
}

mw_status replace_finish(const char *temporary, const char *path, bool overwrite, mw_error *error)
{
  if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, overwrite ? 0 : RENAME_NOREPLACE) == 0)
    return MW_OK;
  // some file systems know no RENAME_NOREPLACE
  if (errno == EINVAL && access(path, F_OK) != 0 && rename(temporary, path) == 0) return MW_OK;
  if (errno == EEXIST)
    return mw_fail(error, MW_ERROR_IO, "%s exists already; -y replaces it", path);
  return mw_fail(error, MW_ERROR_IO, "%s: %s", path, strerror(errno));
}
