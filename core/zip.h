// SPDX-License-Identifier: GPL-3.0-or-later
//
// A stored (uncompressed) zip or zip64 archive in memory: entries by name, nothing is unpacked.
#ifndef MEANWAVE_ZIP_H
#define MEANWAVE_ZIP_H

#include "arena.h"
#include "status.h"

typedef struct {
  const char *name; // not NUL-terminated
  size_t name_length;
  size_t local_offset; // of the local header, which tells where the data begins
  size_t size;
  unsigned method; // 0: stored
} zip_entry;

typedef struct {
  const unsigned char *bytes;
  size_t size;
  const char *path;   // for messages
  zip_entry *entries; // sorted by name
  size_t count;
} zip;

// Reads the directory; entries live in `memory`, names in `bytes`.
mw_status zip_open(zip *z, const unsigned char *bytes, size_t size, const char *path, arena *memory,
                   mw_error *error);
const zip_entry *zip_find(const zip *z, const char *name, size_t name_length);
// The data of a stored entry, checked to lie inside the archive.
mw_status zip_data(const zip *z, const zip_entry *entry, const unsigned char **data,
                   mw_error *error);

#endif
