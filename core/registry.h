// SPDX-License-Identifier: GPL-3.0-or-later
//
// One copy of a model in a process, however many use it: known by its files (device, number, size,
// time of last change) and by what closes it, which is of its kind alone; counted, closed by its
// last user. So is what needs no file and is the same for all. The lock is held while a model opens,
// so never call this from an audio thread.
#ifndef MEANWAVE_REGISTRY_H
#define MEANWAVE_REGISTRY_H

#include "status.h"

enum { REGISTRY_FILES = 2 };

// What is wanted: `open` makes it from this very wish, `close` ends it.
typedef struct registry_wish {
  const char *files[REGISTRY_FILES]; // NULL: not used
  unsigned steps;
  mw_status (*open)(void **object, const struct registry_wish *wish, mw_error *error);
  void (*close)(void *object);
} registry_wish;

mw_status registry_take(void **object, const registry_wish *wish, mw_error *error);
void registry_give_back(void *object); // one that was taken; NULL is fine

#endif
