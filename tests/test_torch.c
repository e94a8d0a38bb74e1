// SPDX-License-Identifier: GPL-3.0-or-later
//
// PyTorch archives broken on purpose: each is refused in one line, at no cost, or read without what
// is wrong in it; nothing in one is ever executed or opened.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "data_path.h"
#include "weights.h"

typedef struct {
  unsigned char bytes[1 << 16];
  size_t size;
  unsigned char directory[1 << 12];
  size_t directory_size;
  unsigned count;
} archive;

static size_t put(unsigned char *at, unsigned long long value, unsigned bytes)
{
  for (unsigned i = 0; i < bytes; i++) at[i] = (unsigned char)(value >> (8 * i));
  return bytes;
}

static void add_entry(archive *a, const char *name, const void *data, size_t size, unsigned method)
{
  unsigned char *local = a->bytes + a->size;
  unsigned char *central = a->directory + a->directory_size;
  size_t length = strlen(name);
  memset(local, 0, 30);
  memset(central, 0, 46);
  memcpy(local, "PK\3\4", 4);
  put(local + 8, method, 2);
  put(local + 18, size, 4);
  put(local + 22, size, 4);
  put(local + 26, length, 2);
  memcpy(local + 30, name, length);
  memcpy(local + 30 + length, data, size);
  memcpy(central, "PK\1\2", 4);
  put(central + 10, method, 2);
  put(central + 20, size, 4);
  put(central + 24, size, 4);
  put(central + 28, length, 2);
  put(central + 42, a->size, 4);
  memcpy(central + 46, name, length);
  a->size += 30 + length + size;
  a->directory_size += 46 + length;
  a->count++;
}

static void finish(archive *a)
{
  unsigned char *end = a->bytes + a->size + a->directory_size;
  memcpy(a->bytes + a->size, a->directory, a->directory_size);
  memset(end, 0, 22);
  memcpy(end, "PK\5\6", 4);
  put(end + 8, a->count, 2);
  put(end + 10, a->count, 2);
  put(end + 12, a->directory_size, 4);
  put(end + 16, a->size, 4);
  a->size += a->directory_size + 22;
}

static mw_status open_bytes(const void *bytes, size_t size, size_t *count, mw_error *error)
{
  char path[] = "/tmp/meanwave-test-XXXXXX";
  int file = mkstemp(path);
  assert_true(file >= 0);
  assert_true(write(file, bytes, size) == (ssize_t)size);
  close(file);
  weights *w = NULL;
  error->text[0] = '\0';
  mw_status status = weights_open(&w, path, error);
  if (status == MW_OK && count != NULL) *count = weights_count(w);
  if (status != MW_OK) assert_true(error->text[0] != '\0');
  weights_close(w);
  unlink(path);
  return status;
}

static const float values[4] = {1, 2, 3, 4};

static mw_status open_pickle(const void *pickle, size_t size, size_t *count, mw_error *error)
{
  archive *a = calloc(1, sizeof *a);
  add_entry(a, "x/data.pkl", pickle, size, 0);
  add_entry(a, "x/data/0", values, sizeof values, 0);
  finish(a);
  mw_status status = open_bytes(a->bytes, a->size, count, error);
  free(a);
  return status;
}

// {'a': tensor} with these operations for key, offset, size and stride.
#define TENSOR(key, offset, size, stride)                                                          \
  "\x80\2}X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n(("                                         \
  "X\7\0\0\0storagectorch\nFloatStorage\n" key "X\3\0\0\0cpuK\4tQ" offset size stride "\x89)tRs."
#define KEY "X\1\0\0\0\x30"
#define OPEN(pickle, count, error) open_pickle(pickle, sizeof(pickle) - 1, count, error)

static void a_plain_tensor_opens(void **state)
{
  (void)state;
  mw_error error;
  size_t count = 0;
  mw_status status = OPEN(TENSOR(KEY, "K\0", "K\2K\2\x86", "K\2K\1\x86"), &count, &error);
  if (status != MW_OK) fail_msg("%s", error.text);
  assert_int_equal(count, 1);
}

