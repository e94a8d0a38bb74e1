// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bundles: written, opened again, compared; and everything that must not be written.
#include "bundle.h"
#include "data_path.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];
static char out[96];

static int make_folder(void **state)
{
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/meanwave-test-XXXXXX");
  if (mkdtemp(folder) == NULL) return -1;
  snprintf(out, sizeof out, "%s/out.mw", folder);
  return 0;
}

static int remove_folder(void **state)
{
  (void)state;
  unlink(out);
  return rmdir(folder); // fails, and the test with it, when something is left behind
}

static weights *open_good(const char *path)
{
  weights *w = NULL;
  mw_error error = {""};
  if (weights_open(&w, path, &error) != MW_OK) fail_msg("%s", error.text);
  return w;
}

static mw_status import(const char *const *paths, size_t count, mw_weight_type type, bool overwrite,
                        mw_error *error)
{
  mw_model_import wish = {.paths = paths,
                          .count = count,
                          .output = out,
                          .licence = "none",
                          .type = type,
                          .overwrite = overwrite};
  error->text[0] = '\0';
  return mw_models_import(&wish, error);
}

// How far a value may be off: f16 keeps 11 bits, bf16 8, int8 half a step of its row's scale.
static double bound(mw_weight_type type, const tensor *t, float value, float row_largest)
{
  if (t->dtype == TENSOR_F32) return 0.0;
  if (type == MW_WEIGHTS_F16) return fabs((double)value) * 0x1p-11 + 0x1p-25;
  if (type == MW_WEIGHTS_BF16) return fabs((double)value) * 0x1p-8;
  return (double)row_largest / 127.0 * 0.50001;
}

static void compare(const tensor *t, const tensor *wanted, mw_weight_type type)
{
  assert_int_equal(t->rank, wanted->rank);
  assert_memory_equal(t->shape, wanted->shape, t->rank * sizeof(size_t));
  size_t row = t->rank > 0 && t->shape[0] > 0 ? t->count / t->shape[0] : 1;
  float *a = malloc((t->count + 1) * sizeof(float));
  float *b = malloc((t->count + 1) * sizeof(float));
  tensor_read(t, 0, t->count, a);
  tensor_read(wanted, 0, t->count, b);
  for (size_t i = 0; i < t->count; i++) {
    float most = 0.0f;
    for (size_t j = i / row * row; t->row_scale != NULL && j < (i / row + 1) * row; j++)
      most = fmaxf(most, fabsf(b[j]));
    if (!(fabs((double)a[i] - (double)b[i]) <= bound(type, t, b[i], most)))
      fail_msg("%s[%zu]: %g, wanted %g", t->name, i, (double)a[i], (double)b[i]);
  }
  // from the middle of a row, too
  float one;
  if (t->count > 3) {
    tensor_read(t, t->count - 2, 1, &one);
    assert_true(one == a[t->count - 2]);
  }
  free(a);
  free(b);
}

static void every_type_comes_back_within_its_bound(void **state)
{
  (void)state;
  const char *source = data_path("golden/meanvc/vocos/vocos.pt");
  weights *wanted = open_good(source);
  for (mw_weight_type type = MW_WEIGHTS_F32; type <= MW_WEIGHTS_INT8; type++) {
    static const tensor_dtype stored[] = {TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_I8};
    mw_error error;
    size_t converted = 0;
    if (import(&source, 1, type, true, &error) != MW_OK) fail_msg("%s", error.text);
    weights *w = open_good(out);
    assert_int_equal(weights_count(w), weights_count(wanted));
    for (size_t i = 0; i < weights_count(w); i++) {
      const tensor *t = weights_at(w, i);
      assert_non_null(weights_find(wanted, t->name));
      converted += t->dtype == stored[type];
      assert_true((uintptr_t)t->data % (t->dtype == TENSOR_F32 ? 4 : 1) == 0);
      compare(t, weights_find(wanted, t->name), type);
    }
    assert_true(converted >= 2);
    assert_string_equal(weights_metadata(w, "format"), BUNDLE_FORMAT);
    assert_string_equal(weights_metadata(w, "family"), "vocos");
    assert_string_equal(weights_metadata(w, "licence"), "none");
    assert_int_equal(strlen(weights_metadata(w, "source_sha256")), 64);
    weights_close(w);
  }
  weights_close(wanted);
}

