// SPDX-License-Identifier: GPL-3.0-or-later
//
// Time runs from t = 1 (noise) to 0 (data) on a linear grid. Mean flow: x -= (t - r) u(x, t, r),
// the average velocity between r and t; plain flow matching: x += (r - t) v(x, t), Euler.
#include <string.h>

#include "flow_audio_internal.h"

const flow_audio_config *flow_audio_get_config(const flow_audio *f)
{
  return &f->config;
}

bool flow_audio_empty(const flow_audio *f, const float **text, size_t *rows, const float **pooled)
{
  *text = f->empty_text;
  *rows = f->empty_rows;
  *pooled = f->empty_pooled;
  return f->empty_text != NULL && f->empty_pooled != NULL;
}

void flow_audio_denormalise(const flow_audio *f, float *x, size_t rows)
{
  size_t channels = f->config.latent_channels;
  for (size_t i = 0; i < rows * channels; i++)
    x[i] = x[i] * f->latent_std[i % channels] + f->latent_mean[i % channels];
}

void flow_audio_normalise(const flow_audio *f, float *x, size_t rows)
{
  size_t channels = f->config.latent_channels;
  for (size_t i = 0; i < rows * channels; i++)
    x[i] = (x[i] - f->latent_mean[i % channels]) / f->latent_std[i % channels];
}

mw_status flow_audio_sample(const flow_audio *f, const flow_sampling *s, float *x, size_t rows,
                            arena *memory, pool *p, mw_error *error)
{
  size_t count = rows * f->config.latent_channels;
  bool guided = s->guidance >= 1.0f && s->negative != NULL;
  mw_status status = MW_OK;
  arena_mark mark = arena_set_mark(memory);
  float *u = arena_floats(memory, count);
  float *away = arena_floats(memory, count);
  if (arena_failed(memory)) {
    status = mw_fail_memory(error, "sampling");
    goto done;
  }
  for (size_t i = 0; i < s->steps; i++) {
    float t = s->start * (1.0f - (float)i / (float)s->steps);
    float r = s->start * (1.0f - (float)(i + 1) / (float)s->steps);
    if (s->step != NULL && !s->step(s->context, i, s->steps)) {
      status = mw_fail(error, MW_ERROR_CANCELLED, "cancelled");
      goto done;
    }
    status = flow_audio_call(f, s->prompt, x, rows, t, r, u, memory, p, error);
    if (status == MW_OK && guided)
      status = flow_audio_call(f, s->negative, x, rows, t, r, away, memory, p, error);
    if (status != MW_OK) goto done;
    for (size_t j = 0; guided && j < count; j++)
      u[j] = s->guidance * u[j] + (1.0f - s->guidance) * away[j];
    for (size_t j = 0; j < count; j++) x[j] -= (t - r) * u[j];
  }
done:
  arena_release(memory, mark);
  return status;
}
