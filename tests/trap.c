// SPDX-License-Identifier: GPL-3.0-or-later
//
// The C library's calls that an audio thread must not make, noted while it is in `run`. They stand
// in front of the library's own because the program's symbols come first.
#include "trap.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local bool in_run;
static _Atomic(const char *) trapped;
static atomic_bool stalled;

void trap_set(bool on)
{
  in_run = on;
}

void trap_stall(bool on)
{
  atomic_store(&stalled, on);
}

const char *trap_take(void)
{
  return atomic_exchange(&trapped, NULL);
}

bool in_valgrind(void)
{
  const char *preloaded = getenv("LD_PRELOAD");
  return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
bool trap_works(void)
{
  return false; // the sanitizer needs these places for itself
}
#else
bool trap_works(void)
{
  return !in_valgrind(); // which needs them too
}

static void note(const char *name)
{
  if (in_run) atomic_store(&trapped, name);
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *old);
void *memalign(size_t alignment, size_t size);
int open(const char *path, int flags, ...);
long write(int file, const void *bytes, size_t count);

void *malloc(size_t size)
{
  note("malloc");
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
  note("calloc");
  return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
  note("realloc");
  return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
  note("memalign");
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
  note("aligned_alloc");
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **made, size_t alignment, size_t size)
{
  note("posix_memalign");
  *made = __libc_memalign(alignment, size);
  return *made != NULL ? 0 : 12;
}

void free(void *old)
{
  note("free");
  __libc_free(old);
}

static void *next(const char *name)
{
  bool before = in_run;
  in_run = false;
  void *found = dlsym(RTLD_NEXT, name);
  in_run = before;
  return found;
}

// A function of the library by its name, looked up once.
#define REAL(type, name)                                                                           \
  static _Atomic(type) real;                                                                       \
  if (atomic_load(&real) == NULL) atomic_store(&real, (type)next(name))

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
  typedef int (*function)(pthread_mutex_t *);
  REAL(function, "pthread_mutex_lock");
  note("pthread_mutex_lock");
  while (atomic_load(&stalled)) usleep(500);
  return atomic_load(&real)(mutex);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*main)(void *), void *data)
{
  typedef int (*function)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  REAL(function, "pthread_create");
  note("pthread_create");
  return atomic_load(&real)(thread, how, main, data);
}

int sem_wait(sem_t *semaphore)
{
  typedef int (*function)(sem_t *);
  REAL(function, "sem_wait");
  note("sem_wait");
  return atomic_load(&real)(semaphore);
}

int open(const char *path, int flags, ...)
{
  typedef int (*function)(const char *, int, ...);
  REAL(function, "open");
  note("open");
  va_list arguments;
  va_start(arguments, flags);
  int mode = va_arg(arguments, int);
  va_end(arguments);
  return atomic_load(&real)(path, flags, mode);
}

long write(int file, const void *bytes, size_t count)
{
  typedef long (*function)(int, const void *, size_t);
  REAL(function, "write");
  note("write");
  return atomic_load(&real)(file, bytes, count);
}
#endif
