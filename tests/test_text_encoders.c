// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the golden values do not say of T5's encoder and CLAP's text tower: threads, padding, and
// tokens of another tokenizer.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "clap_text.h"
#include "open_weights.h"
#include "text_encoder.h"

enum { ROWS = 77, WIDTH = 48, JOINT = 24, HEADS = 4 };

static void threads_change_no_bit(void **state)
{
  (void)state;
  weights *t5 = open_golden("t5_encoder/model.safetensors");
  weights *clap = open_golden("clap_text/clap_tiny.pt");
  text_encoder *e = NULL;
  clap_text *c = NULL;
  assert_int_equal(text_encoder_load(&e, t5, NULL), MW_OK);
  assert_int_equal(clap_text_load(&c, clap, HEADS, NULL), MW_OK);
  assert_int_equal(text_encoder_width(e), WIDTH);
  assert_int_equal(clap_text_width(c), JOINT);
  arena *memory = arena_new();
  pool *three = pool_new(3);
  uint32_t ids[ROWS] = {5, 17, 300, 511, 42, 1};
  static float features[2][ROWS * WIDTH];
  float vectors[2][JOINT];
  for (int i = 0; i < 2; i++) {
    pool *p = i == 0 ? NULL : three;
    assert_int_equal(text_encoder_run(e, ids, 6, ROWS, features[i], memory, p, NULL), MW_OK);
    assert_int_equal(clap_text_run(c, ids, 6, vectors[i], memory, p, NULL), MW_OK);
  }
  assert_memory_equal(features[0], features[1], sizeof features[0]);
  assert_memory_equal(vectors[0], vectors[1], sizeof vectors[0]);
  pool_free(three);
  arena_free(memory);
  text_encoder_free(e);
  clap_text_free(c);
  weights_close(t5);
  weights_close(clap);
}

// Padding rows that are equal are computed once: each row must be what it is with another number of
// rows after it, and in the empty text all of them are one.
static void padding_rows_are_their_own(void **state)
{
  (void)state;
  weights *t5 = open_golden("t5_encoder/model.safetensors");
  text_encoder *e = NULL;
  assert_int_equal(text_encoder_load(&e, t5, NULL), MW_OK);
  arena *memory = arena_new();
  uint32_t ids[ROWS] = {9, 8, 7, 1};
  static float all[ROWS * WIDTH];
  static float fewer[ROWS * WIDTH];
  assert_int_equal(text_encoder_run(e, ids, 4, ROWS, all, memory, NULL, NULL), MW_OK);
  for (size_t rows = 4; rows < ROWS; rows += 9) {
    assert_int_equal(text_encoder_run(e, ids, 4, rows, fewer, memory, NULL, NULL), MW_OK);
    assert_memory_equal(fewer, all, rows * WIDTH * sizeof(float));
  }
  // near the text neighbours differ, far from it they do not
  assert_memory_not_equal(all + 5 * WIDTH, all + 6 * WIDTH, WIDTH * sizeof(float));
  assert_memory_equal(all + 70 * WIDTH, all + 71 * WIDTH, WIDTH * sizeof(float));
  arena_free(memory);
  text_encoder_free(e);
  weights_close(t5);
}

static void other_tokens_and_files_are_refused(void **state)
{
  (void)state;
  weights *t5 = open_golden("t5_encoder/model.safetensors");
  weights *clap = open_golden("clap_text/clap_tiny.pt");
  text_encoder *e = NULL;
  clap_text *c = NULL;
  mw_error error = {""};
  assert_int_equal(text_encoder_load(&e, clap, &error), MW_ERROR_MODEL);
  assert_int_equal(clap_text_load(&c, t5, 0, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "has no tensor"));
  // 5 heads of 48 columns
  assert_int_equal(clap_text_load(&c, clap, 5, &error), MW_ERROR_MODEL);
  assert_int_equal(text_encoder_load(&e, t5, &error), MW_OK);
  assert_int_equal(clap_text_load(&c, clap, HEADS, &error), MW_OK);
  arena *memory = arena_new();
  static float out[ROWS * WIDTH];
  uint32_t ids[ROWS] = {600};
  assert_int_equal(text_encoder_run(e, ids, 1, 1, out, memory, NULL, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "token 600"));
  assert_int_equal(clap_text_run(c, ids, 1, out, memory, NULL, &error), MW_ERROR_MODEL);
  assert_int_equal(clap_text_run(c, ids, 0, out, memory, NULL, &error), MW_ERROR_ARGUMENT);
  assert_int_equal(clap_text_run(c, ids, clap_text_longest(c) + 1, out, memory, NULL, &error),
                   MW_ERROR_ARGUMENT);
  arena_free(memory);
  text_encoder_free(e);
  clap_text_free(c);
  weights_close(t5);
  weights_close(clap);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_change_no_bit),
      cmocka_unit_test(padding_rows_are_their_own),
      cmocka_unit_test(other_tokens_and_files_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
