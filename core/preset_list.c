// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where presets lie: $MEANWAVE_PRESETS or else the source tree's, then the "presets" folder of each
// place for data, with all folders below. A name that is in two places is the first one's.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "folders.h"
#include "preset.h"

enum { PATH_SIZE = 4096, MOST_DEPTH = 4 };

typedef struct {
  char (*paths)[PATH_SIZE]; // found so far
  size_t count;
  bool out_of_memory;
} listing;

static const char *name_of(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

static bool is_preset(const char *name)
{
  size_t length = strlen(name);
  size_t ending = strlen(PRESET_ENDING);
  return length > ending && strcmp(name + length - ending, PRESET_ENDING) == 0;
}

static void add(listing *l, const char *path)
{
  for (size_t i = 0; i < l->count; i++)
    if (strcmp(name_of(l->paths[i]), name_of(path)) == 0) return;
  if ((l->count & (l->count - 1)) == 0) { // full: room for twice as many
    void *moved = realloc(l->paths, (l->count > 0 ? 2 * l->count : 1) * PATH_SIZE);
    l->out_of_memory = moved == NULL;
    if (l->out_of_memory) return;
    l->paths = moved;
  }
  strcpy(l->paths[l->count++], path);
}

// By the names without their ending: "dog" comes before "dog-angry".
static int by_name(const struct dirent **a, const struct dirent **b)
{
  const char *x = (*a)->d_name;
  const char *y = (*b)->d_name;
  size_t m = is_preset(x) ? strlen(x) - strlen(PRESET_ENDING) : strlen(x);
  size_t n = is_preset(y) ? strlen(y) - strlen(PRESET_ENDING) : strlen(y);
  int order = strncmp(x, y, m < n ? m : n);
  return order != 0 ? order : (m > n) - (m < n);
}

static void search(listing *l, const char *folder, int depth)
{
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, NULL, by_name);
  for (int i = 0; i < count; i++) {
    char path[PATH_SIZE];
    struct stat about;
    const char *name = entries[i]->d_name;
    if (name[0] != '.' && snprintf(path, sizeof path, "%s/%s", folder, name) < PATH_SIZE &&
        stat(path, &about) == 0) {
      if (S_ISDIR(about.st_mode) && depth < MOST_DEPTH) search(l, path, depth + 1);
      if (S_ISREG(about.st_mode) && is_preset(name) && !l->out_of_memory) add(l, path);
    }
    free(entries[i]);
  }
  free(entries);
}

static mw_status search_all(listing *l, mw_error *error)
{
  char folder[PATH_SIZE];
  char source[PATH_SIZE];
  const char *chosen = getenv("MEANWAVE_PRESETS");
  if (chosen == NULL && source_folder(source, sizeof source, "presets")) chosen = source;
  if (chosen != NULL) search(l, chosen, 0);
  for (size_t i = 0; data_folder(folder, sizeof folder, "presets", i); i++) search(l, folder, 0);
  return l->out_of_memory ? mw_fail_memory(error, "looking for presets") : MW_OK;
}

mw_status mw_presets_list(mw_preset_say say, void *context, mw_error *error)
{
  listing l = {0};
  mw_status status = search_all(&l, error);
  for (size_t i = 0; status == MW_OK && i < l.count; i++) {
    mw_preset preset;
    mw_error problem;
    bool good = preset_read(&preset, l.paths[i], &problem) == MW_OK;
    say(context, l.paths[i], good ? &preset : NULL, good ? NULL : problem.text);
  }
  free(l.paths);
  return status;
}

mw_status mw_preset_open(mw_preset *preset, const char *what, mw_error *error)
{
  if (strchr(what, '/') != NULL || is_preset(what)) return preset_read(preset, what, error);
  listing l = {0};
  mw_status status = search_all(&l, error);
  const char *found = NULL;
  for (size_t i = 0; status == MW_OK && found == NULL && i < l.count; i++) {
    const char *name = name_of(l.paths[i]);
    size_t length = strlen(name) - strlen(PRESET_ENDING);
    if (strlen(what) == length && memcmp(what, name, length) == 0) found = l.paths[i];
  }
  if (status == MW_OK && found == NULL)
    status = mw_fail(error, MW_ERROR_ARGUMENT, "there is no preset '%s'; see meanwave presets list",
                     what);
  if (status == MW_OK) status = preset_read(preset, found, error);
  free(l.paths);
  return status;
}
