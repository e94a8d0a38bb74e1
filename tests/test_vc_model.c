// SPDX-License-Identifier: GPL-3.0-or-later
//
// A folder with files named as the authors publish them converts as it stands: here the small ones
// of the golden case.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "data_path.h"
#include "meanwave.h"
#include "npy.h"
#include "small_models.h"
#include "wavfile.h"

static small_folder folder;

static void make_wav(const char *name)
{
  npy source;
  char path[4096];
  assert_true(npy_open(&source, data_path("golden/meanvc/e2e_v1"), "source.npy"));
  sound s = {source.values, source.count, 16000};
  snprintf(path, sizeof path, "%s/%s", folder.path, name);
  assert_int_equal(sound_write(&s, path, true, NULL), MW_OK);
  npy_free(&source);
}

static int make_folder(void **state)
{
  (void)state;
  if (!small_folder_make(&folder) || !small_folder_add(&folder, SMALL_MEANVC) ||
      !small_folder_add_speaker(&folder))
    return -1;
  make_wav("in.wav");
  return 0;
}

static int remove_folder(void **state)
{
  (void)state;
  small_folder_remove(&folder);
  return 0;
}

static void published_files_convert(void **state)
{
  (void)state;
  char in[4096];
  char out[4096];
  mw_error error;
  sound before;
  sound after;
  snprintf(in, sizeof in, "%s/in.wav", folder.path);
  snprintf(out, sizeof out, "%s/out.wav", folder.path);
  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  if (mw_voice_model_open(&model, folder.path, NULL, 2, &error) != MW_OK ||
      mw_voice_open(&voice, model, in, NULL, &error) != MW_OK)
    fail_msg("%s", error.text);
  mw_conversion how = {.model = model, .voice = voice, .seed = 1, .controls = MW_VOICE_CONTROLS};
  if (mw_convert_file(&how, in, out, false, &error) != MW_OK) fail_msg("%s", error.text);
  mw_voice_close(voice);
  mw_voice_model_close(model);
  assert_int_equal(sound_read(&before, in, 0.0, NULL), MW_OK);
  assert_int_equal(sound_read(&after, out, 0.0, NULL), MW_OK);
  assert_int_equal(after.frames, before.frames);
  float peak = 0.0f;
  for (size_t i = 0; i < after.frames; i++) {
    assert_true(isfinite(after.samples[i]));
    peak = fmaxf(peak, fabsf(after.samples[i]));
  }
  assert_true(peak > 1e-4f);
  sound_free(&before);
  sound_free(&after);
}

static void a_missing_file_is_named(void **state)
{
  (void)state;
  char vocoder[4096];
  mw_error error;
  snprintf(vocoder, sizeof vocoder, "%s/vocos.pt", folder.path);
  unlink(vocoder);
  mw_voice_model *model = NULL;
  assert_int_equal(mw_voice_model_open(&model, folder.path, NULL, 1, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "there is no vocos.pt in it"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(published_files_convert),
      cmocka_unit_test(a_missing_file_is_named),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
