// SPDX-License-Identifier: GPL-3.0-or-later
//
// Small files read at once.
#ifndef MEANWAVE_WHOLE_FILE_H
#define MEANWAVE_WHOLE_FILE_H

#include "status.h"

// All bytes of `path`, with a NUL behind the last; at most `limit`. Free with free().
mw_status whole_file_read(char **bytes, size_t *length, const char *path, size_t limit,
                          mw_error *error);

#endif