static void a_bundle_imports_again_and_keeps_its_metadata(void **state)
{
  (void)state;
  char first[96];
  mw_error error;
  const char *sources[2] = {data_path("golden/meanvc/dit_single/dit.safetensors"), NULL};
  char config[96];
  snprintf(config, sizeof config, "%s/c.json", folder);
  FILE *file = fopen(config, "w");
  fputs("{\"quoted\\\\\": \"\\\"\"}", file);
  fclose(file);
  sources[1] = config;
  if (import(sources, 2, MW_WEIGHTS_INT8, false, &error) != MW_OK) fail_msg("%s", error.text);
  unlink(config);
  snprintf(first, sizeof first, "%s/first.mw", folder);
  assert_int_equal(rename(out, first), 0);
  const char *again = first;
  if (import(&again, 1, MW_WEIGHTS_F32, false, &error) != MW_OK) fail_msg("%s", error.text);
  weights *a = open_good(first);
  weights *b = open_good(out);
  unlink(first);
  assert_string_equal(weights_metadata(b, "config"), "{\"quoted\\\\\": \"\\\"\"}");
  assert_string_equal(weights_metadata(b, "family"), "meanvc");
  assert_int_equal(weights_count(a), weights_count(b));
  for (size_t i = 0; i < weights_count(b); i++) {
    const tensor *t = weights_at(b, i);
    compare(t, weights_find(a, t->name), MW_WEIGHTS_F32);
  }
  weights_close(a);
  weights_close(b);
}

static void several_files_get_the_prefix_of_their_part(void **state)
{
  (void)state;
  const char *sources[] = {data_path("golden/meanvc/vocos/vocos.pt"),
                           data_path("golden/meanvc/dit_single/dit.safetensors"),
                           data_path("golden/meanvc/asr_v2_160ms/fastu2pp.pt")};
  mw_error error;
  mw_model_file *m = NULL;
  if (import(sources, 3, MW_WEIGHTS_F16, false, &error) != MW_OK) fail_msg("%s", error.text);
  weights *w = open_good(out);
  assert_non_null(weights_find(w, "vocoder.head.out.weight"));
  assert_non_null(weights_find(w, "decoder.proj_out.weight"));
  assert_non_null(weights_find(w, "encoder.after_norm.weight"));
  assert_string_equal(weights_metadata(w, "family"), "meanvc");
  assert_string_equal(weights_metadata(w, "parts"),
                      "vocoder=vocos-16k decoder=meanvc encoder=fastu2pp-v2");
  weights_close(w);
  assert_int_equal(mw_model_file_open(&m, out, &error), MW_OK);
  assert_null(mw_model_file_kind(m));
  mw_model_file_close(m);
}

// The table of positions and the layers of a relative, more or fewer, come through.
static void constants_stay_exact_and_nothing_is_lost(void **state)
{
  (void)state;
  const char *source = data_path("golden/meanvc/asr_v1/fastu2pp.pt");
  mw_error error;
  if (import(&source, 1, MW_WEIGHTS_INT8, false, &error) != MW_OK) fail_msg("%s", error.text);
  weights *wanted = open_good(source);
  weights *w = open_good(out);
  weights_view view = weights_under(wanted, "encoder.");
  size_t under_prefix = 0;
  for (size_t i = 0; i < weights_count(wanted); i++)
    under_prefix += strncmp(weights_at(wanted, i)->name, "encoder.", 8) == 0;
  assert_int_equal(weights_count(w), under_prefix);
  assert_int_equal(weights_find(w, "embed.pos_enc.pe")->dtype, TENSOR_F32);
  for (size_t i = 0; i < weights_count(w); i++)
    compare(weights_at(w, i), weights_view_find(&view, weights_at(w, i)->name), MW_WEIGHTS_INT8);
  weights_close(wanted);
  weights_close(w);
}

static void an_existing_file_stays_unless_told(void **state)
{
  (void)state;
  const char *source = data_path("golden/meanvc/vocos/vocos.pt");
  mw_error error;
  struct stat before;
  struct stat after;
  assert_int_equal(import(&source, 1, MW_WEIGHTS_F32, false, &error), MW_OK);
  assert_int_equal(stat(out, &before), 0);
  assert_int_equal(import(&source, 1, MW_WEIGHTS_INT8, false, &error), MW_ERROR_IO);
  assert_non_null(strstr(error.text, "-y"));
  assert_int_equal(stat(out, &after), 0);
  assert_int_equal(before.st_size, after.st_size);
  assert_int_equal(import(&source, 1, MW_WEIGHTS_INT8, true, &error), MW_OK);
  assert_int_equal(stat(out, &after), 0);
  assert_true(after.st_size < before.st_size);
}

static void what_cannot_be_imported_is_told_and_leaves_nothing(void **state)
{
  (void)state;
  mw_error error;
  const char *twice[] = {data_path("golden/meanvc/vocos/vocos.pt"),
                         data_path("golden/meanvc/vocos/vocos.pt")};
  assert_int_equal(import(twice, 2, MW_WEIGHTS_F32, false, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "both a vocoder"));
  const char *nothing = "/nonexistent/x.pt";
  assert_int_equal(import(&nothing, 1, MW_WEIGHTS_F32, false, &error), MW_ERROR_IO);
  assert_int_equal(import(NULL, 0, MW_WEIGHTS_F32, false, &error), MW_ERROR_ARGUMENT);
  mw_model_import wish = {.paths = twice, .count = 1, .output = "/nonexistent/y.mw"};
  assert_int_equal(mw_models_import(&wish, &error), MW_ERROR_IO);
}

