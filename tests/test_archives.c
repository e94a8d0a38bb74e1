// SPDX-License-Identifier: GPL-3.0-or-later
//
// Archives made to cost memory or time, or to reach other files: each is answered in one line,
// within 64 MB and a second of computing.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "temp_folder.h"
#include "weights.h"

// With sanitizers neither memory nor time is what it is without.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MOST_MB = 1024, MOST_SECONDS = 10 };
#else
enum { MOST_MB = 64, MOST_SECONDS = 1 };
#endif

enum { ROOM = 1 << 16, ENTRIES = 64 };

typedef struct {
  char bytes[ROOM];
  size_t size;
} buffer;

typedef struct {
  const char *name;
  const buffer *content;
  unsigned method;  // 0: stored
  uint32_t claimed; // unpacked bytes; 0: those of the content
  bool again;       // lies where the one before lies
} entry;

static char folder[TEMP_FOLDER_SIZE];
static char path[128];

static int make_folder(void **state)
{
  (void)state;
  if (!temp_folder_make(folder)) return -1;
  snprintf(path, sizeof path, "%s/archive.pt", folder);
  return 0;
}

static int remove_folder(void **state)
{
  (void)state;
  return temp_folder_remove(folder) ? 0 : -1;
}

static void put(buffer *b, const void *bytes, size_t size)
{
  assert_true(b->size + size <= ROOM);
  memcpy(b->bytes + b->size, bytes, size);
  b->size += size;
}

static void put_text(buffer *b, const char *text)
{
  put(b, text, strlen(text));
}

static void put_number(buffer *b, uint64_t number, size_t bytes)
{
  for (size_t i = 0; i < bytes; i++) put(b, &(char){(char)(i < 8 ? number >> (8 * i) : 0)}, 1);
}

static void write_bytes(const buffer *b)
{
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(b->bytes, 1, b->size, file), b->size);
  assert_int_equal(fclose(file), 0);
}

// ---- Archives ----

// What a local header and a directory entry share.
static void put_entry(buffer *b, const entry *e)
{
  put_number(b, 20, 2);
  put_number(b, 0, 2);
  put_number(b, e->method, 2);
  put_number(b, 0, 8); // time and checksum
  put_number(b, e->content->size, 4);
  put_number(b, e->claimed > 0 ? e->claimed : e->content->size, 4);
  put_number(b, strlen(e->name), 2);
  put_number(b, 0, 2);
}

static void write_archive(const entry *entries, size_t count)
{
  static buffer b;
  size_t offsets[ENTRIES];
  b.size = 0;
  for (size_t i = 0; i < count; i++) {
    offsets[i] = entries[i].again ? offsets[i - 1] : b.size;
    if (entries[i].again) continue;
    put_text(&b, "PK\3\4");
    put_entry(&b, &entries[i]);
    put_text(&b, entries[i].name);
    put(&b, entries[i].content->bytes, entries[i].content->size);
  }
  size_t directory = b.size;
  for (size_t i = 0; i < count; i++) {
    put_text(&b, "PK\1\2");
    put_number(&b, 20, 2);
    put_entry(&b, &entries[i]);
    put_number(&b, 0, 10); // comment, disk, attributes
    put_number(&b, offsets[i], 4);
    put_text(&b, entries[i].name);
  }
  size_t length = b.size - directory;
  put_text(&b, "PK\5\6");
  put_number(&b, 0, 4);
  put_number(&b, count, 2);
  put_number(&b, count, 2);
  put_number(&b, length, 4);
  put_number(&b, directory, 4);
  put_number(&b, 0, 2);
  write_bytes(&b);
}

// Opens the archive in a process of its own, with a limit on both: its status, and the line in
// `error`.
static mw_status open_limited(mw_error *error)
{
  int ends[2];
  int ended;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    struct {
      mw_status status;
      mw_error error;
      long kilobytes;
    } result = {0};
    weights *w = NULL;
    struct rusage before;
    struct rusage after;
    setrlimit(RLIMIT_CPU, &(struct rlimit){MOST_SECONDS, MOST_SECONDS});
    getrusage(RUSAGE_SELF, &before);
    result.status = weights_open(&w, path, &result.error);
    getrusage(RUSAGE_SELF, &after);
    result.kilobytes = after.ru_maxrss - before.ru_maxrss;
    if (write(ends[1], &result, sizeof result) != (ssize_t)sizeof result) _exit(2);
    _exit(result.kilobytes <= MOST_MB * 1024 ? 0 : 3);
  }
  close(ends[1]);
  struct {
    mw_status status;
    mw_error error;
    long kilobytes;
  } result;
  ssize_t got = read(ends[0], &result, sizeof result);
  close(ends[0]);
  assert_int_equal(waitpid(child, &ended, 0), child);
  if (got != (ssize_t)sizeof result) fail_msg("it ended by signal %d", WTERMSIG(ended));
  if (ended != 0) fail_msg("it took %ld kB", result.kilobytes);
  *error = result.error;
  return result.status;
}

