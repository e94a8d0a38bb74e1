// SPDX-License-Identifier: GPL-3.0-or-later
#include "gather.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096 };

typedef struct {
  batch *b;
  const gathering *g;
  struct stat out; // the output folder, when it is there
  bool out_there;
  char *line;
  size_t line_size;
} state;

static bool refuse(state *s, const char *what, const char *why)
{
  snprintf(s->line, s->line_size, "%.200s: %.200s", what, why);
  return false;
}

static bool is_folder(const char *path)
{
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

// The ending without its dot; "" when there is none.
static const char *ending(const char *path)
{
  const char *slash = strrchr(path, '/');
  const char *dot = strrchr(slash != NULL ? slash : path, '.');
  return dot != NULL ? dot + 1 : "";
}

static bool one_of(const char *word, const char *const *list)
{
  for (; *list != NULL; list++)
    if (strcasecmp(word, *list) == 0) return true;
  return false;
}

static bool is_sound(const char *path)
{
  static const char *const known[] = {"wav",  "wave", "flac", "ogg", "oga", "opus", "aif", "aiff",
                                      "aifc", "au",   "snd",  "caf", "w64", "mp3",  NULL};
  return one_of(ending(path), known);
}

// Adds `input`, whose name below the output folder is `name`.
static bool add_to_folder(state *s, const char *input, const char *name, double weight)
{
  static const char *const writable[] = {"wav", "flac", "aif", "aiff", "ogg", NULL};
  char output[PATH_SIZE];
  const char *old = ending(name);
  const char *format = s->g->format != NULL ? s->g->format : one_of(old, writable) ? old : "wav";
  size_t stem = strlen(name) - (old[0] != '\0' ? strlen(old) + 1 : 0);
  const char *folder = s->g->output;
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--;
  if (snprintf(output, sizeof output, "%.*s/%.*s.%s", (int)length, folder, (int)stem, name,
               format) >= (int)sizeof output)
    return refuse(s, input, "its name is too long");
  return batch_add(s->b, input, output, weight) || refuse(s, input, "out of memory");
}

// `path` is an input folder or one below it; names start behind its first `top` bytes.
static bool add_folder(state *s, const char *path, size_t top)
{
  struct dirent **entries = NULL;
  int count = scandir(path, &entries, NULL, alphasort);
  bool good = count >= 0 || refuse(s, path, strerror(errno));
  for (int i = 0; i < count; i++) {
    char inside[PATH_SIZE];
    struct stat about;
    const char *name = entries[i]->d_name;
    bool fits = snprintf(inside, sizeof inside, "%s/%s", path, name) < (int)sizeof inside;
    if (good && name[0] != '.' && fits && lstat(inside, &about) == 0) {
      // a linked folder may hold itself; a linked file is a file
      bool own = s->out_there && about.st_dev == s->out.st_dev && about.st_ino == s->out.st_ino;
      if (S_ISDIR(about.st_mode) && !own)
        good = add_folder(s, inside, top);
      else if (is_sound(name) && !is_folder(inside))
        good = add_to_folder(s, inside, inside + top, (double)about.st_size);
    }
    free(entries[i]);
  }
  free(entries);
  return good;
}

static bool add_input(state *s, const char *input)
{
  struct stat about;
  bool there = stat(input, &about) == 0;
  if (there && S_ISDIR(about.st_mode)) {
    char path[PATH_SIZE];
    size_t length = strlen(input);
    if (!s->g->recursive) return refuse(s, input, "a folder; --recursive takes what is in it");
    while (length > 1 && input[length - 1] == '/') length--;
    if (length >= sizeof path) return refuse(s, input, "its name is too long");
    memcpy(path, input, length);
    path[length] = '\0';
    return add_folder(s, path, length + 1);
  }
  const char *slash = strrchr(input, '/');
  return add_to_folder(s, input, slash != NULL ? slash + 1 : input,
                       there ? (double)about.st_size : 0.0);
}

static int compare_outputs(const void *a, const void *b)
{
  return strcmp((*(const batch_item *const *)a)->output, (*(const batch_item *const *)b)->output);
}

// No output is written twice, and none is its own input.
static bool check(state *s)
{
  size_t count = s->b->count;
  const batch_item **sorted = malloc((count + 1) * sizeof *sorted);
  bool good = sorted != NULL || refuse(s, s->g->output, "out of memory");
  for (size_t i = 0; good && i < count; i++) {
    struct stat in;
    struct stat out;
    sorted[i] = &s->b->items[i];
    if (stat(sorted[i]->input, &in) == 0 && stat(sorted[i]->output, &out) == 0 &&
        in.st_dev == out.st_dev && in.st_ino == out.st_ino)
      good = refuse(s, sorted[i]->output, "is the input itself; name another place");
  }
  if (good) qsort(sorted, count, sizeof *sorted, compare_outputs);
  for (size_t i = 1; good && i < count; i++) {
    if (strcmp(sorted[i - 1]->output, sorted[i]->output) != 0) continue;
    snprintf(s->line, s->line_size, "%.150s and %.150s would both become %.150s",
             sorted[i - 1]->input, sorted[i]->input, sorted[i]->output);
    good = false;
  }
  free(sorted);
  return good;
}

bool gather(batch *b, const gathering *g, char *line, size_t line_size)
{
  state s = {.b = b, .g = g, .line = line, .line_size = line_size};
  size_t length = strlen(g->output);
  bool into_folder = length > 0 && (g->output[length - 1] == '/' || is_folder(g->output));
  s.out_there = stat(g->output, &s.out) == 0;
  for (size_t i = 0; i < g->count; i++)
    if (strcmp(g->inputs[i], "-") == 0 && (into_folder || g->count > 1))
      return refuse(&s, "-", "standard input goes alone, to a file or to standard output");
  if (!into_folder) {
    if (g->count > 1 || (g->count == 1 && is_folder(g->inputs[0])))
      return refuse(&s, g->output, "many inputs want a folder, as in -o DIR/");
    return (batch_add(b, g->inputs[0], g->output, 1.0) || refuse(&s, g->output, "out of memory")) &&
           check(&s);
  }
  for (size_t i = 0; i < g->count; i++)
    if (!add_input(&s, g->inputs[i])) return false;
  if (b->count == 0) return refuse(&s, g->inputs[0], "there is no sound file in it");
  return check(&s);
}
