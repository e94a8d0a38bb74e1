// SPDX-License-Identifier: GPL-3.0-or-later
#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "cpu.h"

enum { THREAD_LIMIT = 64 };

struct pool {
  size_t threads; // the caller's included
  size_t started;
  pthread_t ids[THREAD_LIMIT];
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  pthread_cond_t finished;
  void (*work)(void *, size_t, size_t);
  void *argument;
  size_t count;
  atomic_size_t next; // first index nobody has taken
  size_t busy;        // helpers still inside the current job
  unsigned long job;
  int leave;
};

typedef struct {
  pool *p;
  size_t thread;
} helper_start;

static void take_work(pool *p, size_t thread)
{
  for (;;) {
    size_t index = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
    if (index >= p->count) return;
    p->work(p->argument, index, thread);
  }
}

static void *helper_main(void *argument)
{
  helper_start start = *(helper_start *)argument;
  free(argument);
  pool *p = start.p;
  unsigned long seen = 0;
  pthread_mutex_lock(&p->mutex);
  for (;;) {
    while (p->job == seen && !p->leave) pthread_cond_wait(&p->wake, &p->mutex);
    if (p->leave) break;
    seen = p->job;
    pthread_mutex_unlock(&p->mutex);
    take_work(p, start.thread);
    pthread_mutex_lock(&p->mutex);
    if (--p->busy == 0) pthread_cond_signal(&p->finished);
  }
  pthread_mutex_unlock(&p->mutex);
  return NULL;
}

pool *pool_new(size_t threads)
{
  if (threads == 0) threads = cpu_cores();
  if (threads > THREAD_LIMIT) threads = THREAD_LIMIT;
  pool *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->threads = threads;
  pthread_mutex_init(&p->mutex, NULL);
  pthread_cond_init(&p->wake, NULL);
  pthread_cond_init(&p->finished, NULL);
  for (size_t i = 1; i < threads; i++) {
    helper_start *start = malloc(sizeof *start);
    if (start == NULL) break;
    *start = (helper_start){p, i};
    if (pthread_create(&p->ids[i], NULL, helper_main, start) != 0) {
      free(start);
      break;
    }
    p->started++;
  }
  if (p->started + 1 < threads) {
    pool_free(p);
    return NULL;
  }
  return p;
}

void pool_free(pool *p)
{
  if (p == NULL) return;
  pthread_mutex_lock(&p->mutex);
  p->leave = 1;
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->mutex);
  for (size_t i = 1; i <= p->started; i++) pthread_join(p->ids[i], NULL);
  pthread_cond_destroy(&p->finished);
  pthread_cond_destroy(&p->wake);
  pthread_mutex_destroy(&p->mutex);
  free(p);
}

size_t pool_threads(const pool *p)
{
  return p != NULL ? p->threads : 1;
}

void pool_run(pool *p, size_t count, void (*work)(void *, size_t, size_t), void *argument)
{
  if (p == NULL || p->threads == 1 || count < 2) {
    for (size_t i = 0; i < count; i++) work(argument, i, 0);
    return;
  }
  pthread_mutex_lock(&p->mutex);
  p->work = work;
  p->argument = argument;
  p->count = count;
  atomic_store_explicit(&p->next, 0, memory_order_relaxed);
  p->busy = p->started;
  p->job++;
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->mutex);
  take_work(p, 0);
  pthread_mutex_lock(&p->mutex);
  while (p->busy > 0) pthread_cond_wait(&p->finished, &p->mutex);
  pthread_mutex_unlock(&p->mutex);
}
