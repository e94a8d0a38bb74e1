// SPDX-License-Identifier: GPL-3.0-or-later
//
// A ring of floats between one writing and one reading thread. No locks, no allocation after
// ring_new. The discipline, in every function: load the other side's index once (acquire), work,
// store the own index once (release). Indices run freely and wrap with size_t, so no place is lost
// to ambiguity.
#ifndef MEANWAVE_RING_H
#define MEANWAVE_RING_H

#include <stdatomic.h>
#include <stddef.h>

typedef struct {
  float *values;
  size_t mask;
  _Alignas(64) atomic_size_t written; // stored by the writer only
  _Alignas(64) atomic_size_t read;    // stored by the reader only
} ring;

// Holds at least `capacity` values. NULL when memory is out. Not real time.
ring *ring_new(size_t capacity);
void ring_free(ring *r);
size_t ring_capacity(const ring *r);

size_t ring_readable(const ring *r); // reader's thread: at least so many can be read
size_t ring_writable(const ring *r); // writer's thread
size_t ring_waiting(const ring *r);  // any thread: no fewer than waited at a moment of the call

// Real time. Write or read up to `count`; the number done comes back.
size_t ring_write(ring *r, const float *values, size_t count);
size_t ring_read(ring *r, float *values, size_t count);
size_t ring_skip(ring *r, size_t count); // reads without a copy

// Empties the ring; only while neither thread uses it.
void ring_reset(ring *r);

#endif
