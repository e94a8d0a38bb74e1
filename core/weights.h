// SPDX-License-Identifier: GPL-3.0-or-later
//
// Named tensors of one file, mapped and read-only, whatever its container: safetensors, PyTorch
// zip, TorchScript archive or our bundle (safetensors with our metadata). Opening checks every
// offset, size and product of dimensions against the file, so that a tensor handed out can be read
// without further checks. Objects are immutable after weights_open: any number of threads may read
// one.
#ifndef MEANWAVE_WEIGHTS_H
#define MEANWAVE_WEIGHTS_H

#include "status.h"

enum { TENSOR_RANK_LIMIT = 8 };

typedef enum {
  TENSOR_F32,
  TENSOR_F16,
  TENSOR_BF16,
  TENSOR_F64,
  TENSOR_I64,
  TENSOR_I32,
  TENSOR_I16,
  TENSOR_I8,
  TENSOR_U8,
  TENSOR_BOOL,
} tensor_dtype;

typedef struct {
  const char *name;
  tensor_dtype dtype;
  unsigned rank;                    // 0 for a scalar
  size_t shape[TENSOR_RANK_LIMIT];  // [shape[0], ..., shape[rank - 1]]
  size_t stride[TENSOR_RANK_LIMIT]; // in elements; C order unless `contiguous` is false
  size_t count;                     // product of shape
  bool contiguous;
  const void *data; // little-endian; maybe unaligned; NULL when count is 0
  // Of an I8 tensor of a bundle: F32 [shape[0]], maybe unaligned; a value is its integer times the
  // scale of its row. NULL elsewhere, and where an I8 tensor holds whole numbers. tensor_read
  // applies it.
  const void *row_scale;
} tensor;

typedef struct weights weights;

// Opens and maps `path`; the container is recognised by its content, never by its name.
mw_status weights_open(weights **opened, const char *path, mw_error *error);
void weights_close(weights *w);
// MW_ERROR_IO when the file became shorter than what is mapped of it: reading on would end the
// process. To be asked before a read long after opening; a file that was replaced by another of its
// name is still there. Any thread.
mw_status weights_check(const weights *w, mw_error *error);
// Gives back the memory of pages read so far; they are read from the file again when needed. For
// after a network has made its own copy. Any thread.
void weights_let_go(const weights *w);

const char *weights_path(const weights *w);
size_t weights_count(const weights *w);
const tensor *weights_at(const weights *w, size_t index);       // in the file's order
const tensor *weights_find(const weights *w, const char *name); // NULL when absent; hashed lookup
const char *weights_metadata(const weights *w,
                             const char *key); // of a safetensors header; NULL when absent

// A part of a file: all names behind `prefix` are looked up with the prefix put in front, so that
// networks ask for the official names whatever the container adds ("ema_model.", "module.",
// "m.encoder."). Cheap to copy; the weights must outlive it.
typedef struct {
  const weights *file;
  char prefix[192];
} weights_view;

weights_view weights_under(const weights *file, const char *prefix);
weights_view weights_within(const weights_view *view, const char *prefix); // prefixes joined

// The part of a file that holds the tensor `name` behind whatever a container put in front
// ("state_dict.module.", "ema_model_state_dict.ema_model."): an averaged copy before others, then
// the shortest prefix. Without such a tensor, the whole file, so that the next weights_need says
// what is missing.
weights_view weights_locate(const weights *file, const char *name);

// The tensor `name` must exist with this shape: the line of the error names file, tensor, wanted
// and found. A dimension given as ANY_SIZE (SIZE_MAX) fits any. Example: weights_need(&t, &view,
// "norm.weight", 1, (size_t[]){d}, error).
#define ANY_SIZE SIZE_MAX
mw_status weights_need(const tensor **found, const weights_view *view, const char *name,
                       unsigned rank, const size_t *shape, mw_error *error);
const tensor *weights_view_find(const weights_view *view, const char *name);

// Converts the elements [first, first + count) (C order, strides resolved) of any numeric dtype to
// float.
void tensor_read(const tensor *t, size_t first, size_t count, float *out);

// weights_need and tensor_read of the whole tensor into `out`, which holds its count.
mw_status weights_read(const weights_view *view, const char *name, unsigned rank,
                       const size_t *shape, float *out, mw_error *error);

#endif
