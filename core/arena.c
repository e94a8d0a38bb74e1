// SPDX-License-Identifier: GPL-3.0-or-later
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, SMALLEST_BLOCK = 1 << 16 };

// Blocks form a list in the order they were made; those after `current` are empty and wait for
// reuse.
typedef struct block {
  struct block *next;
  size_t size; // bytes of `data`
  size_t used;
  unsigned char *data;
} block;

struct arena {
  block *first;
  block *current;
  size_t bytes;
  bool failed;
};

arena *arena_new(void)
{
  return calloc(1, sizeof(arena));
}

void arena_free(arena *a)
{
  if (a == NULL) return;
  for (block *b = a->first; b != NULL;) {
    block *next = b->next;
    free(b->data);
    free(b);
    b = next;
  }
  free(a);
}

static block *block_new(size_t size)
{
  block *b = calloc(1, sizeof *b);
  if (b == NULL) return NULL;
  b->size = size < SMALLEST_BLOCK ? SMALLEST_BLOCK : size;
  b->data = aligned_alloc(ALIGNMENT, b->size);
  if (b->data == NULL) {
    free(b);
    return NULL;
  }
  return b;
}

// The first empty block that is large enough moves to the place after `current`; else a new one
// does.
static block *advance(arena *a, size_t size)
{
  block **link = a->current != NULL ? &a->current->next : &a->first;
  block *found = NULL;
  for (block **at = link; *at != NULL; at = &(*at)->next) {
    if ((*at)->size >= size) {
      found = *at;
      *at = found->next;
      break;
    }
  }
  if (found == NULL) found = block_new(size);
  if (found == NULL) return NULL;
  found->next = *link;
  found->used = 0;
  *link = found;
  a->current = found;
  return found;
}

void *arena_take(arena *a, size_t count, size_t size)
{
  if (size != 0 && count > (SIZE_MAX - ALIGNMENT) / size) {
    a->failed = true;
    return NULL;
  }
  size_t bytes = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  block *b = a->current;
  if (b == NULL || b->size - b->used < bytes) b = advance(a, bytes);
  if (b == NULL) {
    a->failed = true;
    return NULL;
  }
  void *taken = b->data + b->used;
  b->used += bytes;
  a->bytes += bytes;
  memset(taken, 0, bytes);
  return taken;
}

float *arena_floats(arena *a, size_t count)
{
  return arena_take(a, count, sizeof(float));
}

bool arena_failed(const arena *a)
{
  return a->failed;
}

size_t arena_bytes(const arena *a)
{
  return a->bytes;
}

arena_mark arena_set_mark(const arena *a)
{
  return (arena_mark){.block = a->current, .used = a->current != NULL ? a->current->used : 0};
}

void arena_release(arena *a, arena_mark mark)
{
  block *b = mark.block != NULL ? mark.block : a->first;
  if (b == NULL) return;
  a->bytes -= b->used - (mark.block != NULL ? mark.used : 0);
  b->used = mark.block != NULL ? mark.used : 0;
  for (block *later = b->next; later != NULL; later = later->next) {
    a->bytes -= later->used;
    later->used = 0;
  }
  a->current = mark.block != NULL ? mark.block : NULL;
}
