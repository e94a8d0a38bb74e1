// SPDX-License-Identifier: GPL-3.0-or-later
#include "user_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// The folders above what the path names.
static bool make_parents(char *path)
{
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    bool there = mkdir(path, 0755) == 0 || errno == EEXIST;
    *slash = '/';
    if (!there) return false;
  }
  return true;
}

// meanwave/NAME in the folder of an XDG variable, or in its usual place in the home.
static bool place(const char *variable, const char *usual, const char *name,
                  char path[UI_FOLDER_SIZE])
{
  const char *chosen = getenv(variable);
  const char *home = getenv("HOME");
  int length = -1;
  if (chosen != NULL && chosen[0] == '/')
    length = snprintf(path, UI_FOLDER_SIZE, "%s/meanwave/%s", chosen, name);
  else if (home != NULL && home[0] == '/')
    length = snprintf(path, UI_FOLDER_SIZE, "%s/%s/meanwave/%s", home, usual, name);
  return length > 0 && length < UI_FOLDER_SIZE;
}

bool user_folder(const char *kind, char path[UI_FOLDER_SIZE])
{
  return place("XDG_DATA_HOME", ".local/share", kind, path) && make_parents(path) &&
         (mkdir(path, 0755) == 0 || errno == EEXIST);
}

bool user_setting_read(const char *name, char *text, int size)
{
  char path[UI_FOLDER_SIZE];
  if (!place("XDG_CONFIG_HOME", ".config", name, path)) return false;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe is not waited for
  if (file < 0) return false;
  ssize_t length = read(file, text, (size_t)size - 1);
  close(file);
  if (length < 0) return false;
  text[length] = '\0';
  return true;
}

void user_setting_write(const char *name, const char *text)
{
  char path[UI_FOLDER_SIZE];
  char temporary[UI_FOLDER_SIZE + 32];
  if (!place("XDG_CONFIG_HOME", ".config", name, path) || !make_parents(path)) return;
  snprintf(temporary, sizeof temporary, "%s.%ld.part", path, (long)getpid());
  FILE *file = fopen(temporary, "w");
  if (file == NULL) return;
  bool written = fputs(text, file) >= 0;
  written = fclose(file) == 0 && written;
  if (!written || rename(temporary, path) != 0) remove(temporary);
}
