// SPDX-License-Identifier: GPL-3.0-or-later
//
// What of a long recording becomes a voice, and what it costs.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "mel.h"
#include "small_models.h"
#include "voice.h"
#include "wavfile.h"

// With sanitizers memory is not what it is without.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MOST_KB = 400 * 1024 };
#else
enum { MOST_KB = 64 * 1024 };
#endif

static small_folder folder;
static mw_voice_model *model;

static int open_model(void **state)
{
  (void)state;
  char bundle[128];
  mw_error error;
  if (!small_folder_make(&folder)) return -1;
  snprintf(bundle, sizeof bundle, "%s/own.safetensors", folder.path);
  mw_status status = small_own_write(bundle, &error);
  if (status == MW_OK) status = mw_voice_model_open(&model, bundle, bundle, 1, &error);
  if (status != MW_OK) print_error("%s\n", error.text);
  return status == MW_OK ? 0 : -1;
}

static int close_model(void **state)
{
  (void)state;
  mw_voice_model_close(model);
  small_folder_remove(&folder);
  return 0;
}

// To the bit as if the whole had been resampled and cut.
static void assert_first_minute(const mw_voice *v, const sound *s)
{
  enum { LONGEST_SAMPLES = VOICE_LONGEST_FRAMES * VC_MODEL_HZ / 100 - 1 };
  sound whole;
  mel *analysis = NULL;
  float *wanted = malloc(VOICE_LONGEST_FRAMES * MEL_BINS * sizeof(float));
  assert_int_equal(sound_resample(&whole, s, VC_MODEL_HZ, NULL), MW_OK);
  assert_int_equal(mel_new(&analysis, MEL_MEANVC, NULL), MW_OK);
  assert_int_equal(v->prompt_frames, VOICE_LONGEST_FRAMES);
  assert_int_equal(mel_frames(analysis, LONGEST_SAMPLES), VOICE_LONGEST_FRAMES);
  mel_run(analysis, whole.samples, LONGEST_SAMPLES, wanted);
  assert_memory_equal(v->prompt, wanted, VOICE_LONGEST_FRAMES * MEL_BINS * sizeof(float));
  free(wanted);
  mel_free(analysis);
  sound_free(&whole);
}

static void the_first_minute_is_heard(void **state)
{
  (void)state;
  enum { SECONDS = 63 };
  static const unsigned rates[] = {44100, 1000}; // above the model's, and below
  char path[160];
  mw_error error = {""};
  snprintf(path, sizeof path, "%s/long.wav", folder.path);
  for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
    size_t frames = (size_t)SECONDS * rates[r];
    sound s = {malloc(frames * sizeof(float)), frames, rates[r]};
    mw_voice *v = NULL;
    for (size_t i = 0; i < frames; i++) s.samples[i] = 0.3f * (float)sin(0.04 * (double)(i % 9973));
    assert_int_equal(sound_write(&s, path, true, &error), MW_OK);
    if (mw_voice_open(&v, model, path, NULL, &error) != MW_OK) fail_msg("%s", error.text);
    assert_first_minute(v, &s);
    mw_voice_close(v);
    sound_free(&s);
  }
}

// Two seconds of a tone and silence behind it. A process of its own writes it: its memory would be
// counted below.
static void write_long(const char *path)
{
  enum { RATE_HZ = 8000, FRAMES = 1800 * RATE_HZ };
  int ended;
  pid_t child = fork();
  if (child == 0) {
    sound s = {calloc(FRAMES, sizeof(float)), FRAMES, RATE_HZ};
    for (size_t i = 0; i < 2 * RATE_HZ; i++) s.samples[i] = 0.3f * (float)sin(0.3 * (double)i);
    _exit(sound_write(&s, path, true, NULL) == MW_OK ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &ended, 0), child);
  assert_int_equal(ended, 0);
}

// Half an hour of silence is a few kilobytes in a FLAC file: what is not used is not read.
static void half_an_hour_costs_a_minute(void **state)
{
  (void)state;
  char path[160];
  int ended;
  snprintf(path, sizeof path, "%s/long.flac", folder.path);
  write_long(path);
  pid_t child = fork();
  if (child == 0) {
    struct rusage before;
    struct rusage after;
    mw_voice *v = NULL;
    getrusage(RUSAGE_SELF, &before);
    mw_status status = mw_voice_open(&v, model, path, NULL, NULL);
    getrusage(RUSAGE_SELF, &after);
    _exit(status != MW_OK ? 1 : after.ru_maxrss - before.ru_maxrss > MOST_KB ? 2 : 0);
  }
  assert_int_equal(waitpid(child, &ended, 0), child);
  assert_true(WIFEXITED(ended));
  assert_int_not_equal(WEXITSTATUS(ended), 1);
  if (WEXITSTATUS(ended) == 2) fail_msg("it took more than %d kB", MOST_KB);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_minute_is_heard),
      cmocka_unit_test(half_an_hour_costs_a_minute),
  };
  return cmocka_run_group_tests(tests, open_model, close_model);
}
