// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_HOST_CONVERT_H
#define MEANWAVE_HOST_CONVERT_H

#include "meanwave.h"
#include "options.h"

// What convert does, for inputs named by `files` and with `preset` (NULL: none) where the options
// say nothing. An exit code.
int convert_files(const arguments *a, const char *const *files, size_t count,
                  const mw_preset *preset);

#endif
