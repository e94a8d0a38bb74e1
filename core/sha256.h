// SPDX-License-Identifier: GPL-3.0-or-later
//
// SHA-256 (FIPS 180-4), to name a file by its content.
#ifndef MEANWAVE_SHA256_H
#define MEANWAVE_SHA256_H

#include "status.h"

enum { SHA256_BYTES = 32, SHA256_TEXT = 65 };

typedef struct {
  uint32_t state[8];
  uint64_t length; // bytes so far
  unsigned char block[64];
} sha256;

void sha256_start(sha256 *hash);
void sha256_add(sha256 *hash, const void *bytes, size_t count);
// Lower-case hexadecimal, NUL-terminated.
void sha256_finish(sha256 *hash, char text[SHA256_TEXT]);

mw_status sha256_file(const char *path, char text[SHA256_TEXT], mw_error *error);

#endif
