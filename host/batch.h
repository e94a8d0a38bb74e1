// SPDX-License-Identifier: GPL-3.0-or-later
//
// Many inputs to many outputs on several threads: the bar, the lines, what failed, and an end on
// Ctrl-C that leaves nothing half done.
#ifndef MEANWAVE_BATCH_H
#define MEANWAVE_BATCH_H

#include "meanwave.h"

typedef struct {
  char *input;
  char *output;
  double weight; // of its work beside the others', any unit
} batch_item;

typedef struct {
  batch_item *items;
  size_t count;
  size_t jobs;      // threads
  bool skip_made;   // an output that is there counts as done
  const char *what; // beside the bar: "converting"
  // Does one item; to be stopped by `progress` returning false. Called from several threads.
  mw_status (*work)(void *context, const batch_item *item, bool (*progress)(void *, double),
                    void *progress_context, mw_error *error);
  void *context;
} batch;

// True when `item` was added (copies its texts); false: no memory.
bool batch_add(batch *b, const char *input, const char *output, double weight);
void batch_free(batch *b);

unsigned batch_processors(void); // that this process may use

// Runs all; prints a note (or with --json an object) for each, then what failed. An exit code.
int batch_run(batch *b);

#endif
