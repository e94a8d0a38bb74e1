// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writes bundles: a safetensors file that any safetensors reader opens, with this in __metadata__
// (all texts):
//   format           "meanwave-bundle-1"
//   family           the family of networks: "meanvc", "meanaudio", "vocos", ...
//   name, licence    for people
//   config           JSON: the sizes that the tensors do not tell
//   parts            "decoder=meanvc encoder=fastu2pp-v1": what stands under which prefix
//   source, source_sha256   the files it was made of, and their hashes, in the same order
// Matrices may be F16, BF16 or I8. An I8 tensor X has X.scale, F32 [X's first dimension], beside
// it: a value is its integer (-127..127) times the scale of its row. Vectors, small tensors and
// constants stay F32.
#ifndef MEANWAVE_BUNDLE_H
#define MEANWAVE_BUNDLE_H

#include "inventory.h"
#include "weights.h"

#define BUNDLE_FORMAT "meanwave-bundle-1"

typedef struct {
  const weights *file;
  const inventory *known; // tells the names, and which tensors are constants; NULL: as they are
  bool all;               // also tensors that `known` does not list, when they have its prefix
  const char *prefix;     // put in front of the names: "decoder.", or ""
} bundle_part;

typedef struct {
  const char *key;
  const char *value;
} bundle_entry;

tensor_dtype bundle_dtype(mw_weight_type type);

// Writes to a temporary name beside `path`, then renames: `path` is either what it was or whole.
// An existing file is only replaced when `overwrite`. `dtype` is TENSOR_F32, F16, BF16 or I8.
mw_status bundle_write(const char *path, const bundle_part *parts, size_t part_count,
                       const bundle_entry *metadata, size_t entry_count, tensor_dtype dtype,
                       bool overwrite, mw_error *error);

#endif
