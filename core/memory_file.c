// SPDX-License-Identifier: GPL-3.0-or-later
#include "memory_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_BYTES ((size_t)4 << 30)

static bool reserve(memory_file *m, size_t size)
{
  if (size <= m->capacity) return true;
  size_t larger = size > 2 * m->capacity ? size : 2 * m->capacity;
  char *moved = realloc(m->bytes, larger);
  if (moved == NULL) return false;
  m->bytes = moved;
  m->capacity = larger;
  return true;
}

mw_status memory_file_fill(memory_file *m, int descriptor, const char *what, mw_error *error)
{
  enum { PIECE = 1 << 16 };
  *m = (memory_file){0};
  for (;;) {
    if (m->size > MOST_BYTES || !reserve(m, m->size + PIECE))
      return mw_fail(error, MW_ERROR_MEMORY, "%s: too long to be held in memory; try --raw", what);
    ssize_t got = read(descriptor, m->bytes + m->size, PIECE);
    if (got == 0) return MW_OK;
    if (got < 0 && errno != EINTR)
      return mw_fail(error, MW_ERROR_IO, "%s: %s", what, strerror(errno));
    if (got > 0) m->size += (size_t)got;
  }
}

static sf_count_t tell_size(void *context)
{
  return (sf_count_t)((memory_file *)context)->size;
}

static sf_count_t tell_place(void *context)
{
  return (sf_count_t)((memory_file *)context)->at;
}

static sf_count_t seek_place(sf_count_t offset, int from, void *context)
{
  memory_file *m = context;
  sf_count_t base = from == SEEK_CUR   ? (sf_count_t)m->at
                    : from == SEEK_END ? (sf_count_t)m->size
                                       : 0;
  if (offset < -base || offset > (sf_count_t)MOST_BYTES - base) return -1;
  m->at = (size_t)(base + offset);
  return (sf_count_t)m->at;
}

static sf_count_t read_bytes(void *target, sf_count_t count, void *context)
{
  memory_file *m = context;
  if (count <= 0 || m->at >= m->size) return 0;
  size_t part = (size_t)count < m->size - m->at ? (size_t)count : m->size - m->at;
  memcpy(target, m->bytes + m->at, part);
  m->at += part;
  return (sf_count_t)part;
}

static sf_count_t write_bytes(const void *source, sf_count_t count, void *context)
{
  memory_file *m = context;
  if (count <= 0 || !reserve(m, m->at + (size_t)count)) return 0;
  if (m->at > m->size) memset(m->bytes + m->size, 0, m->at - m->size);
  memcpy(m->bytes + m->at, source, (size_t)count);
  m->at += (size_t)count;
  if (m->at > m->size) m->size = m->at;
  return count;
}

SNDFILE *memory_file_open(memory_file *m, int mode, SF_INFO *info)
{
  SF_VIRTUAL_IO calls = {tell_size, seek_place, read_bytes, write_bytes, tell_place};
  return sf_open_virtual(&calls, mode, info, m);
}

bool memory_file_pour(const memory_file *m, int descriptor)
{
  for (size_t done = 0; done < m->size;) {
    ssize_t written = write(descriptor, m->bytes + done, m->size - done);
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) done += (size_t)written;
  }
  return true;
}

void memory_file_free(memory_file *m)
{
  free(m->bytes);
  *m = (memory_file){0};
}
