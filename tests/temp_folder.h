// SPDX-License-Identifier: GPL-3.0-or-later
//
// A folder of its own below /tmp for a test program.
#ifndef MEANWAVE_TESTS_TEMP_FOLDER_H
#define MEANWAVE_TESTS_TEMP_FOLDER_H

#include <stdbool.h>

enum { TEMP_FOLDER_SIZE = 64 };

bool temp_folder_make(char path[TEMP_FOLDER_SIZE]); // false when there is none to be had
bool temp_folder_remove(const char *path);          // and all that is in it

#endif
