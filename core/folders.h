// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_FOLDERS_H
#define MEANWAVE_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

// The `kind` folder ("models", "presets") of the place number `index` for data: the user's, the
// installed one, those of $XDG_DATA_DIRS. False behind the last. It need not be there.
bool data_folder(char *path, size_t size, const char *kind, size_t index);

// The `kind` folder of the source tree that this program was built in and still lies in; false: it
// has been installed, or is somebody else's.
bool source_folder(char *path, size_t size, const char *kind);

#endif
