// SPDX-License-Identifier: GPL-3.0-or-later
//
// ECAPA on the official features: tests/data/speaker holds the checkpoint of the golden case "sv",
// the features that enter the head and the embedding that leaves it.
#include "speaker.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "data_path.h"
#include "npy.h"

static void the_embedding_is_the_official_one(void **state)
{
  (void)state;
  const char *folder = data_path("golden/meanvc/sv");
  npy features;
  npy wanted;
  weights *w = NULL;
  speaker *s = NULL;
  mw_error error;
  assert_true(npy_open(&features, folder, "feat.npy") && npy_open(&wanted, folder, "emb.npy"));
  if (weights_open(&w, data_path("golden/meanvc/sv/sv.pth"), &error) != MW_OK)
    fail_msg("%s", error.text);
  weights_view view = weights_under(w, "model.");
  if (speaker_load(&s, &view, &error) != MW_OK) fail_msg("%s", error.text);
  assert_int_equal(speaker_inputs(s), features.shape[1]);
  assert_int_equal(speaker_size(s), wanted.count);
  float *found = malloc(wanted.count * sizeof(float));
  assert_int_equal(speaker_embed(s, features.values, features.shape[0], found, NULL, NULL), MW_OK);
  double largest = 0.0;
  for (size_t i = 0; i < wanted.count; i++) largest = fmax(largest, fabs((double)wanted.values[i]));
  // float32 sums in another order
  for (size_t i = 0; i < wanted.count; i++)
    if (!(fabs((double)(found[i] - wanted.values[i])) <= 1e-4 * largest))
      fail_msg("value %zu is %g, wanted %g", i, (double)found[i], (double)wanted.values[i]);
  assert_int_equal(speaker_embed(s, features.values, 0, found, NULL, &error), MW_ERROR_ARGUMENT);
  free(found);
  speaker_free(s);
  weights_close(w);
  npy_free(&features);
  npy_free(&wanted);
}

static void columns_become_mean_zero_and_variance_one(void **state)
{
  (void)state;
  float x[8] = {1.0f, 5.0f, 2.0f, 5.0f, 3.0f, 5.0f, 4.0f, 5.0f};
  speaker_normalise(x, 4, 2);
  assert_true(fabsf(x[0] + x[2] + x[4] + x[6]) < 1e-5f);
  assert_true(fabsf(x[0] * x[0] + x[2] * x[2] + x[4] * x[4] + x[6] * x[6] - 4.0f) < 1e-3f);
  for (int i = 1; i < 8; i += 2) assert_true(x[i] == 0.0f);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_embedding_is_the_official_one),
      cmocka_unit_test(columns_become_mean_zero_and_variance_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
