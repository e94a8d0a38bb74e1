// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_USER_FOLDER_H
#define MEANWAVE_USER_FOLDER_H

#include <stdbool.h>

enum { UI_FOLDER_SIZE = 4096 };

// meanwave/KIND in the user's data, made when it is not there. False: there is none.
bool user_folder(const char *kind, char path[UI_FOLDER_SIZE]);

#endif
