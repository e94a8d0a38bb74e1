// SPDX-License-Identifier: GPL-3.0-or-later
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

size_t fuzz_taken;

bool fuzz_judge(mw_status status, const mw_error *error)
{
  if (status == MW_OK) {
    fuzz_taken++;
    return true;
  }
  if (error->text[0] == '\0' || strchr(error->text, '\n') != NULL || status < MW_OK ||
      status > MW_ERROR_CANCELLED)
    abort();
  return false;
}

const char *fuzz_file(const uint8_t *bytes, size_t size)
{
  static int file = -1;
  static char path[64];
  if (file >= 0) close(file);
  file = memfd_create("fuzz", 0);
  if (file < 0) abort();
  for (size_t done = 0; done < size;) {
    ssize_t written = write(file, bytes + done, size - done);
    if (written <= 0) abort();
    done += (size_t)written;
  }
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  return path;
}

const char *fuzz_data(char *path, size_t size, const char *file)
{
  const char *data = getenv("MEANWAVE_TEST_DATA");
  snprintf(path, size, "%s/%s", data != NULL ? data : "tests/data", file);
  if (access(path, R_OK) == 0) return path;
  fprintf(stderr, "%s: cannot be read\n", path);
  abort();
}
