// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files that go away, grow shorter or cannot be written while a model is in use: docs/faults.md.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "meanwave.h"
#include "temp_folder.h"
#include "tone.h"
#include "whole_file.h"

enum { RATE_HZ = 16000, FRAMES = 2 * RATE_HZ };

static char folder[TEMP_FOLDER_SIZE];
static char model_path[128];
static char recording[128];
static float tone[FRAMES];
static mw_voice_model *model;
static mw_voice *voice;

static void copy_model(void)
{
  char from[4096];
  char *bytes = NULL;
  size_t length = 0;
  mw_error error;
  if (mw_find_model(from, sizeof from, "voice.safetensors", &error) != MW_OK ||
      whole_file_read(&bytes, &length, from, (size_t)1 << 30, &error) != MW_OK)
    fail_msg("%s", error.text);
  FILE *file = fopen(model_path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, length, file), length);
  assert_int_equal(fclose(file), 0);
  free(bytes);
}

static int open_copy(void **state)
{
  (void)state;
  mw_error error;
  if (!temp_folder_make(folder)) return -1;
  snprintf(model_path, sizeof model_path, "%s/model.safetensors", folder);
  snprintf(recording, sizeof recording, "%s/tone.wav", folder);
  tone_make(tone, FRAMES);
  const mw_sound sound = {tone, FRAMES, RATE_HZ};
  copy_model();
  if (mw_sound_save(&sound, recording, true, &error) != MW_OK ||
      mw_voice_model_open(&model, model_path, NULL, 1, &error) != MW_OK ||
      mw_voice_open(&voice, model, "birch", NULL, &error) != MW_OK)
    fail_msg("%s", error.text);
  return 0;
}

static int close_copy(void **state)
{
  (void)state;
  mw_voice_close(voice);
  mw_voice_model_close(model);
  return temp_folder_remove(folder) ? 0 : -1;
}

static mw_stream *new_stream(void)
{
  mw_stream *s = NULL;
  mw_error error;
  if (mw_stream_new(&s, model, voice, RATE_HZ, 1, &error) != MW_OK) fail_msg("%s", error.text);
  return s;
}

static mw_status open_voice(const char *what, const char *cache, mw_error *error)
{
  mw_voice *v = NULL;
  mw_status status = mw_voice_open(&v, model, what, cache, error);
  mw_voice_close(v);
  return status;
}

static void a_model_whose_file_is_gone_goes_on(void **state)
{
  (void)state;
  mw_error error;
  assert_int_equal(unlink(model_path), 0);
  if (open_voice("cedar", NULL, &error) != MW_OK) fail_msg("%s", error.text);
  if (open_voice(recording, NULL, &error) != MW_OK) fail_msg("%s", error.text);
}

static void a_model_cut_short_speaks_on_and_says_so(void **state)
{
  (void)state;
  static float wanted[FRAMES];
  static float heard[FRAMES];
  mw_error error;
  mw_stream *s = new_stream();
  mw_stream_run(s, tone, wanted, FRAMES);
  mw_stream_reset(s);
  mw_stream_run(s, tone, heard, FRAMES / 2);
  assert_int_equal(truncate(model_path, 100), 0);
  mw_stream_run(s, tone + FRAMES / 2, heard + FRAMES / 2, FRAMES / 2);
  mw_stream_free(s);
  assert_memory_equal(heard, wanted, sizeof heard);
  // another stream of it, too; but nothing more comes out of the file
  mw_stream_free(new_stream());
  const char *const others[] = {"cedar", recording};
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(open_voice(others[i], NULL, &error), MW_ERROR_IO);
    assert_non_null(strstr(error.text, "was cut short"));
  }
}

static void a_cache_that_cannot_be_written_costs_nothing_but_time(void **state)
{
  (void)state;
  mw_error error;
  // no folder can be made there, not even by root
  if (open_voice(recording, "/dev/null/cache", &error) != MW_OK) fail_msg("%s", error.text);
}

static void what_has_no_end_is_not_waited_for(void **state)
{
  (void)state;
  char pipe[128];
  mw_error error;
  mw_voice_model *m = NULL;
  snprintf(pipe, sizeof pipe, "%s/pipe", folder);
  assert_int_equal(mkfifo(pipe, 0600), 0);
  alarm(10);
  assert_int_equal(mw_voice_model_open(&m, pipe, NULL, 1, &error), MW_ERROR_IO);
  assert_non_null(strstr(error.text, "not a file"));
  const char *const endless[] = {pipe, "/dev/zero"};
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(open_voice(endless[i], NULL, &error), MW_ERROR_IO);
    assert_non_null(strstr(error.text, "not a file"));
  }
  alarm(0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_model_whose_file_is_gone_goes_on, open_copy, close_copy),
      cmocka_unit_test_setup_teardown(a_model_cut_short_speaks_on_and_says_so, open_copy,
                                      close_copy),
      cmocka_unit_test_setup_teardown(a_cache_that_cannot_be_written_costs_nothing_but_time,
                                      open_copy, close_copy),
      cmocka_unit_test_setup_teardown(what_has_no_end_is_not_waited_for, open_copy, close_copy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
