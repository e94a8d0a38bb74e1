// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files that can be read to their end: neither a folder, nor a pipe that would be waited for, nor a
// device that may have no end.
#ifndef MEANWAVE_REGULAR_FILE_H
#define MEANWAVE_REGULAR_FILE_H

#include <stdio.h>

#include "status.h"

// For reading; close with close() or fclose(). Waits for nothing.
mw_status regular_file_descriptor(int *descriptor, const char *path, mw_error *error);
mw_status regular_file_open(FILE **file, const char *path, mw_error *error);

#endif
