// SPDX-License-Identifier: GPL-3.0-or-later
//
// Element types and their conversion to float.
#include "weights_internal.h"

#include <string.h>

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

float half_to_float(uint16_t half)
{
  uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t exponent = half >> 10 & 0x1F;
  uint32_t mantissa = half & 0x3FF;
  uint32_t bits;
  float value;
  if (exponent == 0) {
    value = (float)mantissa * 0x1p-24f;
    memcpy(&bits, &value, 4);
    bits |= sign;
  } else if (exponent == 31) {
    bits = sign | 0x7F800000 | mantissa << 13;
  } else {
    bits = sign | (exponent + 112) << 23 | mantissa << 13;
  }
  memcpy(&value, &bits, 4);
  return value;
}

float bfloat_to_float(uint16_t bfloat)
{
  uint32_t bits = (uint32_t)bfloat << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
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

void tensor_read(const tensor *t, size_t first, size_t count, float *out)
{
  if (t->contiguous && t->dtype == TENSOR_F32) {
    if (count > 0) memcpy(out, (const unsigned char *)t->data + first * 4, count * 4);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    size_t rest = first + i;
    size_t index = rest;
    if (!t->contiguous) {
      index = 0;
      for (unsigned d = t->rank; d-- > 0;) {
        index += rest % t->shape[d] * t->stride[d];
        rest /= t->shape[d];
      }
    }
    out[i] = element(t, index);
  }
}
