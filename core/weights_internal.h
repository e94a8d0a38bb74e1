// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the container readers share: a mapped file and the list of tensors they fill.
#ifndef MEANWAVE_WEIGHTS_INTERNAL_H
#define MEANWAVE_WEIGHTS_INTERNAL_H

#include <stdio.h>

#include "arena.h"
#include "half.h"
#include "weights.h"

struct weights {
  arena *memory; // names, metadata
  char *path;
  const unsigned char *bytes; // the mapped file, or NULL
  int file;                   // the descriptor; -1: not a file, made here
  size_t size;
  tensor *tensors;
  size_t count;
  size_t capacity;
  uint32_t *buckets; // open addressing: index + 1, 0 is empty
  size_t bucket_mask;
  struct metadata_entry {
    const char *key;
    const char *value;
  } * metadata;
  size_t metadata_count;
};

size_t tensor_dtype_bytes(tensor_dtype dtype);
const char *tensor_dtype_name(tensor_dtype dtype);

// Writes the elements as they are stored, in C order; the caller checks ferror.
void tensor_write(const tensor *t, FILE *file);

// Adds a tensor whose elements lie in `data`, `data_bytes` long, starting `offset` elements in.
// `stride` NULL means C order. Checks rank, products and that every element lies inside. `name` is
// copied.
mw_status weights_add(weights *w, const char *name, tensor_dtype dtype, unsigned rank,
                      const size_t *shape, const size_t *stride, const unsigned char *data,
                      size_t data_bytes, size_t offset, mw_error *error);

// Checks that no name occurs twice and no byte many times, and makes weights_find work; the last step
// of making weights.
mw_status weights_index(weights *w, mw_error *error);

// The readers. `w->bytes` and `w->path` are set; they add tensors and index them.
mw_status safetensors_read(weights *w, mw_error *error);
mw_status torch_read(weights *w, mw_error *error);
bool torch_is_legacy(const unsigned char *bytes, size_t size);
mw_status torch_legacy_read(weights *w, mw_error *error);

#endif
