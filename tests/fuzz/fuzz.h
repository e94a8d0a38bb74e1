// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the fuzz targets share. A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput: any
// bytes to one parser, and whatever that hands out used to its last element. `./waf check` replays
// corpus/NAME through it (replay.c), `./waf fuzz NAME` lets libFuzzer change the corpus.
#ifndef MEANWAVE_TESTS_FUZZ_H
#define MEANWAVE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// Inputs that their parser took: a corpus without any, or of nothing else, tests little.
extern size_t fuzz_taken;

// A result of a parser: counts what was taken, and aborts when what was refused has no line, more
// than one, or a status of its own. Returns whether it was taken.
bool fuzz_judge(mw_status status, const mw_error *error);

// The bytes as a file in memory, until the next call: its path.
const char *fuzz_file(const uint8_t *bytes, size_t size);

// FILE in tests/data, which must be there.
const char *fuzz_data(char *path, size_t size, const char *file);

#endif
