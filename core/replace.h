// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files that are at every moment what they were or whole: written beside their place, then renamed.
#ifndef MEANWAVE_REPLACE_H
#define MEANWAVE_REPLACE_H

#include "status.h"

enum { REPLACE_PATH_SIZE = 4608 };

// The name to write under, this thread's own. An existing file is an error unless `overwrite`.
mw_status replace_begin(char temporary[REPLACE_PATH_SIZE], const char *path, bool overwrite,
                        mw_error *error);
// Moves it into place; a file that has come there meanwhile is an error unless `overwrite`. Does
// not remove the temporary file when it fails.
mw_status replace_finish(const char *temporary, const char *path, bool overwrite, mw_error *error);

#endif