static void tensors_beyond_their_storage_are_refused(void **state)
{
  (void)state;
  mw_error error;
  const mw_status wrong = MW_ERROR_FORMAT;
  // too many elements, from too far, over too long strides
  assert_int_equal(OPEN(TENSOR(KEY, "K\0", "K\2K\3\x86", "K\3K\1\x86"), NULL, &error), wrong);
  assert_int_equal(OPEN(TENSOR(KEY, "K\1", "K\4\x85", "K\1\x85"), NULL, &error), wrong);
  assert_int_equal(OPEN(TENSOR(KEY, "K\0", "K\2\x85", "K\4\x85"), NULL, &error), wrong);
  // 10^12 elements over four, by stride 0
  assert_int_equal(OPEN(TENSOR(KEY, "K\0", "J@B\x0f\0J@B\x0f\0\x86", "K\0K\0\x86"), NULL, &error),
                   wrong);
  // sizes and strides whose products overflow
  assert_int_equal(
      OPEN(TENSOR(KEY, "K\0", "\x8a\x08\0\0\0\0\0\0\0\x40K\x10\x86", "K\0K\1\x86"), NULL, &error),
      wrong);
  assert_int_equal(
      OPEN(TENSOR(KEY, "K\0", "K\3\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85"), NULL,
           &error),
      wrong);
  assert_int_equal(
      OPEN(TENSOR(KEY, "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\1\x85", "K\1\x85"), NULL,
           &error),
      wrong);
  // negative
  assert_int_equal(OPEN(TENSOR(KEY, "J\xff\xff\xff\xff", "K\1\x85", "K\1\x85"), NULL, &error),
                   wrong);
  assert_int_equal(OPEN(TENSOR(KEY, "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85"), NULL, &error),
                   wrong);
  // size and stride of different ranks, and more dimensions than any tensor
  assert_int_equal(OPEN(TENSOR(KEY, "K\0", "K\1\x85", "K\1K\1\x86"), NULL, &error), wrong);
  assert_int_equal(
      OPEN(TENSOR(KEY, "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"),
           NULL, &error),
      wrong);
}

static void a_storage_is_looked_up_in_the_archive_only(void **state)
{
  (void)state;
  mw_error error;
  assert_int_equal(
      OPEN(TENSOR("X\x0f\0\0\0../../../passwd", "K\0", "K\1\x85", "K\1\x85"), NULL, &error),
      MW_ERROR_FORMAT);
  assert_non_null(strstr(error.text, "not in the file"));
  assert_int_equal(OPEN(TENSOR("K\0", "K\0", "K\1\x85", "K\1\x85"), NULL, &error), MW_ERROR_FORMAT);
}

static void calls_are_never_made(void **state)
{
  (void)state;
  mw_error error;
  size_t count = 9;
  char marker[64];
  char pickle[256];
  snprintf(marker, sizeof marker, "/tmp/meanwave-test-executed-%d", (int)getpid());
  int length = snprintf(pickle, sizeof pickle, "\x80\2cos\nsystem\n(U%ctouch %stR.",
                        (int)(strlen(marker) + 6), marker);
  assert_int_equal(open_pickle(pickle, (size_t)length, &count, &error), MW_OK);
  assert_int_equal(count, 0);
  assert_int_not_equal(access(marker, F_OK), 0);
}

static void cycles_and_bombs_end_at_once(void **state)
{
  (void)state;
  mw_error error;
  clock_t start = clock();
  assert_int_equal(OPEN("\x80\2]q\0h\0a.", NULL, &error), MW_ERROR_FORMAT);
  assert_non_null(strstr(error.text, "cyclic"));
  assert_int_equal(OPEN("\x80\2}q\0X\1\0\0\0ah\0s.", NULL, &error), MW_ERROR_FORMAT);
  // forty lists, each holding the one before twice: 2^40 leaves
  unsigned char bomb[1024] = {0x80, 2, ']', 'q', 0};
  size_t size = 5;
  for (unsigned char i = 1; i <= 40; i++) {
    const unsigned char level[] = {
        ']', 'q', i, 'h', (unsigned char)(i - 1), 'a', 'h', (unsigned char)(i - 1), 'a'};
    memcpy(bomb + size, level, sizeof level);
    size += sizeof level;
  }
  bomb[size++] = '.';
  assert_int_equal(open_pickle(bomb, size, NULL, &error), MW_ERROR_FORMAT);
  // nesting without end
  unsigned char *deep = malloc(20000);
  memset(deep, ']', 10000);
  memset(deep + 10000, 'a', 9999);
  deep[19999] = '.';
  assert_int_equal(open_pickle(deep, 20000, NULL, &error), MW_ERROR_FORMAT);
  free(deep);
  // a string of 4 GB, a memo number beyond all, marks that nobody set
  assert_int_equal(OPEN("\x80\2X\xff\xff\xff\xff"
                        "a.",
                        NULL, &error),
                   MW_ERROR_FORMAT);
  assert_int_equal(OPEN("\x80\2]r\xff\xff\xff\x7f.", NULL, &error), MW_ERROR_FORMAT);
  assert_int_equal(OPEN("\x80\2te.", NULL, &error), MW_ERROR_FORMAT);
  assert_int_equal(OPEN("\x80\2h\x05.", NULL, &error), MW_ERROR_FORMAT);
  // seconds of processor time; the bomb above is cut off after a few million visits
  assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2.0);
}

