// SPDX-License-Identifier: GPL-3.0-or-later
#include "excitation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "kernels.h"
#include "random.h"

enum { TAPS = 7, BEFORE = TAPS - 1, OUTPUTS = 3, RATE_HZ = 16000 };

#define TWO_PI 6.283185307179586476925
#define OCTAVES 7.4f
#define SPREAD 1.8f

struct excitation {
  size_t mel;
  size_t width;
  size_t transform;
  size_t hop;
  matrix *conv1; // [width, mel, TAPS]
  matrix *conv2; // [width, width, TAPS]
  matrix *out;   // [OUTPUTS, width]
};

struct excitation_state {
  const excitation *e;
  arena *memory;
  float *input; // [BEFORE + most, mel]
  float *x;     // [BEFORE + most, width]
  float *y;     // [most, width]
  float *heard; // [most, OUTPUTS]
  random_stream chance;
  double hertz; // of the frame before; 0: none yet
  double turns; // of the pitch, without whole ones
};

mw_status excitation_load(excitation **loaded, const weights_view *view, size_t mel_bins,
                          size_t transform, size_t hop, mw_error *error)
{
  const tensor *t;
  mw_status status =
      weights_need(&t, view, "conv1.weight", 3, (size_t[]){ANY_SIZE, mel_bins, TAPS}, error);
  if (status != MW_OK) return status;
  excitation *e = calloc(1, sizeof *e);
  if (e == NULL) return mw_fail_memory(error, "reading the vocoder");
  size_t width = t->shape[0];
  *e = (excitation){.mel = mel_bins, .width = width, .transform = transform, .hop = hop};
  status = matrix_load(&e->conv1, view, "conv1", &(matrix_shape){width, mel_bins, TAPS, 1, 1}, true,
                       error);
  if (status == MW_OK)
    status = matrix_load(&e->conv2, view, "conv2", &(matrix_shape){width, width, TAPS, 1, 1}, true,
                         error);
  if (status == MW_OK)
    status =
        matrix_load(&e->out, view, "out", &(matrix_shape){OUTPUTS, width, 1, 1, 1}, true, error);
  if (status != MW_OK) {
    excitation_free(e);
    return status;
  }
  *loaded = e;
  return MW_OK;
}

void excitation_free(excitation *e)
{
  if (e == NULL) return;
  matrix_free(e->conv1);
  matrix_free(e->conv2);
  matrix_free(e->out);
  free(e);
}

mw_status excitation_state_new(excitation_state **made, const excitation *e, size_t most_frames,
                               mw_error *error)
{
  excitation_state *s = calloc(1, sizeof *s);
  if (s == NULL || (s->memory = arena_new()) == NULL) {
    excitation_state_free(s);
    return mw_fail_memory(error, "making a vocoder state");
  }
  s->e = e;
  s->input = arena_floats(s->memory, (BEFORE + most_frames) * e->mel);
  s->x = arena_floats(s->memory, (BEFORE + most_frames) * e->width);
  s->y = arena_floats(s->memory, most_frames * e->width);
  s->heard = arena_floats(s->memory, most_frames * OUTPUTS);
  if (arena_failed(s->memory)) {
    excitation_state_free(s);
    return mw_fail_memory(error, "making a vocoder state");
  }
  excitation_reset(s);
  *made = s;
  return MW_OK;
}

void excitation_state_free(excitation_state *s)
{
  if (s == NULL) return;
  arena_free(s->memory);
  free(s);
}

void excitation_reset(excitation_state *s)
{
  memset(s->input, 0, BEFORE * s->e->mel * sizeof(float));
  memset(s->x, 0, BEFORE * s->e->width * sizeof(float));
  random_seed(&s->chance, 0);
  s->hertz = 0.0;
  s->turns = 0.0;
}

static float sigmoid(float x)
{
  return 1.0f / (1.0f + expf(-x));
}

void excitation_hear(excitation_state *s, const float *mel01, size_t count, excitation_frame *heard,
                     pool *p)
{
  const excitation *e = s->e;
  const epilogue silu = {.act = ACTIVATION_SILU};
  memcpy(s->input + BEFORE * e->mel, mel01, count * e->mel * sizeof(float));
  matrix_run(e->conv1, s->input, e->mel, count, s->x + BEFORE * e->width, e->width, &silu, p);
  matrix_run(e->conv2, s->x, e->width, count, s->y, e->width, &silu, p);
  matrix_run(e->out, s->y, e->width, count, s->heard, OUTPUTS, NULL, p);
  memmove(s->input, s->input + count * e->mel, BEFORE * e->mel * sizeof(float));
  memmove(s->x, s->x + count * e->width, BEFORE * e->width * sizeof(float));
  for (size_t i = 0; i < count; i++) {
    const float *row = s->heard + i * OUTPUTS;
    heard[i] =
        (excitation_frame){{OCTAVES + SPREAD * tanhf(row[0]), sigmoid(row[1])}, sigmoid(row[2])};
  }
}

void excitation_add_phases(excitation_state *s, float octaves, float noise, float *phases)
{
  const excitation *e = s->e;
  double hertz = exp2((double)octaves);
  double before = s->hertz > 0.0 ? s->hertz : hertz;
  s->hertz = hertz;
  s->turns += (before + hertz) / 2 * (double)e->hop / RATE_HZ;
  s->turns -= floor(s->turns);
  for (size_t k = 0; k <= e->transform / 2; k++) {
    double harmonic = floor((double)k * RATE_HZ / (double)e->transform / hertz + 0.5);
    double turns = harmonic * s->turns;
    float chance = (float)(random_next(&s->chance) >> 8) * 0x1p-23f - 1.0f;
    float share = harmonic > 0.0 ? noise : 1.0f;
    phases[k] += (float)(TWO_PI * (turns - floor(turns))) + (float)(TWO_PI / 2) * share * chance;
  }
}
