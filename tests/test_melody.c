// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the default voice makes of a sung melody: it stays one, from the first note on. The pitch of
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

static const float low_hz = 120.0f;
static const float high_hz = 160.0f;
static float in[LENGTH];
static float out[LENGTH];

// Pulses through two resonances, the lower note first.
static void sing(void)
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

static void convert(void)
{
  mw_error error = {0};
  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  mw_stream *stream = NULL;
  if (mw_voice_model_open(&model, NULL, NULL, 0, &error) != MW_OK ||
      mw_voice_open(&voice, model, "hazel", NULL, &error) != MW_OK ||
      mw_stream_new(&stream, model, voice, RATE_HZ, 1, &error) != MW_OK)
    fail_msg("%s", error.text);
  mw_stream_run(stream, in, out, LENGTH);
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
  float step = log2f(high_hz / low_hz);
  (void)state;
  sing();
  convert();
  for (size_t note = 0; note + 1 < NOTES; note++) {
    float made = heard(note + 1) - heard(note);
    float wanted = note % 2 == 0 ? step : -step;
    if (fabsf(made - wanted) > 0.07f)
      fail_msg("note %zu: %+.2f octaves to the next, not %+.2f", note, made, wanted);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_melody)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
