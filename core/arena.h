// SPDX-License-Identifier: GPL-3.0-or-later
//
// Memory that lives and dies together: taken while an object is created, never while it sounds.
// A failed request returns NULL and is remembered, so a long creation checks once at its end:
//   state->keys = arena_floats(arena, rows * width);  ...  if (arena_failed(arena)) goto fail;
#ifndef MEANWAVE_ARENA_H
#define MEANWAVE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct arena arena;

arena *arena_new(void);    // NULL when memory is out
void arena_free(arena *a); // and everything taken from it; NULL is fine

// Zeroed, 64-byte aligned. `count` may be 0 (a valid pointer comes back). Overflow counts as
// failure.
void *arena_take(arena *a, size_t count, size_t size);
float *arena_floats(arena *a, size_t count);

bool arena_failed(const arena *a);
size_t arena_bytes(const arena *a); // taken so far

// Scratch inside one call: everything taken after the mark is given back by the release (kept for
// reuse, so that the second call of a function allocates nothing).
typedef struct {
  void *block;
  size_t used;
} arena_mark;
arena_mark arena_set_mark(const arena *a);
void arena_release(arena *a, arena_mark mark);

#endif
