// SPDX-License-Identifier: GPL-3.0-or-later
//
// A file of weights: mapped, its container recognised, its tensors found by name.
#include "weights_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fnv.h"
#include "regular_file.h"

enum {
  NAME_LIMIT = 1024,
  OVERLAP_LIMIT = 16,
  STEPS_MOST = 1024, // to a name's place; more only when names were chosen to fall on one
};

static bool multiply(size_t a, size_t b, size_t *product)
{
  return !__builtin_mul_overflow(a, b, product);
}

// The largest element index a shape and its strides reach; false on overflow.
static bool last_element(unsigned rank, const size_t *shape, const size_t *stride, size_t *last)
{
  *last = 0;
  for (unsigned d = 0; d < rank; d++) {
    size_t reach;
    if (!multiply(shape[d] - 1, stride[d], &reach)) return false;
    if (__builtin_add_overflow(*last, reach, last)) return false;
  }
  return true;
}

static bool grow(weights *w)
{
  if (w->count < w->capacity) return true;
  size_t capacity = w->capacity > 0 ? 2 * w->capacity : 64;
  tensor *larger = realloc(w->tensors, capacity * sizeof *larger);
  if (larger == NULL) return false;
  w->tensors = larger;
  w->capacity = capacity;
  return true;
}

// UTF-8 without control characters: names are printed, also as JSON, and may come from anyone.
static bool is_text(const char *name)
{
  const unsigned char *at = (const unsigned char *)name;
  while (*at != '\0') {
    unsigned char lead = *at++;
    unsigned more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    if (lead < 0x20 || lead == 0x7F || (lead >= 0x80 && lead < 0xC2) || lead > 0xF4) return false;
    for (; more > 0; more--)
      if ((*at++ & 0xC0) != 0x80) return false;
  }
  return true;
}

mw_status weights_add(weights *w, const char *name, tensor_dtype dtype, unsigned rank,
                      const size_t *shape, const size_t *stride, const unsigned char *data,
                      size_t data_bytes, size_t offset, mw_error *error)
{
  size_t length = strlen(name);
  if (length > NAME_LIMIT)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: a tensor's name is longer than %d bytes", w->path,
                   NAME_LIMIT);
  if (!is_text(name))
    return mw_fail(error, MW_ERROR_FORMAT, "%s: the name of tensor %zu is not text", w->path,
                   w->count);
  if (rank > TENSOR_RANK_LIMIT)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: tensor %s has %u dimensions; at most %d", w->path,
                   name, rank, TENSOR_RANK_LIMIT);
  tensor t = {.dtype = dtype, .rank = rank, .count = 1, .contiguous = true};
  for (unsigned d = rank; d-- > 0;) {
    t.shape[d] = shape[d];
    t.stride[d] = stride != NULL ? stride[d] : t.count;
    if (shape[d] > 1 && t.stride[d] != t.count) t.contiguous = false;
    if (!multiply(t.count, shape[d], &t.count))
      return mw_fail(error, MW_ERROR_FORMAT, "%s: tensor %s: its size overflows", w->path, name);
  }
  size_t elements = data_bytes / tensor_dtype_bytes(dtype);
  size_t last = 0;
  if (t.count > 0 && (!last_element(rank, t.shape, t.stride, &last) || offset >= elements ||
                      last >= elements - offset))
    return mw_fail(error, MW_ERROR_FORMAT, "%s: tensor %s reaches beyond its data (%zu bytes)",
                   w->path, name, data_bytes);
  // Overlapping strides may describe billions of elements over a few bytes; no model does.
  if (t.count > elements)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: tensor %s has %zu elements over %zu stored ones",
                   w->path, name, t.count, elements);
  if (t.count > 0) t.data = data + offset * tensor_dtype_bytes(dtype);
  char *copy = arena_take(w->memory, length + 1, 1);
  if (copy == NULL || !grow(w)) return mw_fail_memory(error, "listing tensors");
  memcpy(copy, name, length + 1);
  t.name = copy;
  w->tensors[w->count++] = t;
  return MW_OK;
}

static uint64_t hash_name(const char *name)
{
  uint64_t hash = FNV_START;
  for (; *name != '\0'; name++) hash = fnv_step(hash, *name);
  return hash ^ hash >> 32;
}

