// SPDX-License-Identifier: GPL-3.0-or-later
//
// PyTorch's archives (torch.save since 1.6, and TorchScript): a stored zip with
//   NAME/data.pkl   the tree; a tensor is a call of _rebuild_tensor_v2 on a persistent storage id
//   NAME/data/KEY   the bytes of each storage
// Names are the path through dictionaries, lists and objects, joined with dots; a file that is
// one bare tensor calls it "tensor". Code and everything that is no tensor are left alone.
#include "weights_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pickle.h"
#include "zip.h"

// A tree may hold the same list many times over; what is visited is counted, not what is stored.
enum { DEPTH_LIMIT = 64, VISIT_LIMIT = 4 << 20, TENSOR_LIMIT = 1 << 17, PATH_LIMIT = 1024 };

typedef struct {
  weights *w;
  zip archive;
  char folder[256]; // with its slash
  size_t visits;
  char path[PATH_LIMIT];
  mw_error *error;
} walker;

static bool storage_dtype(const char *name, tensor_dtype *dtype)
{
  static const struct {
    const char *name;
    tensor_dtype dtype;
  } known[] = {
      {"torch.FloatStorage", TENSOR_F32},     {"torch.HalfStorage", TENSOR_F16},
      {"torch.BFloat16Storage", TENSOR_BF16}, {"torch.DoubleStorage", TENSOR_F64},
      {"torch.LongStorage", TENSOR_I64},      {"torch.IntStorage", TENSOR_I32},
      {"torch.ShortStorage", TENSOR_I16},     {"torch.CharStorage", TENSOR_I8},
      {"torch.ByteStorage", TENSOR_U8},       {"torch.BoolStorage", TENSOR_BOOL},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(name, known[i].name) == 0) {
      *dtype = known[i].dtype;
      return true;
    }
  }
  return false;
}

static bool is_call(const pickle_value *value, const char *name)
{
  return value->kind == PICKLE_CALL && value->items[0]->kind == PICKLE_GLOBAL &&
         strcmp(value->items[0]->string, name) == 0 && value->items[1]->kind == PICKLE_TUPLE;
}

static bool read_sizes(const pickle_value *list, size_t *values, unsigned *count)
{
  if ((list->kind != PICKLE_TUPLE && list->kind != PICKLE_LIST) || list->count > TENSOR_RANK_LIMIT)
    return false;
  for (size_t i = 0; i < list->count; i++) {
    if (list->items[i]->kind != PICKLE_INTEGER || list->items[i]->integer < 0) return false;
    values[i] = (size_t)list->items[i]->integer;
  }
  *count = (unsigned)list->count;
  return true;
}

static mw_status broken_tensor(walker *k, const char *why)
{
  return mw_fail(k->error, MW_ERROR_FORMAT, "%s: tensor %s: %s", k->w->path, k->path, why);
}

// ('storage', class, key, device, count) -> its bytes in the archive, or NULL for element types no
// network here has (complex numbers and the like).
static mw_status read_storage(walker *k, const pickle_value *persistent, tensor_dtype *dtype,
                              const unsigned char **data, size_t *bytes)
{
  const pickle_value *id = persistent->kind == PICKLE_PERSISTENT ? persistent->items[0] : NULL;
  if (id == NULL || id->kind != PICKLE_TUPLE || id->count < 5 ||
      id->items[1]->kind != PICKLE_GLOBAL || id->items[2]->kind != PICKLE_STRING)
    return broken_tensor(k, "a broken storage");
  *data = NULL;
  if (!storage_dtype(id->items[1]->string, dtype)) return MW_OK;
  char name[512];
  int length = snprintf(name, sizeof name, "%sdata/%s", k->folder, id->items[2]->string);
  const zip_entry *entry =
      length < (int)sizeof name ? zip_find(&k->archive, name, (size_t)length) : NULL;
  if (entry == NULL) return broken_tensor(k, "its storage is not in the archive");
  *bytes = entry->size;
  return zip_data(&k->archive, entry, data, k->error);
}

// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)
static mw_status add_tensor(walker *k, const pickle_value *arguments)
{
  tensor_dtype dtype = TENSOR_F32;
  const unsigned char *data = NULL;
  size_t bytes = 0;
  size_t shape[TENSOR_RANK_LIMIT];
  size_t stride[TENSOR_RANK_LIMIT];
  unsigned rank;
  unsigned strides;
  if (arguments->count < 4 || arguments->items[1]->kind != PICKLE_INTEGER ||
      arguments->items[1]->integer < 0 || !read_sizes(arguments->items[2], shape, &rank) ||
      !read_sizes(arguments->items[3], stride, &strides) || rank != strides)
    return broken_tensor(k, "a broken description");
  if (k->w->count >= TENSOR_LIMIT) return broken_tensor(k, "more tensors than any model has");
  mw_status status = read_storage(k, arguments->items[0], &dtype, &data, &bytes);
  if (status != MW_OK || data == NULL) return status;
  return weights_add(k->w, k->path[0] != '\0' ? k->path : "tensor", dtype, rank, shape, stride,
                     data, bytes, (size_t)arguments->items[1]->integer, k->error);
}

static mw_status walk(walker *k, pickle_value *value, unsigned depth);

