// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_PLACES_H
#define MEANWAVE_PLACES_H

#include <stdbool.h>
#include <stddef.h>

// Finds a model file: $MEANWAVE_MODELS, the user's data, the installed data. False, with a line
// that names the places, when it is in none of them.
bool places_find_model(char *path, size_t size, const char *file);

#endif
