// SPDX-License-Identifier: GPL-3.0-or-later
//
// A sound file held in memory, for libsndfile: formats that must seek come and go through pipes.
#ifndef MEANWAVE_MEMORY_FILE_H
#define MEANWAVE_MEMORY_FILE_H

#include <sndfile.h>

#include "status.h"

typedef struct {
  char *bytes;
  size_t size;
  size_t capacity;
  size_t at;
} memory_file;

// All that comes from a descriptor until its end; `what` names it in the error line.
mw_status memory_file_fill(memory_file *m, int descriptor, const char *what, mw_error *error);
// NULL as sf_open. The memory must outlive the result.
SNDFILE *memory_file_open(memory_file *m, int mode, SF_INFO *info);
bool memory_file_pour(const memory_file *m, int descriptor); // false: not all could be written
void memory_file_free(memory_file *m);

#endif
