// SPDX-License-Identifier: GPL-3.0-or-later
//
// Analyses and noise. Tolerances: float32 sums in another order; a logarithm of a nearly silent bin
// magnifies them, hence 1e-4 of the largest value and, for Kaldi's logarithms, 1e-3.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fbank.h"
#include "mel.h"
#include "pitch.h"
#include "random.h"

static void compare_fbank(golden_run *run, fbank *f, const char *wav_file, const char *file)
{
  npy wav;
  if (!golden_input(run, &wav, wav_file)) return;
  size_t frames = fbank_frames(wav.count);
  float *out = calloc(frames * FBANK_BINS, sizeof(float));
  fbank_run(f, wav.values, wav.count, out);
  golden_compare(run, file, out, frames * FBANK_BINS, 1e-3);
  free(out);
  npy_free(&wav);
}

void golden_fbank(golden_run *run)
{
  fbank *f = NULL;
  mw_error error;
  if (fbank_new(&f, &error) != MW_OK) {
    golden_fail(run, error.text);
    return;
  }
  compare_fbank(run, f, "wav.npy", "fbank.npy");
  compare_fbank(run, f, "wav_dc.npy", "fbank_dc.npy");
  fbank_free(f);
}

// `transposed`: the array is [80, frames].
static void compare_mel(golden_run *run, mel_kind kind, bool transposed)
{
  npy wav;
  mel *m = NULL;
  mw_error error;
  if (!golden_input(run, &wav, "wav.npy")) return;
  if (mel_new(&m, kind, &error) == MW_OK) {
    size_t frames = mel_frames(m, wav.count);
    float *out = calloc(2 * frames * MEL_BINS, sizeof(float));
    float *turned = out + frames * MEL_BINS;
    mel_run(m, wav.values, wav.count, out);
    for (size_t i = 0; i < frames; i++)
      for (size_t b = 0; b < MEL_BINS; b++) turned[b * frames + i] = out[i * MEL_BINS + b];
    golden_compare(run, "mel.npy", transposed ? turned : out, frames * MEL_BINS, 1e-4);
    free(out);
  } else {
    golden_fail(run, error.text);
  }
  mel_free(m);
  npy_free(&wav);
}

void golden_mel_meanvc(golden_run *run)
{
  compare_mel(run, MEL_MEANVC, false);
}

void golden_mel_meanvc2(golden_run *run)
{
  compare_mel(run, MEL_MEANVC2, false);
}

void golden_mel_meanaudio(golden_run *run)
{
  compare_mel(run, MEL_MEANAUDIO, true);
}

void golden_normal_noise(golden_run *run)
{
  const json_node *items = json_get(run->config, "items");
  if (items == NULL || items->first == NULL) golden_fail(run, "config.json lists no items");
  for (const json_node *item = items != NULL ? items->first : NULL; item != NULL;
       item = item->next) {
    size_t count = 0;
    random_stream stream;
    json_size(json_get(item, "count"), 1, 1 << 24, &count);
    float *out = calloc(count + 1, sizeof(float));
    random_seed(&stream, (uint64_t)json_number_or(json_get(item, "seed"), 0.0));
    random_normal(&stream, out, count);
    golden_compare(run, json_string_or(json_get(item, "file"), ""), out, count, 1e-6);
    free(out);
  }
}

// Frame after frame, with silence before and behind, as the recording's whole was tracked.
void golden_pitch(golden_run *run)
{
  enum { HOP = 160, HALF = PITCH_WINDOW / 2 };
  npy wav;
  pitch_tracker *p = NULL;
  if (!golden_input(run, &wav, "samples.npy")) return;
  size_t frames = 1 + wav.count / HOP;
  float *padded = calloc(wav.count + PITCH_WINDOW + (1 + PITCH_AHEAD) * HOP, sizeof(float));
  float *octaves = malloc(frames * sizeof(float));
  float *voicing = malloc(frames * sizeof(float));
  if (pitch_tracker_new(&p, NULL) == MW_OK) {
    memcpy(padded + HALF, wav.values, wav.count * sizeof(float));
    for (size_t i = 0; i < PITCH_AHEAD; i++) pitch_track(p, padded + i * HOP);
    for (size_t i = 0; i < frames; i++) {
      pitch_value value = pitch_track(p, padded + (i + PITCH_AHEAD) * HOP);
      octaves[i] = value.octaves;
      voicing[i] = value.voicing;
    }
    golden_compare(run, "octaves.npy", octaves, frames, 1e-4);
    golden_compare(run, "voicing.npy", voicing, frames, 1e-3);
  } else {
    golden_fail(run, "no tracker");
  }
  pitch_tracker_free(p);
  free(padded);
  free(octaves);
  free(voicing);
  npy_free(&wav);
}
