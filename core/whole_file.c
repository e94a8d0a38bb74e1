// SPDX-License-Identifier: GPL-3.0-or-later
#include "whole_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regular_file.h"

// Read until its end, never by a size it claims: files change.
mw_status whole_file_read(char **bytes, size_t *length, const char *path, size_t limit,
                          mw_error *error)
{
  enum { FIRST_ROOM = 1 << 16 };
  FILE *file;
  mw_status status = regular_file_open(&file, path, error);
  if (status != MW_OK) return status;
  char *read = NULL;
  size_t room = 0;
  size_t used = 0;
  for (;;) {
    if (used + 1 >= room) {
      room = room == 0 ? FIRST_ROOM : 2 * room;
      char *moved = realloc(read, room);
      if (moved == NULL) {
        status = mw_fail_memory(error, "reading a file");
        break;
      }
      read = moved;
    }
    size_t count = fread(read + used, 1, room - used - 1, file);
    used += count;
    if (used > limit) {
      status = mw_fail(error, MW_ERROR_FORMAT, "%s: longer than the %zu bytes such a file may have",
                       path, limit);
      break;
    }
    if (count > 0) continue;
    if (ferror(file)) status = mw_fail(error, MW_ERROR_IO, "%s: %s", path, strerror(errno));
    break;
  }
  fclose(file);
  if (status != MW_OK) {
    free(read);
    return status;
  }
  read[used] = '\0';
  *bytes = read;
  *length = used;
  return MW_OK;
}
