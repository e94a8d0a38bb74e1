// SPDX-License-Identifier: GPL-3.0-or-later
#include "zip.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
  END_BYTES = 22,
  END64_LOCATOR_BYTES = 20,
  END64_BYTES = 56,
  CENTRAL_BYTES = 46,
  LOCAL_BYTES = 30,
  COMMENT_LIMIT = 65535,
};

static uint64_t little(const unsigned char *at, unsigned bytes)
{
  uint64_t value = 0;
  while (bytes-- > 0) value = value << 8 | at[bytes];
  return value;
}

static int compare_names(const void *a, const void *b)
{
  const zip_entry *x = a;
  const zip_entry *y = b;
  size_t shorter = x->name_length < y->name_length ? x->name_length : y->name_length;
  int order = memcmp(x->name, y->name, shorter);
  return order != 0 ? order : (x->name_length > y->name_length) - (x->name_length < y->name_length);
}

static mw_status broken(const zip *z, const char *what, mw_error *error)
{
  return mw_fail(error, MW_ERROR_FORMAT, "%s: broken zip archive: %s; is the download complete?",
                 z->path, what);
}

// Where the central directory lies, from the record at the end of the file (and its zip64 form).
static bool find_directory(const zip *z, uint64_t *offset, uint64_t *bytes, uint64_t *count)
{
  if (z->size < END_BYTES) return false;
  size_t lowest = z->size - END_BYTES > COMMENT_LIMIT ? z->size - END_BYTES - COMMENT_LIMIT : 0;
  size_t end = z->size - END_BYTES;
  while (memcmp(z->bytes + end, "PK\5\6", 4) != 0)
    if (end-- == lowest) return false;
  *count = little(z->bytes + end + 10, 2);
  *bytes = little(z->bytes + end + 12, 4);
  *offset = little(z->bytes + end + 16, 4);
  if (end < END64_LOCATOR_BYTES || memcmp(z->bytes + end - END64_LOCATOR_BYTES, "PK\6\7", 4) != 0)
    return true;
  uint64_t end64 = little(z->bytes + end - END64_LOCATOR_BYTES + 8, 8);
  if (z->size < END64_BYTES || end64 > z->size - END64_BYTES ||
      memcmp(z->bytes + end64, "PK\6\6", 4) != 0)
    return false;
  *count = little(z->bytes + end64 + 32, 8);
  *bytes = little(z->bytes + end64 + 40, 8);
  *offset = little(z->bytes + end64 + 48, 8);
  return true;
}

// Sizes that do not fit 32 bits stand in the zip64 extra field, in this order, only where needed.
static bool read_zip64(const unsigned char *extra, size_t length, uint64_t values[3])
{
  while (length >= 4) {
    size_t field = little(extra + 2, 2);
    if (field > length - 4) return false;
    if (little(extra, 2) == 1) {
      const unsigned char *at = extra + 4;
      for (int i = 0; i < 3; i++) {
        if (values[i] != UINT32_MAX) continue;
        if (field < 8) return false;
        values[i] = little(at, 8);
        at += 8;
        field -= 8;
      }
      return true;
    }
    extra += 4 + field;
    length -= 4 + field;
  }
  return true;
}

mw_status zip_open(zip *z, const unsigned char *bytes, size_t size, const char *path, arena *memory,
                   mw_error *error)
{
  *z = (zip){.bytes = bytes, .size = size, .path = path};
  uint64_t offset;
  uint64_t length;
  uint64_t count;
  if (!find_directory(z, &offset, &length, &count)) return broken(z, "no directory", error);
  if (offset > size || length > size - offset || count > length / CENTRAL_BYTES)
    return broken(z, "the directory lies outside", error);
  z->entries = arena_take(memory, (size_t)count, sizeof *z->entries);
  if (z->entries == NULL) return mw_fail_memory(error, "reading a zip directory");
  const unsigned char *at = bytes + offset;
  const unsigned char *end = at + length;
  for (; z->count < count; z->count++) {
    if (end - at < CENTRAL_BYTES || memcmp(at, "PK\1\2", 4) != 0)
      return broken(z, "a broken directory entry", error);
    size_t name_length = little(at + 28, 2);
    size_t extra_length = little(at + 30, 2);
    size_t whole = CENTRAL_BYTES + name_length + extra_length + little(at + 32, 2);
    uint64_t values[3] = {little(at + 24, 4), little(at + 20, 4), little(at + 42, 4)};
    if ((size_t)(end - at) < whole ||
        !read_zip64(at + CENTRAL_BYTES + name_length, extra_length, values))
      return broken(z, "a broken directory entry", error);
    z->entries[z->count] = (zip_entry){.name = (const char *)at + CENTRAL_BYTES,
                                       .name_length = name_length,
                                       .local_offset = values[2],
                                       .size = values[0],
                                       .method = (unsigned)little(at + 10, 2)};
    at += whole;
  }
  qsort(z->entries, z->count, sizeof *z->entries, compare_names);
  return MW_OK;
}

const zip_entry *zip_find(const zip *z, const char *name, size_t name_length)
{
  zip_entry key = {.name = name, .name_length = name_length};
  return bsearch(&key, z->entries, z->count, sizeof *z->entries, compare_names);
}

mw_status zip_data(const zip *z, const zip_entry *entry, const unsigned char **data,
                   mw_error *error)
{
  int shown = entry->name_length < 200 ? (int)entry->name_length : 200;
  if (entry->method != 0)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: entry %.*s is compressed; PyTorch stores entries",
                   z->path, shown, entry->name);
  if (z->size < LOCAL_BYTES || entry->local_offset > z->size - LOCAL_BYTES ||
      memcmp(z->bytes + entry->local_offset, "PK\3\4", 4) != 0)
    return broken(z, "an entry lies outside", error);
  const unsigned char *local = z->bytes + entry->local_offset;
  size_t begin = entry->local_offset + LOCAL_BYTES + little(local + 26, 2) + little(local + 28, 2);
  if (begin > z->size || entry->size > z->size - begin)
    return broken(z, "an entry reaches beyond the end", error);
  *data = z->bytes + begin;
  return MW_OK;
}
