// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every container against arrays written by the official framework, then broken ones.
#include "weights.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "data_path.h"
#include "npy.h"

static const char *golden(const char *path)
{
  char below[256];
  snprintf(below, sizeof below, "golden/%s", path);
  return data_path(below);
}

static weights *open_golden(const char *path)
{
  weights *w = NULL;
  mw_error error = {""};
  if (weights_open(&w, golden(path), &error) != MW_OK) fail_msg("%s", error.text);
  return w;
}

static void expect_array(const weights *w, const char *name, const char *folder, const char *file)
{
  npy array;
  const tensor *t = weights_find(w, name);
  if (t == NULL) fail_msg("%s: no tensor %s", weights_path(w), name);
  assert_true(npy_open(&array, golden(folder), file));
  // NumPy stored the scalar as an array of one element
  if (t->rank > 0) assert_int_equal(t->rank, array.rank);
  for (unsigned d = 0; d < t->rank; d++) assert_int_equal(t->shape[d], array.shape[d]);
  assert_int_equal(t->count, array.count);
  float *values = malloc((t->count + 1) * sizeof(float));
  tensor_read(t, 0, t->count, values);
  for (size_t i = 0; i < t->count; i++)
    if (values[i] != array.values[i])
      fail_msg("%s[%zu]: %g, wanted %g", name, i, (double)values[i], (double)array.values[i]);
  free(values);
  npy_free(&array);
}

static void a_zip_with_shared_strided_and_typed_storages_reads_exactly(void **state)
{
  (void)state;
  static const char *const names[] = {"base",        "bfloat16", "double",    "empty",
                                      "every_other", "half",     "int64",     "param",
                                      "row_2",       "scalar",   "transposed"};
  weights *w = open_golden("meanaudio/containers/odd.pth");
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char file[64];
    const tensor *found = NULL;
    snprintf(file, sizeof file, "%s.npy", names[i]);
    for (size_t j = 0; j < weights_count(w); j++) {
      const char *name = weights_at(w, j)->name;
      size_t length = strlen(name);
      size_t wanted = strlen(names[i]);
      if (length >= wanted && strcmp(name + length - wanted, names[i]) == 0 &&
          (length == wanted || name[length - wanted - 1] == '.'))
        found = weights_at(w, j);
    }
    if (found == NULL) fail_msg("no tensor %s", names[i]);
    expect_array(w, found->name, "meanaudio/containers", file);
  }
  weights_close(w);
}

// The same weights in three containers: their names differ by a prefix only.
static void the_three_containers_of_one_network_agree(void **state)
{
  (void)state;
  weights *plain = open_golden("meanvc/dit_single/dit.safetensors");
  weights *script = open_golden("../weights/dit_torchscript.pt");
  weights *training = open_golden("../weights/dit_train_ckpt.pt");
  assert_true(weights_count(plain) > 40);
  weights_view averaged = weights_under(training, "ema_model_state_dict.ema_model.");
  for (size_t i = 0; i < weights_count(plain); i++) {
    const tensor *t = weights_at(plain, i);
    float *wanted = malloc(t->count * sizeof(float));
    float *found = malloc(t->count * sizeof(float));
    tensor_read(t, 0, t->count, wanted);
    const tensor *others[2] = {weights_find(script, t->name),
                               weights_view_find(&averaged, t->name)};
    for (int k = 0; k < 2; k++) {
      if (others[k] == NULL) fail_msg("container %d lacks %s", k, t->name);
      assert_int_equal(others[k]->count, t->count);
      tensor_read(others[k], 0, t->count, found);
      assert_memory_equal(found, wanted, t->count * sizeof(float));
    }
    free(wanted);
    free(found);
  }
  weights_close(plain);
  weights_close(script);
  weights_close(training);
}

static void expect_same(const char *path, const char *other_path)
{
  weights *one = open_golden(path);
  weights *other = open_golden(other_path);
  assert_true(weights_count(one) > 0);
  assert_int_equal(weights_count(one), weights_count(other));
  for (size_t i = 0; i < weights_count(one); i++) {
    const tensor *a = weights_at(one, i);
    const tensor *b = weights_find(other, a->name);
    if (b == NULL) fail_msg("%s lacks %s", other_path, a->name);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->rank, b->rank);
    assert_memory_equal(a->shape, b->shape, a->rank * sizeof(size_t));
    for (size_t j = 0; j < a->count; j++) {
      float x;
      float y;
      tensor_read(a, j, 1, &x);
      tensor_read(b, j, 1, &y);
      if (x != y) fail_msg("%s[%zu]: %g and %g", a->name, j, (double)x, (double)y);
    }
  }
  weights_close(one);
  weights_close(other);
}

static void the_stream_from_before_1_6_reads_like_the_zip(void **state)
{
  (void)state;
  expect_same("meanaudio/containers/odd.pth", "meanaudio/containers/legacy.pth");
  expect_same("meanvc/sv/sv.pth", "../weights/sv_legacy.pth");
}

