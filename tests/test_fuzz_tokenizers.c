// SPDX-License-Identifier: GPL-3.0-or-later
//
// Replays the files that a fuzzer found to take different ways through the tokenizers.
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fuzz/fuzz_tokenizers.c"
#include "whole_file.h"

static void every_file_of_the_corpus(void **state)
{
  (void)state;
  char folder[4096];
  char path[4400];
  size_t replayed = 0;
  const char *data = getenv("MEANWAVE_TEST_DATA");
  snprintf(folder, sizeof folder, "%s/../fuzz/corpus/tokenizers",
           data != NULL ? data : "tests/data");
  DIR *listing = opendir(folder);
  if (listing == NULL) fail_msg("%s: no such folder", folder);
  for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
    char *bytes = NULL;
    size_t length;
    mw_error error;
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (whole_file_read(&bytes, &length, path, 1 << 20, &error) != MW_OK)
      fail_msg("%s", error.text);
    LLVMFuzzerTestOneInput((const unsigned char *)bytes, length); // aborts when it must not go on
    free(bytes);
    replayed++;
  }
  closedir(listing);
  assert_true(replayed > 20); // an empty folder is no test
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_file_of_the_corpus)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
