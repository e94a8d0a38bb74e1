// SPDX-License-Identifier: GPL-3.0-or-later
//
// The sampler of Meanwave Sound: exact at its root key, in tune and free of aliases elsewhere, no
// click and no more than sixteen voices whatever the keys do.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../plugins/sampler.h"

enum { RATE = 48000, CLIP = 24000, LONGEST = 96000 };

static float clip_samples[CLIP];
static float other_samples[CLIP];
static float out[LONGEST];
static const sampler_clip clip = {clip_samples, CLIP};
static const sampler_clip other = {other_samples, CLIP};
static const sampler_sound plain = {.root_key = 60.0f, .release_ms = 10.0f, .velocity_share = 1.0f};

static void sine(float *x, size_t frames, double hz)
{
  for (size_t i = 0; i < frames; i++) x[i] = 0.5f * (float)sin(2.0 * M_PI * hz * (double)i / RATE);
}

// Amplitude of one frequency in x, by a Hann-windowed correlation.
static double amplitude(const float *x, size_t frames, double hz)
{
  double re = 0.0;
  double im = 0.0;
  for (size_t i = 0; i < frames; i++) {
    double w = 1.0 - cos(2.0 * M_PI * (double)i / (double)frames);
    re += w * x[i] * cos(2.0 * M_PI * hz * (double)i / RATE);
    im += w * x[i] * sin(2.0 * M_PI * hz * (double)i / RATE);
  }
  return 2.0 * sqrt(re * re + im * im) / (double)frames;
}

static double energy(const float *x, size_t frames)
{
  double sum = 0.0;
  for (size_t i = 0; i < frames; i++) sum += (double)x[i] * x[i];
  return sum / (double)frames;
}

static float steepest(const float *x, size_t frames)
{
  float most = 0.0f;
  for (size_t i = 1; i < frames; i++) most = fmaxf(most, fabsf(x[i] - x[i - 1]));
  return most;
}

static sampler *fresh(void)
{
  sampler *s = sampler_new(RATE);
  assert_non_null(s);
  sampler_set_clip(s, &clip);
  return s;
}

static void the_root_key_plays_the_clip_itself(void **state)
{
  (void)state;
  sampler *s = fresh();
  sine(clip_samples, CLIP, 1000.0);
  sampler_note_on(s, &plain, 60, 127);
  sampler_note_off(s, 60); // a one-shot does not care
  for (size_t at = 0; at < LONGEST; at += 777)
    sampler_run(s, &plain, out + at, LONGEST - at < 777 ? LONGEST - at : 777);
  assert_memory_equal(out, clip_samples, CLIP * sizeof(float));
  for (size_t i = CLIP; i < LONGEST; i++) assert_true(out[i] == 0.0f);
  assert_int_equal(sampler_sounding(s), 0);
  // softer with less velocity, by as much as that is to count
  sampler_sound half = plain;
  half.velocity_share = 0.5f;
  sampler_note_on(s, &half, 60, 0);
  sampler_run(s, &half, out, 1000);
  for (size_t i = 0; i < 1000; i++) assert_true(fabsf(out[i] - 0.5f * clip_samples[i]) < 1e-7f);
  sampler_free(s);
}

static void other_keys_are_in_tune(void **state)
{
  (void)state;
  static const int keys[6] = {36, 48, 59, 61, 67, 84};
  sine(clip_samples, CLIP, 1000.0);
  for (int k = 0; k < 6; k++) {
    sampler *s = fresh();
    double hz = 1000.0 * exp2((keys[k] - 60) / 12.0);
    sampler_note_on(s, &plain, keys[k], 127);
    sampler_run(s, &plain, out, 5600);
    assert_true(fabs(amplitude(out + 200, 5200, hz) - 0.5) < 0.005);
    // and nothing else is in it: what is left is 70 dB below
    double left = 0.0;
    for (double f = 300.0; f < 23000.0; f += 173.0)
      if (fabs(f - hz) > 120.0) left = fmax(left, amplitude(out + 200, 5200, f));
    assert_true(left < 0.5 * 3e-4);
    sampler_free(s);
  }
}

static double bessel(double x)
{
  double sum = 1.0;
  double term = 1.0;
  for (int k = 1; k < 40; k++) sum += term *= x * x / (4.0 * k * k);
  return sum;
}

