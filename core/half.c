// SPDX-License-Identifier: GPL-3.0-or-later
#include "half.h"

#include <string.h>

static uint32_t bits_of(float value)
{
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

static float float_of(uint32_t bits)
{
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

float half_to_float(uint16_t half)
{
  uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t exponent = half >> 10 & 0x1F;
  uint32_t mantissa = half & 0x3FF;
  if (exponent == 0) return float_of(sign | bits_of((float)mantissa * 0x1p-24f));
  if (exponent == 31) return float_of(sign | 0x7F800000 | mantissa << 13);
  return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

float bfloat_to_float(uint16_t bfloat)
{
  return float_of((uint32_t)bfloat << 16);
}

uint16_t float_to_half(float value)
{
  uint32_t bits = bits_of(value);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return sign | 0x7E00;  // not a number stays one
  if (magnitude >= 0x477FF000) return sign | 0x7C00; // 65520 and up rounds to infinity
  if (magnitude < 0x38800000) {
    // Below 2^-14 halves are multiples of 2^-24: adding 0.5 leaves that multiple, rounded by the
    // processor, in the lowest bits.
    return sign | (uint16_t)(bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f));
  }
  uint32_t odd = magnitude >> 13 & 1;
  return sign | (uint16_t)((magnitude - 0x38000000 + 0xFFF + odd) >> 13);
}

uint16_t float_to_bfloat(float value)
{
  uint32_t bits = bits_of(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}
