// SPDX-License-Identifier: GPL-3.0-or-later
//
// Analysis and synthesis with nothing between: what a vocoder can carry, and so the most any model
// on top of it can reach.
#include <stdlib.h>
#include <string.h>

#include "fbank.h"
#include "mel.h"
#include "vocos.h"
#include "wavfile.h"

enum { MODEL_HZ = 16000, TILE_FRAMES = 256 };

static mw_status synthesise(const vocos *v, const sound *in, sound *out, mw_error *error)
{
  mel *analysis = NULL;
  vocos_state *state = NULL;
  pool *workers = pool_new(0);
  float *frames = NULL;
  mw_status status = mel_new(&analysis, MEL_MEANVC, error);
  if (status == MW_OK) status = vocos_state_new(&state, v, TILE_FRAMES, error);
  size_t count = status == MW_OK ? mel_frames(analysis, in->frames) : 0;
  if (status == MW_OK && count < 2)
    status = mw_fail(error, MW_ERROR_ARGUMENT, "the sound is shorter than a tenth of a second");
  if (status == MW_OK && (vocos_mel_bins(v) != MEL_BINS || vocos_hop(v) != FBANK_SHIFT))
    status =
        mw_fail(error, MW_ERROR_MODEL, "the vocoder does not take %d mel bins, %d samples apart",
                MEL_BINS, FBANK_SHIFT);
  if (status == MW_OK) {
    frames = malloc(count * MEL_BINS * sizeof(float));
    // the last part of a hop has no frame of its own: it stays silent, and the length is kept
    out->frames = in->frames;
    out->rate_hz = MODEL_HZ;
    size_t room = vocos_samples(v, count) > in->frames ? vocos_samples(v, count) : in->frames;
    out->samples = calloc(room + 1, sizeof(float));
    if (frames == NULL || out->samples == NULL) status = mw_fail_memory(error, "synthesising");
  }
  if (status == MW_OK) {
    mel_run(analysis, in->samples, in->frames, frames);
    for (size_t i = 0; i < count * MEL_BINS; i++) frames[i] = (frames[i] + 1.0f) / 2.0f;
    vocos_decode(state, frames, count, out->samples, workers);
  }
  free(frames);
  pool_free(workers);
  vocos_state_free(state);
  mel_free(analysis);
  return status;
}

mw_status mw_copy_synthesis(const char *model_path, const char *in_path, const char *out_path,
                            bool overwrite, mw_error *error)
{
  weights *file = NULL;
  vocos *v = NULL;
  sound in = {0};
  sound at_model_rate = {0};
  sound made = {0};
  sound out = {0};
  mw_status status = weights_open(&file, model_path, error);
  if (status == MW_OK) {
    // our bundle, or the official archive
    weights_view view = weights_under(file, "vocoder.");
    if (weights_view_find(&view, "head.out.weight") == NULL) view = weights_under(file, "");
    status = vocos_load(&v, &view, 0, error);
  }
  if (status == MW_OK) status = sound_read(&in, in_path, 0.0, error);
  if (status == MW_OK) status = sound_resample(&at_model_rate, &in, MODEL_HZ, error);
  if (status == MW_OK) status = synthesise(v, &at_model_rate, &made, error);
  if (status == MW_OK) status = sound_resample(&out, &made, in.rate_hz, error);
  if (status == MW_OK) {
    // rates that do not divide may round to a frame more
    if (out.frames > in.frames) out.frames = in.frames;
    status = sound_write(&out, out_path, overwrite, error);
  }
  sound_free(&in);
  sound_free(&at_model_rate);
  sound_free(&made);
  sound_free(&out);
  vocos_free(v);
  weights_close(file);
  return status;
}
