// SPDX-License-Identifier: GPL-3.0-or-later
//
// Byte-level BPE on a few merges, and broken files; the ids of the official tokenizer are a golden
// case.
#include "bpe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

// "\xC4\xA0" is U+0120, the space of the alphabet.
static const char vocab[] = "{\"<s>\":0,\"<pad>\":1,\"</s>\":2,\"<unk>\":3,\"d\":4,\"o\":5,\"g\":6,"
                            "\"do\":7,\"dog\":8,\"\\u0120dog\":9,\"\\u0120\":10,\"'s\":11,"
                            "\"\xC3\x83\xC2\xA9\":12,\"1\":13,\"!\":14}";
static const char merges[] = "#version: 0.2\nd o\ndo g\n\xC4\xA0 dog\n' s\n\xC3\x83 \xC2\xA9\n";

static mw_status parse(bpe **b, const char *words, const char *pairs, mw_error *error)
{
  return bpe_parse(b, words, strlen(words), "words", pairs, strlen(pairs), "pairs", error);
}

static void expect_ids(const bpe *b, const char *text, const uint32_t *wanted, size_t count)
{
  uint32_t ids[16];
  size_t used;
  size_t full;
  assert_int_equal(bpe_encode(b, text, strlen(text), ids, 16, &used, &full, NULL), MW_OK);
  if (used != count || memcmp(ids, wanted, count * sizeof ids[0]) != 0) fail_msg("'%s'", text);
  assert_int_equal(full, count);
  for (size_t i = used; i < 16; i++) assert_int_equal(ids[i], 1);
}

static void pairs_join_by_rank(void **state)
{
  (void)state;
  bpe *b = NULL;
  mw_error error = {""};
  if (parse(&b, vocab, merges, &error) != MW_OK) fail_msg("%s", error.text);
  expect_ids(b, "", (uint32_t[]){0, 2}, 2);
  expect_ids(b, "dog", (uint32_t[]){0, 8, 2}, 3);
  expect_ids(b, "dog dog's", (uint32_t[]){0, 8, 9, 11, 2}, 5);
  // the last space belongs to the word; capitals, tabs and unknown bytes are what they are
  expect_ids(b, "  dog", (uint32_t[]){0, 10, 9, 2}, 4);
  expect_ids(b, "Dog\t", (uint32_t[]){0, 3, 5, 6, 3, 2}, 6);
  expect_ids(b, "\xC3\xA9", (uint32_t[]){0, 12, 2}, 3);
  expect_ids(b, "d1!d", (uint32_t[]){0, 4, 13, 14, 4, 2}, 6);
  bpe_free(b);
  bpe_free(NULL);
}

static void long_texts_are_cut_before_the_end_mark(void **state)
{
  (void)state;
  bpe *b = NULL;
  uint32_t ids[4];
  size_t used;
  size_t wanted;
  assert_int_equal(parse(&b, vocab, merges, NULL), MW_OK);
  assert_int_equal(bpe_encode(b, "d d d d", 7, ids, 4, &used, &wanted, NULL), MW_OK);
  assert_int_equal(used, 4);
  assert_int_equal(wanted, 9);
  assert_int_equal(ids[3], 2);
  assert_int_equal(bpe_encode(b, "d", 1, ids, 2, &used, &wanted, NULL), MW_OK);
  assert_int_equal(ids[1], 2);
  bpe_free(b);
}

static void broken_files_are_told_by_name(void **state)
{
  (void)state;
  static const struct {
    const char *words;
    const char *pairs;
    const char *line;
  } cases[] = {
      {"", merges, "words: "},
      {"[]", merges, "words: not a vocabulary"},
      {"{\"a\":1", merges, "words: broken JSON"},
      {"{\"a\":1}", merges, "words: there is no <s>"},
      {"{\"<s>\":0,\"<pad>\":1,\"</s>\":2,\"<unk>\":-3}", merges, "there is no <unk>"},
      {"{\"<s>\":0,\"<pad>\":1,\"</s>\":2,\"<unk>\":3,\"a\":1e9}", merges, "number is not one"},
      {"{\"<s>\":0,\"<pad>\":1,\"</s>\":2,\"<unk>\":3,\"a\":\"b\"}", merges, "number is not one"},
      {vocab, "#version: 0.2\nd o\ndog\n", "pairs: line 3"},
      {vocab, "d \n", "pairs: line 1"},
      {vocab, " d\n", "pairs: line 1"},
      {vocab, "d o g\n", "pairs: line 1"},
      {vocab, "d \xFF\n", "pairs: line 1"},
      {vocab, "d \xE2\x96\x81\n", "pairs: line 1"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bpe *b = NULL;
    mw_error error = {""};
    assert_int_not_equal(parse(&b, cases[i].words, cases[i].pairs, &error), MW_OK);
    if (strstr(error.text, cases[i].line) == NULL) fail_msg("case %zu: %s", i, error.text);
  }
}

static void every_cut_is_read_within_its_bounds(void **state)
{
  (void)state;
  for (size_t length = 0; length < sizeof merges; length++) {
    bpe *b = NULL;
    char *exact = malloc(length + 1);
    memcpy(exact, merges, length);
    char *moved = realloc(exact, length > 0 ? length : 1);
    assert_non_null(moved);
    mw_error error = {"nothing"};
    mw_status status =
        bpe_parse(&b, vocab, strlen(vocab), "words", moved,
                  length < sizeof merges - 1 ? length : sizeof merges - 1, "pairs", &error);
    assert_true(status == MW_OK || strstr(error.text, "pairs: line") != NULL);
    bpe_free(b);
    free(moved);
  }
  for (size_t length = 0; length < sizeof vocab - 1; length++) {
    bpe *b = NULL;
    assert_int_equal(bpe_parse(&b, vocab, length, "words", "", 0, "pairs", NULL), MW_ERROR_FORMAT);
  }
}

static void missing_files_are_told(void **state)
{
  (void)state;
  bpe *b = NULL;
  mw_error error;
  assert_int_equal(bpe_open(&b, "/none.json", "/none.txt", &error), MW_ERROR_IO);
  assert_non_null(strstr(error.text, "/none.json"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairs_join_by_rank),
      cmocka_unit_test(long_texts_are_cut_before_the_end_mark),
      cmocka_unit_test(broken_files_are_told_by_name),
      cmocka_unit_test(every_cut_is_read_within_its_bounds),
      cmocka_unit_test(missing_files_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
