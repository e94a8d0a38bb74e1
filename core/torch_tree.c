// SPDX-License-Identifier: GPL-3.0-or-later
#include "torch_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A tree may hold the same list many times over; what is visited or passed over is counted, not
// what is stored. So many visits beyond one for each byte of the pickle.
enum {
  DEPTH_LIMIT = 64,
  VISITS_MORE = 1 << 16,
  TENSOR_LIMIT = 1 << 17,
  PATH_LIMIT = 1024,
  KEY_LIMIT = 256
};

typedef struct {
  weights *w;
  torch_storage find;
  void *context;
  size_t visits_left;
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

bool torch_storage_id(const pickle_value *persistent, const char **key, tensor_dtype *dtype,
                      bool *known_dtype)
{
  const pickle_value *id = persistent->kind == PICKLE_PERSISTENT ? persistent->items[0] : NULL;
  if (id == NULL || id->kind != PICKLE_TUPLE || id->count < 5 ||
      id->items[1]->kind != PICKLE_GLOBAL || id->items[2]->kind != PICKLE_STRING ||
      strnlen(id->items[2]->string, KEY_LIMIT + 1) > KEY_LIMIT) // numbers; they are compared often
    return false;
  *key = id->items[2]->string;
  *known_dtype = storage_dtype(id->items[1]->string, dtype);
  return true;
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
  const char *key;
  bool known_dtype;
  if (k->w->count >= TENSOR_LIMIT) return broken_tensor(k, "more tensors than any model has");
  if (!torch_storage_id(arguments->items[0], &key, &dtype, &known_dtype))
    return broken_tensor(k, "a broken storage");
  // Complex numbers and the like: no network here has them.
  if (!known_dtype) return MW_OK;
  mw_status status = k->find(k->context, key, &data, &bytes, k->error);
  if (status != MW_OK) return status;
  if (data == NULL) return broken_tensor(k, "its storage is not in the file");
  return weights_add(k->w, k->path[0] != '\0' ? k->path : "tensor", dtype, rank, shape, stride,
                     data, bytes, (size_t)arguments->items[1]->integer, k->error);
}

static mw_status count_visit(walker *k, unsigned depth)
{
  if (depth >= DEPTH_LIMIT || k->visits_left == 0)
    return mw_fail(k->error, MW_ERROR_FORMAT, "%s: its tree is too deep or too large at %s",
                   k->w->path, k->path);
  k->visits_left--;
  return MW_OK;
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
      bool skipped = name == NULL || (depth == 0 && strncmp(name, "optimizer", 9) == 0);
      status = skipped ? count_visit(k, depth) : walk_member(k, name, value->items[i + 1], depth);
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
  mw_status status = count_visit(k, depth);
  if (status != MW_OK) return status;
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
  status = walk_items(k, value, depth);
  value->on_path = false;
  return status;
}

mw_status torch_tree_read(weights *w, const pickle_tree *tree, torch_storage find, void *context,
                          mw_error *error)
{
  walker *k = calloc(1, sizeof *k);
  if (k == NULL) return mw_fail_memory(error, "reading a PyTorch file");
  *k = (walker){.w = w,
                .find = find,
                .context = context,
                .visits_left = tree->size + VISITS_MORE,
                .error = error};
  mw_status status = walk(k, tree->root, 0);
  free(k);
  return status == MW_OK ? weights_index(w, error) : status;
}
