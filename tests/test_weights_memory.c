// SPDX-License-Identifier: GPL-3.0-or-later
//
// The n-th allocation fails, for every n, while each kind of file is opened, recognised and
// imported: the answer is an error in one line, without a crash and without a leak.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "inventory.h"
#include "weights.h"

// A sanitizer brings an allocator of its own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

// libc must find these, too
#define VISIBLE __attribute__((visibility("default")))

static long until_failure = -1; // -1: none fails
static long alive;

static bool fails(void)
{
  if (until_failure < 0) return false;
  return until_failure == 0 || until_failure-- == 0;
}

static void *counted(void *block)
{
  alive += block != NULL;
  return block;
}

VISIBLE void *malloc(size_t size)
{
  return fails() ? NULL : counted(__libc_malloc(size));
}

VISIBLE void *calloc(size_t count, size_t size)
{
  return fails() ? NULL : counted(__libc_calloc(count, size));
}

VISIBLE void *realloc(void *block, size_t size)
{
  if (fails()) return NULL;
  void *moved = __libc_realloc(block, size);
  alive += block == NULL && moved != NULL;
  return moved;
}

VISIBLE void *aligned_alloc(size_t alignment, size_t size)
{
  return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

VISIBLE void free(void *block)
{
  alive -= block != NULL;
  __libc_free(block);
}

static char out[64];

static mw_status open_file(const char *path, mw_error *error)
{
  weights *w = NULL;
  mw_status status = weights_open(&w, path, error);
  weights_close(w);
  return status;
}

static mw_status recognise_file(const char *path, mw_error *error)
{
  mw_model_file *file = NULL;
  mw_status status = mw_model_file_open(&file, path, error);
  mw_model_file_close(file);
  return status;
}

static mw_status import_file(const char *path, mw_error *error)
{
  mw_model_import wish = {
      .paths = &path, .count = 1, .output = out, .type = MW_WEIGHTS_INT8, .overwrite = true};
  return mw_models_import(&wish, error);
}

// Every failure up to the number of allocations, in growing steps beyond the first hundred.
static void fail_each(mw_status (*work)(const char *, mw_error *), const char *file)
{
  char path[4096];
  const char *data = getenv("MEANWAVE_TEST_DATA");
  snprintf(path, sizeof path, "%s/%s", data != NULL ? data : "tests/data", file);
  mw_error error;
  until_failure = -1;
  if (work(path, &error) != MW_OK) fail_msg("%s", error.text); // and libraries warm up
  for (long n = 0;; n += 1 + n / 100) {
    long before = alive;
    error.text[0] = '\0';
    until_failure = n;
    mw_status status = work(path, &error);
    bool reached = until_failure == 0;
    until_failure = -1;
    if (alive != before) fail_msg("%s: allocation %ld failed: %ld leaked", file, n, alive - before);
    if (status != MW_OK && error.text[0] == '\0') fail_msg("%s: %ld: no line", file, n);
    if (!reached) {
      assert_int_equal(status, MW_OK);
      return;
    }
  }
}

static void opening(void **state)
{
  (void)state;
  fail_each(open_file, "golden/meanaudio/containers/odd.pth");
  fail_each(open_file, "golden/meanaudio/containers/legacy.pth");
  fail_each(open_file, "golden/meanvc/dit_single/dit.safetensors");
  fail_each(open_file, "golden/meanvc/vocos/vocos.pt");
}

static void recognising(void **state)
{
  (void)state;
  fail_each(recognise_file, "golden/meanvc/vocos/vocos.pt");
}

static void importing(void **state)
{
  (void)state;
  snprintf(out, sizeof out, "/tmp/meanwave-test-%d.mw", (int)getpid());
  fail_each(import_file, "golden/meanvc/vocos/vocos.pt");
  unlink(out);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(opening),
      cmocka_unit_test(recognising),
      cmocka_unit_test(importing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void needs_its_own_allocator(void **state)
{
  (void)state;
  skip();
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(needs_its_own_allocator)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