// Tensors may share what is stored, as tied weights do; ever the same bytes under ever other names
// would make gigabytes out of a small file when they are written.
static mw_status check_overlap(const weights *w, mw_error *error)
{
  size_t bytes = 0;
  for (size_t i = 0; i < w->count; i++) {
    const tensor *t = &w->tensors[i];
    if (__builtin_add_overflow(bytes, t->count * tensor_dtype_bytes(t->dtype), &bytes) ||
        bytes / OVERLAP_LIMIT > w->size)
      return mw_fail(error, MW_ERROR_FORMAT, "%s: its tensors overlap more than %d times", w->path,
                     OVERLAP_LIMIT);
  }
  return MW_OK;
}

mw_status weights_index(weights *w, mw_error *error)
{
  mw_status status = w->bytes != NULL ? check_overlap(w, error) : MW_OK;
  if (status != MW_OK) return status;
  size_t buckets = 16;
  while (buckets < 2 * w->count) buckets *= 2;
  free(w->buckets);
  w->buckets = calloc(buckets, sizeof *w->buckets);
  if (w->buckets == NULL || w->count >= UINT32_MAX) return mw_fail_memory(error, "listing tensors");
  w->bucket_mask = buckets - 1;
  for (size_t i = 0; i < w->count; i++) {
    size_t at = hash_name(w->tensors[i].name) & w->bucket_mask;
    for (size_t step = 0; w->buckets[at] != 0; step++, at = (at + 1) & w->bucket_mask) {
      if (strcmp(w->tensors[w->buckets[at] - 1].name, w->tensors[i].name) == 0)
        return mw_fail(error, MW_ERROR_FORMAT, "%s: tensor %s occurs twice", w->path,
                       w->tensors[i].name);
      if (step == STEPS_MOST)
        return mw_fail(error, MW_ERROR_FORMAT, "%s: its tensors' names are made to collide",
                       w->path);
    }
    w->buckets[at] = (uint32_t)i + 1;
  }
  return MW_OK;
}

static mw_status map_file(weights *w, mw_error *error)
{
  struct stat about;
  mw_status status = regular_file_descriptor(&w->file, w->path, error);
  if (status != MW_OK) return status;
  if (fstat(w->file, &about) != 0)
    return mw_fail(error, MW_ERROR_IO, "%s: %s", w->path, strerror(errno));
  w->size = (size_t)about.st_size;
  void *mapped = w->size > 0 ? mmap(NULL, w->size, PROT_READ, MAP_PRIVATE, w->file, 0) : MAP_FAILED;
  if (w->size == 0) return mw_fail(error, MW_ERROR_FORMAT, "%s: the file is empty", w->path);
  if (mapped == MAP_FAILED)
    return mw_fail(error, MW_ERROR_IO, "%s: could not be mapped: %s", w->path, strerror(errno));
  w->bytes = mapped;
  return MW_OK;
}

static mw_status read_container(weights *w, mw_error *error)
{
  const unsigned char *b = w->bytes;
  if (w->size >= 4 && memcmp(b, "PK\3\4", 4) == 0) return torch_read(w, error);
  if (torch_is_legacy(b, w->size)) return torch_legacy_read(w, error);
  if (w->size >= 2 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5)
    return mw_fail(error, MW_ERROR_FORMAT,
                   "%s: a plain pickle, not a file of torch.save; save it again with torch.save",
                   w->path);
  if (w->size >= 9 && b[8] == '{') return safetensors_read(w, error);
  return mw_fail(error, MW_ERROR_FORMAT,
                 "%s: neither safetensors nor a PyTorch archive; is the download complete?",
                 w->path);
}

mw_status weights_open(weights **opened, const char *path, mw_error *error)
{
  weights *w = calloc(1, sizeof *w);
  mw_status status = MW_ERROR_MEMORY;
  if (w != NULL) {
    w->file = -1;
    w->memory = arena_new();
    w->path = strdup(path);
  }
  if (w == NULL || w->memory == NULL || w->path == NULL) {
    mw_fail_memory(error, "opening weights");
    goto fail;
  }
  status = map_file(w, error);
  if (status == MW_OK) status = read_container(w, error);
  if (status != MW_OK) goto fail;
  *opened = w;
  return MW_OK;
fail:
  weights_close(w);
  return status;
}

void weights_close(weights *w)
{
  if (w == NULL) return;
  if (w->bytes != NULL) munmap((void *)w->bytes, w->size);
  if (w->file >= 0) close(w->file);
  free(w->buckets);
  free(w->tensors);
  free(w->path);
  arena_free(w->memory);
  free(w);
}

mw_status weights_check(const weights *w, mw_error *error)
{
  struct stat about;
  if (w->file < 0 || (fstat(w->file, &about) == 0 && (size_t)about.st_size >= w->size))
    return MW_OK;
  return mw_fail(error, MW_ERROR_IO,
                 "%s: was cut short while it was in use; put it back and start again", w->path);
}

