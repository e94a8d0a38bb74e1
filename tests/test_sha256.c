// SPDX-License-Identifier: GPL-3.0-or-later
//
// The examples of FIPS 180-4, and every cut of a message.
#include "sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void expect(const char *message, const char *wanted)
{
  char text[SHA256_TEXT];
  size_t length = strlen(message);
  for (size_t cut = 0; cut <= length; cut++) {
    sha256 hash;
    sha256_start(&hash);
    sha256_add(&hash, message, cut);
    sha256_add(&hash, message + cut, length - cut);
    sha256_finish(&hash, text);
    assert_string_equal(text, wanted);
  }
}

static void examples(void **state)
{
  (void)state;
  expect("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void a_million_letters_in_a_file(void **state)
{
  (void)state;
  char path[] = "/tmp/meanwave-test-XXXXXX";
  char text[SHA256_TEXT];
  int file = mkstemp(path);
  char *letters = malloc(1000000);
  memset(letters, 'a', 1000000);
  assert_true(write(file, letters, 1000000) == 1000000);
  close(file);
  free(letters);
  assert_int_equal(sha256_file(path, text, NULL), MW_OK);
  assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  unlink(path);
  assert_int_equal(sha256_file(path, text, NULL), MW_ERROR_IO);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(examples),
      cmocka_unit_test(a_million_letters_in_a_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