static void a_wrong_tensor_is_one_line_with_file_name_wanted_and_found(void **state)
{
  (void)state;
  weights *w = open_golden("meanvc/dit_single/dit.safetensors");
  weights_view view = weights_under(w, "proj_out.");
  const tensor *t;
  mw_error error;
  assert_int_equal(weights_need(&t, &view, "weight", 2, (size_t[]){3, 7}, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "dit.safetensors"));
  assert_non_null(strstr(error.text, "proj_out.weight: wanted [3, 7], found ["));
  assert_int_equal(weights_need(&t, &view, "none", 1, (size_t[]){ANY_SIZE}, &error),
                   MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "proj_out.none [*] is missing"));
  assert_int_equal(weights_need(&t, &view, "bias", 1, (size_t[]){ANY_SIZE}, &error), MW_OK);
  weights_close(w);
}

// ---- broken on purpose ----

static mw_status open_bytes(const void *bytes, size_t size, mw_error *error)
{
  char path[] = "/tmp/meanwave-test-XXXXXX";
  int file = mkstemp(path);
  assert_true(file >= 0);
  assert_true(write(file, bytes, size) == (ssize_t)size);
  close(file);
  weights *w = NULL;
  error->text[0] = '\0';
  mw_status status = weights_open(&w, path, error);
  if (status == MW_OK) {
    // what was handed out must be readable to its last element
    for (size_t i = 0; i < weights_count(w); i++) {
      const tensor *t = weights_at(w, i);
      float value;
      for (size_t j = 0; j < t->count; j++) tensor_read(t, j, 1, &value);
    }
  }
  weights_close(w);
  unlink(path);
  return status;
}

static mw_status open_header(const char *header, size_t data_bytes, mw_error *error)
{
  size_t length = strlen(header);
  unsigned char *bytes = calloc(1, 8 + length + data_bytes);
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
  memcpy(bytes + 8, header, length);
  mw_status status = open_bytes(bytes, 8 + length + data_bytes, error);
  free(bytes);
  return status;
}

static void hostile_safetensors_are_refused(void **state)
{
  (void)state;
  static const char *const headers[] = {
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,20]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[8,4]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,16]}}",
      "{\"a\":{\"dtype\":\"F99\",\"shape\":[4],\"data_offsets\":[0,16]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[-4],\"data_offsets\":[0,16]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,6]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[4]}}",
      "{\"a\":5}",
      ("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
       "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"),
      "{\"\\u001b[2J\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
      "{\"\xff\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
      "{\"\xc3\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
      "{\"__metadata__\":[]}",
      "{\"a\":",
      "{\"a\\u00\":1}",
      "{} x",
  };
  mw_error error;
  for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
    if (open_header(headers[i], 16, &error) != MW_ERROR_FORMAT) fail_msg("%s", headers[i]);
    assert_true(error.text[0] != '\0');
  }
  assert_int_equal(
      open_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", 16, &error),
      MW_OK);
}

static void nesting_without_end_is_refused(void **state)
{
  (void)state;
  char *header = malloc(200002);
  memset(header, '[', 200001);
  memcpy(header, "{\"a\":", 5);
  header[200001] = '\0';
  mw_error error;
  assert_int_equal(open_header(header, 0, &error), MW_ERROR_FORMAT);
  free(header);
}

static unsigned char *read_whole(const char *path, size_t *size)
{
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  unsigned char *bytes = malloc(*size);
  assert_int_equal(fread(bytes, 1, *size, file), *size);
  fclose(file);
  return bytes;
}

// Neither a cut nor a flipped byte may crash; a cut archive is never good.
static void cut_and_damaged_archives_are_refused_or_read_safely(void **state)
{
  (void)state;
  size_t size;
  unsigned char *bytes = read_whole(golden("meanaudio/containers/odd.pth"), &size);
  mw_error error;
  for (size_t cut = 0; cut < size; cut += 61) {
    if (open_bytes(bytes, cut, &error) == MW_OK) fail_msg("good when cut to %zu", cut);
    assert_true(error.text[0] != '\0');
  }
  uint32_t random = 1;
  for (int i = 0; i < 3000; i++) {
    random = random * 1664525u + 1013904223u;
    size_t at = (random >> 4) % size;
    unsigned char was = bytes[at];
    bytes[at] = (unsigned char)(random >> 24);
    open_bytes(bytes, size, &error);
    bytes[at] = was;
  }
  free(bytes);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_zip_with_shared_strided_and_typed_storages_reads_exactly),
      cmocka_unit_test(the_three_containers_of_one_network_agree),
      cmocka_unit_test(the_stream_from_before_1_6_reads_like_the_zip),
      cmocka_unit_test(a_wrong_tensor_is_one_line_with_file_name_wanted_and_found),
      cmocka_unit_test(hostile_safetensors_are_refused),
      cmocka_unit_test(nesting_without_end_is_refused),
      cmocka_unit_test(cut_and_damaged_archives_are_refused_or_read_safely),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
