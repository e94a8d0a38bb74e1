// SPDX-License-Identifier: GPL-3.0-or-later
#include "sound_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096, SLUG_SIZE = 48, MOST_SOUNDS = 1000000 };

// ---- Prompts ----

static bool add(prompt_list *list, const char *prompt)
{
  if ((list->count & (list->count - 1)) == 0) { // full: room for twice as many
    size_t room = list->count > 0 ? 2 * list->count : 1;
    char **moved = realloc(list->prompts, room * sizeof *moved);
    if (moved == NULL) return false;
    list->prompts = moved;
  }
  char *copy = strdup(prompt);
  if (copy == NULL) return false;
  list->prompts[list->count++] = copy;
  return true;
}

bool prompt_list_one(prompt_list *list, const char *prompt)
{
  return add(list, prompt);
}

void prompt_list_free(prompt_list *list)
{
  for (size_t i = 0; i < list->count; i++) free(list->prompts[i]);
  free(list->prompts);
  *list = (prompt_list){0};
}

// Lines with blanks at both ends taken away.
static bool read_lines(prompt_list *list, FILE *file, const char *path, char *line, size_t size)
{
  static const char blanks[] = " \t\r\n";
  char *text = NULL;
  size_t room = 0;
  ssize_t length;
  bool good = true;
  for (size_t number = 1; good && (length = getline(&text, &room, file)) >= 0; number++) {
    if (memchr(text, '\0', (size_t)length) != NULL) {
      snprintf(line, size, "%s: line %zu holds a zero byte; is it a text?", path, number);
      good = false;
      break;
    }
    while (length > 0 && strchr(blanks, text[length - 1]) != NULL) text[--length] = '\0';
    const char *start = text + strspn(text, blanks);
    if (*start == '\0') continue;
    good = list->count < MOST_SOUNDS && add(list, start);
    if (!good) snprintf(line, size, "%s: too many prompts", path);
  }
  if (good && ferror(file)) {
    snprintf(line, size, "%s: %s", path, strerror(errno));
    good = false;
  }
  free(text);
  return good;
}

bool prompt_list_read(prompt_list *list, const char *path, char *line, size_t size)
{
  bool piped = strcmp(path, "-") == 0;
  FILE *file = piped ? stdin : fopen(path, "r");
  if (file == NULL) {
    snprintf(line, size, "%s: %s", path, strerror(errno));
    return false;
  }
  bool good = read_lines(list, file, path, line, size);
  if (!piped) fclose(file);
  if (good && list->count == 0) {
    snprintf(line, size, "%s: there is no prompt in it", path);
    return false;
  }
  return good;
}

// ---- Names ----

bool sound_list_shard(sound_list *l, const char *text)
{
  char *end;
  unsigned long shard = strtoul(text, &end, 10);
  if (text[0] < '0' || text[0] > '9' || *end != '/' || end[1] < '0' || end[1] > '9') return false;
  unsigned long shards = strtoul(end + 1, &end, 10);
  l->shard = shard;
  l->shards = shards;
  return *end == '\0' && shard >= 1 && shard <= shards && shards <= MOST_SOUNDS;
}

static bool is_folder(const char *path)
{
  struct stat about;
  size_t length = strlen(path);
  if (length > 0 && path[length - 1] == '/') return true;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

// A prompt as part of a file name: small letters, digits and dashes.
static void make_slug(char slug[SLUG_SIZE], const char *prompt)
{
  size_t at = 0;
  for (; *prompt != '\0' && at + 1 < SLUG_SIZE; prompt++) {
    char c = *prompt;
    if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
    bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain)
      slug[at++] = c;
    else if (at > 0 && slug[at - 1] != '-')
      slug[at++] = '-';
  }
  while (at > 0 && slug[at - 1] == '-') at--;
  slug[at] = '\0';
  if (at == 0) strcpy(slug, "sound");
}

// `number` of a list of `count`, with as many digits as the last one, so that names sort.
static void make_number(char text[32], size_t number, size_t count)
{
  char last[32];
  int digits = snprintf(last, sizeof last, "%zu", count);
  int own = snprintf(text, 32, "%zu", number);
  int zeros = digits > own ? digits - own : 0;
  memmove(text + zeros, text, (size_t)own + 1);
  memset(text, '0', (size_t)zeros);
}

static bool make_name(const sound_list *l, size_t prompt, uint64_t seed, char path[PATH_SIZE])
{
  char number[32] = "";
  char variation[32] = "";
  char slug[SLUG_SIZE];
  int length;
  if (l->prompts->count > 1) make_number(number, prompt + 1, l->prompts->count);
  if (is_folder(l->output)) {
    make_slug(slug, l->prompts->prompts[prompt]);
    bool slash = l->output[strlen(l->output) - 1] == '/';
    length = snprintf(path, PATH_SIZE, "%s%s%s%s%s-%llu.%s", l->output, slash ? "" : "/", number,
                      number[0] != '\0' ? "-" : "", slug, (unsigned long long)seed, l->format);
    return length < PATH_SIZE;
  }
  if (l->variations > 1) snprintf(variation, sizeof variation, "-%llu", (unsigned long long)seed);
  const char *slash = strrchr(l->output, '/');
  const char *dot = strrchr(slash != NULL ? slash : l->output, '.');
  size_t stem = dot != NULL ? (size_t)(dot - l->output) : strlen(l->output);
  length = snprintf(path, PATH_SIZE, "%.*s%s%s%s%s", (int)stem, l->output,
                    number[0] != '\0' ? "-" : "", number, variation, dot != NULL ? dot : "");
  return length < PATH_SIZE;
}

bool sound_list_fill(const sound_list *l, batch *b, uint64_t **seeds, char *line, size_t size)
{
  size_t all = l->prompts->count * l->variations;
  *seeds = NULL;
  if (all > MOST_SOUNDS) {
    snprintf(line, size, "%zu sounds are too many for one run: at most %d", all, MOST_SOUNDS);
    return false;
  }
  if (strcmp(l->output, "-") == 0 && all > 1) {
    snprintf(line, size, "%zu sounds do not fit into standard output: name a folder with -o", all);
    return false;
  }
  *seeds = calloc(all, sizeof **seeds);
  bool good = *seeds != NULL;
  for (size_t i = l->shard - 1; good && i < all; i += l->shards) {
    char path[PATH_SIZE];
    size_t prompt = i / l->variations;
    uint64_t seed = l->seed + i % l->variations;
    if (!make_name(l, prompt, seed, path)) {
      snprintf(line, size, "%.200s...: the name is too long", l->output);
      return false;
    }
    (*seeds)[b->count] = seed;
    good = batch_add(b, l->prompts->prompts[prompt], path, 1.0);
  }
  if (!good) snprintf(line, size, "out of memory");
  return good;
}
