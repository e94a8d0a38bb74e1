// SPDX-License-Identifier: GPL-3.0-or-later
#include "fbank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "bank.h"
#include "fft.h"

enum { TRANSFORM = 512 };

struct fbank {
  arena *memory;
  fft *transform;
  bank triangles;
  float window[FBANK_FRAME];
  float power[TRANSFORM / 2 + 1];
};

mw_status fbank_new(fbank **made, mw_error *error)
{
  fbank *f = calloc(1, sizeof *f);
  if (f == NULL || (f->memory = arena_new()) == NULL) {
    fbank_free(f);
    return mw_fail_memory(error, "making a filterbank");
  }
  mw_status status = fft_new(&f->transform, TRANSFORM, error);
  if (status == MW_OK) {
    bank_kaldi(&f->triangles, f->memory, FBANK_BINS, TRANSFORM, 16000.0, 20.0, 8000.0);
    if (arena_failed(f->memory)) status = mw_fail_memory(error, "making a filterbank");
  }
  if (status != MW_OK) {
    fbank_free(f);
    return status;
  }
  // Kaldi's "povey" window
  for (int i = 0; i < FBANK_FRAME; i++)
    f->window[i] = (float)pow(0.5 - 0.5 * cos(2.0 * M_PI * i / (FBANK_FRAME - 1)), 0.85);
  *made = f;
  return MW_OK;
}

void fbank_free(fbank *f)
{
  if (f == NULL) return;
  fft_free(f->transform);
  arena_free(f->memory);
  free(f);
}

size_t fbank_frames(size_t samples)
{
  return samples < FBANK_FRAME ? 0 : 1 + (samples - FBANK_FRAME) / FBANK_SHIFT;
}

void fbank_run(fbank *f, const float *samples, size_t count, float *out)
{
  size_t frames = fbank_frames(count);
  float *frame = fft_samples(f->transform);
  const float *bins = fft_bins(f->transform);
  for (size_t i = 0; i < frames; i++, samples += FBANK_SHIFT, out += FBANK_BINS) {
    float mean = 0.0f;
    for (int n = 0; n < FBANK_FRAME; n++) {
      frame[n] = samples[n] * 32768.0f;
      mean += frame[n];
    }
    mean /= FBANK_FRAME;
    for (int n = FBANK_FRAME - 1; n >= 0; n--) {
      float before = frame[n > 0 ? n - 1 : 0] - mean;
      frame[n] = (frame[n] - mean - 0.97f * before) * f->window[n];
    }
    memset(frame + FBANK_FRAME, 0, (TRANSFORM - FBANK_FRAME) * sizeof(float));
    fft_forward(f->transform);
    for (int k = 0; k <= TRANSFORM / 2; k++)
      f->power[k] = bins[2 * k] * bins[2 * k] + bins[2 * k + 1] * bins[2 * k + 1];
    bank_apply(&f->triangles, f->power, out);
    for (int m = 0; m < FBANK_BINS; m++) out[m] = logf(fmaxf(out[m], 1.1920929e-7f));
  }
}
