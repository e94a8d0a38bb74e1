// SPDX-License-Identifier: GPL-3.0-or-later
//
// MeanVC 2 behind the interface of the first generation, on the small files of golden cases: files
// and bundles, delays, and streams whose bits do not depend on how they are cut.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "pitch_shift.h"
#include "small_models.h"
#include "voice.h"

enum { FRAMES = 24000 };
static small_set small;

static int open_all(void **state)
{
  (void)state;
  return small_set_open(&small) ? 0 : -1;
}

static int close_all(void **state)
{
  (void)state;
  small_set_close(&small);
  return 0;
}

static void make_chirp(float *x, size_t frames)
{
  for (size_t i = 0; i < frames; i++)
    x[i] = 0.3f * (float)sin(0.02 * (double)i + 1e-7 * (double)i * (double)i);
}

static mw_status new_stream(mw_stream **s, small_model m, unsigned rate_hz, bool published)
{
  return (published ? mw_stream_new_published : mw_stream_new)(s, small.models[m], small.voices[m],
                                                               rate_hz, 5, NULL);
}

static void cutting_changes_no_bit(void **state)
{
  (void)state;
  static float in[FRAMES];
  static float whole[FRAMES];
  static float cut[FRAMES];
  static const unsigned rates[2] = {16000, 44100};
  make_chirp(in, FRAMES);
  for (small_model m = SMALL_MEANVC2_120; m < SMALL_MODELS; m++) {
    for (int k = 0; k < 4; k++) {
      mw_stream *s = NULL;
      assert_int_equal(new_stream(&s, m, rates[k % 2], k >= 2), MW_OK);
      mw_stream_run(s, in, whole, FRAMES);
      mw_stream_reset(s);
      unsigned seed = 11;
      for (size_t at = 0; at < FRAMES;) {
        seed = seed * 1103515245u + 12345u;
        size_t count = seed >> 16 & 1023;
        if (count > FRAMES - at) count = FRAMES - at;
        mw_stream_run(s, in + at, cut + at, count);
        at += count;
      }
      assert_memory_equal(whole, cut, sizeof whole);
      float peak = 0.0f;
      for (int i = 0; i < FRAMES; i++) peak = fmaxf(peak, fabsf(whole[i]));
      assert_true(peak > 1e-4f && isfinite(peak));
      mw_stream_free(s);
    }
  }
}

typedef enum { PROMPT, PUBLISHED, GUESSED } loop;

// How far the output of a loop that is given a sample at a time falls behind, at worst.
static size_t measure_owed(small_model m, loop kind)
{
  enum { STEPS = 60 };
  static float in[FRAMES];
  static float out[FRAMES];
  converter_model networks = vc_model_networks(small.models[m]);
  converter *c = NULL;
  size_t given = 0;
  size_t made = 0;
  size_t worst = 0;
  assert_int_equal(converter_new(&c, &networks, 100, 50, kind == PUBLISHED, NULL), MW_OK);
  if (kind == GUESSED) converter_guess_ahead(c);
  for (int i = 0; i < STEPS; i++) {
    given += converter_wanted(c);
    // the sample before the last is in, and what the step makes is not there yet
    if (given - 1 > made && given - 1 - made > worst) worst = given - 1 - made;
    assert_true(converter_wanted(c) <= converter_most_wanted(c));
    assert_true(converter_returned(c) <= converter_most_returned(c));
    made += converter_returned(c);
    converter_step(c, small.voices[m]->folded, in, NULL, out, NULL);
  }
  converter_free(c);
  return worst;
}

// Stated, counted and heard: in samples of 16 kHz, so to the sample.
static void delays_are_as_stated(void **state)
{
  (void)state;
  // chunk and look-ahead, 45 ms of analysis, the vocoder's join; what docs/latency.md says
  static const struct {
    small_model model;
    loop kind;
    size_t delay;
    size_t shift; // of it: the output has this in front
  } wanted[] = {
      {SMALL_MEANVC, PROMPT, 4399, 0},
      {SMALL_MEANVC, PUBLISHED, 4399, 0},
      {SMALL_MEANVC2_120, PROMPT, 3599, 0},
      {SMALL_MEANVC2_40, PROMPT, 2319, 0},
      {SMALL_MEANVC2_120, PUBLISHED, 5999, 1200},
      {SMALL_MEANVC2_40, PUBLISHED, 4719, 1200},
      {SMALL_MEANVC, GUESSED, 4399, 0},
      {SMALL_MEANVC2_120, GUESSED, 2959, 0},
      {SMALL_MEANVC2_40, GUESSED, 1679, 0},
  };
  static float in[FRAMES];
  static float out[FRAMES];
  make_chirp(in, FRAMES);
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    mw_stream *s = NULL;
    loop kind = wanted[i].kind;
    assert_int_equal(new_stream(&s, wanted[i].model, 16000, kind == PUBLISHED), MW_OK);
    if (kind == GUESSED) assert_int_equal(mw_stream_guess_ahead(s, NULL), MW_OK);
    // the pitch control's own delay, which can be given up
    assert_int_equal(mw_stream_delay_frames(s), wanted[i].delay + PITCH_SHIFT_DELAY);
    assert_int_equal(mw_stream_fix_pitch(s, NULL), MW_OK);
    size_t delay = mw_stream_delay_frames(s);
    assert_int_equal(delay, wanted[i].delay);
    assert_int_equal(measure_owed(wanted[i].model, kind), delay - wanted[i].shift);
    mw_stream_run(s, in, out, FRAMES);
    size_t first = 0;
    while (first < FRAMES && out[first] == 0.0f) first++;
    assert_int_equal(first, delay - wanted[i].shift);
    mw_stream_free(s);
  }
}

