// SPDX-License-Identifier: GPL-3.0-or-later
//
// From what a user names (files, folders, "-") to pairs of input and output.
#ifndef MEANWAVE_GATHER_H
#define MEANWAVE_GATHER_H

#include "batch.h"
#include "options.h"

typedef struct {
  const char *const *inputs;
  size_t count;
  const char *output; // a file, "-", or a folder (it ends in '/' or is there)
  const char *format; // of files in a folder: "wav", ...; NULL: that of the input where we can
  bool recursive;     // folders are taken with all that is under them
} gathering;

// Adds the pairs to `b`. In a folder the names stay, and so do the folders below an input folder.
// False with one line when the wish makes no sense: many inputs for one file, two inputs that
// would become the same file, an input that would replace itself.
bool gather(batch *b, const gathering *g, char *line, size_t line_size);

#endif