static void expect(const char *words)
{
  mw_error error;
  assert_int_equal(open_limited(&error), MW_ERROR_FORMAT);
  if (strstr(error.text, words) == NULL) fail_msg("'%s' is not in: %s", words, error.text);
}

// ---- Pickles ----

// A tensor over the storage of the key, with the shape and strides.
static void put_tensor_of(buffer *b, const char *key, size_t key_size, const uint64_t *shape,
                          const uint64_t *stride, size_t rank)
{
  put_text(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
  put_text(b, "X\x07");
  put(b, "\0\0\0storage", 10);
  put_text(b, "ctorch\nFloatStorage\nX");
  put_number(b, key_size, 4);
  put(b, key, key_size);
  put(b,
      "X\x03\0\0\0"
      "cpuK\x04tQK\0(",
      15);
  for (size_t i = 0; i < rank; i++) {
    put_text(b, "\x8A\x08");
    put_number(b, shape[i], 8);
  }
  put_text(b, "t(");
  for (size_t i = 0; i < rank; i++) {
    put_text(b, "\x8A\x08");
    put_number(b, stride[i], 8);
  }
  put_text(b, "t\x89"
              "ccollections\nOrderedDict\n)RtR");
}

static void put_tensor(buffer *b, char key, const uint64_t *shape, const uint64_t *stride,
                       size_t rank)
{
  put_tensor_of(b, &key, 1, shape, stride, rank);
}

// {"a": tensor}
static void make_pickle(buffer *b, const uint64_t *shape, const uint64_t *stride, size_t rank)
{
  b->size = 0;
  put(b, "\x80\x02}X\x01\0\0\0a", 9);
  put_tensor(b, '0', shape, stride, rank);
  put_text(b, "s.");
}

static const buffer four = {.bytes = {0}, .size = 16}; // floats

// ----

static void the_maker_of_archives_makes_good_ones(void **state)
{
  (void)state;
  static buffer pickle;
  mw_error error;
  make_pickle(&pickle, (const uint64_t[]){2, 2}, (const uint64_t[]){2, 1}, 2);
  write_archive(
      (const entry[]){{"x/data.pkl", &pickle, 0, 0, false}, {"x/data/0", &four, 0, 0, false}}, 2);
  if (open_limited(&error) != MW_OK) fail_msg("%s", error.text);
}

static void a_zip_bomb(void **state)
{
  (void)state;
  static buffer pickle;
  static buffer packed = {.bytes = "\x4B\x4C\x04", .size = 1000};
  make_pickle(&pickle, (const uint64_t[]){1 << 30}, (const uint64_t[]){1}, 1);
  write_archive((const entry[]){{"x/data.pkl", &pickle, 0, 0, false},
                                {"x/data/0", &packed, 8, UINT32_MAX - 1, false}},
                2);
  expect("is compressed");
  write_archive((const entry[]){{"x/data.pkl", &packed, 8, UINT32_MAX - 1, false}}, 1);
  expect("is compressed");
  // stored, and larger than the file
  write_archive((const entry[]){{"x/data.pkl", &pickle, 0, 0, false},
                                {"x/data/0", &four, 0, UINT32_MAX - 1, false}},
                2);
  expect("reaches beyond the end");
}

static void names_that_lead_elsewhere(void **state)
{
  (void)state;
  static buffer pickle;
  mw_error error;
  char outside[128];
  make_pickle(&pickle, (const uint64_t[]){2, 2}, (const uint64_t[]){2, 1}, 2);
  snprintf(outside, sizeof outside, "%s/../meanwave-outside", folder);
  write_archive((const entry[]){{"../data.pkl", &pickle, 0, 0, false},
                                {"../data/0", &four, 0, 0, false},
                                {"../../../../../tmp/meanwave-outside", &four, 0, 0, false},
                                {"/tmp/meanwave-outside", &four, 0, 0, false}},
                4);
  // only names are compared: nothing is written anywhere
  if (open_limited(&error) != MW_OK) fail_msg("%s", error.text);
  assert_int_not_equal(access(outside, F_OK), 0);
  assert_int_not_equal(access("/tmp/meanwave-outside", F_OK), 0);
}

static void a_cyclic_pickle(void **state)
{
  (void)state;
  static buffer pickle;
  pickle.size = 0;
  put(&pickle, "\x80\x02]q\0h\0a.", 9);
  write_archive((const entry[]){{"x/data.pkl", &pickle, 0, 0, false}}, 1);
  expect("is cyclic");
}

// Lists of ten times the list before: ten billion visits, were they made.
static void a_pickle_that_laughs(void **state)
{
  (void)state;
  static buffer pickle;
  pickle.size = 0;
  put(&pickle, "\x80\x02]q\0(NNNNNNNNNNe", 17);
  for (unsigned level = 1; level < 10; level++) {
    put_text(&pickle, "]q");
    put_number(&pickle, level, 1);
    put_text(&pickle, "(");
    for (int i = 0; i < 10; i++) put(&pickle, (char[]){'h', (char)(level - 1)}, 2);
    put_text(&pickle, "e");
  }
  put_text(&pickle, ".");
  write_archive((const entry[]){{"x/data.pkl", &pickle, 0, 0, false}}, 1);
  expect("too deep or too large");
}

static void expect_pickle(const buffer *pickle, const char *words)
{
  write_archive((const entry[]){{"x/data.pkl", pickle, 0, 0, false}}, 1);
  expect(words);
}

static void put_repeated(buffer *b, const char *bytes, size_t size, size_t times)
{
  for (size_t i = 0; i < times; i++) put(b, bytes, size);
}

// One list of pairs becomes a dictionary, six bytes for each.
static void dictionaries_of_one_list(void **state)
{
  (void)state;
  enum { PAIRS = 8000, DICTIONARIES = 1000 };
  static buffer pickle;
  pickle.size = 0;
  put_text(&pickle, "\x80\x02"
                    "ccollections\nOrderedDict\nq");
  put(&pickle, "\0NN\x86q\1](", 8);
  put_repeated(&pickle, "h\1", 2, PAIRS);
  put_text(&pickle, "e\x85q\2");
  put_repeated(&pickle, "h\0h\2R0", 6, DICTIONARIES);
  put_text(&pickle, "N.");
  expect_pickle(&pickle, "it repeats itself");
}

// Two names become a class, six bytes for each.
static void classes_of_one_long_name(void **state)
{
  (void)state;
  enum { LENGTH = 30000, CLASSES = 4000 };
  static buffer pickle;
  pickle.size = 0;
  put_text(&pickle, "\x80\x04X");
  put_number(&pickle, LENGTH, 4);
  put_repeated(&pickle, "a", 1, LENGTH);
  put(&pickle, "q\0", 2);
  put_repeated(&pickle,
               "h\0h\0\x93"
               "0",
               6, CLASSES);
  put_text(&pickle, ".");
  expect_pickle(&pickle, "it repeats itself");
}

// Each number lies as far beyond the one before as was borne once.
static void numbers_far_apart(void **state)
{
  (void)state;
  enum { NUMBERS = 12000, APART = 1024 };
  static buffer pickle;
  pickle.size = 0;
  put_text(&pickle, "\x80\x02N");
  for (uint64_t i = 0; i < NUMBERS; i++) {
    put_text(&pickle, "r");
    put_number(&pickle, i * (APART + 1) + APART, 4);
  }
  put_text(&pickle, ".");
  expect_pickle(&pickle, "out of order");
}

// Nothing in the dictionary has a name, and it is there ninety thousand times.
static void a_dictionary_without_names(void **state)
{
  (void)state;
  enum { NAMELESS = 30000, TIMES = 300 };
  static buffer pickle;
  pickle.size = 0;
  put(&pickle, "\x80\x02}q\0(", 6);
  put_repeated(&pickle, "NN", 2, NAMELESS);
  put(&pickle, "u](", 3);
  put_repeated(&pickle, "h\0", 2, TIMES);
  put(&pickle, "eq\1](", 5);
  put_repeated(&pickle, "h\1", 2, TIMES);
  put_text(&pickle, "e.");
  expect_pickle(&pickle, "too deep or too large");
}

// Storages are told apart by their keys, each with each: short ones.
static void a_storage_with_a_long_name(void **state)
{
  (void)state;
  static buffer pickle;
  static char key[257];
  const uint64_t one = 1;
  memset(key, '0', sizeof key);
  pickle.size = 0;
  put_text(&pickle, "\x80\x02");
  put_tensor_of(&pickle, key, sizeof key, &one, &one, 1);
  put_text(&pickle, ".");
  expect_pickle(&pickle, "a broken storage");
}

static void tensors_of_billions(void **state)
{
  (void)state;
  static buffer pickle;
  static const struct {
    uint64_t shape[2];
    uint64_t stride[2];
    const char *words;
  } cases[] = {
      {{1000000000, 1000000000}, {1000000000, 1}, "reaches beyond its data"},
      {{1000000000, 1000000000}, {0, 0}, "elements over"}, // one element, again and again
      {{(uint64_t)1 << 62, 16}, {16, 1}, "overflows"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    make_pickle(&pickle, cases[i].shape, cases[i].stride, 2);
    write_archive(
        (const entry[]){{"x/data.pkl", &pickle, 0, 0, false}, {"x/data/0", &four, 0, 0, false}}, 2);
    expect(cases[i].words);
  }
}

// {"0": tensor, "1": tensor, ...}, each over a storage of its own or all over the first one.
static void make_many(buffer *b, size_t count, bool one_storage)
{
  static const uint64_t shape = 2048;
  static const uint64_t stride = 1;
  b->size = 0;
  put(b, "\x80\x02}", 3);
  for (size_t i = 0; i < count; i++) {
    char key = (char)('0' + i);
    put_text(b, "X\x01");
    put(b, "\0\0\0", 3);
    put(b, &key, 1);
    put_tensor(b, one_storage ? '0' : key, &shape, &stride, 1);
    put_text(b, "s");
  }
  put_text(b, ".");
}

static void what_is_stored_once_under_many_names(void **state)
{
  (void)state;
  static const buffer floats = {.bytes = {0}, .size = 4 * 2048};
  static buffer pickle;
  static char names[ENTRIES][16];
  static entry entries[ENTRIES];
  mw_error error;
  enum { MANY = ENTRIES - 1, TIED = 16 };
  // as tied weights
  make_many(&pickle, TIED, true);
  entries[0] = (entry){"x/data.pkl", &pickle, 0, 0, false};
  for (size_t i = 1; i < ENTRIES; i++) {
    snprintf(names[i], sizeof names[i], "x/data/%c", (char)('0' + i - 1));
    entries[i] = (entry){names[i], &floats, 0, 0, i > 1};
  }
  write_archive(entries, 2);
  if (open_limited(&error) != MW_OK) fail_msg("%s", error.text);
  make_many(&pickle, MANY, true);
  write_archive(entries, 2);
  expect("overlap");
  // entries of the archive that lie in the same place
  make_many(&pickle, MANY, false);
  write_archive(entries, ENTRIES);
  expect("overlap");
}

static void tensors_of_one_place(void **state)
{
  (void)state;
  static buffer b;
  char text[4096];
  int length = 0;
  for (int i = 0; i < 60; i++)
    length += snprintf(text + length, sizeof text - (size_t)length,
                       "%s\"%d\":{\"dtype\":\"U8\",\"shape\":[9000],\"data_offsets\":[0,9000]}",
                       i == 0 ? "{" : ",", i);
  b.size = 0;
  put_number(&b, (uint64_t)length + 1, 8);
  put(&b, text, (size_t)length);
  put_text(&b, "}");
  b.size += 9000;
  write_bytes(&b);
  expect("overlap");
}

// Of what follows, the directory's end is told in its last 22 bytes.
static void a_directory_that_claims_more(void **state)
{
  (void)state;
  static buffer pickle;
  make_pickle(&pickle, (const uint64_t[]){2, 2}, (const uint64_t[]){2, 1}, 2);
  write_archive((const entry[]){{.name = "x/data.pkl", .content = &pickle},
                                {.name = "x/data/0", .content = &four}},
                2);
  FILE *file = fopen(path, "r+b");
  assert_non_null(file);
  assert_int_equal(fseek(file, -14, SEEK_END), 0);
  assert_int_equal(fwrite("\xFE\xFF\xFE\xFF", 1, 4, file), 4); // entries here, and in all
  assert_int_equal(fclose(file), 0);
  expect("the directory lies outside");
}

static void a_header_that_nests(void **state)
{
  (void)state;
  static buffer header;
  header.size = 0;
  put_number(&header, 60000, 8);
  put_text(&header, "{\"a\":");
  while (header.size < 60008) put_text(&header, "[");
  write_bytes(&header);
  expect("");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_maker_of_archives_makes_good_ones),
      cmocka_unit_test(a_zip_bomb),
      cmocka_unit_test(names_that_lead_elsewhere),
      cmocka_unit_test(a_cyclic_pickle),
      cmocka_unit_test(a_pickle_that_laughs),
      cmocka_unit_test(dictionaries_of_one_list),
      cmocka_unit_test(classes_of_one_long_name),
      cmocka_unit_test(numbers_far_apart),
      cmocka_unit_test(a_dictionary_without_names),
      cmocka_unit_test(a_storage_with_a_long_name),
      cmocka_unit_test(tensors_of_billions),
      cmocka_unit_test(what_is_stored_once_under_many_names),
      cmocka_unit_test(tensors_of_one_place),
      cmocka_unit_test(a_directory_that_claims_more),
      cmocka_unit_test(a_header_that_nests),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