// Of a steady sound, where there is nothing to guess, both loops make the same; of a moving one not,
// but what was guessed is heard as it is in the next window, so they never part.
static void a_guess_is_forgotten(void **state)
{
  (void)state;
  static float in[FRAMES];
  static float out[2][FRAMES];
  enum { BEGIN = 8000 };
  for (small_model m = SMALL_MEANVC2_120; m < SMALL_MODELS; m++) {
    for (int steady = 0; steady < 2; steady++) {
      size_t delay[2];
      make_chirp(in, FRAMES);
      // a period of 160 samples: every filterbank frame is the same
      for (int i = 0; steady == 1 && i < FRAMES; i++)
        in[i] = 0.3f * (float)sin(2.0 * 3.14159265358979323846 * (i % 160) / 40.0);
      for (int k = 0; k < 2; k++) {
        mw_stream *s = NULL;
        assert_int_equal(new_stream(&s, m, 16000, false), MW_OK);
        if (k == 1) assert_int_equal(mw_stream_guess_ahead(s, NULL), MW_OK);
        delay[k] = mw_stream_delay_frames(s);
        mw_stream_run(s, in, out[k], FRAMES);
        mw_stream_free(s);
      }
      double apart = 0.0;
      double power = 0.0;
      for (size_t i = BEGIN; i + delay[0] < FRAMES; i++) {
        double a = out[0][i + delay[0]];
        double b = out[1][i + delay[1]];
        apart += (a - b) * (a - b);
        power += a * a;
      }
      assert_true(power > 0.0);
      if (steady == 1)
        assert_true(apart <= 1e-10 * power);
      else
        assert_true(apart > 0.0 && apart < 0.1 * power);
    }
  }
}

static void live_guesses_too(void **state)
{
  (void)state;
  size_t delay[2];
  for (int k = 0; k < 2; k++) {
    mw_live_setup setup = {.model = small.models[SMALL_MEANVC2_40],
                           .voice = small.voices[SMALL_MEANVC2_40],
                           .rate_hz = 16000,
                           .block_frames = 256,
                           .guess_ahead = k == 1};
    mw_live *l = NULL;
    assert_int_equal(mw_live_new(&l, &setup, NULL), MW_OK);
    delay[k] = mw_live_delay_frames(l);
    mw_live_free(l);
  }
  assert_int_equal(delay[0] - delay[1], 640);
}

// Nothing is heard before it has come in: a change of the input shows no earlier than the
// look-ahead allows, and at the latest a chunk after.
static void a_change_is_heard_in_time(void **state)
{
  (void)state;
  enum { CHANGED = 12000 };
  static float in[FRAMES];
  static float before[FRAMES];
  static float after[FRAMES];
  for (small_model m = SMALL_MEANVC2_120; m < SMALL_MODELS; m++) {
    mw_stream *s = NULL;
    assert_int_equal(new_stream(&s, m, 16000, false), MW_OK);
    make_chirp(in, FRAMES);
    mw_stream_run(s, in, before, FRAMES);
    mw_stream_reset(s);
    for (int i = CHANGED; i < FRAMES; i++) in[i] = -in[i] + 0.1f;
    mw_stream_run(s, in, after, FRAMES);
    size_t first = 0;
    while (first < FRAMES && before[first] == after[first]) first++;
    assert_true(first >= CHANGED);
    assert_true(first <= CHANGED + mw_stream_delay_frames(s));
    mw_stream_free(s);
  }
}

