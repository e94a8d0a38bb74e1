// SPDX-License-Identifier: GPL-3.0-or-later
//
// Replays the files that a fuzzer found to take different ways through the weight readers: none may
// crash, and what opens must be readable to its last element.
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "weights.h"

static void read_all(const weights *w)
{
  for (size_t i = 0; i < weights_count(w); i++) {
    const tensor *t = weights_at(w, i);
    float *values = malloc((t->count + 1) * sizeof(float));
    assert_non_null(values);
    assert_ptr_equal(weights_find(w, t->name), t);
    tensor_read(t, 0, t->count, values);
    free(values);
  }
}

static void every_file_of_the_corpus(void **state)
{
  (void)state;
  char folder[4096];
  char path[4400];
  const char *data = getenv("MEANWAVE_TEST_DATA");
  size_t opened = 0;
  size_t refused = 0;
  snprintf(folder, sizeof folder, "%s/../fuzz/corpus/weights", data != NULL ? data : "tests/data");
  DIR *listing = opendir(folder);
  if (listing == NULL) fail_msg("%s: no such folder", folder);
  for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    weights *w = NULL;
    mw_error error = {""};
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (weights_open(&w, path, &error) == MW_OK) {
      read_all(w);
      opened++;
    } else {
      assert_true(error.text[0] != '\0');
      refused++;
    }
    weights_close(w);
  }
  closedir(listing);
  // the corpus holds both kinds; an empty folder is no test
  assert_true(opened > 3 && refused > 30);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_file_of_the_corpus)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
