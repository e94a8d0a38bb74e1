// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sounds that nobody would call speech, through every model: the result has the length of the
// input and is finite everywhere, or there is one line that says what is wrong.
#include <math.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "small_models.h"

static small_set small;
static char in_path[128];
static char out_path[128];

static int open_all(void **state)
{
  (void)state;
  if (!small_set_open(&small)) return -1;
  snprintf(in_path, sizeof in_path, "%s/in.wav", small.folders[0].path);
  snprintf(out_path, sizeof out_path, "%s/out.wav", small.folders[0].path);
  return 0;
}

static int close_all(void **state)
{
  (void)state;
  small_set_close(&small);
  return 0;
}

static float silent(sf_count_t frame)
{
  (void)frame;
  return 0.0f;
}

static float tone(sf_count_t frame)
{
  return 0.4f * (float)sin(0.02 * (double)frame);
}

static float clipped(sf_count_t frame)
{
  return frame / 50 % 2 == 0 ? 1.0f : -1.0f;
}

static float beyond(sf_count_t frame)
{
  return frame / 50 % 2 == 0 ? 1e30f : -1e30f;
}

static float no_number(sf_count_t frame)
{
  return frame % 3 == 0 ? INFINITY : NAN;
}

static float constant(sf_count_t frame)
{
  (void)frame;
  return -1.0f;
}

static void write_wav(float (*at)(sf_count_t), sf_count_t frames, int rate_hz, int channels)
{
  SF_INFO about = {
      .samplerate = rate_hz, .channels = channels, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
  SNDFILE *file = sf_open(in_path, SFM_WRITE, &about);
  assert_non_null(file);
  float frame[8];
  for (sf_count_t i = 0; i < frames; i++) {
    for (int c = 0; c < channels; c++) frame[c] = at(i);
    sf_writef_float(file, frame, 1);
  }
  sf_close(file);
}

static mw_status convert(small_model m, bool published, mw_error *error)
{
  mw_conversion how = {.model = small.models[m],
                       .voice = small.voices[m],
                       .seed = 1,
                       .controls = MW_VOICE_CONTROLS,
                       .published_loop = published};
  unlink(out_path);
  return mw_convert_file(&how, in_path, out_path, false, error);
}

static void assert_out(sf_count_t frames, int rate_hz)
{
  SF_INFO about = {0};
  SNDFILE *file = sf_open(out_path, SFM_READ, &about);
  assert_non_null(file);
  assert_int_equal(about.frames, frames);
  assert_int_equal(about.samplerate, rate_hz);
  assert_int_equal(about.channels, 1);
  float x;
  while (sf_read_float(file, &x, 1) == 1) assert_true(isfinite(x));
  sf_close(file);
}

static void strange_sounds_give_numbers(void **state)
{
  (void)state;
  static const struct {
    float (*at)(sf_count_t);
    sf_count_t frames;
    int rate_hz;
    int channels;
  } sounds[] = {
      {silent, 16000, 16000, 1},   {clipped, 16000, 16000, 1},  {beyond, 8000, 16000, 1},
      {no_number, 9000, 16000, 1}, {constant, 9000, 16000, 1},  {tone, 1, 16000, 1},
      {tone, 1, 44100, 1},         {tone, 399, 16000, 1},       {tone, 12000, 48000, 8},
      {tone, 48000, 192000, 1},    {clipped, 20000, 192000, 2}, {tone, 2560, 8000, 1},
  };
  for (small_model m = 0; m < SMALL_MODELS; m++) {
    for (size_t i = 0; i < sizeof sounds / sizeof sounds[0]; i++) {
      mw_error error;
      write_wav(sounds[i].at, sounds[i].frames, sounds[i].rate_hz, sounds[i].channels);
      if (convert(m, i % 2 == 1, &error) != MW_OK) fail_msg("sound %zu: %s", i, error.text);
      assert_out(sounds[i].frames, sounds[i].rate_hz);
    }
  }
}

static void assert_refused(const char *words)
{
  mw_error error = {""};
  assert_int_not_equal(convert(SMALL_MEANVC2_40, false, &error), MW_OK);
  if (strstr(error.text, words) == NULL) fail_msg("'%s' lacks '%s'", error.text, words);
  assert_null(strchr(error.text, '\n'));
  assert_int_not_equal(access(out_path, F_OK), 0);
}

static void what_is_no_sound_is_told(void **state)
{
  (void)state;
  write_wav(tone, 0, 16000, 1);
  assert_refused("no sound in it");
  FILE *file = fopen(in_path, "wb");
  fclose(file);
  assert_refused(in_path);
  write_wav(tone, 8000, 16000, 1);
  assert_int_equal(truncate(in_path, 30), 0);
  assert_refused(in_path);
}

// A file that ends too early is as long as what is left of it.
static void a_cut_file_gives_what_is_there(void **state)
{
  (void)state;
  mw_error error;
  write_wav(tone, 8000, 16000, 1);
  FILE *file = fopen(in_path, "rb");
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  fclose(file);
  assert_int_equal(truncate(in_path, size - 4000 * (long)sizeof(float)), 0);
  if (convert(SMALL_MEANVC2_120, false, &error) != MW_OK) fail_msg("%s", error.text);
  assert_out(4000, 16000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(strange_sounds_give_numbers),
      cmocka_unit_test(what_is_no_sound_is_told),
      cmocka_unit_test(a_cut_file_gives_what_is_there),
  };
  return cmocka_run_group_tests(tests, open_all, close_all);
}
