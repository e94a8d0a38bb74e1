// SPDX-License-Identifier: GPL-3.0-or-later
//
//   build/tests/look_ahead SPEECH.wav
//
// What the look-ahead of MeanVC 2 would hear if the encoder ran before the last filterbank frames
// are there, with the last one repeated in their place: for docs/latency.md. The encoders are that
// of the default model, which was trained, and that of MeanVC 2's size with weights by formula.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asr_encoder.h"
#include "fbank.h"
#include "formula.h"
#include "inventory.h"
#include "voice.h"

enum { AHEAD = 4, BINS = FBANK_BINS, STEP = 23, BEFORE = 12, MOST_ROWS = 8 };

// Sums over windows of squares: of the difference, and of the distance from the mean.
typedef struct {
  double difference;
  double sum;
  double squares;
  double count;
} error_sum;

static void add(error_sum *s, const float *wanted, const float *got, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    s->difference += ((double)wanted[i] - got[i]) * ((double)wanted[i] - got[i]);
    s->sum += wanted[i];
    s->squares += (double)wanted[i] * wanted[i];
  }
  s->count += (double)count;
}

static double relative(const error_sum *s)
{
  return sqrt(s->difference / (s->squares - s->sum * s->sum / s->count));
}

// Every STEP-th window of `n` frames and those ahead, with `guessed` frames repeated, behind BEFORE
// exact ones.
static bool compare(const asr_encoder *e, size_t n, size_t guessed, const float *analysed,
                    size_t frames)
{
  asr_state *s = NULL;
  size_t width = asr_encoder_width(e);
  size_t rows = (n + AHEAD) / 4;
  if (asr_state_new(&s, e, rows, false, NULL) != MW_OK) return false;
  size_t window = asr_window_frames(s);
  float *exact = malloc(MOST_ROWS * width * sizeof(float));
  float *other = malloc(MOST_ROWS * width * sizeof(float));
  float *heard = malloc(window * BINS * sizeof(float));
  error_sum kept = {0};
  error_sum ahead = {0};
  error_sum held = {0};
  for (size_t last = BEFORE; last * n + window <= frames; last += STEP) {
    for (int guess = 0; guess < 2; guess++) {
      asr_reset(s);
      for (size_t i = last - BEFORE; i < last; i++)
        asr_run(s, analysed + i * n * BINS, window, n / 4, other);
      memcpy(heard, analysed + last * n * BINS, window * BINS * sizeof(float));
      for (size_t i = window - guessed; guess == 1 && i < window; i++)
        memcpy(heard + i * BINS, heard + (window - guessed - 1) * BINS, BINS * sizeof(float));
      asr_run(s, heard, window, n / 4, guess == 1 ? other : exact);
    }
    add(&kept, exact, other, n / 4 * width);
    add(&ahead, exact + n / 4 * width, other + n / 4 * width, (rows - n / 4) * width);
    add(&held, exact + n / 4 * width, exact + (n / 4 - 1) * width, width);
  }
  printf("  %2zu + %d0 ms, %zu0 ms guessed: of the chunk %.3f, of the look-ahead %.3f (the chunk's "
         "last "
         "row for it: %.3f)\n",
         n * 10, AHEAD, guessed, relative(&kept), relative(&ahead), relative(&held));
  free(exact);
  free(other);
  free(heard);
  asr_state_free(s);
  return true;
}

static bool compare_all(const char *name, const asr_encoder *e, const float *analysed,
                        size_t frames)
{
  printf("%s, relative error of content\n", name);
  for (size_t guessed = 1; guessed <= 4; guessed++)
    if (!compare(e, 4, guessed, analysed, frames) || !compare(e, 12, guessed, analysed, frames))
      return false;
  return true;
}

static mw_status open_formula(weights **file, asr_encoder **e, mw_error *error)
{
  inventory *known = NULL;
  mw_status status = inventory_named(&known, "fastu2pp-v2", error);
  if (status == MW_OK) status = weights_formula(file, known, FORMULA_MEANVC, NULL, error);
  if (status == MW_OK) {
    weights_view view = inventory_view(known, *file);
    status = asr_encoder_load(e, &view, error);
  }
  inventory_free(known);
  return status;
}

int main(int count, char **arguments)
{
  mw_error error = {"usage: look_ahead SPEECH.wav (16 kHz)"};
  mw_sound sound = {0};
  mw_voice_model *model = NULL;
  fbank *analysis = NULL;
  weights *file = NULL;
  asr_encoder *formula = NULL;
  float *frames = NULL;
  mw_status status =
      count == 2 ? mw_sound_read(&sound, arguments[1], 0, 0.0, &error) : MW_ERROR_ARGUMENT;
  if (status == MW_OK) status = mw_voice_model_open(&model, NULL, NULL, 1, &error);
  if (status == MW_OK) status = open_formula(&file, &formula, &error);
  if (status == MW_OK) status = fbank_new(&analysis, &error);
  if (status == MW_OK) {
    size_t rows = fbank_frames(sound.frames);
    frames = malloc((rows + 1) * BINS * sizeof(float));
    fbank_run(analysis, sound.samples, sound.frames, frames);
    if (!compare_all("default model", vc_model_networks(model).encoder, frames, rows) ||
        !compare_all("weights by formula", formula, frames, rows))
      status = MW_ERROR_MEMORY;
  }
  if (status != MW_OK) fprintf(stderr, "%s\n", error.text);
  free(frames);
  fbank_free(analysis);
  asr_encoder_free(formula);
  weights_close(file);
  mw_voice_model_close(model);
  mw_sound_free(&sound);
  return status == MW_OK ? 0 : 1;
}
