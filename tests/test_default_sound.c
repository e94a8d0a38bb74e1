// SPDX-License-Identifier: GPL-3.0-or-later
//
// The default kind of model, from a tiny bundle: its words, and sounds that start from others.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "data_path.h"
#include "meanwave.h"

static mw_sound_model *model;

static int open_model(void **state)
{
  (void)state;
  mw_error error = {""};
  const char *bundle = data_path("golden/sound/sound.safetensors");
  const char *vocoder = data_path("golden/sound/vocoder.safetensors");
  if (mw_sound_model_open(&model, bundle, vocoder, &error) != MW_OK) fail_msg("%s", error.text);
  return 0;
}

static int close_model(void **state)
{
  (void)state;
  mw_sound_model_close(model);
  return 0;
}

static void it_tells_about_itself(void **state)
{
  (void)state;
  mw_sound_model_info about = mw_sound_model_about(model);
  assert_string_equal(about.name, "Meanwave default sound model");
  assert_int_equal(about.rate_hz, 16000);
  assert_int_equal(about.steps, 1);
  assert_true(about.starts_from_sounds);
}

static void words_are_counted(void **state)
{
  (void)state;
  mw_prompt_info info;
  mw_error error;
  assert_int_equal(mw_sound_prompt(model, "A dog, barking at Xyzzy!", &info, NULL), MW_OK);
  assert_int_equal(info.used, 3);
  assert_int_equal(info.wanted, 3);
  assert_int_equal(info.unknown, 1); // "A" and "at" say nothing
  assert_string_equal(info.example, "Xyzzy");
  // a plural that is not stored is what it is the plural of
  assert_int_equal(mw_sound_prompt(model, "Dogs, pianos, winds: doggs, dogss", &info, NULL), MW_OK);
  assert_int_equal(info.used, 3);
  assert_int_equal(info.unknown, 2);
  assert_string_equal(info.example, "doggs");
  assert_int_equal(mw_sound_prompt(model, "dog dog dog dog dog dog dog dog dog dog", &info, NULL),
                   MW_OK);
  assert_int_equal(info.used, 8);
  assert_int_equal(info.wanted, 10);
  assert_int_equal(mw_sound_prompt(model, "xyzzy plugh", &info, &error), MW_ERROR_ARGUMENT);
  assert_non_null(strstr(error.text, "knows no word of the prompt ('xyzzy', ...)"));
  assert_int_equal(mw_sound_prompt(model, "\xF0\x9F\x98\x80 \xE9\x9B\xA8", &info, &error),
                   MW_ERROR_ARGUMENT);
  assert_non_null(strstr(error.text, "no English word"));
}

static void sounds_are_the_same_for_any_threads(void **state)
{
  (void)state;
  mw_sound_wish wish = {.prompt = "a dog barking", .seed = 3, .seconds = 0.512, .steps = 2};
  mw_sound made[2];
  for (int i = 0; i < 2; i++) {
    wish.threads = i == 0 ? 1 : 3;
    assert_int_equal(mw_sound_generate(&made[i], model, &wish, NULL), MW_OK);
    assert_int_equal(made[i].frames, 8192);
  }
  assert_memory_equal(made[0].samples, made[1].samples, 8192 * sizeof(float));
  mw_sound_free(&made[0]);
  mw_sound_free(&made[1]);
}

static void a_sound_can_be_the_beginning(void **state)
{
  (void)state;
  mw_sound from = {.samples = calloc(48000, sizeof(float)), .frames = 48000, .rate_hz = 48000};
  for (size_t i = 0; i < from.frames; i++) from.samples[i] = 2.0f * sinf(0.05f * (float)i);
  mw_sound_wish wish = {.prompt = "piano", .from = &from, .strength = 0.3};
  mw_sound made;
  mw_error error = {""};
  if (mw_sound_generate(&made, model, &wish, &error) != MW_OK) fail_msg("%s", error.text);
  assert_int_equal(made.frames, 16000);
  mw_sound_free(&made);
  free(from.samples);
}

static void other_files_are_told(void **state)
{
  (void)state;
  mw_error error = {""};
  mw_sound_model *other = NULL;
  const char *bundle = data_path("golden/sound/sound.safetensors");
  const char *vocoder = data_path("golden/sound/vocoder.safetensors");
  // each in the other's place
  assert_int_equal(mw_sound_model_open(&other, vocoder, bundle, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "neither a sound bundle"));
  assert_int_equal(mw_sound_model_open(&other, bundle, bundle, &error), MW_ERROR_MODEL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_tells_about_itself),
      cmocka_unit_test(words_are_counted),
      cmocka_unit_test(sounds_are_the_same_for_any_threads),
      cmocka_unit_test(a_sound_can_be_the_beginning),
      cmocka_unit_test(other_files_are_told),
  };
  return cmocka_run_group_tests(tests, open_model, close_model);
}