static void a_bundle_sounds_as_its_files(void **state)
{
  (void)state;
  static float in[FRAMES];
  static float out[2][FRAMES];
  static const char *const encoder[SMALL_MODELS] = {"fastu2++.pt", "fastu2pp_160ms.pt",
                                                    "fastu2pp_80ms.pt"};
  make_chirp(in, FRAMES);
  for (small_model m = 0; m < SMALL_MODELS; m++) {
    char paths[3][256];
    char bundle[256];
    mw_error error;
    mw_voice_model *model = NULL;
    mw_voice *voice = NULL;
    snprintf(paths[0], sizeof paths[0], "%s/%s", small.folders[m].path, small_decoders[m]);
    snprintf(paths[1], sizeof paths[1], "%s/%s", small.folders[m].path, encoder[m]);
    snprintf(paths[2], sizeof paths[2], "%s/vocos.pt", small.folders[m].path);
    snprintf(bundle, sizeof bundle, "%s/all.mw", small.folders[m].path);
    const char *const files[3] = {paths[0], paths[1], paths[2]};
    mw_model_import wish = {.paths = files, .count = 3, .output = bundle, .type = MW_WEIGHTS_F32};
    if (mw_models_import(&wish, &error) != MW_OK ||
        mw_voice_model_open(&model, bundle, NULL, 1, &error) != MW_OK ||
        small_voice(&voice, model, &error) != MW_OK)
      fail_msg("%s", error.text);
    for (int k = 0; k < 2; k++) {
      mw_stream *s = NULL;
      assert_int_equal(mw_stream_new(&s, k ? model : small.models[m], k ? voice : small.voices[m],
                                     16000, 5, NULL),
                       MW_OK);
      mw_stream_run(s, in, out[k], FRAMES);
      mw_stream_free(s);
    }
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    mw_voice_close(voice);
    mw_voice_model_close(model);
  }
}

static void the_decoder_names_the_model(void **state)
{
  (void)state;
  small_folder all;
  char path[256];
  mw_error error;
  mw_voice_model *model = NULL;
  assert_true(small_folder_make(&all));
  assert_int_equal(mw_voice_model_open(&model, all.path, NULL, 1, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "there is none of"));
  for (small_model m = 0; m < SMALL_MODELS; m++) assert_true(small_folder_add(&all, m));
  assert_int_equal(mw_voice_model_open(&model, all.path, NULL, 1, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "name the one you mean"));
  // all vocoders are alike, so each opens beside the others
  for (small_model m = 0; m < SMALL_MODELS; m++) {
    snprintf(path, sizeof path, "%s/%s", all.path, small_decoders[m]);
    if (mw_voice_model_open(&model, path, NULL, 0, &error) != MW_OK) fail_msg("%s", error.text);
    mw_voice_model_close(model);
  }
  // a decoder of one generation under the name of the other
  snprintf(path, sizeof path, "cp -L --remove-destination %s/%s %s/%s", all.path,
           small_decoders[SMALL_MEANVC], all.path, small_decoders[SMALL_MEANVC2_40]);
  assert_int_equal(system(path), 0);
  snprintf(path, sizeof path, "%s/%s", all.path, small_decoders[SMALL_MEANVC2_40]);
  assert_int_equal(mw_voice_model_open(&model, path, NULL, 1, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "looks no frames ahead"));
  small_folder_remove(&all);
}

static void a_voice_of_another_model_is_refused(void **state)
{
  (void)state;
  char path[256];
  mw_error error;
  mw_voice *read = NULL;
  snprintf(path, sizeof path, "%s/a.voice", small.folders[0].path);
  assert_int_equal(mw_voice_save(small.voices[SMALL_MEANVC], path, "a", "", true, NULL), MW_OK);
  assert_int_equal(mw_voice_open(&read, small.models[SMALL_MEANVC2_40], path, NULL, &error),
                   MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "made for another model"));
  assert_null(strchr(error.text, '\n'));
  // one speaker encoder, one space: both models of MeanVC 2 share their voices
  assert_int_equal(mw_voice_save(small.voices[SMALL_MEANVC2_120], path, "a", "", true, NULL),
                   MW_OK);
  assert_int_equal(mw_voice_open(&read, small.models[SMALL_MEANVC2_40], path, NULL, NULL), MW_OK);
  mw_voice_close(read);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cutting_changes_no_bit),
      cmocka_unit_test(delays_are_as_stated),
      cmocka_unit_test(a_guess_is_forgotten),
      cmocka_unit_test(live_guesses_too),
      cmocka_unit_test(a_change_is_heard_in_time),
      cmocka_unit_test(a_bundle_sounds_as_its_files),
      cmocka_unit_test(the_decoder_names_the_model),
      cmocka_unit_test(a_voice_of_another_model_is_refused),
  };
  return cmocka_run_group_tests(tests, open_all, close_all);
}
