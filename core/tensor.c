// SPDX-License-Identifier: GPL-3.0-or-later
//
// Element types and their conversion to float.
#include "weights_internal.h"

#include <string.h>

#include "half.h"

size_t tensor_dtype_bytes(tensor_dtype dtype)
{
  switch (dtype) {
  case TENSOR_F64:
  case TENSOR_I64: return 8;
  case TENSOR_F32:
  case TENSOR_I32: return 4;
  case TENSOR_F16:
  case TENSOR_BF16:
  case TENSOR_I16: return 2;
  case TENSOR_I8:
  case TENSOR_U8:
  case TENSOR_BOOL: return 1;
  }
  return 0;
}

const char *tensor_dtype_name(tensor_dtype dtype)
{
  switch (dtype) {
  case TENSOR_F32: return "F32";
  case TENSOR_F16: return "F16";
  case TENSOR_BF16: return "BF16";
  case TENSOR_F64: return "F64";
  case TENSOR_I64: return "I64";
  case TENSOR_I32: return "I32";
  case TENSOR_I16: return "I16";
  case TENSOR_I8: return "I8";
  case TENSOR_U8: return "U8";
  case TENSOR_BOOL: return "BOOL";
  }
  return "?";
}

// One element at any alignment.
static float element(const tensor *t, size_t index)
{
  const unsigned char *at = (const unsigned char *)t->data + index * tensor_dtype_bytes(t->dtype);
  union {
    float f32;
    double f64;
    int64_t i64;
    int32_t i32;
    int16_t i16;
    uint16_t u16;
    int8_t i8;
    uint8_t u8;
  } value;
  memcpy(&value, at, tensor_dtype_bytes(t->dtype));
  switch (t->dtype) {
  case TENSOR_F32: return value.f32;
  case TENSOR_F16: return half_to_float(value.u16);
  case TENSOR_BF16: return bfloat_to_float(value.u16);
  case TENSOR_F64: return (float)value.f64;
  case TENSOR_I64: return (float)value.i64;
  case TENSOR_I32: return (float)value.i32;
  case TENSOR_I16: return (float)value.i16;
  case TENSOR_I8: return (float)value.i8;
  case TENSOR_U8: return (float)value.u8;
  case TENSOR_BOOL: return value.u8 != 0 ? 1.0f : 0.0f;
  }
  return 0.0f;
}

// Where element `index` of C order lies.
static size_t strided(const tensor *t, size_t index)
{
  size_t at = 0;
  for (unsigned d = t->rank; d-- > 0;) {
    at += index % t->shape[d] * t->stride[d];
    index /= t->shape[d];
  }
  return at;
}

// Row scales of an int8 tensor: rows are those of its first dimension.
static void scale_rows(const tensor *t, size_t first, size_t count, float *out)
{
  size_t row_length = t->count / t->shape[0];
  for (size_t i = 0; i < count;) {
    size_t row = (first + i) / row_length;
    size_t end = (row + 1) * row_length - first;
    float scale;
    memcpy(&scale, (const unsigned char *)t->row_scale + row * sizeof scale, sizeof scale);
    for (; i < count && i < end; i++) out[i] *= scale;
  }
}

void tensor_read(const tensor *t, size_t first, size_t count, float *out)
{
  if (count == 0) return;
  if (!t->contiguous) {
    for (size_t i = 0; i < count; i++) out[i] = element(t, strided(t, first + i));
    return;
  }
  const unsigned char *at = (const unsigned char *)t->data + first * tensor_dtype_bytes(t->dtype);
  switch (t->dtype) {
  case TENSOR_F32: memcpy(out, at, count * 4); break;
  case TENSOR_F16:
    for (size_t i = 0; i < count; i++)
      out[i] = half_to_float((uint16_t)(at[2 * i] | at[2 * i + 1] << 8));
    break;
  case TENSOR_BF16:
    for (size_t i = 0; i < count; i++)
      out[i] = bfloat_to_float((uint16_t)(at[2 * i] | at[2 * i + 1] << 8));
    break;
  case TENSOR_I8:
    for (size_t i = 0; i < count; i++) out[i] = ((const int8_t *)at)[i];
    if (t->row_scale != NULL) scale_rows(t, first, count, out);
    break;
  default:
    for (size_t i = 0; i < count; i++) out[i] = element(t, first + i);
  }
}

void tensor_write(const tensor *t, FILE *file)
{
  size_t bytes = tensor_dtype_bytes(t->dtype);
  if (t->contiguous) {
    if (t->count > 0) fwrite(t->data, bytes, t->count, file);
    return;
  }
  for (size_t i = 0; i < t->count; i++)
    fwrite((const unsigned char *)t->data + strided(t, i) * bytes, bytes, 1, file);
}
