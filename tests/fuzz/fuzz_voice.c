// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any bytes as a .voice file of a small model; what is taken speaks, and so do its examples, which
// that model would not ask.
#include <math.h>
#include <stdlib.h>

#include "fuzz.h"
#include "small_models.h"
#include "tone.h"
#include "voice.h"

enum { RATE_HZ = 16000, FRAMES = RATE_HZ / 2 };

static small_folder folder;
static mw_voice_model *model;

static void close_model(void)
{
  mw_voice_model_close(model);
  small_folder_remove(&folder);
}

static void open_model(void)
{
  if (!small_folder_make(&folder) || !small_folder_add(&folder, SMALL_MEANVC) ||
      mw_voice_model_open(&model, folder.path, NULL, 1, NULL) != MW_OK)
    abort();
  atexit(close_model);
}

static void speak(const mw_voice *v)
{
  static float sound[FRAMES];
  mw_stream *s = NULL;
  if (mw_stream_new(&s, model, v, RATE_HZ, 1, NULL) != MW_OK) abort();
  tone_make(sound, FRAMES);
  mw_stream_run(s, sound, sound, FRAMES);
  for (size_t i = 0; i < FRAMES; i++)
    if (!isfinite(sound[i])) abort();
  mw_stream_free(s);
}

static void ask_examples(const mw_voice *v)
{
  enum { SAID = 3 };
  examples_state *s = NULL;
  float *content = calloc(SAID * v->content, sizeof(float));
  float *mel = calloc(SAID * EXAMPLES_FRAMES * v->mel, sizeof(float));
  if (examples_state_new(&s, v->content, v->mel, NULL) != MW_OK || content == NULL || mel == NULL)
    abort();
  for (size_t i = 0; i < SAID * v->content; i++) content[i] = (float)(i % 7) - 3.0f;
  examples_apply(s, v->examples, content, SAID, mel);
  for (size_t i = 0; i < SAID * EXAMPLES_FRAMES * v->mel; i++)
    if (!(mel[i] >= -1.0f && mel[i] <= 1.0f)) abort();
  examples_state_free(s);
  free(content);
  free(mel);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  mw_voice *v = NULL;
  mw_error error = {""};
  if (model == NULL) open_model();
  mw_status status = voice_read(&v, model, fuzz_file(bytes, size), &error);
  if (status == MW_OK) status = voice_fold(v, model, &error);
  bool taken = fuzz_judge(status, &error);
  if (taken) speak(v);
  if (taken && v->examples != NULL) ask_examples(v);
  mw_voice_close(v);
  return 0;
}
