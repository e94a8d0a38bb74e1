// SPDX-License-Identifier: GPL-3.0-or-later
//
// safetensors: uint64 header length (little-endian), a JSON header
//   {"__metadata__": {key: text}, name: {"dtype", "shape", "data_offsets": [begin, end]}, ...}
// then the data; offsets count from the end of the header.
#include "weights_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

enum { HEADER_LIMIT = 100 << 20 };
#define LARGEST_EXACT ((size_t)1 << 53)

static bool dtype_from_name(const char *name, tensor_dtype *dtype)
{
  for (tensor_dtype d = TENSOR_F32; d <= TENSOR_BOOL; d++) {
    if (strcmp(name, tensor_dtype_name(d)) == 0) {
      *dtype = d;
      return true;
    }
  }
  return false;
}

static mw_status read_tensor(weights *w, const json_node *entry, const unsigned char *data,
                             size_t data_bytes, mw_error *error)
{
  const json_node *shape = json_get(entry, "shape");
  const json_node *offsets = json_get(entry, "data_offsets");
  const char *dtype_name = json_string_or(json_get(entry, "dtype"), "");
  tensor_dtype dtype;
  size_t dims[TENSOR_RANK_LIMIT];
  unsigned rank = 0;
  size_t begin;
  size_t end;
  if (!dtype_from_name(dtype_name, &dtype))
    return mw_fail(error, MW_ERROR_FORMAT, "%s: tensor %s has unknown type '%s'", w->path,
                   entry->key, dtype_name);
  if (shape == NULL || shape->type != JSON_ARRAY || shape->length > TENSOR_RANK_LIMIT ||
      offsets == NULL || offsets->type != JSON_ARRAY || offsets->length != 2)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: tensor %s: broken shape or offsets", w->path,
                   entry->key);
  for (const json_node *d = shape->first; d != NULL; d = d->next)
    if (!json_size(d, 0, LARGEST_EXACT, &dims[rank++]))
      return mw_fail(error, MW_ERROR_FORMAT, "%s: tensor %s: broken shape", w->path, entry->key);
  if (!json_size(offsets->first, 0, data_bytes, &begin) ||
      !json_size(offsets->first->next, begin, data_bytes, &end))
    return mw_fail(error, MW_ERROR_FORMAT,
                   "%s: tensor %s lies outside the file; is the download complete?", w->path,
                   entry->key);
  mw_status status =
      weights_add(w, entry->key, dtype, rank, dims, NULL, data + begin, end - begin, 0, error);
  if (status != MW_OK) return status;
  const tensor *t = &w->tensors[w->count - 1];
  if (t->count * tensor_dtype_bytes(dtype) != end - begin)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: tensor %s: %zu bytes for %zu elements of %s",
                   w->path, entry->key, end - begin, t->count, dtype_name);
  return MW_OK;
}

static const char *keep(weights *w, const char *text)
{
  size_t length = strlen(text);
  char *copy = arena_take(w->memory, length + 1, 1);
  if (copy != NULL) memcpy(copy, text, length + 1);
  return copy;
}

static mw_status read_metadata(weights *w, const json_node *metadata, mw_error *error)
{
  if (metadata->type != JSON_OBJECT)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: __metadata__ is not an object", w->path);
  if (w->metadata != NULL)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: __metadata__ occurs twice", w->path);
  w->metadata = arena_take(w->memory, metadata->length, sizeof *w->metadata);
  if (w->metadata == NULL) return mw_fail_memory(error, "reading metadata");
  for (const json_node *entry = metadata->first; entry != NULL; entry = entry->next) {
    const char *key = keep(w, entry->key);
    const char *value = keep(w, json_string_or(entry, ""));
    if (key == NULL || value == NULL) return mw_fail_memory(error, "reading metadata");
    w->metadata[w->metadata_count++] = (struct metadata_entry){key, value};
  }
  return MW_OK;
}

static mw_status link_scale(weights *w, tensor *t, bool *is_scale, mw_error *error)
{
  char name[1024 + sizeof ".scale"];
  snprintf(name, sizeof name, "%s.scale", t->name);
  const tensor *scale = weights_find(w, name);
  size_t length = strlen(t->name);
  // weights are never whole numbers; a table may be
  bool weight = length >= 7 && strcmp(t->name + length - 7, ".weight") == 0;
  if (scale == NULL && !weight) return MW_OK;
  if (scale == NULL || t->rank == 0 || scale->dtype != TENSOR_F32 || scale->rank != 1 ||
      scale->shape[0] != t->shape[0])
    return mw_fail(error, MW_ERROR_FORMAT, "%s: tensor %s: int8 needs %s, F32 [%zu]", w->path,
                   t->name, name, t->rank > 0 ? t->shape[0] : (size_t)1);
  t->row_scale = scale->data;
  is_scale[scale - w->tensors] = true;
  return MW_OK;
}

// A bundle's int8 tensor X has its row scales in X.scale, F32 [X's first dimension]. They become
// part of X and are listed no more. Without them X holds whole numbers, unless its name ends in
// .weight: then the file is broken.
static mw_status link_scales(weights *w, mw_error *error)
{
  const char *format = weights_metadata(w, "format");
  if (format == NULL || strcmp(format, "meanwave-bundle-1") != 0 || w->count == 0) return MW_OK;
  bool *is_scale = calloc(w->count, sizeof *is_scale);
  if (is_scale == NULL) return mw_fail_memory(error, "reading scales");
  mw_status status = MW_OK;
  for (size_t i = 0; status == MW_OK && i < w->count; i++)
    if (w->tensors[i].dtype == TENSOR_I8) status = link_scale(w, &w->tensors[i], is_scale, error);
  size_t kept = 0;
  for (size_t i = 0; i < w->count; i++)
    if (!is_scale[i]) w->tensors[kept++] = w->tensors[i];
  bool removed = kept < w->count;
  free(is_scale);
  w->count = kept;
  return status == MW_OK && removed ? weights_index(w, error) : status;
}

mw_status safetensors_read(weights *w, mw_error *error)
{
  uint64_t length = 0;
  for (int i = 7; i >= 0; i--) length = length << 8 | w->bytes[i];
  if (length > w->size - 8 || length > HEADER_LIMIT)
    return mw_fail(error, MW_ERROR_FORMAT,
                   "%s: header of %llu bytes does not fit; is the download complete?", w->path,
                   (unsigned long long)length);
  json *header;
  mw_status status =
      json_parse(&header, (const char *)w->bytes + 8, (size_t)length, w->path, error);
  if (status != MW_OK) return status;
  const json_node *root = json_root(header);
  if (root->type != JSON_OBJECT)
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: the header is not an object", w->path);
  const unsigned char *data = w->bytes + 8 + length;
  size_t data_bytes = w->size - 8 - (size_t)length;
  for (const json_node *entry = root->first; status == MW_OK && entry != NULL; entry = entry->next)
    status = strcmp(entry->key, "__metadata__") == 0
                 ? read_metadata(w, entry, error)
                 : read_tensor(w, entry, data, data_bytes, error);
  json_free(header);
  if (status == MW_OK) status = weights_index(w, error);
  if (status == MW_OK) status = link_scales(w, error);
  return status;
}
