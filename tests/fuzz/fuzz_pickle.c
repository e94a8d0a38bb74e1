// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any bytes as the pickle of a PyTorch file, whose storages are there.
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "torch_tree.h"

enum { STORAGE_BYTES = 4096, READ_LIMIT = 1 << 12, TENSORS_READ = 256, BYTES_PER_BYTE = 1024 };

static mw_status find_storage(void *context, const char *key, const unsigned char **data,
                              size_t *bytes, mw_error *error)
{
  static const unsigned char storage[STORAGE_BYTES];
  (void)context;
  (void)error;
  if (key[0] < '0' || key[0] > '9') return MW_OK;
  *data = storage;
  *bytes = key[0] == '9' ? 0 : STORAGE_BYTES;
  return MW_OK;
}

static void read_all(const weights *w)
{
  float values[READ_LIMIT];
  for (size_t i = 0; i < weights_count(w) && i < TENSORS_READ; i++) {
    const tensor *t = weights_at(w, i);
    size_t count = t->count < READ_LIMIT ? t->count : READ_LIMIT;
    if (weights_find(w, t->name) != t) abort();
    tensor_read(t, t->count - count, count, values);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  weights *w = calloc(1, sizeof *w);
  arena *memory = arena_new();
  pickle_tree tree;
  mw_error error = {""};
  if (w == NULL || memory == NULL) abort();
  w->file = -1;
  w->memory = arena_new();
  w->path = strdup("fuzz");
  mw_status status = pickle_read(&tree, bytes, size, "fuzz", memory, &error);
  if (arena_bytes(memory) > BYTES_PER_BYTE * (size + 64)) abort();
  if (status == MW_OK) status = torch_tree_read(w, &tree, find_storage, NULL, &error);
  if (fuzz_judge(status, &error)) read_all(w);
  arena_free(memory);
  weights_close(w);
  return 0;
}
