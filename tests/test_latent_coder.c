// SPDX-License-Identifier: GPL-3.0-or-later
//
// The latent coder beyond its golden values: threads change no bit, a decoder can be had without
// its encoder, and files of another network are refused with a line.
#include "latent_coder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "open_weights.h"
#include "random.h"

enum { ROWS = 37 };

static void threads_change_no_bit(void **state)
{
  (void)state;
  weights *w = open_golden("vae_decoder/v1_tiny.pth");
  latent_coder *c = NULL;
  mw_error error;
  if (latent_coder_load(&c, w, true, &error) != MW_OK) fail_msg("%s", error.text);
  const latent_coder_config *config = latent_coder_get_config(c);
  size_t latents = ROWS * config->latent_channels;
  size_t count = ROWS * config->factor * config->mel_bins;
  float *z = calloc(latents, sizeof(float));
  float *mel[2] = {calloc(count, sizeof(float)), calloc(count, sizeof(float))};
  float *mean[2] = {calloc(latents, sizeof(float)), calloc(latents, sizeof(float))};
  float *log_variance = calloc(latents, sizeof(float));
  random_stream random;
  random_seed(&random, 3);
  random_normal(&random, z, latents);
  for (size_t i = 0; i < 2; i++) {
    arena *memory = arena_new();
    pool *p = i == 0 ? NULL : pool_new(3);
    // the second call of an arena meets used memory
    for (int again = 0; again < 2; again++) {
      assert_int_equal(latent_decode(c, z, ROWS, mel[i], memory, p, NULL), MW_OK);
      assert_int_equal(
          latent_encode(c, mel[i], ROWS * config->factor, mean[i], log_variance, memory, p, NULL),
          MW_OK);
    }
    pool_free(p);
    arena_free(memory);
  }
  assert_memory_equal(mel[0], mel[1], count * sizeof(float));
  assert_memory_equal(mean[0], mean[1], latents * sizeof(float));
  for (int i = 0; i < 2; i++) {
    free(mel[i]);
    free(mean[i]);
  }
  free(z);
  free(log_variance);
  latent_coder_free(c);
  weights_close(w);
}

static void a_decoder_comes_alone(void **state)
{
  (void)state;
  weights *w = open_golden("vae_decoder/v1_tiny.pth");
  latent_coder *c = NULL;
  arena *memory = arena_new();
  float z[8] = {1.0f};
  float mel[160];
  assert_int_equal(latent_coder_load(&c, w, false, NULL), MW_OK);
  const latent_coder_config *config = latent_coder_get_config(c);
  assert_false(config->has_encoder);
  assert_int_equal(config->latent_channels, 8);
  assert_int_equal(config->mel_bins, 80);
  assert_int_equal(config->factor, 2);
  assert_int_equal(latent_decode(c, z, 0, mel, memory, NULL, NULL), MW_OK);
  assert_int_equal(latent_decode(c, z, 1, mel, memory, NULL, NULL), MW_OK);
  for (int i = 0; i < 160; i++) assert_true(mel[i] > -20.0f && mel[i] < 20.0f);
  arena_free(memory);
  latent_coder_free(c);
  weights_close(w);
}

static void another_network_is_refused(void **state)
{
  (void)state;
  weights *w = open_golden("transformer/meanaudio_tiny.pth");
  latent_coder *c = NULL;
  mw_error error;
  assert_int_equal(latent_coder_load(&c, w, false, &error), MW_ERROR_MODEL);
  assert_null(c);
  assert_non_null(strstr(error.text, "meanaudio_tiny.pth"));
  assert_non_null(strstr(error.text, "conv_in.weight"));
  weights_close(w);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_change_no_bit),
      cmocka_unit_test(a_decoder_comes_alone),
      cmocka_unit_test(another_network_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