static mw_status walk_member(walker *k, const char *name, pickle_value *value, unsigned depth)
{
  size_t length = strlen(k->path);
  size_t left = sizeof k->path - length;
  if ((size_t)snprintf(k->path + length, left, "%s%s", length > 0 ? "." : "", name) >= left) {
    k->path[length] = '\0';
    return mw_fail(k->error, MW_ERROR_FORMAT, "%s: a tensor's name is too long", k->w->path);
  }
  mw_status status = walk(k, value, depth + 1);
  k->path[length] = '\0';
  return status;
}

static mw_status walk_items(walker *k, const pickle_value *value, unsigned depth)
{
  mw_status status = MW_OK;
  char number[32];
  if (value->kind == PICKLE_DICT) {
    for (size_t i = 0; status == MW_OK && i + 1 < value->count; i += 2) {
      const pickle_value *key = value->items[i];
      const char *name = key->kind == PICKLE_STRING ? key->string : NULL;
      if (key->kind == PICKLE_INTEGER) {
        snprintf(number, sizeof number, "%lld", (long long)key->integer);
        name = number;
      }
      // The optimizer's state is twice the size of the weights and nobody's business here.
      if (name != NULL && depth == 0 && strncmp(name, "optimizer", 9) == 0) continue;
      if (name != NULL) status = walk_member(k, name, value->items[i + 1], depth);
    }
    return status;
  }
  for (size_t i = 0; status == MW_OK && i < value->count; i++) {
    snprintf(number, sizeof number, "%zu", i);
    status = walk_member(k, number, value->items[i], depth);
  }
  return status;
}

static mw_status walk(walker *k, pickle_value *value, unsigned depth)
{
  if (depth >= DEPTH_LIMIT || ++k->visits > VISIT_LIMIT)
    return mw_fail(k->error, MW_ERROR_FORMAT, "%s: its tree is too deep or too large at %s",
                   k->w->path, k->path);
  if (is_call(value, "torch._utils._rebuild_tensor_v2")) return add_tensor(k, value->items[1]);
  if ((is_call(value, "torch._utils._rebuild_parameter") ||
       is_call(value, "torch._utils._rebuild_parameter_with_state")) &&
      value->items[1]->count > 0)
    value = value->items[1]->items[0];
  if (is_call(value, "torch._utils._rebuild_tensor_v2")) return add_tensor(k, value->items[1]);
  if (value->kind == PICKLE_CALL) value = value->state;
  if (value == NULL ||
      (value->kind != PICKLE_DICT && value->kind != PICKLE_LIST && value->kind != PICKLE_TUPLE))
    return MW_OK;
  if (value->on_path)
    return mw_fail(k->error, MW_ERROR_FORMAT, "%s: its tree is cyclic at %s", k->w->path, k->path);
  value->on_path = true;
  mw_status status = walk_items(k, value, depth);
  value->on_path = false;
  return status;
}

// The one entry FOLDER/data.pkl names the folder.
static const zip_entry *find_tree(walker *k)
{
  static const char name[] = "data.pkl";
  const size_t length = sizeof name - 1;
  for (size_t i = 0; i < k->archive.count; i++) {
    const zip_entry *entry = &k->archive.entries[i];
    const char *slash = memchr(entry->name, '/', entry->name_length);
    size_t folder = slash != NULL ? (size_t)(slash - entry->name) + 1 : 0;
    if (entry->name_length != folder + length || folder >= sizeof k->folder ||
        memcmp(entry->name + folder, name, length) != 0)
      continue;
    memcpy(k->folder, entry->name, folder);
    k->folder[folder] = '\0';
    return entry;
  }
  return NULL;
}

// Newer writers say the byte order; without the entry it is the usual one.
static mw_status check_byte_order(walker *k)
{
  char name[sizeof k->folder + 16];
  const unsigned char *data;
  int length = snprintf(name, sizeof name, "%sbyteorder", k->folder);
  const zip_entry *entry = zip_find(&k->archive, name, (size_t)length);
  if (entry == NULL) return MW_OK;
  mw_status status = zip_data(&k->archive, entry, &data, k->error);
  if (status != MW_OK) return status;
  if (entry->size != 6 || memcmp(data, "little", 6) != 0)
    return mw_fail(k->error, MW_ERROR_FORMAT,
                   "%s: written on a big-endian machine; save it again on another", k->w->path);
  return MW_OK;
}

mw_status torch_read(weights *w, mw_error *error)
{
  walker *k = calloc(1, sizeof *k);
  arena *memory = arena_new();
  mw_status status = MW_ERROR_MEMORY;
  if (k == NULL || memory == NULL) {
    mw_fail_memory(error, "reading a PyTorch archive");
    goto done;
  }
  k->w = w;
  k->error = error;
  status = zip_open(&k->archive, w->bytes, w->size, w->path, memory, error);
  if (status != MW_OK) goto done;
  const zip_entry *tree = find_tree(k);
  const unsigned char *pickle;
  const pickle_value *root;
  if (tree == NULL) {
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: a zip archive without data.pkl: not PyTorch's",
                     w->path);
    goto done;
  }
  status = zip_data(&k->archive, tree, &pickle, error);
  if (status == MW_OK) status = pickle_read(&root, pickle, tree->size, w->path, memory, error);
  if (status == MW_OK) status = check_byte_order(k);
  if (status == MW_OK) status = walk(k, (pickle_value *)root, 0);
  if (status == MW_OK) status = weights_index(w, error);
done:
  arena_free(memory);
  free(k);
  return status;
}
