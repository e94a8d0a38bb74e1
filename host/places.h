// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_PLACES_H
#define MEANWAVE_PLACES_H

#include <stddef.h>

#include "meanwave.h"
#include "options.h"

// Finds a model file: $MEANWAVE_MODELS, the user's data, the installed data. False, with a line
// that names the places, when it is in none of them.
mw_status places_find_model(char *path, size_t size, const char *file, mw_error *error);

// The voice model that --model, --vocoder and --steps name, or the default one. In `error`, why
// not.
mw_status places_open_voice_model(mw_voice_model **opened, const arguments *a, mw_error *error);

// Where heard voices are kept (XDG_CACHE_HOME); NULL when there is no such place.
const char *places_cache(char *path, size_t size);

#endif
