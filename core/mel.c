// SPDX-License-Identifier: GPL-3.0-or-later
#include "mel.h"

#include <math.h>
#include <stdlib.h>

#include "arena.h"
#include "bank.h"
#include "fft.h"

enum { TRANSFORM = 1024 };

// What sets the three apart (MeanVC: dataset code and config; MeanAudio: mel_converter "16k").
typedef struct {
  size_t hop;
  size_t window;
  size_t padding; // samples in front of the first frame
  bool reflect;   // else zeros
  float offset;   // under the root of the magnitude
} analysis;

static const analysis analyses[] = {
    [MEL_MEANVC] = {160, 640, 512, true, 1e-6f},
    [MEL_MEANVC2] = {160, 640, 512, false, 0.0f},
    [MEL_MEANAUDIO] = {256, 1024, 384, true, 1e-9f},
};

struct mel {
  mel_kind kind;
  const analysis *how;
  arena *memory;
  fft *transform;
  bank triangles;
  float window[TRANSFORM];
  float magnitude[TRANSFORM / 2 + 1];
};

size_t mel_hop(mel_kind kind)
{
  return analyses[kind].hop;
}

mw_status mel_new(mel **made, mel_kind kind, mw_error *error)
{
  mel *m = calloc(1, sizeof *m);
  if (m == NULL || (m->memory = arena_new()) == NULL) {
    mel_free(m);
    return mw_fail_memory(error, "making a mel analysis");
  }
  m->kind = kind;
  m->how = &analyses[kind];
  mw_status status = fft_new(&m->transform, TRANSFORM, error);
  if (status == MW_OK) {
    bank_slaney(&m->triangles, m->memory, MEL_BINS, TRANSFORM, 16000.0);
    if (arena_failed(m->memory)) status = mw_fail_memory(error, "making a mel analysis");
  }
  if (status != MW_OK) {
    mel_free(m);
    return status;
  }
  size_t first = (TRANSFORM - m->how->window) / 2;
  for (size_t i = 0; i < m->how->window; i++)
    m->window[first + i] =
        (float)(0.5 - 0.5 * cos(2.0 * M_PI * (double)i / (double)m->how->window));
  *made = m;
  return MW_OK;
}

void mel_free(mel *m)
{
  if (m == NULL) return;
  fft_free(m->transform);
  arena_free(m->memory);
  free(m);
}

size_t mel_frames(const mel *m, size_t samples)
{
  if (m->kind == MEL_MEANVC2) return samples / m->how->hop;
  if (samples <= m->how->padding) return 0;
  return 1 + (samples + 2 * m->how->padding - TRANSFORM) / m->how->hop;
}

// Sample `at` of the signal continued beyond its ends.
static float continued(const mel *m, const float *samples, size_t count, long at)
{
  long last = (long)count - 1;
  if (m->how->reflect) {
    if (at < 0) at = -at;
    if (at > last) at = 2 * last - at;
  }
  if (at < 0 || at > last) return 0.0f;
  float x = samples[at];
  return m->kind == MEL_MEANAUDIO ? fminf(fmaxf(x, -1.0f), 1.0f) : x;
}

static float scaled(mel_kind kind, float energy)
{
  if (kind == MEL_MEANAUDIO) return log10f(fmaxf(energy, 1e-5f));
  const float floor_amplitude = 1.7782794e-6f; // -115 dB
  float decibel = 20.0f * log10f(fmaxf(energy, floor_amplitude)) - 20.0f;
  return fminf(fmaxf(2.0f * (decibel + 115.0f) / 115.0f - 1.0f, -1.0f), 1.0f);
}

void mel_run(mel *m, const float *samples, size_t count, float *out)
{
  size_t frames = mel_frames(m, count);
  // MeanVC 2 cuts its input to whole hops first
  if (m->kind == MEL_MEANVC2) count -= count % m->how->hop;
  float *frame = fft_samples(m->transform);
  const float *bins = fft_bins(m->transform);
  for (size_t i = 0; i < frames; i++, out += MEL_BINS) {
    long begin = (long)(i * m->how->hop) - (long)m->how->padding;
    for (long n = 0; n < TRANSFORM; n++)
      frame[n] =
          m->window[n] != 0.0f ? continued(m, samples, count, begin + n) * m->window[n] : 0.0f;
    fft_forward(m->transform);
    for (int k = 0; k <= TRANSFORM / 2; k++)
      m->magnitude[k] =
          sqrtf(bins[2 * k] * bins[2 * k] + bins[2 * k + 1] * bins[2 * k + 1] + m->how->offset);
    bank_apply(&m->triangles, m->magnitude, out);
    for (int b = 0; b < MEL_BINS; b++) out[b] = scaled(m->kind, out[b]);
  }
}
