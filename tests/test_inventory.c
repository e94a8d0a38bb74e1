// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files are recognised by their tensors, and what differs is said line by line.
#include "inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "data_path.h"
#include "formula.h"
#include "temp_folder.h"

static void small_files_are_recognised_as_relatives(void **state)
{
  (void)state;
  static const struct {
    const char *file;
    const char *kind;
  } cases[] = {
      {"golden/meanaudio/t5_encoder/model.safetensors", "t5-encoder"},
      {"golden/meanaudio/clap_text/clap_tiny.pt", "clap-text"},
      {"golden/meanaudio/vae_decoder/v1_tiny.pth", "vae-16k"},
      {"golden/meanvc/sv/sv.pth", "wavlm-speaker"},
      {"golden/meanvc/asr_v1/fastu2pp.pt", "fastu2pp-v1"},
      {"golden/meanvc/asr_v2_160ms/fastu2pp.pt", "fastu2pp-v2"},
      {"golden/meanvc/vocos/vocos.pt", "vocos-16k"},
      {"golden/meanvc/dit_single/dit.safetensors", "meanvc"},
      {"weights/dit_train_ckpt.pt", "meanvc"},
      {"weights/dit_torchscript.pt", "meanvc"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    mw_error error = {""};
    weights *w = NULL;
    inventory *known = NULL;
    bool same_sizes = true;
    if (weights_open(&w, data_path(cases[i].file), &error) != MW_OK) fail_msg("%s", error.text);
    if (inventory_identify(&known, &same_sizes, w, &error) != MW_OK) fail_msg("%s", error.text);
    if (known == NULL) fail_msg("%s: not recognised", cases[i].file);
    assert_string_equal(inventory_kind(known), cases[i].kind);
    assert_false(same_sizes);
    inventory_free(known);
    weights_close(w);
  }
}

static void full_size_files_are_recognised_exactly(void **state)
{
  (void)state;
  static const char *const kinds[] = {"meanvc", "meanvc2", "vocos-16k", "fastu2pp-v1",
                                      "fastu2pp-v2"};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    mw_error error = {""};
    weights *w = NULL;
    inventory *known = NULL;
    inventory *found = NULL;
    bool same_sizes = false;
    if (inventory_named(&known, kinds[i], &error) != MW_OK) fail_msg("%s", error.text);
    if (weights_formula(&w, known, FORMULA_MEANVC, NULL, &error) != MW_OK)
      fail_msg("%s", error.text);
    if (inventory_identify(&found, &same_sizes, w, &error) != MW_OK) fail_msg("%s", error.text);
    assert_non_null(found);
    assert_string_equal(inventory_kind(found), kinds[i]);
    assert_true(same_sizes);
    assert_int_equal(inventory_compare(found, w, NULL, NULL), 0);
    inventory_free(found);
    inventory_free(known);
    weights_close(w);
  }
}

// Of networks that differ in sizes only the nearest is told, and the sizes of all.
static void other_sizes_are_told_apart(void **state)
{
  (void)state;
  static const char form[] = "{\"kind\":\"%s\",\"family\":\"f\",\"part\":\"p\",\"prefixes\":[\"\"],"
                             "\"tensors\":{\"mean\":[%d],\"wide.weight\":[%d,%d]}}";
  static const struct {
    const char *kind;
    int width;
  } known_sizes[] = {{"small", 8}, {"large", 32}, {"near-small", 10}, {"near-large", 24}};
  const char *models = getenv("MEANWAVE_MODELS");
  char *before = models != NULL ? strdup(models) : NULL;
  char folder[TEMP_FOLDER_SIZE];
  char path[TEMP_FOLDER_SIZE + 32];
  assert_true(temp_folder_make(folder));
  snprintf(path, sizeof path, "%s/official", folder);
  assert_int_equal(mkdir(path, 0700), 0);
  setenv("MEANWAVE_MODELS", folder, 1);
  for (int i = 0; i < 4; i++) {
    mw_error error = {""};
    inventory *known = NULL;
    inventory *found = NULL;
    weights *w = NULL;
    bool same_sizes = true;
    char sizes[256];
    int width = known_sizes[i].width;
    // the last two are no inventories of the folder
    snprintf(path, sizeof path, i < 2 ? "%s/official/%s.json" : "%s/%s.json", folder,
             known_sizes[i].kind);
    FILE *file = fopen(path, "w");
    fprintf(file, form, known_sizes[i].kind, width, width, width);
    fclose(file);
    if (i < 2) continue;
    if (inventory_open(&known, path, &error) != MW_OK ||
        weights_formula(&w, known, FORMULA_MEANVC, NULL, &error) != MW_OK ||
        inventory_identify(&found, &same_sizes, w, &error) != MW_OK)
      fail_msg("%s", error.text);
    assert_non_null(found);
    assert_false(same_sizes);
    assert_string_equal(inventory_kind(found), known_sizes[i - 2].kind);
    assert_int_equal(inventory_tell_sizes(found, w, sizes, sizeof sizes, &error), MW_OK);
    assert_string_equal(sizes,
                        i == 2 ? "wide.weight is [10, 10], large has [32, 32], small has [8, 8]"
                               : "wide.weight is [24, 24], large has [32, 32], small has [8, 8]");
    inventory_free(found);
    inventory_free(known);
    weights_close(w);
  }
  if (before != NULL)
    setenv("MEANWAVE_MODELS", before, 1);
  else
    unsetenv("MEANWAVE_MODELS");
  free(before);
  temp_folder_remove(folder);
}

