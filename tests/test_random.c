// SPDX-License-Identifier: GPL-3.0-or-later
//
// PyTorch's generator: values of the golden case "host_normal_rng", and the Mersenne twister's
// published 10000th number.
#include "random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "data_path.h"
#include "npy.h"

static void the_generator_is_the_published_one(void **state)
{
  (void)state;
  random_stream r;
  uint32_t last = 0;
  random_seed(&r, 5489);
  for (int i = 0; i < 10000; i++) last = random_next(&r);
  assert_int_equal(last, 4123659995u);
}

// 1e-6: logarithm, sine and cosine of two libraries.
static void noise_is_pytorchs(void **state)
{
  (void)state;
  static const struct {
    const char *file;
    uint64_t seed;
  } cases[] = {{"seed0_n40.npy", 0}, {"seed14159265_n17.npy", 14159265}};
  const char *folder = data_path("golden/meanaudio/host_normal_rng");
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    npy wanted;
    random_stream r;
    assert_true(npy_open(&wanted, folder, cases[k].file));
    float *found = malloc(wanted.count * sizeof(float));
    random_seed(&r, cases[k].seed);
    random_normal(&r, found, wanted.count);
    for (size_t i = 0; i < wanted.count; i++)
      if (!(fabsf(found[i] - wanted.values[i]) <= 1e-6f * fmaxf(1.0f, fabsf(wanted.values[i]))))
        fail_msg("%s: value %zu is %g, wanted %g", cases[k].file, i, (double)found[i],
                 (double)wanted.values[i]);
    free(found);
    npy_free(&wanted);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_generator_is_the_published_one),
      cmocka_unit_test(noise_is_pytorchs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
