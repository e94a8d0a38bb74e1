// SPDX-License-Identifier: GPL-3.0-or-later
#include "user_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool make_folders(char *path)
{
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    bool there = mkdir(path, 0755) == 0 || errno == EEXIST;
    *slash = '/';
    if (!there) return false;
  }
  return mkdir(path, 0755) == 0 || errno == EEXIST;
}

bool user_folder(const char *kind, char path[UI_FOLDER_SIZE])
{
  const char *data = getenv("XDG_DATA_HOME");
  const char *home = getenv("HOME");
  int length = -1;
  if (data != NULL && data[0] == '/')
    length = snprintf(path, UI_FOLDER_SIZE, "%s/meanwave/%s", data, kind);
  else if (home != NULL && home[0] == '/')
    length = snprintf(path, UI_FOLDER_SIZE, "%s/.local/share/meanwave/%s", home, kind);
  return length > 0 && length < UI_FOLDER_SIZE && make_folders(path);
}
