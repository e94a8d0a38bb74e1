// SPDX-License-Identifier: GPL-3.0-or-later
#include "sound_clip.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sound_clip {
  atomic_uint users;
  mw_sound sound;
  mw_sound resampled;
  sampler_clip played;
  float shape[CLIP_COLUMNS][2];
};

static void measure(sound_clip *c)
{
  for (size_t k = 0; k < CLIP_COLUMNS; k++) {
    size_t end = (k + 1) * c->sound.frames / CLIP_COLUMNS;
    float *low = &c->shape[k][0];
    float *high = &c->shape[k][1];
    for (size_t i = k * c->sound.frames / CLIP_COLUMNS; i < end; i++) {
      *low = fmaxf(fminf(*low, c->sound.samples[i]), -1.0f);
      *high = fminf(fmaxf(*high, c->sound.samples[i]), 1.0f);
    }
  }
}

mw_status clip_new(sound_clip **made, mw_sound *sound, unsigned rate_hz, bool loop, mw_error *error)
{
  sound_clip *c = calloc(1, sizeof *c);
  float *copy = malloc((sound->frames + 1) * sizeof(float));
  if (c == NULL || copy == NULL) {
    free(c);
    free(copy);
    snprintf(error->text, sizeof error->text, "out of memory for a sound");
    return MW_ERROR_MEMORY;
  }
  memcpy(copy, sound->samples, sound->frames * sizeof(float));
  atomic_init(&c->users, 1);
  c->resampled = (mw_sound){copy, sound->frames, sound->rate_hz};
  const mw_sound_finish finish = {.rate_hz = rate_hz, .loop = loop};
  mw_status status = mw_sound_finish_up(&c->resampled, &finish, error);
  if (status != MW_OK) {
    clip_give_back(c);
    return status;
  }
  c->sound = *sound;
  *sound = (mw_sound){0};
  measure(c);
  c->played = (sampler_clip){c->resampled.samples, c->resampled.frames};
  *made = c;
  return MW_OK;
}

sound_clip *clip_share(sound_clip *c)
{
  if (c != NULL) atomic_fetch_add_explicit(&c->users, 1, memory_order_relaxed);
  return c;
}

void clip_give_back(sound_clip *c)
{
  if (c == NULL || atomic_fetch_sub_explicit(&c->users, 1, memory_order_acq_rel) != 1) return;
  mw_sound_free(&c->sound);
  mw_sound_free(&c->resampled);
  free(c);
}

const sampler_clip *clip_played(const sound_clip *c)
{
  return &c->played;
}

const mw_sound *clip_sound(const sound_clip *c)
{
  return &c->sound;
}

const float *clip_shape(const sound_clip *c)
{
  return c->shape[0];
}