static void compressed_and_foreign_archives_are_named(void **state)
{
  (void)state;
  static const char pickle[] = TENSOR(KEY, "K\0", "K\4\x85", "K\1\x85");
  mw_error error;
  for (int which = 0; which < 4; which++) {
    static const char *const wanted[] = {"compressed", "compressed", "big-endian", "not PyTorch's"};
    archive *a = calloc(1, sizeof *a);
    add_entry(a, which == 3 ? "x/other" : "x/data.pkl", pickle, sizeof pickle - 1,
              which == 0 ? 8 : 0);
    add_entry(a, "x/data/0", values, sizeof values, which == 1 ? 8 : 0);
    if (which == 2) add_entry(a, "x/byteorder", "big", 3, 0);
    finish(a);
    assert_int_equal(open_bytes(a->bytes, a->size, NULL, &error), MW_ERROR_FORMAT);
    if (strstr(error.text, wanted[which]) == NULL) fail_msg("%s", error.text);
    free(a);
  }
}

// Every cut, and every field of the directory set to large values.
static void directories_that_lie_are_refused_or_harmless(void **state)
{
  (void)state;
  static const char pickle[] = TENSOR(KEY, "K\0", "K\4\x85", "K\1\x85");
  mw_error error;
  archive *a = calloc(1, sizeof *a);
  add_entry(a, "x/data.pkl", pickle, sizeof pickle - 1, 0);
  add_entry(a, "x/data/0", values, sizeof values, 0);
  add_entry(a, "../../etc/passwd", values, sizeof values, 0);
  finish(a);
  size_t count = 0;
  assert_int_equal(open_bytes(a->bytes, a->size, &count, &error), MW_OK);
  assert_int_equal(count, 1);
  for (size_t cut = 0; cut < a->size; cut++)
    if (open_bytes(a->bytes, cut, NULL, &error) == MW_OK) fail_msg("good when cut to %zu", cut);
  size_t directory = a->size - 22 - a->directory_size;
  for (size_t at = directory; at + 4 <= a->size; at++) {
    unsigned char kept[4];
    memcpy(kept, a->bytes + at, 4);
    memset(a->bytes + at, 0xFF, 4);
    open_bytes(a->bytes, a->size, NULL, &error);
    memcpy(a->bytes + at, kept, 4);
  }
  free(a);
}

static void a_cut_stream_from_before_1_6_is_refused(void **state)
{
  (void)state;
  unsigned char bytes[4096];
  mw_error error;
  FILE *file = fopen(data_path("golden/meanaudio/containers/legacy.pth"), "rb");
  assert_non_null(file);
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  assert_true(size > 1000 && size < sizeof bytes);
  for (size_t cut = 0; cut < size; cut++)
    if (open_bytes(bytes, cut, NULL, &error) == MW_OK) fail_msg("good when cut to %zu", cut);
  assert_int_equal(open_bytes("\x80\2}.", 4, NULL, &error), MW_ERROR_FORMAT);
  assert_non_null(strstr(error.text, "torch.save"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_plain_tensor_opens),
      cmocka_unit_test(tensors_beyond_their_storage_are_refused),
      cmocka_unit_test(a_storage_is_looked_up_in_the_archive_only),
      cmocka_unit_test(calls_are_never_made),
      cmocka_unit_test(cycles_and_bombs_end_at_once),
      cmocka_unit_test(compressed_and_foreign_archives_are_named),
      cmocka_unit_test(directories_that_lie_are_refused_or_harmless),
      cmocka_unit_test(a_cut_stream_from_before_1_6_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
