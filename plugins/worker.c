// SPDX-License-Identifier: GPL-3.0-or-later
#include "worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4 }; // a power of two

struct worker {
  const LV2_Worker_Schedule *schedule;
  void (*work)(void *context, const void *item);
  void *context;
  size_t item_bytes;
  unsigned char *slots; // [SLOTS, item_bytes]
  void *item;           // the one being worked on
  atomic_uint posted;   // stored by the audio thread only
  atomic_uint taken;    // stored under `mutex` only
  pthread_mutex_t mutex;
  sem_t wake;
  pthread_t thread;
  bool running;
  bool refused; // by the host's queue; the audio thread's
  atomic_bool leave;
};

worker *worker_new(const LV2_Worker_Schedule *schedule, size_t item_bytes,
                   void (*work)(void *context, const void *item), void *context)
{
  worker *w = calloc(1, sizeof *w);
  if (w == NULL) return NULL;
  w->schedule = schedule;
  w->work = work;
  w->context = context;
  w->item_bytes = item_bytes;
  w->slots = calloc(SLOTS, item_bytes);
  w->item = malloc(item_bytes);
  pthread_mutex_init(&w->mutex, NULL);
  sem_init(&w->wake, 0, 0);
  if (w->slots == NULL || w->item == NULL) {
    worker_free(w);
    return NULL;
  }
  return w;
}

void worker_free(worker *w)
{
  if (w == NULL) return;
  sem_destroy(&w->wake);
  pthread_mutex_destroy(&w->mutex);
  free(w->slots);
  free(w->item);
  free(w);
}

static void *thread_main(void *argument)
{
  worker *w = argument;
  for (;;) {
    while (sem_wait(&w->wake) != 0) {
    }
    if (atomic_load_explicit(&w->leave, memory_order_acquire)) return NULL;
    worker_drain(w);
  }
}

bool worker_start(worker *w)
{
  if (w->schedule != NULL || w->running) return true;
  atomic_store_explicit(&w->leave, false, memory_order_relaxed);
  w->running = pthread_create(&w->thread, NULL, thread_main, w) == 0;
  return w->running;
}

void worker_stop(worker *w)
{
  if (w->running) {
    atomic_store_explicit(&w->leave, true, memory_order_release);
    sem_post(&w->wake);
    pthread_join(w->thread, NULL);
    w->running = false;
  }
  pthread_mutex_lock(&w->mutex);
  atomic_store_explicit(&w->taken, atomic_load(&w->posted), memory_order_release);
  pthread_mutex_unlock(&w->mutex);
}

static void ask(worker *w)
{
  const uint32_t message = 1;
  if (w->schedule == NULL)
    sem_post(&w->wake);
  else
    w->refused = w->schedule->schedule_work(w->schedule->handle, sizeof message, &message) !=
                 LV2_WORKER_SUCCESS;
}

bool worker_post(worker *w, const void *item)
{
  unsigned posted = atomic_load_explicit(&w->posted, memory_order_relaxed);
  if (posted - atomic_load_explicit(&w->taken, memory_order_acquire) == SLOTS) return false;
  memcpy(w->slots + posted % SLOTS * w->item_bytes, item, w->item_bytes);
  atomic_store_explicit(&w->posted, posted + 1, memory_order_release);
  ask(w);
  return true;
}

void worker_retry(worker *w)
{
  if (w->refused) ask(w);
}

void worker_drain(worker *w)
{
  pthread_mutex_lock(&w->mutex);
  while (!atomic_load_explicit(&w->leave, memory_order_acquire)) {
    unsigned taken = atomic_load_explicit(&w->taken, memory_order_relaxed);
    if (taken == atomic_load_explicit(&w->posted, memory_order_acquire)) break;
    memcpy(w->item, w->slots + taken % SLOTS * w->item_bytes, w->item_bytes);
    atomic_store_explicit(&w->taken, taken + 1, memory_order_release);
    w->work(w->context, w->item);
  }
  pthread_mutex_unlock(&w->mutex);
}
