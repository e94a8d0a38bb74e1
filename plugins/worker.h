// SPDX-License-Identifier: GPL-3.0-or-later
//
// Slow work asked for by the audio thread: in the host's worker when it has one, else on a thread
// of our own. The items wait in a queue of ours, so the host's messages stay a few bytes long and
// both ways are one: somebody drains the queue.
#ifndef MEANWAVE_WORKER_H
#define MEANWAVE_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include <lv2/worker/worker.h>

typedef struct worker worker;

// `work` is called with one item at a time, never twice at once. `schedule` NULL: an own thread.
// NULL when memory is out. Not real time.
worker *worker_new(const LV2_Worker_Schedule *schedule, size_t item_bytes,
                   void (*work)(void *context, const void *item), void *context);
void worker_free(worker *w); // after worker_stop; NULL is fine

// The own thread, where there is one: false when the system gives none. Not real time.
bool worker_start(worker *w);
void worker_stop(worker *w); // joins it; what waits in the queue is dropped

// Real time. False when the queue is full: post again later.
bool worker_post(worker *w, const void *item);
// Real time, in every `run`: asks the host again when it refused.
void worker_retry(worker *w);

// Does what waits: in the host's worker, or in `run` of a host that is not in real time.
void worker_drain(worker *w);

#endif
