// SPDX-License-Identifier: GPL-3.0-or-later
//
// Loudness against what BS.1770 says of test tones, and rate, fades and levels of finished sounds.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "meanwave.h"

// A tone; silent for `gap_seconds` behind it.
static mw_sound tone(double hz, double peak, double seconds, double gap_seconds, unsigned rate_hz)
{
  mw_sound s = {.frames = (size_t)((seconds + gap_seconds) * rate_hz), .rate_hz = rate_hz};
  s.samples = calloc(s.frames + 1, sizeof(float));
  for (size_t i = 0; i < (size_t)(seconds * rate_hz); i++)
    s.samples[i] = (float)(peak * sin(2.0 * acos(-1.0) * hz * (double)i / rate_hz));
  return s;
}

// EBU Tech 3341 allows a meter 0.1 LU; the filters are exact at 48 kHz only.
static void a_tone_of_full_scale_is_3_lu_below_0(void **state)
{
  (void)state;
  static const unsigned rates[] = {16000, 22050, 44100, 48000, 96000};
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
    mw_sound s = tone(997.0, 1.0, 3.0, 0.0, rates[i]);
    double allowed = rates[i] == 48000 ? 0.005 : 0.05;
    assert_true(fabs(mw_sound_loudness(&s) + 3.01) < allowed);
    for (size_t k = 0; k < s.frames; k++) s.samples[k] *= 0.1f;
    assert_true(fabs(mw_sound_loudness(&s) + 23.01) < allowed);
    mw_sound_free(&s);
  }
}

// The standard's table of the K-weighting, at 48 kHz: about -0.69 dB taken back at 997 Hz.
static void high_tones_count_more_and_rumble_less(void **state)
{
  (void)state;
  mw_sound low = tone(25.0, 0.5, 3.0, 0.0, 48000);
  mw_sound middle = tone(997.0, 0.5, 3.0, 0.0, 48000);
  mw_sound high = tone(10000.0, 0.5, 3.0, 0.0, 48000);
  double at = mw_sound_loudness(&middle);
  assert_true(fabs(mw_sound_loudness(&high) - at - 3.3) < 0.15);
  assert_true(mw_sound_loudness(&low) < at - 8.0);
  mw_sound_free(&low);
  mw_sound_free(&middle);
  mw_sound_free(&high);
}

static void silence_does_not_count(void **state)
{
  (void)state;
  mw_sound all = tone(997.0, 0.5, 4.0, 0.0, 48000);
  mw_sound part = tone(997.0, 0.5, 4.0, 20.0, 48000);
  mw_sound soft = tone(997.0, 0.5, 4.0, 4.0, 48000);
  // 20 LU softer behind: below the relative gate
  for (size_t i = 4 * 48000; i < soft.frames; i++)
    soft.samples[i] = 0.05f * sinf(0.1305f * (float)i);
  double wanted = mw_sound_loudness(&all);
  assert_true(fabs(mw_sound_loudness(&part) - wanted) < 0.2);
  assert_true(fabs(mw_sound_loudness(&soft) - wanted) < 0.2);
  memset(all.samples, 0, all.frames * sizeof(float));
  assert_true(mw_sound_loudness(&all) == -HUGE_VAL);
  mw_sound short_one = tone(997.0, 1.0, 0.1, 0.0, 48000);
  assert_true(fabs(mw_sound_loudness(&short_one) + 3.0) < 0.3);
  mw_sound_free(&all);
  mw_sound_free(&part);
  mw_sound_free(&soft);
  mw_sound_free(&short_one);
}

static void finish(mw_sound *s, const mw_sound_finish *how)
{
  mw_error error = {""};
  if (mw_sound_finish_up(s, how, &error) != MW_OK) fail_msg("%s", error.text);
}

// Below 3.4 kHz there is nothing that the shelf could lift.
static void low_rates_have_a_loudness(void **state)
{
  (void)state;
  static const unsigned rates[] = {1000, 2000, 3300, 3363, 3365, 4000, 8000};
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
    mw_sound s = tone(250.0, 0.5, 2.0, 0.0, rates[i]);
    // -6 dB, -3 of a sine, the offset; the high pass lifts all by up to 2 dB at such rates
    assert_true(fabs(mw_sound_loudness(&s) + 8.7) < 1.0);
    finish(&s, &(mw_sound_finish){.has_loudness = true, .loudness_lufs = -20.0});
    float peak = 0.0f;
    for (size_t k = 0; k < s.frames; k++) peak = fmaxf(peak, fabsf(s.samples[k]));
    assert_true(peak > 0.1f && peak < 0.2f);
    mw_sound_free(&s);
  }
}

static void levels_are_those_asked_for(void **state)
{
  (void)state;
  mw_sound s = tone(440.0, 0.2, 2.0, 0.0, 16000);
  finish(&s, &(mw_sound_finish){.has_loudness = true, .loudness_lufs = -20.0});
  assert_true(fabs(mw_sound_loudness(&s) + 20.0) < 0.01);
  finish(&s, &(mw_sound_finish){.has_peak = true, .peak_db = -1.0});
  assert_true(fabs(mw_sound_peak_db(&s) + 1.0) < 1e-4);
  // the peak is a ceiling of the loudness
  finish(&s, &(mw_sound_finish){
                 .has_loudness = true, .loudness_lufs = 0.0, .has_peak = true, .peak_db = -2.0});
  assert_true(fabs(mw_sound_peak_db(&s) + 2.0) < 1e-4);
  finish(&s, &(mw_sound_finish){
                 .has_loudness = true, .loudness_lufs = -30.0, .has_peak = true, .peak_db = -2.0});
  assert_true(fabs(mw_sound_loudness(&s) + 30.0) < 0.01);
  // full scale is one of every sound
  for (size_t i = 0; i < s.frames; i++) s.samples[i] *= 100.0f;
  finish(&s, &(mw_sound_finish){.rate_hz = 0});
  assert_true(fabs(mw_sound_peak_db(&s)) < 1e-4);
  memset(s.samples, 0, s.frames * sizeof(float));
  finish(&s, &(mw_sound_finish){.has_loudness = true, .loudness_lufs = -20.0});
  for (size_t i = 0; i < s.frames; i++) assert_true(s.samples[i] == 0.0f);
  mw_sound_free(&s);
}

