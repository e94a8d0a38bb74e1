// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tolerance 2e-4 of the largest value: float32 sums in another order, through an exponential.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vocos.h"

static void compare_whole(golden_run *run, const vocos *v, const npy *mel, size_t tile,
                          const char *wanted)
{
  vocos_state *state = NULL;
  size_t count = vocos_samples(v, mel->shape[0]);
  float *samples = malloc((count + 1) * sizeof(float));
  if (vocos_state_new(&state, v, tile, NULL) == MW_OK) {
    vocos_decode(state, mel->values, mel->shape[0], samples, NULL);
    golden_compare(run, wanted, samples, count, 2e-4);
  } else {
    golden_fail(run, "no state");
  }
  vocos_state_free(state);
  free(samples);
}

// `told`: the pitch of each frame, or NULL. What the stream still holds is compared where the whole
// signal is wanted.
static void compare_chunked(golden_run *run, const vocos *v, const npy *mel,
                            const pitch_value *told, const char *wanted, bool tail)
{
  vocos_stream *stream = NULL;
  size_t chunk = 0;
  json_size(json_get(run->config, "chunk"), 1, 1000, &chunk);
  float *samples = malloc((mel->shape[0] + 1) * vocos_hop(v) * sizeof(float));
  size_t count = 0;
  if (vocos_stream_new(&stream, v, chunk, 3, 2 * vocos_hop(v), NULL) == MW_OK) {
    for (size_t i = 0; i + chunk <= mel->shape[0]; i += chunk)
      count += vocos_stream_step(stream, mel->values + i * mel->shape[1],
                                 told != NULL ? told + i : NULL, samples + count);
    if (tail) {
      vocos_stream_tail(stream, samples + count);
      count = vocos_samples(v, mel->shape[0]);
    }
    golden_compare(run, wanted, samples, count, 2e-4);
  } else {
    golden_fail(run, "no stream");
  }
  vocos_stream_free(stream);
  free(samples);
}

// -> the vocoder of the folder's file, or NULL and a failed run
static vocos *open_vocoder(golden_run *run, weights **w, const char *file)
{
  char path[4096];
  vocos *v = NULL;
  mw_error error;
  snprintf(path, sizeof path, "%s/%s", run->folder, file);
  mw_status status = weights_open(w, path, &error);
  if (status == MW_OK) {
    weights_view view = weights_under(*w, "");
    status = vocos_load(&v, &view, 0, &error);
  }
  if (status != MW_OK) golden_fail(run, error.text);
  return v;
}

void golden_vocos(golden_run *run)
{
  npy mel;
  weights *w = NULL;
  if (!golden_input(run, &mel, "mel01.npy")) return;
  vocos *v = open_vocoder(run, &w, "vocos.pt");
  if (v != NULL) {
    compare_whole(run, v, &mel, mel.shape[0], "wav.npy");
    compare_whole(run, v, &mel, 7, "wav.npy");
    compare_chunked(run, v, &mel, NULL, "wav_chunked.npy", false);
  }
  vocos_free(v);
  weights_close(w);
  npy_free(&mel);
}

void golden_vocos_harmonic(golden_run *run)
{
  npy mel;
  npy pitch;
  weights *w = NULL;
  if (!golden_input(run, &mel, "mel01.npy")) return;
  if (!golden_input(run, &pitch, "pitch.npy")) {
    npy_free(&mel);
    return;
  }
  vocos *v = open_vocoder(run, &w, "vocoder.safetensors");
  pitch_value *told = malloc((mel.shape[0] + 1) * sizeof *told);
  for (size_t i = 0; i < mel.shape[0]; i++)
    told[i] = (pitch_value){pitch.values[2 * i], pitch.values[2 * i + 1]};
  if (v != NULL) {
    compare_whole(run, v, &mel, mel.shape[0], "wav_heard.npy");
    compare_whole(run, v, &mel, 3, "wav_heard.npy");
    compare_chunked(run, v, &mel, NULL, "wav_heard.npy", true);
    compare_chunked(run, v, &mel, told, "wav_told.npy", true);
  }
  free(told);
  vocos_free(v);
  weights_close(w);
  npy_free(&pitch);
  npy_free(&mel);
}
