// SPDX-License-Identifier: GPL-3.0-or-later
#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

mw_status regular_file_descriptor(int *descriptor, const char *path, mw_error *error)
{
  struct stat about;
  int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (opened < 0) return mw_fail(error, MW_ERROR_IO, "%s: %s", path, strerror(errno));
  if (fstat(opened, &about) != 0 || !S_ISREG(about.st_mode)) {
    close(opened);
    return mw_fail(error, MW_ERROR_IO, "%s: not a file", path);
  }
  *descriptor = opened;
  return MW_OK;
}

mw_status regular_file_open(FILE **file, const char *path, mw_error *error)
{
  int descriptor;
  mw_status status = regular_file_descriptor(&descriptor, path, error);
  if (status != MW_OK) return status;
  *file = fdopen(descriptor, "rb");
  if (*file != NULL) return MW_OK;
  close(descriptor);
  return mw_fail_memory(error, "opening a file");
}
