// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the tests' data lies: $MEANWAVE_TEST_DATA, else tests/data.
#ifndef MEANWAVE_TESTS_DATA_PATH_H
#define MEANWAVE_TESTS_DATA_PATH_H

#include <stdbool.h>

// The path of a file or folder of it; good until the fourth call after this.
const char *data_path(const char *name);

// Links `file` of it into `folder` under `name`, in the place of what is there.
bool data_link(const char *folder, const char *name, const char *file);

#endif
