// SPDX-License-Identifier: GPL-3.0-or-later
#include "registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// What makes two files the same without reading them.
typedef struct {
  dev_t device;
  ino_t number;
  off_t size;
  struct timespec changed;
} identity;

typedef struct entry {
  struct entry *next;
  identity files[REGISTRY_FILES];
  unsigned steps;
  void (*close)(void *object);
  void *object;
  size_t users;
} entry;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static entry *first;

static mw_status identify(identity *id, const char *file, mw_error *error)
{
  struct stat about;
  *id = (identity){0};
  if (file == NULL) return MW_OK;
  if (stat(file, &about) != 0)
    return mw_fail(error, MW_ERROR_MODEL, "%s: %s", file, strerror(errno));
  id->device = about.st_dev;
  id->number = about.st_ino;
  id->size = about.st_size;
  id->changed = about.st_mtim;
  return MW_OK;
}

static bool same(const identity *a, const identity *b)
{
  return a->device == b->device && a->number == b->number && a->size == b->size &&
         a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static entry *find(const entry *wanted)
{
  for (entry *e = first; e != NULL; e = e->next) {
    bool equal = e->steps == wanted->steps && e->close == wanted->close;
    for (size_t i = 0; i < REGISTRY_FILES; i++)
      equal = equal && same(&e->files[i], &wanted->files[i]);
    if (equal) return e;
  }
  return NULL;
}

// Under the lock: the entry for `wanted`, made when there is none.
static mw_status find_or_open(entry **found, const entry *wanted, const registry_wish *wish,
                              mw_error *error)
{
  *found = find(wanted);
  if (*found != NULL) return MW_OK;
  entry *made = malloc(sizeof *made);
  if (made == NULL) return mw_fail_memory(error, "opening a model");
  *made = *wanted;
  mw_status status = wish->open(&made->object, wish, error);
  if (status != MW_OK) {
    free(made);
    return status;
  }
  made->next = first;
  first = made;
  *found = made;
  return MW_OK;
}

mw_status registry_take(void **object, const registry_wish *wish, mw_error *error)
{
  entry wanted = {.steps = wish->steps, .close = wish->close};
  entry *found = NULL;
  mw_status status = MW_OK;
  for (size_t i = 0; status == MW_OK && i < REGISTRY_FILES; i++)
    status = identify(&wanted.files[i], wish->files[i], error);
  if (status != MW_OK) return status;
  pthread_mutex_lock(&lock);
  status = find_or_open(&found, &wanted, wish, error);
  if (status == MW_OK) {
    found->users++;
    *object = found->object;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

void registry_give_back(void *object)
{
  if (object == NULL) return;
  pthread_mutex_lock(&lock);
  for (entry **at = &first; *at != NULL; at = &(*at)->next) {
    entry *e = *at;
    if (e->object != object) continue;
    if (--e->users == 0) {
      *at = e->next;
      e->close(e->object);
      free(e);
    }
    break;
  }
  pthread_mutex_unlock(&lock);
}