typedef struct {
  char text[8][1024];
  size_t count;
} lines;

static void keep_line(void *context, const char *line)
{
  lines *kept = context;
  assert_true(kept->count < 8);
  snprintf(kept->text[kept->count++], sizeof kept->text[0], "%s", line);
}

static void write_file(char *path, const void *bytes, size_t size)
{
  int file = mkstemp(path);
  assert_true(file >= 0);
  assert_true(write(file, bytes, size) == (ssize_t)size);
  close(file);
}

static void differences_are_one_line_each(void **state)
{
  (void)state;
  static const char known_text[] =
      "{\"kind\":\"k\",\"prefixes\":[\"a.\"],\"optional\":[\"pe\"],\"renamed\":{\"g\":\"h.0\"},"
      "\"tensors\":{\"one\":[2],\"two\":[1,2],\"three\":[2],\"pe\":[9],\"x.g\":[2]}}";
  static const char header[] =
      "{\"a.one\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
      "\"a.two\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
      "\"a.x.h.0\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
      "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}";
  unsigned char bytes[8 + sizeof header - 1 + 8] = {(sizeof header - 1) & 255,
                                                    (sizeof header - 1) >> 8};
  memcpy(bytes + 8, header, sizeof header - 1);
  char known_path[] = "/tmp/meanwave-test-XXXXXX";
  char path[] = "/tmp/meanwave-test-XXXXXX";
  write_file(known_path, known_text, sizeof known_text - 1);
  write_file(path, bytes, sizeof bytes);
  mw_error error = {""};
  inventory *known = NULL;
  weights *w = NULL;
  lines said = {.count = 0};
  if (inventory_open(&known, known_path, &error) != MW_OK) fail_msg("%s", error.text);
  if (weights_open(&w, path, &error) != MW_OK) fail_msg("%s", error.text);
  assert_int_equal(inventory_compare(known, w, keep_line, &said), 3);
  assert_int_equal(said.count, 3);
  assert_non_null(strstr(said.text[0], "tensor a.two: wanted [1, 2], found [2, 1]"));
  assert_non_null(strstr(said.text[1], "tensor a.three [2] is missing"));
  assert_non_null(strstr(said.text[2], "tensor b [] is extra"));
  for (int i = 0; i < 3; i++) assert_memory_equal(said.text[i], path, strlen(path));
  weights_close(w);
  inventory_free(known);
  unlink(path);
  unlink(known_path);
}

static void broken_inventories_are_refused(void **state)
{
  (void)state;
  static const char *const texts[] = {
      "",
      "[]",
      "{}",
      "{\"prefixes\":[],\"tensors\":{}}",
      "{\"prefixes\":[\"\"],\"tensors\":[]}",
      "{\"prefixes\":[\"\"],\"tensors\":{\"a\":3}}",
      "{\"prefixes\":[\"\"],\"tensors\":{\"a\":[-1]}}",
      "{\"prefixes\":[\"\"],\"tensors\":{\"a\":[1073741824,1073741824,1073741824]}}",
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    char path[] = "/tmp/meanwave-test-XXXXXX";
    inventory *known = NULL;
    mw_error error = {""};
    write_file(path, texts[i], strlen(texts[i]));
    assert_int_equal(inventory_open(&known, path, &error), MW_ERROR_FORMAT);
    assert_true(error.text[0] != '\0');
    unlink(path);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_files_are_recognised_as_relatives),
      cmocka_unit_test(full_size_files_are_recognised_exactly),
      cmocka_unit_test(other_sizes_are_told_apart),
      cmocka_unit_test(differences_are_one_line_each),
      cmocka_unit_test(broken_inventories_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
