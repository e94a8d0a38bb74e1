// SPDX-License-Identifier: GPL-3.0-or-later
//
// Networks whose tensors are each possible and do not belong together are refused with a line.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "bigvgan.h"
#include "bundle.h"
#include "flow_audio.h"
#include "latent_coder.h"
#include "open_weights.h"
#include "small_models.h"
#include "tone.h"
#include "wavfile.h"

static bool ends_in(const char *name, const char *end)
{
  size_t length = strlen(name);
  return length >= strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

// What of `name` is `part` becomes `other`.
static void replace(char *name, const char *part, const char *other)
{
  char whole[CHANGED_NAME_SIZE];
  char *found = strstr(name, part);
  if (found == NULL) return;
  snprintf(whole, sizeof whole, "%.*s%s%s", (int)(found - name), name, other, found + strlen(part));
  memcpy(name, whole, strlen(whole) + 1);
}

// An encoder's level that doubles its rows, in room that is made for half of them.
static bool with_an_encoder_that_grows(char *name, tensor *t)
{
  if (strncmp(name, "encoder.", 8) != 0) return true;
  if (ends_in(name, "downsample.conv2.weight")) return false;
  if (ends_in(name, "downsample.conv1.weight")) {
    replace(name, "downsample.conv1", "upsample.conv");
    t->shape[2] = 3;
  }
  return true;
}

static bool with_a_decoder_that_shrinks(char *name, tensor *t)
{
  if (strncmp(name, "decoder.", 8) == 0 && ends_in(name, "upsample.conv.weight")) {
    replace(name, "upsample.conv", "downsample.conv1");
    t->shape[2] = 1;
  }
  return true;
}

static void a_coder_goes_one_way(void **state)
{
  (void)state;
  weights *whole = open_golden("vae_decoder/v1_tiny.pth");
  bool (*const changes[])(char *, tensor *) = {with_an_encoder_that_grows,
                                               with_a_decoder_that_shrinks};
  for (int i = 0; i < 2; i++) {
    weights *w = weights_changed(whole, changes[i]);
    latent_coder *c = NULL;
    mw_error error = {""};
    assert_int_equal(latent_coder_load(&c, w, true, &error), MW_ERROR_MODEL);
    assert_non_null(strstr(error.text, "does not fit the decoder"));
    assert_null(c);
    weights_close(w);
  }
  weights_close(whole);
}

static bool with_long_up_samplers(char *name, tensor *t)
{
  if (strstr(name, "ups.") != NULL && ends_in(name, "weight_v")) t->shape[2] = 60;
  return true;
}

static void a_frame_of_a_billion_samples_is_refused(void **state)
{
  (void)state;
  weights *whole = open_golden("bigvgan/best_netG_tiny.pt");
  weights *w = weights_changed(whole, with_long_up_samplers);
  bigvgan *b = NULL;
  mw_error error = {""};
  assert_int_equal(bigvgan_load(&b, w, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "too many samples"));
  weights_close(w);
  weights_close(whole);
}

static bool with_a_prompt_of_three_taps(char *name, tensor *t)
{
  if (strstr(name, "text_cond_proj.1.w1.weight") != NULL) {
    t->rank = 3;
    t->shape[2] = 3;
  }
  return true;
}

static void the_rows_of_a_prompt_have_no_neighbours(void **state)
{
  (void)state;
  weights *whole = open_golden("transformer/meanaudio_tiny.pth");
  weights *w = weights_changed(whole, with_a_prompt_of_three_taps);
  flow_audio *f = NULL;
  mw_error error = {""};
  assert_int_equal(flow_audio_load(&f, w, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "a prompt goes through a convolution"));
  weights_close(w);
  weights_close(whole);
}

// ---- Whole voice models ----

static void write_bundle(const weights *w, const char *path, const char *config)
{
  const bundle_part part = {.file = w, .all = true, .prefix = ""};
  const bundle_entry entry = {"config", config};
  mw_error error = {""};
  if (bundle_write(path, &part, 1, &entry, config != NULL, TENSOR_F32, true, &error) != MW_OK)
    fail_msg("%s", error.text);
}

static bool with_a_shorter_window(char *name, tensor *t)
{
  if (ends_in(name, "head.istft.window")) t->shape[0] = 512;
  if (ends_in(name, "head.out.weight") || ends_in(name, "head.out.bias")) t->shape[0] = 514;
  return true;
}

static void a_vocoder_of_another_hop_is_refused(void **state)
{
  (void)state;
  small_folder folder;
  weights *whole = NULL;
  mw_error error = {""};
  char path[TEMP_FOLDER_SIZE + 32];
  char sound_path[TEMP_FOLDER_SIZE + 32];
  static float samples[16000];
  sound s = {samples, 16000, 16000};
  assert_true(small_folder_make(&folder) && small_folder_add(&folder, SMALL_MEANVC));
  snprintf(path, sizeof path, "%s/vocos.pt", folder.path);
  assert_int_equal(weights_open(&whole, path, &error), MW_OK);
  weights *w = weights_changed(whole, with_a_shorter_window);
  unlink(path); // a link to a golden file
  write_bundle(w, path, NULL);
  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  mw_stream *stream = NULL;
  mw_status status = mw_voice_model_open(&model, folder.path, NULL, 1, &error);
  if (status == MW_OK) status = small_voice(&voice, model, &error);
  if (status == MW_OK) status = mw_stream_new(&stream, model, voice, 16000, 1, &error);
  assert_int_equal(status, MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "128 samples of a mel frame"));
  mw_voice_close(voice);
  mw_voice_model_close(model);
  snprintf(sound_path, sizeof sound_path, "%s/in.wav", folder.path);
  tone_make(samples, 16000);
  assert_int_equal(sound_write(&s, sound_path, true, &error), MW_OK);
  assert_int_equal(mw_copy_synthesis(path, sound_path, sound_path, true, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "160 samples apart"));
  weights_close(w);
  weights_close(whole);
  small_folder_remove(&folder);
}

static bool with_a_voice_of_one_letter(char *name, tensor *t)
{
  (void)t;
  replace(name, "voices.birch.", "voices.b.");
  return true;
}

static void a_voice_may_have_one_letter(void **state)
{
  (void)state;
  small_folder folder;
  weights *whole = NULL;
  mw_voice_model *model = NULL;
  mw_error error = {""};
  char path[TEMP_FOLDER_SIZE + 32];
  assert_true(small_folder_make(&folder));
  snprintf(path, sizeof path, "%s/own.mw", folder.path);
  assert_int_equal(small_own_write(path, &error), MW_OK);
  assert_int_equal(weights_open(&whole, path, &error), MW_OK);
  weights *w = weights_changed(whole, with_a_voice_of_one_letter);
  snprintf(path, sizeof path, "%s/b.mw", folder.path);
  write_bundle(w, path, weights_metadata(whole, "config"));
  if (mw_voice_model_open(&model, path, NULL, 1, &error) != MW_OK) fail_msg("%s", error.text);
  assert_string_equal(mw_voice_model_voice(model, 0), "b");
  mw_voice_model_close(model);
  weights_close(w);
  weights_close(whole);
  small_folder_remove(&folder);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_coder_goes_one_way),
      cmocka_unit_test(a_frame_of_a_billion_samples_is_refused),
      cmocka_unit_test(the_rows_of_a_prompt_have_no_neighbours),
      cmocka_unit_test(a_vocoder_of_another_hop_is_refused),
      cmocka_unit_test(a_voice_may_have_one_letter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