// The clip at a position by a sinc of `taps` neighbours, `width` times as wide, under Kaiser's
// window.
static double by_formula(double position, double width, int taps)
{
  double sum = 0.0;
  double weights = 0.0;
  long first = (long)floor(position) - taps / 2 + 1;
  for (long i = first; i < first + taps; i++) {
    double x = (double)i - position;
    double edge = 2.0 * x / taps;
    if (fabs(edge) >= 1.0) continue;
    double sinc = x == 0.0 ? 1.0 : sin(M_PI * x / width) / (M_PI * x / width);
    double weight = sinc * bessel(7.0 * sqrt(1.0 - edge * edge));
    weights += weight;
    if (i >= 0 && i < CLIP) sum += weight * clip_samples[i];
  }
  return sum / weights;
}

// Ends of the clip included, and whatever the blocks.
static void keys_sound_as_the_formula_says(void **state)
{
  (void)state;
  static const struct {
    int key;
    double width;
    int taps;
  } keys[4] = {{49, 1.0, 16}, {59, 1.0, 16}, {65, M_SQRT2, 24}, {71, 2.0, 32}};
  static float other_blocks[LONGEST];
  unsigned random = 1;
  for (size_t i = 0; i < CLIP; i++) {
    random = random * 1103515245u + 12345u;
    clip_samples[i] = (float)(random >> 16) / 65536.0f - 0.5f;
  }
  for (int k = 0; k < 4; k++) {
    sampler *s = fresh();
    double step = exp2((keys[k].key - 60) / 12.0);
    sampler_note_on(s, &plain, keys[k].key, 127);
    sampler_run(s, &plain, out, LONGEST);
    // a straight line between neighbouring phases is 3e-5 off, and 1.5e-4 where the window begins:
    // it does so at 0.006, not at 0
    for (size_t i = 0; i < LONGEST; i++) {
      double at = step * (double)i;
      double wanted = at < CLIP ? by_formula(at, keys[k].width, keys[k].taps) : 0.0;
      assert_true(fabs(out[i] - wanted) < 2e-4);
    }
    sampler_reset(s);
    sampler_note_on(s, &plain, keys[k].key, 127);
    for (size_t at = 0; at < LONGEST; at += 61)
      sampler_run(s, &plain, other_blocks + at, LONGEST - at < 61 ? LONGEST - at : 61);
    assert_memory_equal(other_blocks, out, sizeof out);
    sampler_free(s);
  }
}

static void high_keys_do_not_alias(void **state)
{
  (void)state;
  // 9 kHz two octaves up would be 36 kHz: nothing may be heard of it
  sine(clip_samples, CLIP, 9000.0);
  sampler *s = fresh();
  sampler_note_on(s, &plain, 84, 127);
  sampler_run(s, &plain, out, 5000);
  assert_true(energy(out + 100, 4900) < 0.125 * 1e-6);
  // an octave up 9 kHz is 18 kHz, and is there
  sampler_reset(s);
  sampler_note_on(s, &plain, 72, 127);
  sampler_run(s, &plain, out, 5000);
  assert_true(amplitude(out + 100, 4800, 18000.0) > 0.4);
  sampler_free(s);
}

static void a_loop_lasts_as_long_as_its_key(void **state)
{
  (void)state;
  sampler_sound loop = plain;
  loop.loop = true;
  loop.attack_ms = 20.0f;
  sine(clip_samples, CLIP, 333.7); // its ends do not meet
  sampler *s = fresh();
  sampler_note_on(s, &loop, 60, 127);
  sampler_run(s, &loop, out, LONGEST);
  assert_int_equal(sampler_sounding(s), 1);
  assert_true(energy(out + LONGEST - 4800, 4800) > 0.02);
  assert_true(steepest(out, LONGEST) < 1.2f * steepest(clip_samples, CLIP));
  // the pedal holds it on
  sampler_pedal(s, true);
  sampler_note_off(s, 60);
  sampler_run(s, &loop, out, 4800);
  assert_int_equal(sampler_sounding(s), 1);
  sampler_pedal(s, false);
  sampler_run(s, &loop, out, 4800);
  assert_int_equal(sampler_sounding(s), 0);
  assert_true(out[4799] == 0.0f);
  assert_true(steepest(out, 4800) < 0.05f);
  sampler_free(s);
}

