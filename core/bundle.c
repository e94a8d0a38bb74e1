// SPDX-License-Identifier: GPL-3.0-or-later
#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "half.h"
#include "json.h"
#include "replace.h"
#include "weights_internal.h"

// Below this the scales and the loss are not worth the bytes.
enum { SMALLEST_CONVERTED = 4096, CHUNK = 1 << 14, HEADER_ALIGNMENT = 64 };

typedef struct {
  const tensor *source;
  char *name;
  tensor_dtype dtype;
  bool scales; // the row scales of `source`, not its values
  size_t rows;
  size_t row_length;
  size_t bytes;
} output;

typedef struct {
  output *items;
  size_t count;
  size_t capacity;
  const char *path;
  FILE *file;
  float *row; // of the longest int8 row, and of CHUNK floats at least
  mw_error *error;
} writer;

static bool is_float(const tensor *t)
{
  return t->dtype == TENSOR_F32 || t->dtype == TENSOR_F16 || t->dtype == TENSOR_BF16 ||
         t->dtype == TENSOR_F64 || t->row_scale != NULL;
}

static mw_status plan_one(writer *w, const tensor *source, const char *prefix, const char *name,
                          const char *suffix, tensor_dtype dtype)
{
  if (w->count == w->capacity) {
    size_t capacity = w->capacity > 0 ? 2 * w->capacity : 256;
    output *larger = realloc(w->items, capacity * sizeof *larger);
    if (larger == NULL) return mw_fail_memory(w->error, "planning a bundle");
    w->items = larger;
    w->capacity = capacity;
  }
  output o = {.source = source, .dtype = dtype, .scales = suffix[0] != '\0', .rows = 1};
  if (source->rank > 0) o.rows = source->shape[0];
  o.row_length = o.rows > 0 ? source->count / o.rows : 0;
  o.bytes = (o.scales ? o.rows : source->count) * tensor_dtype_bytes(dtype);
  size_t length = strlen(prefix) + strlen(name) + strlen(suffix) + 1;
  o.name = malloc(length);
  if (o.name == NULL) return mw_fail_memory(w->error, "planning a bundle");
  snprintf(o.name, length, "%s%s%s", prefix, name, suffix);
  w->items[w->count++] = o;
  return MW_OK;
}

static mw_status plan_tensor(writer *w, const tensor *t, const char *prefix, const char *name,
                             bool constant, tensor_dtype dtype)
{
  if (!is_float(t)) return plan_one(w, t, prefix, name, "", t->dtype);
  bool matrix = t->rank >= 2 && t->count >= SMALLEST_CONVERTED && t->count > t->shape[0];
  if (constant || !matrix) dtype = TENSOR_F32;
  mw_status status = plan_one(w, t, prefix, name, "", dtype);
  if (status == MW_OK && dtype == TENSOR_I8)
    status = plan_one(w, t, prefix, name, ".scale", TENSOR_F32);
  return status;
}

// Every tensor under a prefix, which is taken away.
static mw_status plan_all(writer *w, const bundle_part *part, const char *prefix,
                          tensor_dtype dtype)
{
  mw_status status = MW_OK;
  size_t length = strlen(prefix);
  for (size_t i = 0; status == MW_OK && i < weights_count(part->file); i++) {
    const tensor *t = weights_at(part->file, i);
    if (strncmp(t->name, prefix, length) != 0) continue;
    const char *name = t->name + length;
    bool constant = part->known != NULL && inventory_constant(part->known, name) != NULL;
    status = plan_tensor(w, t, part->prefix, name, constant, dtype);
  }
  return status;
}

static mw_status plan_part(writer *w, const bundle_part *part, tensor_dtype dtype)
{
  mw_status status = MW_OK;
  if (part->known == NULL) return plan_all(w, part, "", dtype);
  weights_view view = inventory_view(part->known, part->file);
  if (part->all) return plan_all(w, part, view.prefix, dtype);
  for (size_t i = 0; status == MW_OK && i < inventory_count(part->known); i++) {
    const inventory_item *item = inventory_at(part->known, i);
    const tensor *t = inventory_find(part->known, item, &view);
    if (t != NULL)
      status = plan_tensor(w, t, part->prefix, item->name, item->constant != NULL, dtype);
  }
  return status;
}