static void fades_begin_and_end_in_silence(void **state)
{
  (void)state;
  mw_sound s = {.samples = malloc(16000 * sizeof(float)), .frames = 16000, .rate_hz = 16000};
  for (size_t i = 0; i < s.frames; i++) s.samples[i] = 1.0f;
  finish(&s, &(mw_sound_finish){.fade_in_seconds = 0.1, .fade_out_seconds = 0.2});
  assert_true(s.samples[0] < 1e-3f && s.samples[15999] < 1e-3f);
  assert_true(s.samples[1600] == 1.0f && s.samples[12799] == 1.0f);
  for (size_t i = 1; i < 1600; i++) assert_true(s.samples[i] >= s.samples[i - 1]);
  // longer than the sound
  finish(&s, &(mw_sound_finish){.fade_out_seconds = 1e9});
  assert_true(s.samples[15999] < 1e-3f);
  mw_sound_free(&s);
}

static void rates_keep_the_length(void **state)
{
  (void)state;
  mw_sound s = tone(440.0, 0.5, 1.0, 0.0, 16000);
  finish(&s, &(mw_sound_finish){.rate_hz = 44100});
  assert_int_equal(s.frames, 44100);
  assert_int_equal(s.rate_hz, 44100);
  assert_true(fabs(mw_sound_peak_db(&s) + 6.02) < 0.05);
  mw_sound_free(&s);
}

// 0.3 s of 400 Hz are whole periods: at the new rate the loop must be that tone to its ends, and on
// from its end to its beginning.
static void a_loop_stays_one_at_another_rate(void **state)
{
  (void)state;
  static const unsigned rates[] = {44100, 48000, 8000};
  for (size_t k = 0; k < sizeof rates / sizeof rates[0]; k++) {
    mw_sound s = tone(400.0, 0.5, 0.3, 0.0, 16000);
    finish(&s, &(mw_sound_finish){.rate_hz = rates[k], .loop = true});
    assert_int_equal(s.frames, 3 * rates[k] / 10);
    for (size_t i = 0; i < s.frames; i++) {
      double wanted = 0.5 * sin(2.0 * acos(-1.0) * 400.0 * (double)i / rates[k]);
      assert_true(fabs((double)s.samples[i] - wanted) < 1e-3);
    }
    mw_sound_free(&s);
  }
}

// A state of a plugin can claim it, with a few samples.
static void a_loop_at_a_senseless_rate_takes_no_memory(void **state)
{
  (void)state;
  struct rusage before, after;
  mw_error error = {""};
  float samples[64] = {0.5f};
  mw_sound s = {.samples = samples, .frames = 64, .rate_hz = 4000000000};
  getrusage(RUSAGE_SELF, &before);
  assert_int_equal(
      mw_sound_finish_up(&s, &(mw_sound_finish){.rate_hz = 48000, .loop = true}, &error),
      MW_ERROR_ARGUMENT);
  getrusage(RUSAGE_SELF, &after);
  assert_non_null(strstr(error.text, "4000000000 Hz"));
  assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024);
}

static void senseless_wishes_are_refused(void **state)
{
  (void)state;
  mw_sound s = tone(440.0, 0.5, 0.1, 0.0, 16000);
  static const struct {
    mw_sound_finish how;
    const char *line;
  } cases[] = {
      {{.fade_in_seconds = -1.0}, "a fade of less than nothing"},
      {{.fade_out_seconds = NAN}, "a fade of less than nothing"},
      {{.has_loudness = true, .loudness_lufs = 3.0}, "a loudness of 3"},
      {{.has_peak = true, .peak_db = -90.0}, "a peak of -90"},
      {{.has_peak = true, .peak_db = NAN}, "a peak of nan"},
      {{.rate_hz = 10}, "10"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    mw_error error = {""};
    assert_int_equal(mw_sound_finish_up(&s, &cases[i].how, &error), MW_ERROR_ARGUMENT);
    if (strstr(error.text, cases[i].line) == NULL) fail_msg("%s", error.text);
    assert_int_equal(s.frames, 1600);
  }
  mw_sound_free(&s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_tone_of_full_scale_is_3_lu_below_0),
      cmocka_unit_test(high_tones_count_more_and_rumble_less),
      cmocka_unit_test(silence_does_not_count),
      cmocka_unit_test(low_rates_have_a_loudness),
      cmocka_unit_test(levels_are_those_asked_for),
      cmocka_unit_test(fades_begin_and_end_in_silence),
      cmocka_unit_test(rates_keep_the_length),
      cmocka_unit_test(a_loop_stays_one_at_another_rate),
      cmocka_unit_test(a_loop_at_a_senseless_rate_takes_no_memory),
      cmocka_unit_test(senseless_wishes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
