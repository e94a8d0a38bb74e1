// SPDX-License-Identifier: GPL-3.0-or-later
#include "temp_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool temp_folder_make(char path[TEMP_FOLDER_SIZE])
{
  snprintf(path, TEMP_FOLDER_SIZE, "/tmp/meanwave-test-XXXXXX");
  return mkdtemp(path) != NULL;
}

bool temp_folder_remove(const char *path)
{
  char command[TEMP_FOLDER_SIZE + 16];
  snprintf(command, sizeof command, "rm -r %s", path);
  return system(command) == 0;
}
