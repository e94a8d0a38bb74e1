// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tolerance 2e-4 of the largest value: float32 sums in another order, through an exponential.
#include "golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vocos.h"

static void compare_whole(golden_run *run, const vocos *v, const npy *mel, size_t tile)
{
  vocos_state *state = NULL;
  size_t count = vocos_samples(v, mel->shape[0]);
  float *samples = malloc((count + 1) * sizeof(float));
  if (vocos_state_new(&state, v, tile, NULL) == MW_OK) {
    vocos_decode(state, mel->values, mel->shape[0], samples, NULL);
    golden_compare(run, "wav.npy", samples, count, 2e-4);
  } else {
    golden_fail(run, "no state");
  }
  vocos_state_free(state);
  free(samples);
}

static void compare_chunked(golden_run *run, const vocos *v, const npy *mel)
{
  vocos_stream *stream = NULL;
  size_t chunk = 0;
  json_size(json_get(run->config, "chunk"), 1, 1000, &chunk);
  float *samples = malloc((mel->shape[0] + 1) * vocos_hop(v) * sizeof(float));
  size_t count = 0;
  if (vocos_stream_new(&stream, v, chunk, 3, 2 * vocos_hop(v), NULL) == MW_OK) {
    for (size_t i = 0; i + chunk <= mel->shape[0]; i += chunk)
      count += vocos_stream_step(stream, mel->values + i * mel->shape[1], samples + count);
    golden_compare(run, "wav_chunked.npy", samples, count, 2e-4);
  } else {
    golden_fail(run, "no stream");
  }
  vocos_stream_free(stream);
  free(samples);
}

void golden_vocos(golden_run *run)
{
  char path[4096];
  npy mel;
  weights *w = NULL;
  vocos *v = NULL;
  mw_error error;
  if (!golden_input(run, &mel, "mel01.npy")) return;
  snprintf(path, sizeof path, "%s/vocos.pt", run->folder);
  mw_status status = weights_open(&w, path, &error);
  if (status == MW_OK) {
    weights_view view = weights_under(w, "");
    status = vocos_load(&v, &view, 0, &error);
  }
  if (status == MW_OK) {
    compare_whole(run, v, &mel, mel.shape[0]);
    compare_whole(run, v, &mel, 7);
    compare_chunked(run, v, &mel);
  } else {
    golden_fail(run, error.text);
  }
  vocos_free(v);
  weights_close(w);
  npy_free(&mel);
}
