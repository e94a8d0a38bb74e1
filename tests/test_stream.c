// SPDX-License-Identifier: GPL-3.0-or-later
//
// Streams and voices on the small published-form files of a golden case.
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

enum { RATES = 4, FRAMES_16K = 24000 };
static const unsigned rates[RATES] = {16000, 44100, 48000, 22051};
static small_folder folder;
static char recording[256];
static mw_voice_model *model;
static mw_voice *voice;

static int open_all(void **state)
{
  (void)state;
  npy source;
  mw_error error;
  if (!small_folder_make(&folder) || !small_folder_add(&folder, SMALL_MEANVC) ||
      !small_folder_add_speaker(&folder) ||
      !npy_open(&source, data_path("golden/meanvc/e2e_v1"), "source.npy"))
    return -1;
  snprintf(recording, sizeof recording, "%s/in.wav", folder.path);
  sound s = {source.values, source.count, 16000};
  mw_status status = sound_write(&s, recording, true, &error);
  npy_free(&source);
  if (status == MW_OK) status = mw_voice_model_open(&model, folder.path, NULL, 1, &error);
  if (status == MW_OK) status = mw_voice_open(&voice, model, recording, NULL, &error);
  if (status != MW_OK) print_error("%s\n", error.text);
  return status == MW_OK ? 0 : -1;
}

static int close_all(void **state)
{
  (void)state;
  mw_voice_close(voice);
  mw_voice_model_close(model);
  small_folder_remove(&folder);
  return 0;
}

static float *chirp(size_t frames)
{
  float *x = malloc(frames * sizeof(float));
  for (size_t i = 0; i < frames; i++)
    x[i] = 0.3f * (float)sin(0.02 * (double)i + 1e-7 * (double)i * (double)i);
  return x;
}

static void cutting_changes_no_bit(void **state)
{
  (void)state;
  for (int r = 0; r < RATES; r++) {
    size_t frames = (size_t)FRAMES_16K * rates[r] / 16000;
    float *in = chirp(frames);
    float *whole = malloc(frames * sizeof(float));
    float *cut = malloc(frames * sizeof(float));
    mw_stream *s = NULL;
    assert_int_equal(mw_stream_new(&s, model, voice, rates[r], 3, NULL), MW_OK);
    mw_stream_run(s, in, whole, frames);
    mw_stream_reset(s);
    unsigned seed = 7;
    memcpy(cut, in, frames * sizeof(float));
    for (size_t at = 0; at < frames;) {
      seed = seed * 1103515245u + 12345u;
      size_t count = seed >> 16 & 1023;
      if (count > frames - at) count = frames - at;
      mw_stream_run(s, cut + at, cut + at, count); // in place
      at += count;
    }
    assert_memory_equal(whole, cut, frames * sizeof(float));
    float peak = 0.0f;
    for (size_t i = mw_stream_delay_frames(s); i < frames; i++) peak = fmaxf(peak, fabsf(whole[i]));
    assert_true(peak > 1e-4f);
    mw_stream_free(s);
    free(in);
    free(whole);
    free(cut);
  }
}

// With nothing converted in it, the output is the input behind the delay that is stated.
static void the_dry_sound_comes_after_the_stated_delay(void **state)
{
  (void)state;
  for (int r = 0; r < RATES; r++) {
    size_t frames = (size_t)FRAMES_16K * rates[r] / 16000;
    float *in = chirp(frames);
    float *out = malloc(frames * sizeof(float));
    mw_stream *s = NULL;
    assert_int_equal(mw_stream_new(&s, model, voice, rates[r], 3, NULL), MW_OK);
    mw_stream_set_mix(s, 0.0f);
    mw_stream_reset(s);
    mw_stream_run(s, in, out, frames);
    size_t delay = mw_stream_delay_frames(s);
    for (size_t i = 0; i < delay; i++) assert_true(out[i] == 0.0f);
    assert_memory_equal(out + delay, in, (frames - delay) * sizeof(float));
    mw_stream_free(s);
    free(in);
    free(out);
  }
}

