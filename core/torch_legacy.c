// SPDX-License-Identifier: GPL-3.0-or-later
//
// What torch.save wrote before 1.6: five pickles one after the other (a magic number, the protocol,
// the machine, the tree, the list of storage keys), then for each key its element count (int64) and
// its elements. The element sizes are told by the storage ids of the tree.
#include <stdlib.h>
#include <string.h>

#include "torch_tree.h"

typedef struct {
  const char *key;
  tensor_dtype dtype;
  bool known_dtype;
  const unsigned char *data;
  size_t bytes;
} storage;

typedef struct {
  storage *items; // sorted by key
  size_t count;
} storages;

static const unsigned char magic[] = {0x80, 2,    0x8A, 10,   0x6C, 0xFC, 0x9C, 0x46,
                                      0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, '.'};

bool torch_is_legacy(const unsigned char *bytes, size_t size)
{
  return size >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

static int compare_keys(const void *a, const void *b)
{
  return strcmp(((const storage *)a)->key, ((const storage *)b)->key);
}

static storage *find(const storages *all, const char *key)
{
  storage wanted = {.key = key};
  if (all->count == 0) return NULL;
  return bsearch(&wanted, all->items, all->count, sizeof *all->items, compare_keys);
}

static mw_status find_storage(void *context, const char *key, const unsigned char **data,
                              size_t *bytes, mw_error *error)
{
  (void)error;
  const storage *found = find(context, key);
  if (found == NULL) return MW_OK;
  *data = found->data;
  *bytes = found->bytes;
  return MW_OK;
}

// Each storage of the tree once.
static mw_status list_storages(storages *all, const pickle_tree *tree, arena *memory,
                               mw_error *error)
{
  all->items = arena_take(memory, tree->persistent_count, sizeof *all->items);
  if (all->items == NULL) return mw_fail_memory(error, "listing storages");
  size_t count = 0;
  for (size_t i = 0; i < tree->persistent_count; i++) {
    storage *s = &all->items[count];
    count += torch_storage_id(tree->persistent[i], &s->key, &s->dtype, &s->known_dtype);
  }
  if (count > 0) qsort(all->items, count, sizeof *all->items, compare_keys);
  for (size_t i = 0; i < count; i++)
    if (all->count == 0 || strcmp(all->items[all->count - 1].key, all->items[i].key) != 0)
      all->items[all->count++] = all->items[i];
  return MW_OK;
}

// The elements of one storage begin at *at.
static bool place_storage(storage *s, const weights *w, size_t *at)
{
  uint64_t count = 0;
  if (s == NULL || !s->known_dtype || w->size - *at < 8) return false;
  for (int i = 7; i >= 0; i--) count = count << 8 | w->bytes[*at + (size_t)i];
  *at += 8;
  if (count > (w->size - *at) / tensor_dtype_bytes(s->dtype)) return false;
  s->data = w->bytes + *at;
  s->bytes = (size_t)count * tensor_dtype_bytes(s->dtype);
  *at += s->bytes;
  return true;
}

mw_status torch_legacy_read(weights *w, mw_error *error)
{
  pickle_tree trees[4]; // protocol, machine, the tree, keys
  storages all = {NULL, 0};
  size_t at = sizeof magic;
  mw_status status = MW_OK;
  arena *memory = arena_new();
  if (memory == NULL) return mw_fail_memory(error, "reading a PyTorch file");
  for (int i = 0; status == MW_OK && i < 4; i++) {
    status = pickle_read(&trees[i], w->bytes + at, w->size - at, w->path, memory, error);
    if (status == MW_OK) at += trees[i].size;
  }
  if (status == MW_OK) status = list_storages(&all, &trees[2], memory, error);
  const pickle_value *keys = status == MW_OK ? trees[3].root : NULL;
  if (status == MW_OK && keys->kind != PICKLE_LIST)
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: a broken list of storages", w->path);
  for (size_t i = 0; status == MW_OK && i < keys->count; i++) {
    const pickle_value *key = keys->items[i];
    if (key->kind != PICKLE_STRING || !place_storage(find(&all, key->string), w, &at))
      status =
          mw_fail(error, MW_ERROR_FORMAT,
                  "%s: storage %zu is broken or cut off; is the download complete?", w->path, i);
  }
  if (status == MW_OK) status = torch_tree_read(w, &trees[2], find_storage, &all, error);
  arena_free(memory);
  return status;
}
