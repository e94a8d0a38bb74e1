// SPDX-License-Identifier: GPL-3.0-or-later
//
// SentencePiece models made here, good and broken; the ids of the official tokenizer are a golden
// case.
#include "pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

// A protobuf message in the making.
typedef struct {
  char bytes[8192];
  size_t length;
} message;

static void put_varint(message *m, uint64_t value)
{
  for (; value >= 0x80; value >>= 7) m->bytes[m->length++] = (char)(value | 0x80);
  m->bytes[m->length++] = (char)value;
}

static void put_bytes(message *m, unsigned field, const void *bytes, size_t length)
{
  put_varint(m, field << 3 | 2);
  put_varint(m, length);
  memcpy(m->bytes + m->length, bytes, length);
  m->length += length;
}

static void put_piece(message *m, const char *text, float score, unsigned type)
{
  message one = {.length = 0};
  put_bytes(&one, 1, text, strlen(text));
  put_varint(&one, 2 << 3 | 5);
  memcpy(one.bytes + one.length, &score, sizeof score);
  one.length += sizeof score;
  put_varint(&one, 3 << 3);
  put_varint(&one, type);
  put_bytes(m, 1, one.bytes, one.length);
}

// Ids: 0 <pad>, 1 </s>, 2 <unk>, 3 the space mark, 4 a, 5 b, 6 ab, 7 mark + a.
static message good_model(void)
{
  message m = {.length = 0};
  put_piece(&m, "<pad>", 0.0f, 3);
  put_piece(&m, "</s>", 0.0f, 3);
  put_piece(&m, "<unk>", 0.0f, 2);
  put_piece(&m, "\xE2\x96\x81", -2.0f, 1);
  put_piece(&m, "a", -3.0f, 1);
  put_piece(&m, "b", -3.0f, 1);
  put_piece(&m, "ab", -4.0f, 1);
  put_piece(&m,
            "\xE2\x96\x81"
            "a",
            -1.0f, 1);
  return m;
}

static pieces *parse(const message *m)
{
  pieces *p = NULL;
  mw_error error = {""};
  if (pieces_parse(&p, m->bytes, m->length, "model", &error) != MW_OK) fail_msg("%s", error.text);
  return p;
}

static void expect_ids(const pieces *p, const char *text, const uint32_t *wanted, size_t count)
{
  uint32_t ids[16];
  size_t used;
  size_t full;
  mw_error error = {""};
  if (pieces_encode(p, text, strlen(text), ids, 16, &used, &full, &error) != MW_OK)
    fail_msg("%s", error.text);
  assert_int_equal(used, count);
  assert_int_equal(full, count);
  assert_memory_equal(ids, wanted, count * sizeof ids[0]);
  for (size_t i = used; i < 16; i++) assert_int_equal(ids[i], 0);
}

static void the_best_segmentation_wins(void **state)
{
  (void)state;
  message m = good_model();
  pieces *p = parse(&m);
  // [mark a][b] at -4 beats [mark][ab] at -6
  expect_ids(p, "ab", (uint32_t[]){7, 5, 1}, 3);
  expect_ids(p, "  ab   bab ", (uint32_t[]){7, 5, 3, 5, 6, 1}, 6);
  // neighbouring unknown characters are one
  expect_ids(p, "xyz b", (uint32_t[]){3, 2, 3, 5, 1}, 5);
  expect_ids(p, "", (uint32_t[]){1}, 1);
  expect_ids(p, "   ", (uint32_t[]){1}, 1);
  expect_ids(p, "\xFF\xC3", (uint32_t[]){3, 2, 1}, 3);
  pieces_free(p);
  pieces_free(NULL);
}

static void long_texts_are_cut_before_the_end_mark(void **state)
{
  (void)state;
  message m = good_model();
  pieces *p = parse(&m);
  uint32_t ids[3];
  size_t used;
  size_t wanted;
  assert_int_equal(pieces_encode(p, "b b b", 5, ids, 3, &used, &wanted, NULL), MW_OK);
  assert_int_equal(used, 3);
  assert_int_equal(wanted, 7);
  assert_int_equal(ids[2], 1);
  assert_int_equal(pieces_encode(p, "b", 1, ids, 1, &used, &wanted, NULL), MW_OK);
  assert_int_equal(ids[0], 1);
  pieces_free(p);
}

// 'x' becomes the text, 'y' nothing: a double array of one character each.
static message model_that_maps(const char *text, uint32_t replacement_at)
{
  uint32_t length = (uint32_t)strlen(text);
  uint32_t map[1 + 256] = {256 * 4};
  uint32_t *unit = map + 1;
  unit[0] = 1 << 10;
  unit[1 ^ 'x'] = 'x' | 1 << 8 | 2 << 10;
  unit[1 ^ 'x' ^ 2] = 0x80000000u | replacement_at;
  unit[1 ^ 'y'] = 'y' | 1 << 8 | 4 << 10;
  unit[1 ^ 'y' ^ 4] = 0x80000000u | length;
  message normaliser = {.length = 0};
  char bytes[sizeof map + 512];
  memcpy(bytes, map, sizeof map);
  memcpy(bytes + sizeof map, text, length + 1);
  put_bytes(&normaliser, 2, bytes, sizeof map + length + 1);
  message m = good_model();
  put_bytes(&m, 3, normaliser.bytes, normaliser.length);
  return m;
}

static message mapped_model(uint32_t replacement_at)
{
  return model_that_maps("a b", replacement_at);
}