// Large elements first, so that every tensor is aligned without gaps (safetensors allows none).
static int compare_alignment(const void *a, const void *b)
{
  const output *x = a;
  const output *y = b;
  size_t size_x = tensor_dtype_bytes(x->dtype);
  size_t size_y = tensor_dtype_bytes(y->dtype);
  if (size_x != size_y) return size_x > size_y ? -1 : 1;
  return strcmp(x->name, y->name);
}

static bool write_header(writer *w, const bundle_entry *metadata, size_t entry_count)
{
  char *text = NULL;
  size_t length = 0;
  size_t offset = 0;
  FILE *header = open_memstream(&text, &length);
  if (header == NULL) return false;
  fputs("{\"__metadata__\":{\"format\":\"" BUNDLE_FORMAT "\"", header);
  for (size_t i = 0; i < entry_count; i++) {
    fputc(',', header);
    json_write_text(header, metadata[i].key);
    fputc(':', header);
    json_write_text(header, metadata[i].value);
  }
  fputc('}', header);
  for (size_t i = 0; i < w->count; i++) {
    const output *o = &w->items[i];
    fputs(",\n", header);
    json_write_text(header, o->name);
    fprintf(header, ":{\"dtype\":\"%s\",\"shape\":[", tensor_dtype_name(o->dtype));
    if (o->scales) fprintf(header, "%zu", o->rows);
    for (unsigned d = 0; !o->scales && d < o->source->rank; d++)
      fprintf(header, d > 0 ? ",%zu" : "%zu", o->source->shape[d]);
    fprintf(header, "],\"data_offsets\":[%zu,%zu]}", offset, offset + o->bytes);
    offset += o->bytes;
  }
  fputc('}', header);
  fflush(header);
  while ((8 + length) % HEADER_ALIGNMENT != 0) {
    fputc(' ', header);
    fflush(header);
  }
  bool good = fclose(header) == 0;
  for (int i = 0; good && i < 8; i++) fputc((int)((uint64_t)length >> (8 * i) & 0xFF), w->file);
  good = good && fwrite(text, 1, length, w->file) == length;
  free(text);
  return good;
}

static float largest(const float *values, size_t count)
{
  float most = 0.0f;
  for (size_t i = 0; i < count; i++) {
    if (isnan(values[i])) return values[i];
    most = fmaxf(most, fabsf(values[i]));
  }
  return most;
}

static mw_status not_finite(const writer *w, const output *o, const char *what)
{
  return mw_fail(w->error, MW_ERROR_FORMAT, "tensor %s: %s", o->name, what);
}

// Both the scales and the integers of an int8 tensor, row by row.
static mw_status write_rows(writer *w, const output *o)
{
  for (size_t row = 0; row < o->rows; row++) {
    tensor_read(o->source, row * o->row_length, o->row_length, w->row);
    float scale = largest(w->row, o->row_length) / 127.0f;
    if (!isfinite(scale)) return not_finite(w, o, "values that are not finite have no int8 form");
    if (o->scales) {
      fwrite(&scale, sizeof scale, 1, w->file);
      continue;
    }
    int8_t *integers = (int8_t *)w->row; // never ahead of what is read
    for (size_t i = 0; i < o->row_length; i++) {
      float value = w->row[i];
      integers[i] = scale > 0.0f ? (int8_t)fminf(127.0f, fmaxf(-127.0f, rintf(value / scale))) : 0;
    }
    fwrite(integers, 1, o->row_length, w->file);
  }
  return MW_OK;
}

static mw_status write_floats(writer *w, const output *o)
{
  uint16_t halves[CHUNK];
  for (size_t at = 0; at < o->source->count; at += CHUNK) {
    size_t count = o->source->count - at < CHUNK ? o->source->count - at : CHUNK;
    tensor_read(o->source, at, count, w->row);
    if (o->dtype == TENSOR_F32) {
      fwrite(w->row, sizeof(float), count, w->file);
      continue;
    }
    if (o->dtype == TENSOR_F16 && largest(w->row, count) >= 65520.0f)
      return not_finite(w, o, "values beyond 65504 have no f16 form; use bf16");
    for (size_t i = 0; i < count; i++)
      halves[i] = o->dtype == TENSOR_F16 ? float_to_half(w->row[i]) : float_to_bfloat(w->row[i]);
    fwrite(halves, sizeof halves[0], count, w->file);
  }
  return MW_OK;
}

