// SPDX-License-Identifier: GPL-3.0-or-later
//
// PyTorch's archives (torch.save since 1.6, and TorchScript): a stored zip with
//   NAME/data.pkl   the tree
//   NAME/data/KEY   the bytes of each storage
// Code and everything else are left alone.
#include <stdio.h>
#include <string.h>

#include "torch_tree.h"
#include "zip.h"

typedef struct {
  weights *w;
  zip archive;
  char folder[256]; // with its slash
} source;

static mw_status find_storage(void *context, const char *key, const unsigned char **data,
                              size_t *bytes, mw_error *error)
{
  const source *s = context;
  char name[512];
  int length = snprintf(name, sizeof name, "%sdata/%s", s->folder, key);
  if (length >= (int)sizeof name) return MW_OK;
  const zip_entry *entry = zip_find(&s->archive, name, (size_t)length);
  if (entry == NULL) return MW_OK;
  *bytes = entry->size;
  return zip_data(&s->archive, entry, data, error);
}

// The one entry FOLDER/data.pkl names the folder.
static const zip_entry *find_tree(source *s)
{
  static const char name[] = "data.pkl";
  const size_t length = sizeof name - 1;
  for (size_t i = 0; i < s->archive.count; i++) {
    const zip_entry *entry = &s->archive.entries[i];
    const char *slash = memchr(entry->name, '/', entry->name_length);
    size_t folder = slash != NULL ? (size_t)(slash - entry->name) + 1 : 0;
    if (entry->name_length != folder + length || folder >= sizeof s->folder ||
        memcmp(entry->name + folder, name, length) != 0)
      continue;
    memcpy(s->folder, entry->name, folder);
    s->folder[folder] = '\0';
    return entry;
  }
  return NULL;
}

// Newer writers say the byte order; without the entry it is the usual one.
static mw_status check_byte_order(const source *s, mw_error *error)
{
  char name[sizeof s->folder + 16];
  const unsigned char *data;
  int length = snprintf(name, sizeof name, "%sbyteorder", s->folder);
  const zip_entry *entry = zip_find(&s->archive, name, (size_t)length);
  if (entry == NULL) return MW_OK;
  mw_status status = zip_data(&s->archive, entry, &data, error);
  if (status != MW_OK) return status;
  if (entry->size != 6 || memcmp(data, "little", 6) != 0)
    return mw_fail(error, MW_ERROR_FORMAT,
                   "%s: written on a big-endian machine; save it again on another", s->w->path);
  return MW_OK;
}

mw_status torch_read(weights *w, mw_error *error)
{
  source s = {.w = w};
  pickle_tree tree;
  const unsigned char *pickle;
  arena *memory = arena_new();
  if (memory == NULL) return mw_fail_memory(error, "reading a PyTorch archive");
  mw_status status = zip_open(&s.archive, w->bytes, w->size, w->path, memory, error);
  const zip_entry *entry = status == MW_OK ? find_tree(&s) : NULL;
  if (status == MW_OK && entry == NULL)
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: a zip archive without data.pkl: not PyTorch's",
                     w->path);
  if (status == MW_OK) status = check_byte_order(&s, error);
  if (status == MW_OK) status = zip_data(&s.archive, entry, &pickle, error);
  if (status == MW_OK) status = pickle_read(&tree, pickle, entry->size, w->path, memory, error);
  if (status == MW_OK) status = torch_tree_read(w, &tree, find_storage, &s, error);
  arena_free(memory);
  return status;
}