static void characters_are_mapped_before(void **state)
{
  (void)state;
  message m = mapped_model(0);
  pieces *p = parse(&m);
  expect_ids(p, "x", (uint32_t[]){7, 3, 5, 1}, 4);
  expect_ids(p, "yay", (uint32_t[]){7, 1}, 2);
  pieces_free(p);
  // a replacement beyond the texts is no replacement
  m = mapped_model(1000);
  p = parse(&m);
  expect_ids(p, "x", (uint32_t[]){3, 2, 1}, 3);
  pieces_free(p);
}

static void expect_refused(const message *m, mw_status wanted)
{
  pieces *p = NULL;
  mw_error error = {""};
  char *exact = malloc(m->length + 1);
  memcpy(exact, m->bytes, m->length);
  assert_int_equal(pieces_parse(&p, exact, m->length, "model", &error), wanted);
  assert_non_null(strstr(error.text, "model: "));
  free(exact);
}

static void every_cut_is_refused_or_whole(void **state)
{
  (void)state;
  message whole = mapped_model(0);
  size_t opened = 0;
  for (size_t length = 0; length < whole.length; length++) {
    message cut = whole;
    cut.length = length;
    pieces *p = NULL;
    mw_error error = {""};
    char *exact = malloc(length + 1);
    memcpy(exact, cut.bytes, length);
    if (pieces_parse(&p, exact, length, "model", &error) == MW_OK)
      opened++; // cut between two pieces: fewer pieces
    else
      assert_true(error.text[0] != '\0');
    pieces_free(p);
    free(exact);
  }
  assert_true(opened <= 6);
}

static void hostile_files_are_refused(void **state)
{
  (void)state;
  message m = good_model();
  put_piece(&m, "a", -3.0f, 1); // twice
  expect_refused(&m, MW_ERROR_FORMAT);
  m = good_model();
  put_piece(&m, "c", 0.0f / 0.0f, 1);
  expect_refused(&m, MW_ERROR_FORMAT);
  m = good_model();
  put_piece(&m, "", -1.0f, 1);
  expect_refused(&m, MW_ERROR_FORMAT);
  // a piece of 2^63 bytes; a number without an end; an unknown wire type
  m = good_model();
  put_varint(&m, 1 << 3 | 2);
  put_varint(&m, (uint64_t)1 << 63);
  expect_refused(&m, MW_ERROR_FORMAT);
  m = good_model();
  memset(m.bytes + m.length, 0xFF, 20);
  m.length += 20;
  expect_refused(&m, MW_ERROR_FORMAT);
  m = good_model();
  put_varint(&m, 9 << 3 | 3);
  expect_refused(&m, MW_ERROR_FORMAT);
  // a map longer than its field; one without a NUL at its end
  m = good_model();
  put_bytes(&m, 3, "\x12\x08\xFF\xFF\xFF\xFF\0\0\0\0", 10);
  expect_refused(&m, MW_ERROR_FORMAT);
  m = good_model();
  put_bytes(&m, 3, "\x12\x09\x04\0\0\0\0\0\0\0z", 11);
  expect_refused(&m, MW_ERROR_FORMAT);
  // the normaliser of another tokenizer; no pieces; no special ones
  m = good_model();
  put_bytes(&m, 3, "\x18\x00", 2);
  expect_refused(&m, MW_ERROR_MODEL);
  m.length = 0;
  expect_refused(&m, MW_ERROR_FORMAT);
  put_piece(&m, "a", -1.0f, 1);
  expect_refused(&m, MW_ERROR_MODEL);
}

// Each character of a text may try every length up to the longest piece.
static void pieces_are_words_not_books(void **state)
{
  (void)state;
  char text[258];
  memset(text, 'a', sizeof text - 1);
  text[257] = '\0';
  message m = good_model();
  put_piece(&m, text, -1.0f, 1);
  expect_refused(&m, MW_ERROR_FORMAT);
  text[256] = '\0';
  m = good_model();
  put_piece(&m, text, -1.0f, 1);
  pieces_free(parse(&m));
}

// Nothing in Unicode grows as much as U+FDFA, 13 times.
static void a_text_grows_only_as_unicode_does(void **state)
{
  (void)state;
  char text[4097];
  char grown[201];
  uint32_t ids[4];
  size_t used;
  size_t wanted;
  mw_error error = {""};
  memset(text, 'x', sizeof text - 1);
  text[4096] = '\0';
  memset(grown, 'b', sizeof grown - 1);
  grown[200] = '\0';
  message m = model_that_maps(grown, 0);
  pieces *p = parse(&m);
  assert_int_not_equal(pieces_encode(p, text, 4096, ids, 4, &used, &wanted, &error), MW_OK);
  assert_non_null(strstr(error.text, "a text of 4096 bytes is too long for the tokenizer"));
  pieces_free(p);
  grown[13] = '\0';
  m = model_that_maps(grown, 0);
  p = parse(&m);
  assert_int_equal(pieces_encode(p, text, 4096, ids, 4, &used, &wanted, &error), MW_OK);
  assert_int_equal(wanted, 1 + 13 * 4096 + 1);
  pieces_free(p);
}

static void files_that_are_missing_are_told(void **state)
{
  (void)state;
  pieces *p = NULL;
  mw_error error;
  assert_int_equal(pieces_open(&p, "/nonexistent.model", &error), MW_ERROR_IO);
  assert_non_null(strstr(error.text, "/nonexistent.model"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_best_segmentation_wins),
      cmocka_unit_test(long_texts_are_cut_before_the_end_mark),
      cmocka_unit_test(characters_are_mapped_before),
      cmocka_unit_test(every_cut_is_refused_or_whole),
      cmocka_unit_test(hostile_files_are_refused),
      cmocka_unit_test(pieces_are_words_not_books),
      cmocka_unit_test(a_text_grows_only_as_unicode_does),
      cmocka_unit_test(files_that_are_missing_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