// Mix, gain and gate set in the middle of a slow sine: no sample is further from a straight line
// through its neighbours than a control of 20 ms can bend it, and cutting still changes no bit.
static void controls_do_not_click(void **state)
{
  (void)state;
  enum { FRAMES = 64000, EVERY = 8000 };
  static float in[FRAMES];
  static float out[2][FRAMES];
  for (int i = 0; i < FRAMES; i++) in[i] = 0.3f * (float)sin(0.05 * i);
  for (int k = 0; k < 2; k++) {
    mw_stream *s = NULL;
    assert_int_equal(mw_stream_new(&s, model, voice, 16000, 3, NULL), MW_OK);
    mw_stream_set_mix(s, 0.0f);
    mw_stream_reset(s);
    for (int at = 0; at < FRAMES; at += EVERY) {
      mw_stream_set_gain(s, (float[]){0.0f, 6.0f, -60.0f, NAN}[at / EVERY % 4]);
      mw_stream_set_gate(s, at >= 40000 && at < 48000 ? 0.0f : MW_GATE_OFF);
      for (int i = 0; i < EVERY; i += k ? EVERY : 100)
        mw_stream_run(s, in + at + i, out[k] + at + i, k ? EVERY : 100);
    }
    mw_stream_free(s);
  }
  assert_memory_equal(out[0], out[1], sizeof out[0]);
  bool closed = false;
  for (int i = 6000; i + 1 < FRAMES; i++) {
    // the sine bends by 0.6 * 0.05^2 a frame at twice its level; a line of 320 frames adds little
    assert_true(fabsf(out[0][i - 1] - 2.0f * out[0][i] + out[0][i + 1]) < 0.006f);
    closed = closed || (out[0][i - 1] == 0.0f && out[0][i] == 0.0f);
  }
  assert_true(closed);
  // at rest, gains are what was asked for
  size_t delay = 0;
  mw_stream *s = NULL;
  assert_int_equal(mw_stream_new(&s, model, voice, 16000, 3, NULL), MW_OK);
  delay = mw_stream_delay_frames(s);
  mw_stream_free(s);
  assert_true(fabsf(out[0][15000] - 1.9952623f * in[15000 - delay]) < 1e-5f);
  assert_true(fabsf(out[0][23000] - 1e-3f * in[23000 - delay]) < 1e-6f);
  assert_true(out[0][31000] == in[31000 - delay]);
}

// Without a shifter the same sound comes earlier; with one, moving the pitch changes the sound and
// neither its delay nor its independence of cutting.
static void pitch_costs_a_constant_delay(void **state)
{
  (void)state;
  enum { FRAMES = FRAMES_16K };
  float *in = chirp(FRAMES);
  static float out[4][FRAMES];
  size_t delays[4];
  for (int k = 0; k < 4; k++) {
    mw_stream *s = NULL;
    assert_int_equal(mw_stream_new(&s, model, voice, 16000, 3, NULL), MW_OK);
    if (k == 1) assert_int_equal(mw_stream_fix_pitch(s, NULL), MW_OK);
    if (k != 1) mw_stream_set_pitch(s, k < 2 ? 0.0f : 7.0f);
    mw_stream_reset(s);
    delays[k] = mw_stream_delay_frames(s);
    for (int at = 0; at < FRAMES; at += k == 3 ? 125 : FRAMES)
      mw_stream_run(s, in + at, out[k] + at, k == 3 ? 125 : FRAMES);
    mw_stream_free(s);
  }
  assert_int_equal(delays[0], delays[1] + 720);
  assert_true(delays[2] == delays[0] && delays[3] == delays[0]);
  assert_memory_equal(out[0] + delays[0], out[1] + delays[1], (FRAMES - delays[0]) * sizeof(float));
  assert_memory_equal(out[2], out[3], sizeof out[2]);
  double change = 0.0;
  double power = 0.0;
  for (int i = 0; i < FRAMES; i++) {
    change += fabs((double)out[2][i] - (double)out[0][i]);
    power += fabs((double)out[0][i]);
  }
  assert_true(change > 0.0 && change < 4.0 * power);
  free(in);
}

static void what_is_not_a_number_is_silence(void **state)
{
  (void)state;
  float bad[4000];
  float out[4000];
  mw_stream *s = NULL;
  assert_int_equal(mw_stream_new(&s, model, voice, 16000, 3, NULL), MW_OK);
  for (int i = 0; i < 4000; i++) bad[i] = (float[]){NAN, INFINITY, -INFINITY, 1e30f, 1.0f}[i % 5];
  for (int round = 0; round < 5; round++) {
    mw_stream_run(s, bad, out, 4000);
    for (int i = 0; i < 4000; i++) assert_true(isfinite(out[i]));
  }
  mw_stream_free(s);
}

