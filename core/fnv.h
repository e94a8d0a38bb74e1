// SPDX-License-Identifier: GPL-3.0-or-later
//
// FNV-1a of 64 bits, byte by byte.
#ifndef MEANWAVE_FNV_H
#define MEANWAVE_FNV_H

#include <stdint.h>

#define FNV_START UINT64_C(0xCBF29CE484222325)

static inline uint64_t fnv_step(uint64_t hash, char byte)
{
  return (hash ^ (unsigned char)byte) * UINT64_C(0x100000001B3);
}

#endif
