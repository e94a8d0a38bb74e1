// SPDX-License-Identifier: GPL-3.0-or-later
#include "random.h"

#include <math.h>
#include <string.h>

enum { SIZE = 624, MIDDLE = 397, BLOCK = 16 };

void random_seed(random_stream *r, uint64_t seed)
{
  r->state[0] = (uint32_t)seed;
  for (uint32_t i = 1; i < SIZE; i++)
    r->state[i] = 1812433253u * (r->state[i - 1] ^ r->state[i - 1] >> 30) + i;
  r->at = SIZE;
}

static void refill(random_stream *r)
{
  uint32_t *s = r->state;
  for (unsigned i = 0; i < SIZE; i++) {
    uint32_t joined = (s[i] & 0x80000000u) | (s[(i + 1) % SIZE] & 0x7FFFFFFFu);
    s[i] = s[(i + MIDDLE) % SIZE] ^ joined >> 1 ^ (joined & 1 ? 0x9908B0DFu : 0);
  }
  r->at = 0;
}

uint32_t random_next(random_stream *r)
{
  if (r->at >= SIZE) refill(r);
  uint32_t y = r->state[r->at++];
  y ^= y >> 11;
  y ^= y << 7 & 0x9D2C5680u;
  y ^= y << 15 & 0xEFC60000u;
  return y ^ y >> 18;
}

static float uniform(random_stream *r)
{
  return (float)(random_next(r) & 0xFFFFFFu) * 0x1p-24f;
}

// Box-Muller over a block as ATen's normal_fill does it: value j pairs with j + 8.
static void transform_block(float *d)
{
  for (int j = 0; j < BLOCK / 2; j++) {
    float radius = sqrtf(-2.0f * logf(1.0f - d[j]));
    float angle = 6.28318530717958648f * d[j + BLOCK / 2];
    d[j] = radius * cosf(angle);
    d[j + BLOCK / 2] = radius * sinf(angle);
  }
}

void random_normal(random_stream *r, float *out, size_t count)
{
  if (count < BLOCK) {
    float block[BLOCK];
    random_normal(r, block, BLOCK);
    memcpy(out, block, count * sizeof(float));
    return;
  }
  for (size_t i = 0; i < count; i++) out[i] = uniform(r);
  for (size_t i = 0; i + BLOCK <= count; i += BLOCK) transform_block(out + i);
  if (count % BLOCK != 0) {
    for (size_t i = count - BLOCK; i < count; i++) out[i] = uniform(r);
    transform_block(out + count - BLOCK);
  }
}
