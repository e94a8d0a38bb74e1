// SPDX-License-Identifier: GPL-3.0-or-later
//
// Gives every file of a corpus folder to the fuzz target this is linked with, which aborts when
// something is wrong.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "whole_file.h"

static bool replay(const char *path)
{
  char *bytes = NULL;
  size_t length;
  mw_error error;
  if (whole_file_read(&bytes, &length, path, (size_t)1 << 24, &error) != MW_OK) {
    fprintf(stderr, "%s\n", error.text);
    return false;
  }
  // exactly as large as it is, so that a sanitizer sees a step beyond its end
  uint8_t *exact = malloc(length > 0 ? length : 1);
  if (exact == NULL) return false;
  for (size_t i = 0; i < length; i++) exact[i] = (uint8_t)bytes[i];
  free(bytes);
  fprintf(stderr, "%s\n", path); // the last one printed is the one that crashed
  LLVMFuzzerTestOneInput(exact, length);
  free(exact);
  return true;
}

int main(int count, char **words)
{
  char path[4400];
  size_t files = 0;
  DIR *folder = count == 2 ? opendir(words[1]) : NULL;
  if (folder == NULL) {
    fprintf(stderr, "usage: %s FOLDER\n", words[0]);
    return EXIT_FAILURE;
  }
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", words[1], entry->d_name);
    if (!replay(path)) return EXIT_FAILURE;
    files++;
  }
  closedir(folder);
  printf("%zu files, %zu taken by the parser\n", files, fuzz_taken);
  return fuzz_taken > 0 && fuzz_taken < files ? EXIT_SUCCESS : EXIT_FAILURE;
}
