// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_STATUS_H
#define MEANWAVE_STATUS_H

#include "meanwave.h"

// Writes the formatted line into `error` (which may be NULL; longer lines are cut at a character
// boundary; control characters become '?') and returns `status`, so that failing is one line:
//   return mw_fail(error, MW_ERROR_FORMAT, "%s: header of %zu bytes is longer than the file", ...);
mw_status mw_fail(mw_error *error, mw_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// mw_fail for memory: "out of memory while WHAT".
mw_status mw_fail_memory(mw_error *error, const char *what);

#endif
