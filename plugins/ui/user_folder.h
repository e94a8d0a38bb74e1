// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the windows keep what is the user's, after the XDG base directory specification.
#ifndef MEANWAVE_USER_FOLDER_H
#define MEANWAVE_USER_FOLDER_H

#include <stdbool.h>

enum { UI_FOLDER_SIZE = 4096 };

// meanwave/KIND in the user's data, made when it is not there. False: there is none.
bool user_folder(const char *kind, char path[UI_FOLDER_SIZE]);

// A small file in the user's configuration, meanwave/NAME. Written as a whole or not at all.
bool user_setting_read(const char *name, char *text, int size); // false: there is none
void user_setting_write(const char *name, const char *text);

#endif