void weights_let_go(const weights *w)
{
  if (w != NULL && w->file >= 0) madvise((void *)w->bytes, w->size, MADV_DONTNEED);
}

const char *weights_path(const weights *w)
{
  return w->path;
}

size_t weights_count(const weights *w)
{
  return w->count;
}

const tensor *weights_at(const weights *w, size_t index)
{
  return index < w->count ? &w->tensors[index] : NULL;
}

const tensor *weights_find(const weights *w, const char *name)
{
  for (size_t at = hash_name(name) & w->bucket_mask; w->buckets[at] != 0;
       at = (at + 1) & w->bucket_mask) {
    const tensor *t = &w->tensors[w->buckets[at] - 1];
    if (strcmp(t->name, name) == 0) return t;
  }
  return NULL;
}

const char *weights_metadata(const weights *w, const char *key)
{
  for (size_t i = 0; i < w->metadata_count; i++)
    if (strcmp(w->metadata[i].key, key) == 0) return w->metadata[i].value;
  return NULL;
}

weights_view weights_under(const weights *file, const char *prefix)
{
  weights_view view = {.file = file};
  snprintf(view.prefix, sizeof view.prefix, "%s", prefix);
  return view;
}

weights_view weights_locate(const weights *file, const char *name)
{
  weights_view view = weights_under(file, "");
  size_t length = strlen(name);
  size_t best = SIZE_MAX;
  for (size_t i = 0; i < file->count; i++) {
    const char *found = file->tensors[i].name;
    size_t found_length = strlen(found);
    if (found_length < length) continue;
    size_t prefix = found_length - length;
    if (prefix >= sizeof view.prefix || strcmp(found + prefix, name) != 0) continue;
    if (prefix > 0 && found[prefix - 1] != '.') continue;
    // Averaged weights are the better ones, and not always behind the shorter prefix.
    size_t rank = strncmp(found, "ema_", 4) == 0 ? prefix : prefix + sizeof view.prefix;
    if (rank >= best) continue;
    best = rank;
    memcpy(view.prefix, found, prefix);
    view.prefix[prefix] = '\0';
  }
  return view;
}

weights_view weights_within(const weights_view *view, const char *prefix)
{
  weights_view inner = {.file = view->file};
  snprintf(inner.prefix, sizeof inner.prefix, "%s%s", view->prefix, prefix);
  return inner;
}

const tensor *weights_view_find(const weights_view *view, const char *name)
{
  char full[NAME_LIMIT + sizeof view->prefix];
  if (snprintf(full, sizeof full, "%s%s", view->prefix, name) >= (int)sizeof full) return NULL;
  return weights_find(view->file, full);
}

static void write_shape(char *out, size_t size, unsigned rank, const size_t *shape)
{
  size_t at = (size_t)snprintf(out, size, "[");
  for (unsigned d = 0; d < rank && at < size; d++) {
    const char *comma = d > 0 ? ", " : "";
    if (shape[d] == ANY_SIZE)
      at += (size_t)snprintf(out + at, size - at, "%s*", comma);
    else
      at += (size_t)snprintf(out + at, size - at, "%s%zu", comma, shape[d]);
  }
  if (at < size) snprintf(out + at, size - at, "]");
}

mw_status weights_need(const tensor **found, const weights_view *view, const char *name,
                       unsigned rank, const size_t *shape, mw_error *error)
{
  char wanted[128];
  char present[128];
  const tensor *t = weights_view_find(view, name);
  write_shape(wanted, sizeof wanted, rank, shape);
  if (t == NULL)
    return mw_fail(error, MW_ERROR_MODEL, "%s: tensor %s%s %s is missing", view->file->path,
                   view->prefix, name, wanted);
  bool fits = t->rank == rank;
  for (unsigned d = 0; fits && d < rank; d++)
    fits = shape[d] == ANY_SIZE || t->shape[d] == shape[d];
  if (!fits) {
    write_shape(present, sizeof present, t->rank, t->shape);
    return mw_fail(error, MW_ERROR_MODEL, "%s: tensor %s%s: wanted %s, found %s", view->file->path,
                   view->prefix, name, wanted, present);
  }
  *found = t;
  return MW_OK;
}

mw_status weights_read(const weights_view *view, const char *name, unsigned rank,
                       const size_t *shape, float *out, mw_error *error)
{
  const tensor *t;
  mw_status status = weights_need(&t, view, name, rank, shape, error);
  if (status == MW_OK) tensor_read(t, 0, t->count, out);
  return status;
}
