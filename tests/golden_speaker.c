// SPDX-License-Identifier: GPL-3.0-or-later
//
// Samples to speaker embedding: WavLM, then ECAPA. Tolerance 1e-4 of the largest value a stage;
// 2e-4 through both.
#include <stdio.h>
#include <stdlib.h>

#include "golden.h"
#include "speaker.h"
#include "wavlm.h"

void golden_speaker(golden_run *run)
{
  char path[4096];
  npy wav;
  weights *file = NULL;
  wavlm *w = NULL;
  speaker *s = NULL;
  mw_error error;
  size_t distance = 0;
  if (!golden_input(run, &wav, "wav.npy")) return;
  json_size(json_get(run->config, "max_distance"), 1, 100000, &distance);
  snprintf(path, sizeof path, "%s/sv.pth", run->folder);
  mw_status status = weights_open(&file, path, &error);
  if (status == MW_OK) {
    weights_view view = weights_under(file, "model.");
    status = wavlm_load(&w, &view, distance, &error);
    if (status == MW_OK) status = speaker_load(&s, &view, &error);
  }
  if (status == MW_OK) {
    size_t frames = wavlm_frames(w, wav.count);
    float *features = malloc(frames * wavlm_width(w) * sizeof(float));
    float *embedding = malloc(speaker_size(s) * sizeof(float));
    status = wavlm_run(w, wav.values, wav.count, features, NULL, &error);
    if (status == MW_OK) {
      speaker_normalise(features, frames, wavlm_width(w));
      golden_compare(run, "feat.npy", features, frames * wavlm_width(w), 1e-4);
      status = speaker_embed(s, features, frames, embedding, NULL, &error);
      golden_compare(run, "emb.npy", embedding, speaker_size(s), 2e-4);
    }
    free(features);
    free(embedding);
  }
  if (status != MW_OK) golden_fail(run, error.text);
  wavlm_free(w);
  speaker_free(s);
  weights_close(file);
  npy_free(&wav);
}