static mw_status write_tensors(writer *w)
{
  size_t longest = CHUNK;
  for (size_t i = 0; i < w->count; i++) {
    const output *o = &w->items[i];
    if (o->dtype == TENSOR_I8 && o->row_length > longest) longest = o->row_length;
  }
  w->row = malloc(longest * sizeof(float));
  if (w->row == NULL) return mw_fail_memory(w->error, "writing a bundle");
  mw_status status = MW_OK;
  for (size_t i = 0; status == MW_OK && i < w->count; i++) {
    const output *o = &w->items[i];
    if (!is_float(o->source))
      tensor_write(o->source, w->file);
    else if (o->scales || o->dtype == TENSOR_I8)
      status = write_rows(w, o);
    else
      status = write_floats(w, o);
  }
  return status;
}

static mw_status write_file(writer *w, const bundle_entry *metadata, size_t entry_count,
                            bool overwrite)
{
  char temporary[4096];
  mw_status status = MW_ERROR_IO;
  if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", w->path) >= sizeof temporary)
    return mw_fail(w->error, MW_ERROR_ARGUMENT, "%.200s...: the name is too long", w->path);
  if (!overwrite && access(w->path, F_OK) == 0)
    return mw_fail(w->error, MW_ERROR_IO, "%s exists already; -y replaces it", w->path);
  int descriptor = mkstemp(temporary);
  if (descriptor < 0) return mw_fail(w->error, status, "%s: %s", temporary, strerror(errno));
  w->file = fdopen(descriptor, "wb");
  if (w->file == NULL) {
    close(descriptor);
    status = mw_fail_memory(w->error, "writing a bundle");
    goto fail;
  }
  mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor, 0666 & ~mask);
  if (!write_header(w, metadata, entry_count)) {
    status = mw_fail(w->error, MW_ERROR_IO, "%s: could not be written", temporary);
    goto fail;
  }
  status = write_tensors(w);
  if (status != MW_OK) goto fail;
  bool good = fflush(w->file) == 0 && ferror(w->file) == 0 && fsync(descriptor) == 0;
  if (!good) status = mw_fail(w->error, MW_ERROR_IO, "%s: %s", temporary, strerror(errno));
  if (status == MW_OK) status = replace_finish(temporary, w->path, overwrite, w->error);
fail:
  if (w->file != NULL) fclose(w->file);
  if (status != MW_OK) unlink(temporary);
  return status;
}

tensor_dtype bundle_dtype(mw_weight_type type)
{
  static const tensor_dtype types[] = {[MW_WEIGHTS_F32] = TENSOR_F32,
                                       [MW_WEIGHTS_F16] = TENSOR_F16,
                                       [MW_WEIGHTS_BF16] = TENSOR_BF16,
                                       [MW_WEIGHTS_INT8] = TENSOR_I8};
  return types[type];
}

mw_status bundle_write(const char *path, const bundle_part *parts, size_t part_count,
                       const bundle_entry *metadata, size_t entry_count, tensor_dtype dtype,
                       bool overwrite, mw_error *error)
{
  writer w = {.path = path, .error = error};
  mw_status status = MW_OK;
  if (dtype != TENSOR_F32 && dtype != TENSOR_F16 && dtype != TENSOR_BF16 && dtype != TENSOR_I8)
    return mw_fail(error, MW_ERROR_ARGUMENT, "bundles hold f32, f16, bf16 or int8 weights");
  for (size_t i = 0; status == MW_OK && i < part_count; i++)
    status = plan_part(&w, &parts[i], dtype);
  if (status == MW_OK && w.count == 0)
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: there are no tensors to write", path);
  if (w.count > 0) qsort(w.items, w.count, sizeof *w.items, compare_alignment);
  for (size_t i = 1; status == MW_OK && i < w.count; i++)
    if (strcmp(w.items[i].name, w.items[i - 1].name) == 0)
      status = mw_fail(error, MW_ERROR_ARGUMENT, "tensor %s comes from two files", w.items[i].name);
  if (status == MW_OK) status = write_file(&w, metadata, entry_count, overwrite);
  for (size_t i = 0; i < w.count; i++) free(w.items[i].name);
  free(w.items);
  free(w.row);
  return status;
}
