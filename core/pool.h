// SPDX-License-Identifier: GPL-3.0-or-later
//
// Threads for offline work: as many as there are physical cores, asleep when idle. Never used by
// the audio thread nor by streaming.
#ifndef MEANWAVE_POOL_H
#define MEANWAVE_POOL_H

#include <stddef.h>

typedef struct pool pool;

// `threads` 0: one per physical core this process may use. NULL when memory or threads are out.
// A pool serves one caller at a time.
pool *pool_new(size_t threads);
void pool_free(pool *p);
size_t pool_threads(const pool *p); // 1 for NULL

// Calls work(argument, index, thread) for index 0..count-1 from all threads (the caller's is thread
// 0) and returns when all are done. NULL pool: in order, on the caller's thread.
void pool_run(pool *p, size_t count, void (*work)(void *argument, size_t index, size_t thread),
              void *argument);

#endif
