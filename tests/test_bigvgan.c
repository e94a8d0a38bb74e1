// SPDX-License-Identifier: GPL-3.0-or-later
//
// BigVGAN beyond its golden values: tiles and threads change no bit, it can be stopped, and files
// of another network are refused with a line.
#include "bigvgan_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "open_weights.h"
#include "random.h"

enum { FRAMES = 61, BINS = 80 };

static weights *file;
static bigvgan *vocoder;
static float mel[FRAMES * BINS];

static int open_vocoder(void **state)
{
  (void)state;
  random_stream random;
  file = open_golden("bigvgan/best_netG_tiny.pt");
  if (bigvgan_load(&vocoder, file, NULL) != MW_OK || bigvgan_mel_bins(vocoder) != BINS) return -1;
  random_seed(&random, 5);
  random_normal(&random, mel, FRAMES * BINS);
  return 0;
}

static int close_vocoder(void **state)
{
  (void)state;
  bigvgan_free(vocoder);
  weights_close(file);
  return 0;
}

static void tiles_and_threads_change_no_bit(void **state)
{
  (void)state;
  static const size_t tiles[] = {1, 200, 333, 1000, 7777};
  size_t count = FRAMES * bigvgan_hop(vocoder);
  float *wanted = calloc(count, sizeof(float));
  float *found = calloc(count, sizeof(float));
  pool *p = pool_new(3);
  for (size_t frames = FRAMES; frames > 0; frames = frames > 1 ? frames / 8 : 0) {
    size_t used = frames * bigvgan_hop(vocoder);
    assert_int_equal(bigvgan_run(vocoder, mel, frames, wanted, NULL, NULL, NULL, NULL), MW_OK);
    for (size_t i = 0; i < sizeof tiles / sizeof tiles[0]; i++) {
      memset(found, 0, count * sizeof(float));
      assert_int_equal(
          bigvgan_run_tiled(vocoder, tiles[i], mel, frames, found, NULL, NULL, p, NULL), MW_OK);
      assert_memory_equal(found, wanted, used * sizeof(float));
    }
  }
  assert_int_equal(bigvgan_run(vocoder, mel, 0, found, NULL, NULL, p, NULL), MW_OK);
  pool_free(p);
  free(wanted);
  free(found);
}

typedef struct {
  double last;
  size_t calls;
  size_t stop_at;
} told;

static bool tell(void *context, double done)
{
  told *t = context;
  assert_true(done > t->last || t->last == 0.0);
  t->last = done;
  return ++t->calls != t->stop_at;
}

static void progress_is_told_and_may_stop(void **state)
{
  (void)state;
  float *samples = calloc(FRAMES * bigvgan_hop(vocoder), sizeof(float));
  told all = {0};
  told some = {.stop_at = 4};
  mw_error error;
  assert_int_equal(bigvgan_run_tiled(vocoder, 1000, mel, FRAMES, samples, tell, &all, NULL, NULL),
                   MW_OK);
  assert_true(all.last > 0.999999 && all.last < 1.000001);
  assert_true(all.calls > 20);
  assert_int_equal(
      bigvgan_run_tiled(vocoder, 1000, mel, FRAMES, samples, tell, &some, NULL, &error),
      MW_ERROR_CANCELLED);
  assert_int_equal(some.calls, 4);
  free(samples);
}

static void another_network_is_refused(void **state)
{
  (void)state;
  weights *w = open_golden("transformer/meanaudio_tiny.pth");
  bigvgan *b = NULL;
  mw_error error;
  assert_int_equal(bigvgan_load(&b, w, &error), MW_ERROR_MODEL);
  assert_null(b);
  assert_non_null(strstr(error.text, "meanaudio_tiny.pth"));
  assert_non_null(strstr(error.text, "conv_pre"));
  weights_close(w);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tiles_and_threads_change_no_bit),
      cmocka_unit_test(progress_is_told_and_may_stop),
      cmocka_unit_test(another_network_is_refused),
  };
  return cmocka_run_group_tests(tests, open_vocoder, close_vocoder);
}