static void voices_are_kept_and_mixed(void **state)
{
  (void)state;
  char path[300];
  char cache[300];
  mw_error error;
  mw_voice *read = NULL;
  mw_voice *mixed = NULL;
  mw_voice *again = NULL;
  snprintf(path, sizeof path, "%s/a.voice", folder.path);
  snprintf(cache, sizeof cache, "%s/cache/deep", folder.path);
  assert_int_equal(mw_voice_save(voice, path, "a \"voice\"", "said yes", false, NULL), MW_OK);
  assert_int_equal(mw_voice_save(voice, path, "a", NULL, false, &error), MW_ERROR_IO);
  if (mw_voice_open(&read, model, path, NULL, &error) != MW_OK) fail_msg("%s", error.text);
  assert_string_equal(mw_voice_name(read), "a \"voice\"");
  assert_string_equal(mw_voice_consent(read), "said yes");
  assert_true(mw_voice_seconds(read) == mw_voice_seconds(voice));
  // the file sounds as the recording does
  float in[8000] = {0};
  float out[2][8000];
  for (int i = 0; i < 8000; i++) in[i] = 0.3f * (float)sin(0.05 * i);
  for (int k = 0; k < 2; k++) {
    mw_stream *s = NULL;
    assert_int_equal(mw_stream_new(&s, model, k ? read : voice, 16000, 1, NULL), MW_OK);
    mw_stream_run(s, in, out[k], 8000);
    mw_stream_free(s);
  }
  assert_memory_equal(out[0], out[1], sizeof out[0]);
  assert_int_equal(mw_voice_mix(&mixed, model, voice, read, 0.25, NULL), MW_OK);
  assert_true(fabs(mw_voice_seconds(mixed) - mw_voice_seconds(voice)) < 0.02);
  assert_int_equal(mw_voice_mix(&again, model, voice, read, 1.5, &error), MW_ERROR_ARGUMENT);
  // heard once, the recording comes from the cache; a broken cache is heard again
  const char *both[2] = {recording, recording};
  for (int k = 0; k < 2; k++) {
    if (mw_voice_make(&again, model, both, 2, cache, &error) != MW_OK) fail_msg("%s", error.text);
    assert_true(fabs(mw_voice_seconds(again) - 2 * mw_voice_seconds(voice)) < 0.02);
    mw_voice_close(again);
    char command[700];
    snprintf(command, sizeof command, "for f in %s/*.voice; do echo x > $f; done", cache);
    assert_int_equal(system(command), 0);
  }
  mw_voice_close(mixed);
  mw_voice_close(read);
}

static void broken_voices_are_refused(void **state)
{
  (void)state;
  char path[300];
  char broken[300];
  mw_error error;
  mw_voice *read = NULL;
  snprintf(path, sizeof path, "%s/whole.voice", folder.path);
  snprintf(broken, sizeof broken, "%s/broken.voice", folder.path);
  assert_int_equal(mw_voice_save(voice, path, "v", "", false, NULL), MW_OK);
  FILE *file = fopen(path, "rb");
  static char bytes[1 << 20];
  size_t count = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  for (size_t length = 0; length < count; length += 1 + count / 97) {
    file = fopen(broken, "wb");
    fwrite(bytes, 1, length, file);
    fclose(file);
    assert_int_not_equal(mw_voice_open(&read, model, broken, NULL, &error), MW_OK);
  }
  char *space = strstr(bytes + 8, "speaker_space\":\"");
  assert_non_null(space);
  space[17] = space[17] == '0' ? '1' : '0';
  file = fopen(broken, "wb");
  fwrite(bytes, 1, count, file);
  fclose(file);
  assert_int_equal(mw_voice_open(&read, model, broken, NULL, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "made for another model"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cutting_changes_no_bit),
      cmocka_unit_test(the_dry_sound_comes_after_the_stated_delay),
      cmocka_unit_test(controls_do_not_click),
      cmocka_unit_test(pitch_costs_a_constant_delay),
      cmocka_unit_test(what_is_not_a_number_is_silence),
      cmocka_unit_test(voices_are_kept_and_mixed),
      cmocka_unit_test(broken_voices_are_refused),
  };
  return cmocka_run_group_tests(tests, open_all, close_all);
}
