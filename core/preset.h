// SPDX-License-Identifier: GPL-3.0-or-later
//
// The text form of presets; docs/presets.md describes it for people.
#ifndef MEANWAVE_PRESET_H
#define MEANWAVE_PRESET_H

#include "status.h"

#define PRESET_ENDING ".preset"

// Parses `length` bytes; `path` is where they come from: for error lines, the preset's name, and
// what relative paths in it start from.
mw_status preset_parse(mw_preset *preset, const char *text, size_t length, const char *path,
                       mw_error *error);
mw_status preset_read(mw_preset *preset, const char *path, mw_error *error);

#endif
