// SPDX-License-Identifier: GPL-3.0-or-later
//
// Mels spread as recordings are: against the same written down plainly in doubles.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "global_variance.h"
#include "temp_folder.h"
#include "trap.h"

enum { BINS = 20, RATIOS = 3, FRAMES = 60, HEADER = 128 };
static const float ratios[RATIOS] = {1.0f, 1.5f, 2.5f};
static char folder[TEMP_FOLDER_SIZE];
static float mel[FRAMES][BINS];

static int prepare(void **state)
{
  (void)state;
  for (int f = 0; f < FRAMES; f++)
    for (int b = 0; b < BINS; b++) // now and then quiet, and at the end loud again
      mel[f][b] = (f / 10 % 3 == 1 ? -0.95f : -0.35f) + 0.3f * (float)sin(0.1 * f + 0.3 * b);
  return temp_folder_make(folder) ? 0 : -1;
}

static int clean(void **state)
{
  (void)state;
  return temp_folder_remove(folder) ? 0 : -1;
}

// What a file with `count` values under "decoder.NAME" gives.
static mw_status load(global_variance **made, const char *name, size_t count, mw_error *error)
{
  char path[512];
  char header[HEADER + 1];
  float values[2 * BINS] = {0.0f};
  uint64_t length = HEADER;
  memcpy(values, ratios, sizeof ratios);
  int end =
      snprintf(header, sizeof header,
               "{\"decoder.%s\":{\"dtype\":\"F32\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}",
               name, count, count * sizeof(float));
  memset(header + end, ' ', (size_t)(HEADER - end));
  snprintf(path, sizeof path, "%s/v.safetensors", folder);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  fwrite(&length, sizeof length, 1, file);
  fwrite(header, 1, HEADER, file);
  fwrite(values, sizeof(float), count, file);
  fclose(file);
  weights *w = NULL;
  assert_int_equal(weights_open(&w, path, error), MW_OK);
  weights_view view = weights_under(w, "decoder.");
  mw_status status = global_variance_load(made, &view, BINS, error);
  weights_close(w);
  return status;
}

static double cosine(int k, int bin)
{
  return sqrt((k == 0 ? 1.0 : 2.0) / BINS) * cos(M_PI / BINS * (bin + 0.5) * k);
}

// Each frame by the definition, through its cosines.
static void spread_plainly(double out[FRAMES][BINS])
{
  double mean[BINS] = {0};
  double apart[BINS] = {0};
  double weight = 0.0;
  for (int f = 0; f < FRAMES; f++) {
    double level = 0.0;
    for (int b = 0; b < BINS; b++) level += (double)mel[f][b] / BINS;
    double loud = fmax(0.0, fmin(1.0, (level + 0.7) / 0.3));
    for (int b = 0; b < BINS; b++) out[f][b] = mel[f][b];
    if (loud == 0.0) continue;
    weight += loud;
    for (int b = 0; b < BINS; b++) {
      mean[b] += loud / weight * (mel[f][b] - mean[b]);
      apart[b] += 0.08 * (mel[f][b] - mean[b] - apart[b]);
    }
    for (int b = 0; b < BINS; b++) {
      double share = fmax(0.0, fmin(1.0, ((double)b / BINS - 0.1) / 0.1));
      for (int k = 0; k < RATIOS; k++) {
        double coefficient = 0.0;
        for (int i = 0; i < BINS; i++) coefficient += cosine(k, i) * apart[i];
        out[f][b] += loud * share * (ratios[k] - 1.0) * coefficient * cosine(k, b);
      }
      out[f][b] = fmax(-1.0, fmin(1.0, out[f][b]));
    }
  }
}

static void a_mel_is_spread_as_defined(void **state)
{
  (void)state;
  static double wanted[FRAMES][BINS];
  static float whole[FRAMES][BINS];
  static float cut[FRAMES][BINS];
  global_variance *g = NULL;
  global_variance_state *s = NULL;
  assert_int_equal(load(&g, "global_variance", RATIOS, NULL), MW_OK);
  assert_non_null(g);
  assert_int_equal(global_variance_state_new(&s, g, NULL), MW_OK);
  spread_plainly(wanted);
  memcpy(whole, mel, sizeof mel);
  trap_set(true);
  global_variance_run(s, whole[0], FRAMES);
  trap_set(false);
  assert_null(trap_take());
  double moved = 0.0;
  for (int f = 0; f < FRAMES; f++)
    for (int b = 0; b < BINS; b++) {
      if (fabs(whole[f][b] - wanted[f][b]) > 1e-5)
        fail_msg("frame %d, bin %d: %g, wanted %g", f, b, (double)whole[f][b], wanted[f][b]);
      moved = fmax(moved, fabs(wanted[f][b] - mel[f][b]));
    }
  assert_true(moved > 0.05);
  // what is quiet and the lowest bins stay
  assert_memory_equal(whole[15], mel[15], sizeof mel[15]);
  for (int f = 0; f < FRAMES; f++) assert_memory_equal(whole[f], mel[f], 2 * sizeof(float));
  // in pieces, after a reset, it is the same to the bit
  global_variance_reset(s);
  memcpy(cut, mel, sizeof mel);
  global_variance_run(s, cut[0], 7);
  global_variance_run(s, cut[7], FRAMES - 7);
  assert_memory_equal(whole, cut, sizeof whole);
  global_variance_state_free(s);
  global_variance_free(g);
}

static void other_files_are_borne(void **state)
{
  (void)state;
  mw_error error;
  global_variance *g = NULL;
  assert_int_equal(load(&g, "something_else", RATIOS, &error), MW_OK);
  assert_null(g);
  assert_int_equal(load(&g, "global_variance", BINS + 1, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "a global variance of 21 values for 20 mel bins"));
  assert_null(g);
}

static void no_numbers_make_numbers(void **state)
{
  (void)state;
  float rows[2 * BINS];
  global_variance *g = NULL;
  global_variance_state *s = NULL;
  assert_int_equal(load(&g, "global_variance", RATIOS, NULL), MW_OK);
  assert_int_equal(global_variance_state_new(&s, g, NULL), MW_OK);
  for (int b = 0; b < 2 * BINS; b++) rows[b] = b == 3 ? NAN : INFINITY;
  global_variance_run(s, rows, 2);
  for (int b = 0; b < 2 * BINS; b++) assert_true(isfinite(rows[b]));
  global_variance_state_free(s);
  global_variance_free(g);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_mel_is_spread_as_defined),
      cmocka_unit_test(other_files_are_borne),
      cmocka_unit_test(no_numbers_make_numbers),
  };
  return cmocka_run_group_tests(tests, prepare, clean);
}
