// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where files lie, for the program and the plugins alike: the places of the XDG base directory
// specification, and in front of them $MEANWAVE_MODELS or else the source tree.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folders.h"
#include "regular_file.h"
#include "sha256.h"
#include "status.h"

// An environment variable that holds an absolute path; others are to be ignored, says XDG.
static const char *absolute(const char *variable)
{
  const char *path = getenv(variable);
  return path != NULL && path[0] == '/' ? path : NULL;
}

static bool fits(int length, size_t size)
{
  return length >= 0 && (size_t)length < size;
}

// Folder number `index` of a list with colons between; false behind the last.
static bool list_entry(const char *list, size_t index, const char **entry, int *length)
{
  for (; *list != '\0'; list += list[0] == ':') {
    *entry = list;
    *length = (int)strcspn(list, ":");
    if (list[0] == '/' && index-- == 0) return true;
    list += *length;
  }
  return false;
}

bool data_folder(char *path, size_t size, const char *kind, size_t index)
{
  const char *data = absolute("XDG_DATA_HOME");
  const char *home = absolute("HOME");
  const char *shared = getenv("XDG_DATA_DIRS");
  const char *entry;
  int length;
  if (data != NULL && index-- == 0)
    return fits(snprintf(path, size, "%s/meanwave/%s", data, kind), size);
  if (data == NULL && home != NULL && index-- == 0)
    return fits(snprintf(path, size, "%s/.local/share/meanwave/%s", home, kind), size);
  if (index-- == 0) return fits(snprintf(path, size, "%s/%s", MW_DATA_DIR, kind), size);
  if (shared == NULL || shared[0] == '\0') shared = "/usr/local/share:/usr/share";
  return list_entry(shared, index, &entry, &length) &&
         fits(snprintf(path, size, "%.*s/meanwave/%s", length, entry, kind), size);
}

bool source_folder(char *path, size_t size, const char *kind)
{
  enum { MOST_LEVELS = 4 }; // build/VARIANT/tests/PROGRAM
  char program[2048];
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  if (length <= 0) return false;
  program[length] = '\0';
  for (int up = 0; up < MOST_LEVELS; up++) {
    char *slash = strrchr(program, '/');
    if (slash == NULL) return false;
    *slash = '\0';
    // which no other folder has
    if (fits(snprintf(path, size, "%s/models/official", program), size) && access(path, R_OK) == 0)
      return fits(snprintf(path, size, "%s/%s", program, kind), size);
  }
  return false;
}

static bool readable(char *path, size_t size, const char *folder, const char *file)
{
  return fits(snprintf(path, size, "%s/%s", folder, file), size) && access(path, R_OK) == 0;
}

// In the `kind` folder of the places for data.
static bool find(char *path, size_t size, const char *kind, const char *file)
{
  char folder[4096];
  for (size_t i = 0; data_folder(folder, sizeof folder, kind, i); i++)
    if (readable(path, size, folder, file)) return true;
  return false;
}

mw_status mw_find_model(char *path, size_t size, const char *file, mw_error *error)
{
  char source[4096];
  const char *chosen = getenv("MEANWAVE_MODELS");
  if (chosen == NULL && source_folder(source, sizeof source, "models")) chosen = source;
  if (chosen != NULL && readable(path, size, chosen, file)) return MW_OK;
  if (find(path, size, "models", file)) return MW_OK;
  return mw_fail(error, MW_ERROR_MODEL,
                 "no %s in $MEANWAVE_MODELS, the user's data, %s/models or $XDG_DATA_DIRS", file,
                 MW_DATA_DIR);
}

mw_status mw_find_voice(char *path, size_t size, const char *file, mw_error *error)
{
  if (find(path, size, "voices", file)) return MW_OK;
  return mw_fail(error, MW_ERROR_IO, "no %s in the user's data, %s/voices or $XDG_DATA_DIRS", file,
                 MW_DATA_DIR);
}

static int is_voice_file(const struct dirent *entry)
{
  static const char ending[] = ".voice";
  size_t length = strlen(entry->d_name);
  return entry->d_name[0] != '.' && length >= sizeof ending &&
         strcmp(entry->d_name + length - (sizeof ending - 1), ending) == 0;
}

void mw_voice_files_list(void (*say)(void *context, const char *path), void *context)
{
  char folder[4096];
  char path[4096];
  for (size_t i = 0; data_folder(folder, sizeof folder, "voices", i); i++) {
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_voice_file, alphasort);
    for (int k = 0; k < count; k++) {
      if (readable(path, sizeof path, folder, entries[k]->d_name)) say(context, path);
      free(entries[k]);
    }
    free(entries);
  }
}

mw_status mw_file_check(const char *path, mw_error *error)
{
  int descriptor;
  if (strcmp(path, "-") == 0) return mw_fail(error, MW_ERROR_IO, "-: not a file");
  mw_status status = regular_file_descriptor(&descriptor, path, error);
  if (status == MW_OK) close(descriptor);
  return status;
}

mw_status mw_file_hash(const char *path, char text[MW_HASH_SIZE], mw_error *error)
{
  _Static_assert((int)SHA256_TEXT == (int)MW_HASH_SIZE, "the length of a hash");
  return sha256_file(path, text, error);
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
