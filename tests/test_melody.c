// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the default voice makes of a sung melody: it stays one, from the first note on; and a pitch
// that is moved glides. The pitch of
// a source is moved to that of a voice by the source's mean, which must not go along with the
// notes.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "meanwave.h"
#include "pitch.h"

enum { RATE_HZ = 16000, NOTE = 4 * RATE_HZ / 5, NOTES = 6, LENGTH = NOTES * NOTE, HOP = 160 };

static float in[LENGTH];
static float out[LENGTH];

// Pulses through two resonances, the lower note first.
static void sing(float low_hz, float high_hz)
{
  static const double resonances_hz[] = {600.0, 1400.0};
  double phase = 0.0;
  for (size_t i = 0; i < LENGTH; i++) {
    phase += (i / NOTE % 2 == 0 ? low_hz : high_hz) / RATE_HZ;
    in[i] = phase >= 1.0 ? 1.0f : 0.0f;
    phase -= floor(phase);
  }
  for (size_t k = 0; k < 2; k++) {
    double radius = exp(-3.14159265 * 90.0 / RATE_HZ);
    double turn = 2 * radius * cos(6.2831853 * resonances_hz[k] / RATE_HZ);
    for (size_t i = 2; i < LENGTH; i++)
      in[i] += (float)(turn * in[i - 1] - radius * radius * in[i - 2]);
  }
  for (size_t i = 0; i < LENGTH; i++) in[i] *= 0.02f;
}

// The pitch is moved by so many semitones from the middle on.
static void convert(float semitones)
{
  mw_error error = {0};
  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  mw_stream *stream = NULL;
  if (mw_voice_model_open(&model, NULL, NULL, 0, &error) != MW_OK ||
      mw_voice_open(&voice, model, "hazel", NULL, &error) != MW_OK ||
      mw_stream_new(&stream, model, voice, RATE_HZ, 1, &error) != MW_OK)
    fail_msg("%s", error.text);
  mw_stream_run(stream, in, out, LENGTH / 2);
  mw_stream_set_pitch(stream, semitones);
  mw_stream_run(stream, in + LENGTH / 2, out + LENGTH / 2, LENGTH / 2);
  mw_stream_free(stream);
  mw_voice_close(voice);
  mw_voice_model_close(model);
}

static int by_size(const void *a, const void *b)
{
  float x = *(const float *)a;
  float y = *(const float *)b;
  return (x > y) - (x < y);
}

// The median pitch of the voiced frames in the middle of a note of `out`, octaves.
static float heard(size_t note)
{
  enum { BEGIN = 5 * NOTE / 10, FRAMES = 3 * NOTE / 10 / HOP };
  float octaves[FRAMES];
  size_t count = 0;
  pitch_tracker *p = NULL;
  assert_int_equal(pitch_tracker_new(&p, NULL), MW_OK);
  for (size_t i = 0; i < FRAMES; i++) {
    pitch_value value = pitch_track(p, out + note * NOTE + BEGIN + i * HOP);
    if (i >= PITCH_AHEAD && value.voicing > 0.5f) octaves[count++] = value.octaves;
  }
  pitch_tracker_free(p);
  assert_true(count > FRAMES / 2);
  qsort(octaves, count, sizeof *octaves, by_size);
  return octaves[count / 2];
}

static void test_melody(void **state)
{
  const float step = log2f(160.0f / 120.0f);
  (void)state;
  sing(120.0f, 160.0f);
  convert(0.0f);
  for (size_t note = 0; note + 1 < NOTES; note++) {
    float made = heard(note + 1) - heard(note);
    float wanted = note % 2 == 0 ? step : -step;
    if (fabsf(made - wanted) > 0.07f)
      fail_msg("note %zu: %+.2f octaves to the next, not %+.2f", note, made, wanted);
  }
}

// Up by eight semitones within a chunk of 80 ms: some frames are heard between.
static void test_glide(void **state)
{
  enum { BEGIN = LENGTH / 2, FRAMES = NOTE / HOP };
  (void)state;
  sing(120.0f, 120.0f);
  convert(8.0f);
  float before = heard(NOTES / 2 - 1);
  float after = heard(NOTES / 2);
  assert_true(fabsf(after - before - 8.0f / 12.0f) < 0.07f);
  size_t between = 0;
  pitch_tracker *p = NULL;
  assert_int_equal(pitch_tracker_new(&p, NULL), MW_OK);
  for (size_t i = 0; i < FRAMES; i++) {
    pitch_value value = pitch_track(p, out + BEGIN + i * HOP);
    float semitones = 12.0f * (value.octaves - before);
    between += i >= PITCH_AHEAD && value.voicing > 0.3f && semitones > 1.5f && semitones < 6.5f;
  }
  pitch_tracker_free(p);
  assert_true(between >= 4);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_melody), cmocka_unit_test(test_glide)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