static void bending_moves_what_sounds(void **state)
{
  (void)state;
  sine(clip_samples, CLIP, 1000.0);
  sampler *s = fresh();
  sampler_note_on(s, &plain, 60, 127);
  sampler_run(s, &plain, out, 100);
  sampler_bend(s, 12.0f);
  sampler_run(s, &plain, out, 5000);
  assert_true(fabs(amplitude(out + 100, 4800, 2000.0) - 0.5) < 0.005);
  sampler_free(s);
}

static void the_seventeenth_key_takes_the_oldest_voice(void **state)
{
  (void)state;
  sampler_sound loop = plain;
  loop.loop = true;
  sine(clip_samples, CLIP, 100.0);
  sampler *s = fresh();
  for (int key = 40; key < 100; key++) {
    sampler_note_on(s, &loop, key, 10);
    sampler_run(s, &loop, out, 64);
    assert_true(sampler_sounding(s) <= SAMPLER_VOICES);
  }
  sampler_run(s, &loop, out, 9600);
  assert_int_equal(sampler_sounding(s), SAMPLER_VOICES);
  // the last sixteen keys are those that sound
  for (int key = 40; key < 84; key++) sampler_note_off(s, key);
  sampler_run(s, &loop, out, 4800);
  assert_int_equal(sampler_sounding(s), SAMPLER_VOICES);
  for (int key = 84; key < 100; key++) sampler_note_off(s, key);
  sampler_run(s, &loop, out, 4800);
  assert_int_equal(sampler_sounding(s), 0);
  // all at once, again and again
  for (int i = 0; i < 500; i++) sampler_note_on(s, &loop, i % 128, 127);
  assert_true(sampler_sounding(s) <= SAMPLER_VOICES);
  sampler_silence(s);
  sampler_run(s, &loop, out, 4800);
  assert_int_equal(sampler_sounding(s), 0);
  sampler_free(s);
}

static void a_new_clip_fades_in_under_held_keys(void **state)
{
  (void)state;
  sampler_sound loop = plain;
  loop.loop = true;
  sine(clip_samples, CLIP, 200.0);
  sine(other_samples, CLIP, 300.0);
  sampler *s = fresh();
  sampler_note_on(s, &loop, 60, 127);
  sampler_run(s, &loop, out, 5000);
  sampler_set_clip(s, &other);
  assert_true(sampler_uses(s, &clip));
  sampler_run(s, &loop, out, 9600);
  assert_false(sampler_uses(s, &clip));
  assert_true(sampler_uses(s, &other));
  assert_int_equal(sampler_sounding(s), 1);
  assert_true(amplitude(out + 4800, 4800, 300.0) > 0.45);
  assert_true(amplitude(out + 4800, 4800, 200.0) < 0.001);
  sampler_note_off(s, 60);
  sampler_run(s, &loop, out, 4800);
  assert_int_equal(sampler_sounding(s), 0);
  // no clip: no sound and no note
  sampler_note_on(s, &loop, 60, 127);
  sampler_set_clip(s, NULL);
  sampler_run(s, &loop, out, 9600);
  assert_false(sampler_uses(s, &other));
  sampler_note_on(s, &loop, 60, 127);
  assert_int_equal(sampler_sounding(s), 0);
  sampler_free(s);
}

static void clips_of_a_few_samples_are_played(void **state)
{
  (void)state;
  sampler_sound loop = plain;
  loop.loop = true;
  sine(clip_samples, CLIP, 1000.0);
  for (size_t frames = 1; frames < 40; frames++) {
    const sampler_clip tiny = {clip_samples, frames};
    sampler *s = fresh();
    sampler_set_clip(s, &tiny);
    for (int key = 0; key < 128; key += 9) sampler_note_on(s, &loop, key, 127);
    sampler_run(s, &loop, out, 4800);
    for (size_t i = 0; i < 4800; i++) assert_true(isfinite(out[i]));
    sampler_free(s);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_root_key_plays_the_clip_itself),
      cmocka_unit_test(other_keys_are_in_tune),
      cmocka_unit_test(keys_sound_as_the_formula_says),
      cmocka_unit_test(high_keys_do_not_alias),
      cmocka_unit_test(a_loop_lasts_as_long_as_its_key),
      cmocka_unit_test(bending_moves_what_sounds),
      cmocka_unit_test(the_seventeenth_key_takes_the_oldest_voice),
      cmocka_unit_test(a_new_clip_fades_in_under_held_keys),
      cmocka_unit_test(clips_of_a_few_samples_are_played),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
