// SPDX-License-Identifier: GPL-3.0-or-later
#include "wavfile.h"

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

static char folder[] = "/tmp/meanwave-test-XXXXXX";
static char place[512];

static const char *in_folder(const char *name)
{
  snprintf(place, sizeof place, "%s/%s", folder, name);
  return place;
}

static void write_raw(const char *name, const float *samples, int frames, int channels, int rate_hz)
{
  SF_INFO info = {
      .samplerate = rate_hz, .channels = channels, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
  SNDFILE *file = sf_open(in_folder(name), SFM_WRITE, &info);
  assert_non_null(file);
  assert_int_equal(sf_writef_float(file, samples, frames), frames);
  sf_close(file);
}

static void what_is_written_is_read(void **state)
{
  (void)state;
  static const char *const names[] = {"a.wav", "a.flac", "a.aiff", "A.FLAC"};
  float samples[1000];
  for (int i = 0; i < 1000; i++) samples[i] = 0.9f * sinf((float)i * 0.05f);
  sound s = {samples, 1000, 44100};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    sound back;
    assert_int_equal(sound_write(&s, in_folder(names[i]), false, NULL), MW_OK);
    assert_int_equal(sound_read(&back, in_folder(names[i]), 0.0, NULL), MW_OK);
    assert_int_equal(back.frames, 1000);
    assert_int_equal(back.rate_hz, 44100);
    // half a step of 24 bits
    for (int k = 0; k < 1000; k++) assert_true(fabsf(back.samples[k] - samples[k]) < 2e-7f);
    sound_free(&back);
    unlink(in_folder(names[i]));
  }
}

static void nothing_is_overwritten_unless_told(void **state)
{
  (void)state;
  float samples[4] = {0.1f, 0.2f, 0.3f, 0.4f};
  sound s = {samples, 4, 16000};
  mw_error error;
  assert_int_equal(sound_write(&s, in_folder("b.wav"), false, &error), MW_OK);
  assert_int_equal(sound_write(&s, in_folder("b.wav"), false, &error), MW_ERROR_IO);
  assert_non_null(strstr(error.text, "exists already"));
  assert_int_equal(sound_write(&s, in_folder("b.wav"), true, &error), MW_OK);
  assert_int_equal(sound_write(&s, in_folder("b.mp9"), true, &error), MW_ERROR_ARGUMENT);
  assert_int_equal(sound_write(&s, in_folder("none/b.wav"), true, &error), MW_ERROR_IO);
  unlink(in_folder("b.wav"));
}

static void channels_are_mixed_and_nan_is_silence(void **state)
{
  (void)state;
  float samples[12] = {1.0f, 0.0f, 0.5f, 0.5f, NAN, 0.0f, INFINITY, 0.0f, -1.0f, -1.0f, 0.2f, 0.4f};
  sound s;
  write_raw("c.wav", samples, 6, 2, 8000);
  assert_int_equal(sound_read(&s, in_folder("c.wav"), 0.0, NULL), MW_OK);
  static const float wanted[6] = {0.5f, 0.5f, 0.0f, 0.0f, -1.0f, 0.3f};
  assert_int_equal(s.frames, 6);
  for (int i = 0; i < 6; i++) assert_true(fabsf(s.samples[i] - wanted[i]) < 1e-6f);
  sound_free(&s);
  unlink(in_folder("c.wav"));
}

static void broken_files_are_one_line(void **state)
{
  (void)state;
  sound s;
  mw_error error;
  float samples[64] = {0};
  assert_int_equal(sound_read(&s, in_folder("none.wav"), 0.0, &error), MW_ERROR_IO);
  assert_non_null(strstr(error.text, "none.wav"));
  write_raw("d.wav", samples, 0, 1, 16000);
  assert_int_equal(sound_read(&s, in_folder("d.wav"), 0.0, &error), MW_ERROR_FORMAT);
  FILE *file = fopen(in_folder("d.wav"), "wb");
  fputs("RIFF not at all", file);
  fclose(file);
  assert_int_equal(sound_read(&s, in_folder("d.wav"), 0.0, &error), MW_ERROR_IO);
  assert_true(error.text[0] != '\0' && strchr(error.text, '\n') == NULL);
  unlink(in_folder("d.wav"));
}

// Half an hour of silence is a few kilobytes in a FLAC file.
static void only_the_beginning_is_read(void **state)
{
  (void)state;
  enum { RATE_HZ = 8000, FRAMES = 1800 * RATE_HZ, SECONDS = 2 };
  sound s = {calloc(FRAMES, sizeof(float)), FRAMES, RATE_HZ};
  assert_non_null(s.samples);
  for (int i = 0; i < 3 * RATE_HZ; i++) s.samples[i] = 0.25f * (float)(i % 3 - 1);
  assert_int_equal(sound_write(&s, in_folder("e.flac"), false, NULL), MW_OK);
  sound start;
  assert_int_equal(sound_read(&start, in_folder("e.flac"), SECONDS, NULL), MW_OK);
  assert_int_equal(start.rate_hz, RATE_HZ);
  assert_int_equal(start.frames, SECONDS * RATE_HZ);
  assert_memory_equal(start.samples, s.samples, start.frames * sizeof(float));
  sound_free(&start);
  // a part of a frame is one; a file may be shorter
  assert_int_equal(sound_read(&start, in_folder("e.flac"), 0.00001, NULL), MW_OK);
  assert_int_equal(start.frames, 1);
  sound_free(&start);
  assert_int_equal(sound_read(&start, in_folder("e.flac"), 1e6, NULL), MW_OK);
  assert_int_equal(start.frames, FRAMES);
  sound_free(&start);
  sound_free(&s);
  unlink(in_folder("e.flac"));
}

static void another_rate_keeps_the_time(void **state)
{
  (void)state;
  float samples[4410];
  for (int i = 0; i < 4410; i++) samples[i] = sinf((float)i * 0.02f);
  sound s = {samples, 4410, 44100};
  sound made;
  assert_int_equal(sound_resample(&made, &s, 16000, NULL), MW_OK);
  assert_int_equal(made.frames, 1600);
  for (int i = 200; i < 1400; i++)
    assert_true(fabsf(made.samples[i] - sinf((float)i * 0.02f * 2.75625f)) < 1e-4f);
  sound_free(&made);
}

static int make_folder(void **state)
{
  (void)state;
  return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
  (void)state;
  return rmdir(folder);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(nothing_is_overwritten_unless_told),
      cmocka_unit_test(channels_are_mixed_and_nan_is_silence),
      cmocka_unit_test(broken_files_are_one_line),
      cmocka_unit_test(only_the_beginning_is_read),
      cmocka_unit_test(another_rate_keeps_the_time),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
