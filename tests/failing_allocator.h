// SPDX-License-Identifier: GPL-3.0-or-later
//
// An allocator whose n-th allocation fails, in the place of the C library's. Included by one file
// of a test program. Not with sanitizers, which bring an allocator of their own: then
// FAILING_ALLOCATOR is not defined.
#ifndef MEANWAVE_TESTS_FAILING_ALLOCATOR_H
#define MEANWAVE_TESTS_FAILING_ALLOCATOR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "status.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)
#define FAILING_ALLOCATOR 1

#include <link.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

// libc must find these, too
#define VISIBLE __attribute__((visibility("default")))

static atomic_long until_failure = -1; // -1: none fails

// Code whose allocations do not fail: libraries but the C library. Some of them (FFTW, libsndfile)
// end the process, or fall, when they get no memory.
enum { MOST_SPARED = 128 };
static uintptr_t spared[MOST_SPARED][2];
static size_t spared_count;

static int find_spared(struct dl_phdr_info *info, size_t size, void *data)
{
  (void)size;
  (void)data;
  // the program itself has no name
  if (info->dlpi_name[0] == '\0' || strstr(info->dlpi_name, "libc.so") != NULL) return 0;
  for (int i = 0; i < info->dlpi_phnum && spared_count < MOST_SPARED; i++) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD || (info->dlpi_phdr[i].p_flags & PF_X) == 0) continue;
    uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    spared[spared_count][0] = begin;
    spared[spared_count++][1] = begin + info->dlpi_phdr[i].p_memsz;
  }
  return 0;
}

static bool is_spared(const void *caller)
{
  for (size_t i = 0; i < spared_count; i++)
    if ((uintptr_t)caller >= spared[i][0] && (uintptr_t)caller < spared[i][1]) return true;
  return false;
}

// Who asked, in order, while `recorded` is not negative.
enum { MOST_RECORDED = 1 << 14 };
static const void *callers[MOST_RECORDED];
static atomic_long recorded = -1;

static bool fails(const void *caller)
{
  if (is_spared(caller)) return false;
  if (atomic_load(&recorded) >= 0) {
    long at = atomic_fetch_add(&recorded, 1);
    if (at < MOST_RECORDED) callers[at] = caller;
  }
  long left = atomic_load(&until_failure);
  while (left > 0)
    if (atomic_compare_exchange_weak(&until_failure, &left, left - 1)) return false;
  return left == 0;
}

// ---- The blocks alive that were not taken by a spared library ----

enum { TABLE = 1 << 17 };
static void *table[TABLE]; // open addressing
static long alive;
static atomic_flag table_taken = ATOMIC_FLAG_INIT;

static size_t place_of(const void *block)
{
  return ((uintptr_t)block >> 4) * 2654435761u % TABLE;
}

static void lock_table(void)
{
  while (atomic_flag_test_and_set(&table_taken)) continue;
}

static void *counted(void *block)
{
  if (block == NULL) return NULL;
  lock_table();
  size_t at = place_of(block);
  while (table[at] != NULL) at = (at + 1) % TABLE;
  table[at] = block;
  if (++alive == TABLE / 2) abort();
  atomic_flag_clear(&table_taken);
  return block;
}

// False when it is not in the table.
static bool uncount(const void *block)
{
  lock_table();
  size_t at = place_of(block);
  while (table[at] != NULL && table[at] != block) at = (at + 1) % TABLE;
  bool found = table[at] != NULL;
  if (found) alive--;
  table[at] = NULL;
  // what was pushed behind the free place moves up to it
  for (size_t k = (at + 1) % TABLE; found && table[k] != NULL; k = (k + 1) % TABLE) {
    size_t wanted = place_of(table[k]);
    if ((k + TABLE - wanted) % TABLE < (k + TABLE - at) % TABLE) continue;
    table[at] = table[k];
    table[k] = NULL;
    at = k;
  }
  atomic_flag_clear(&table_taken);
  return found;
}

static long count_alive(void)
{
  lock_table();
  long count = alive;
  atomic_flag_clear(&table_taken);
  return count;
}

// ---- In the place of the C library's ----

#define CALLER __builtin_return_address(0)

static void *taken(void *block, const void *caller)
{
  return is_spared(caller) ? block : counted(block);
}

VISIBLE void *malloc(size_t size)
{
  return fails(CALLER) ? NULL : taken(__libc_malloc(size), CALLER);
}

VISIBLE void *calloc(size_t count, size_t size)
{
  return fails(CALLER) ? NULL : taken(__libc_calloc(count, size), CALLER);
}

VISIBLE void *realloc(void *block, size_t size)
{
  if (fails(CALLER)) return NULL;
  bool known = block != NULL && uncount(block);
  void *moved = __libc_realloc(block, size);
  if (known && moved == NULL) counted(block); // it is where it was
  if (known) return counted(moved);
  return block == NULL ? taken(moved, CALLER) : moved;
}

VISIBLE void *aligned_alloc(size_t alignment, size_t size)
{
  return fails(CALLER) ? NULL : taken(__libc_memalign(alignment, size), CALLER);
}

int posix_memalign(void **made, size_t alignment, size_t size);
VISIBLE int posix_memalign(void **made, size_t alignment, size_t size)
{
  *made = fails(CALLER) ? NULL : taken(__libc_memalign(alignment, size), CALLER);
  return *made != NULL ? 0 : 12;
}

VISIBLE void free(void *block)
{
  if (block != NULL) uncount(block);
  __libc_free(block);
}

// Whether the n-th of `count` is the first of its caller.
static bool is_first(long n, long count)
{
  for (long i = 0; n < count && i < n; i++)
    if (callers[i] == callers[n]) return false;
  return n < count;
}

// `work` with failures up to the number of its allocations: in steps that grow by a share of
// 1 / `fineness`, and the first of each caller; with MEANWAVE_EVERY_ALLOCATION set, each one.
// It leaves nothing behind, and says in a line what was wrong.
static void fail_each(mw_status (*work)(const char *what, mw_error *error), const char *what,
                      long fineness)
{
  mw_error error = {""};
  bool all = getenv("MEANWAVE_EVERY_ALLOCATION") != NULL;
  if (spared_count == 0) dl_iterate_phdr(find_spared, NULL);
  // libraries warm up
  for (int i = 0; i < 2; i++) {
    if (i == 1) atomic_store(&recorded, 0);
    if (work(what, &error) != MW_OK) fail_msg("%s: %s", what, error.text);
  }
  long count = atomic_exchange(&recorded, -1);
  if (count > MOST_RECORDED) count = MOST_RECORDED;
  for (long n = 0, next = 0;; n++) {
    if (n < next && !all && !is_first(n, count)) continue;
    if (n >= next) next = n + 1 + n / fineness;
    long before = count_alive();
    error.text[0] = '\0';
    atomic_store(&until_failure, n);
    mw_status status = work(what, &error);
    bool reached = atomic_exchange(&until_failure, -1) == 0;
    long after = count_alive();
    if (after != before) fail_msg("%s: allocation %ld failed: %ld leaked", what, n, after - before);
    if (status != MW_OK && error.text[0] == '\0') fail_msg("%s: %ld: no line", what, n);
    if (!reached) {
      assert_int_equal(status, MW_OK);
      return;
    }
  }
}

#else

static void needs_its_own_allocator(void **state)
{
  (void)state;
  skip();
}

// The main of a program that has no allocator to fail.
static int skip_all(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(needs_its_own_allocator)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
#endif
