// SPDX-License-Identifier: GPL-3.0-or-later
#include "ring.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

ring *ring_new(size_t capacity)
{
  size_t size = 1;
  while (size < capacity && size <= SIZE_MAX / 2 / sizeof(float)) size *= 2;
  if (size < capacity) return NULL;
  ring *r = aligned_alloc(_Alignof(ring), sizeof *r);
  if (r == NULL) return NULL;
  r->values = calloc(size, sizeof(float));
  if (r->values == NULL) {
    free(r);
    return NULL;
  }
  r->mask = size - 1;
  atomic_init(&r->written, 0);
  atomic_init(&r->read, 0);
  return r;
}

void ring_free(ring *r)
{
  if (r == NULL) return;
  free(r->values);
  free(r);
}

size_t ring_capacity(const ring *r)
{
  return r->mask + 1;
}

size_t ring_readable(const ring *r)
{
  return atomic_load_explicit(&r->written, memory_order_acquire) -
         atomic_load_explicit(&r->read, memory_order_relaxed);
}

size_t ring_writable(const ring *r)
{
  return r->mask + 1 -
         (atomic_load_explicit(&r->written, memory_order_relaxed) -
          atomic_load_explicit(&r->read, memory_order_acquire));
}

// The reader's index first: the writer's, loaded later, is never behind it.
size_t ring_waiting(const ring *r)
{
  size_t read = atomic_load_explicit(&r->read, memory_order_acquire);
  return atomic_load_explicit(&r->written, memory_order_acquire) - read;
}

size_t ring_write(ring *r, const float *values, size_t count)
{
  size_t room = ring_writable(r);
  if (count > room) count = room;
  size_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
  size_t at = written & r->mask;
  size_t first = count < r->mask + 1 - at ? count : r->mask + 1 - at;
  if (count > 0) {
    memcpy(r->values + at, values, first * sizeof(float));
    memcpy(r->values, values + first, (count - first) * sizeof(float));
  }
  atomic_store_explicit(&r->written, written + count, memory_order_release);
  return count;
}

size_t ring_read(ring *r, float *values, size_t count)
{
  size_t ready = ring_readable(r);
  if (count > ready) count = ready;
  size_t read = atomic_load_explicit(&r->read, memory_order_relaxed);
  size_t at = read & r->mask;
  size_t first = count < r->mask + 1 - at ? count : r->mask + 1 - at;
  if (count > 0) {
    memcpy(values, r->values + at, first * sizeof(float));
    memcpy(values + first, r->values, (count - first) * sizeof(float));
  }
  atomic_store_explicit(&r->read, read + count, memory_order_release);
  return count;
}

size_t ring_skip(ring *r, size_t count)
{
  size_t ready = ring_readable(r);
  if (count > ready) count = ready;
  size_t read = atomic_load_explicit(&r->read, memory_order_relaxed);
  atomic_store_explicit(&r->read, read + count, memory_order_release);
  return count;
}

void ring_reset(ring *r)
{
  atomic_store_explicit(&r->written, 0, memory_order_relaxed);
  atomic_store_explicit(&r->read, 0, memory_order_relaxed);
}
