// SPDX-License-Identifier: GPL-3.0-or-later
//
// The shipped vocoder: it loads, its tiles and threads change no bit, and what has no pitch to
// count by comes back as what it was: a chord as its tones, a rumble as noise.
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

// There and back.
static float *copy_of(const float *samples, size_t count)
{
  float *seen = malloc((count / 160 + 2) * BINS * sizeof(float));
  size_t frames = analyse(samples, count, seen);
  float *made = decode(seen, frames, 64, NULL);
  free(seen);
  return made;
}

// Energy within 5 Hz of a frequency, of a second under a Hann window.
static double energy_near(const float *samples, double hertz)
{
  double sum = 0.0;
  for (double at = hertz - 5.0; at <= hertz + 5.0; at += 1.0) {
    double re = 0.0;
    double im = 0.0;
    for (int n = 0; n < COUNT; n++) {
      double window = 0.5 - 0.5 * cos(2.0 * M_PI * n / COUNT);
      re += window * (double)samples[n] * cos(2.0 * M_PI * at * n / 16000.0);
      im += window * (double)samples[n] * sin(2.0 * M_PI * at * n / 16000.0);
    }
    sum += re * re + im * im;
  }
  return sum;
}

static double energy(const float *samples)
{
  double sum = 0.0;
  for (int n = 0; n < COUNT; n++) {
    double window = 0.5 - 0.5 * cos(2.0 * M_PI * n / COUNT);
    sum += window * window * (double)samples[n] * (double)samples[n];
  }
  return sum * COUNT / 2.0;
}

static void chords_stay_in_tune(void **state)
{
  (void)state;
  static const double hertz[3] = {523.25, 659.26, 1046.5};
  float *samples = calloc(2 * COUNT, sizeof(float));
  for (int n = 0; n < 2 * COUNT; n++)
    for (int i = 0; i < 3; i++)
      samples[n] += 0.2f * (float)sin(2.0 * M_PI * hertz[i] * n / 16000.0);
  float *made = copy_of(samples, 2 * COUNT);
  double inside = 0.0;
  for (int i = 0; i < 3; i++) inside += energy_near(made + COUNT / 2, hertz[i]);
  double share = inside / energy(made + COUNT / 2);
  print_message("of a chord %.0f %% is in tune\n", 100.0 * share);
  assert_true(share > 0.7);
  free(made);
  free(samples);
}

static void rumbles_stay_noise(void **state)
{
  (void)state;
  random_stream random;
  float *samples = calloc(2 * COUNT, sizeof(float));
  double low[3] = {0.0};
  random_seed(&random, 5);
  random_normal(&random, samples, 2 * COUNT);
  for (int n = 0; n < 2 * COUNT; n++) {
    double x = (double)samples[n];
    for (int i = 0; i < 3; i++) x = low[i] += 0.3 * (x - low[i]);
    samples[n] = (float)x;
  }
  float *made = copy_of(samples, 2 * COUNT);
  // a spectrum of lines has most of its energy in few of the steps of 10 Hz up to 400 Hz
  double most[2] = {0.0};
  double all[2] = {0.0};
  for (int i = 0; i < 40; i++)
    for (int k = 0; k < 2; k++) {
      double here = energy_near((k == 0 ? samples : made) + COUNT / 2, 5.0 + 10.0 * i);
      all[k] += here;
      most[k] = fmax(most[k], here);
    }
  print_message("the strongest 10 Hz of a rumble: %.2f of 400 Hz, before %.2f\n", most[1] / all[1],
                most[0] / all[0]);
  assert_true(most[1] / all[1] < 3.0 * most[0] / all[0]);
  free(made);
  free(samples);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tiles_and_threads_change_no_bit),
      cmocka_unit_test(chords_stay_in_tune),
      cmocka_unit_test(rumbles_stay_noise),
  };
  return cmocka_run_group_tests(tests, open_vocoder, close_vocoder);
}