static mw_status write_value(float value, tensor_dtype dtype, mw_error *error)
{
  enum { COUNT = 8192 };
  static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,4096],"
                               "\"data_offsets\":[0,32768]}}";
  char path[96];
  snprintf(path, sizeof path, "%s/in", folder);
  FILE *file = fopen(path, "wb");
  for (int i = 0; i < 8; i++) fputc((int)((sizeof header - 1) >> (8 * i) & 255), file);
  fputs(header, file);
  for (int i = 0; i < COUNT; i++) {
    float written = i == 5000 ? value : 1.0f;
    fwrite(&written, sizeof written, 1, file);
  }
  fclose(file);
  weights *w = open_good(path);
  bundle_part part = {.file = w, .prefix = ""};
  error->text[0] = '\0';
  mw_status status = bundle_write(out, &part, 1, NULL, 0, dtype, true, error);
  weights_close(w);
  unlink(path);
  return status;
}

static void values_without_a_form_are_refused(void **state)
{
  (void)state;
  mw_error error;
  assert_int_equal(write_value(65519.0f, TENSOR_F16, &error), MW_OK);
  assert_int_equal(write_value(65520.0f, TENSOR_F16, &error), MW_ERROR_FORMAT);
  assert_non_null(strstr(error.text, "bf16"));
  assert_int_equal(write_value(65520.0f, TENSOR_BF16, &error), MW_OK);
  assert_int_equal(write_value(nanf(""), TENSOR_I8, &error), MW_ERROR_FORMAT);
  assert_int_equal(write_value(INFINITY, TENSOR_I8, &error), MW_ERROR_FORMAT);
  assert_int_equal(write_value(0.0f, TENSOR_I64, &error), MW_ERROR_ARGUMENT);
}

static void write_header(const char *header)
{
  FILE *file = fopen(out, "wb");
  for (int b = 0; b < 8; b++) fputc((int)(strlen(header) >> (8 * b) & 255), file);
  fputs(header, file);
  for (int b = 0; b < 12; b++) fputc(b, file);
  fclose(file);
}

static void an_int8_table_without_scales_holds_whole_numbers(void **state)
{
  (void)state;
  weights *w = NULL;
  float values[4];
  write_header("{\"__metadata__\":{\"format\":\"meanwave-bundle-1\"},"
               "\"vectors\":{\"dtype\":\"I8\",\"shape\":[2,2],\"data_offsets\":[8,12]}}");
  assert_int_equal(weights_open(&w, out, NULL), MW_OK);
  tensor_read(weights_find(w, "vectors"), 0, 4, values);
  for (int i = 0; i < 4; i++) assert_true(values[i] == (float)(8 + i));
  weights_close(w);
}

static void an_int8_tensor_without_its_scales_is_refused(void **state)
{
  (void)state;
  static const char *const headers[] = {
      "{\"__metadata__\":{\"format\":\"meanwave-bundle-1\"},"
      "\"a.weight\":{\"dtype\":\"I8\",\"shape\":[2,2],\"data_offsets\":[8,12]}}",
      "{\"__metadata__\":{\"format\":\"meanwave-bundle-1\"},"
      "\"a\":{\"dtype\":\"I8\",\"shape\":[2,2],\"data_offsets\":[8,12]},"
      "\"a.scale\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
      "{\"__metadata__\":{\"format\":\"meanwave-bundle-1\"},"
      "\"a\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[8,9]},"
      "\"a.scale\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
      "{\"__metadata__\":{\"format\":\"meanwave-bundle-1\"},"
      "\"a\":{\"dtype\":\"I8\",\"shape\":[2,2],\"data_offsets\":[8,12]},"
      "\"a.scale\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}",
  };
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
    weights *w = NULL;
    mw_error error = {""};
    write_header(headers[i]);
    assert_int_equal(weights_open(&w, out, &error), MW_ERROR_FORMAT);
    assert_non_null(strstr(error.text, i == 0 ? "a.weight.scale" : "a.scale"));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
      IN_FOLDER(every_type_comes_back_within_its_bound),
      IN_FOLDER(a_bundle_imports_again_and_keeps_its_metadata),
      IN_FOLDER(several_files_get_the_prefix_of_their_part),
      IN_FOLDER(constants_stay_exact_and_nothing_is_lost),
      IN_FOLDER(an_existing_file_stays_unless_told),
      IN_FOLDER(what_cannot_be_imported_is_told_and_leaves_nothing),
      IN_FOLDER(values_without_a_form_are_refused),
      IN_FOLDER(an_int8_table_without_scales_holds_whole_numbers),
      IN_FOLDER(an_int8_tensor_without_its_scales_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
