// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "sound_io.h"
#include "sound_model.h"

// What is needed to make the sound again.
static void describe(char *text, size_t size, const mw_sound_model *m, const mw_sound_wish *w)
{
  mw_sound_model_info about = mw_sound_model_about(m);
  unsigned steps = w->steps != 0 ? w->steps : about.steps;
  double guidance = w->guidance != 0.0 ? w->guidance : about.guidance;
  double strength = w->strength != 0.0 ? w->strength : SOUND_USUAL_STRENGTH;
  size_t at = 0;
#define ADD(...)                                                                                   \
  do {                                                                                             \
    if (at < size) at += (size_t)snprintf(text + at, size - at, __VA_ARGS__);                      \
  } while (0)
  ADD("made by Meanwave; model: %s; seed: %llu; steps: %u", m->name, (unsigned long long)w->seed,
      steps);
  if (w->seconds > 0.0) ADD("; seconds: %g", w->seconds);
  if (guidance > 1.0) ADD("; guidance: %g", guidance);
  if (guidance > 1.0 && w->negative != NULL) ADD("; negative: %s", w->negative);
  if (w->from != NULL) ADD("; from a sound, strength: %g", strength);
  if (w->morph > 0.0 && w->has_morph_seed)
    ADD("; morph seed: %llu", (unsigned long long)w->morph_seed);
  if (w->morph > 0.0 && w->morph_prompt != NULL) ADD("; morph prompt: %s", w->morph_prompt);
  if (w->morph > 0.0) ADD("; morph: %g", w->morph);
  if (w->loop) ADD("; loop");
#undef ADD
}

mw_status mw_sound_generate_file(const mw_sound_model *model, const mw_sound_wish *wish,
                                 const mw_sound_finish *how, const char *path, bool overwrite,
                                 mw_error *error)
{
  char comment[2 * MW_PROMPT_BYTES + 1024];
  mw_sound made = {0};
  sound_writer *w = NULL;
  unsigned rate_hz = how != NULL && how->rate_hz != 0 ? how->rate_hz : SOUND_MODEL_HZ;
  mw_status status = sound_writer_open(&w, path, rate_hz, 1, NULL, overwrite, error);
  if (status != MW_OK) return status;
  status = mw_sound_generate(&made, model, wish, error);
  if (status == MW_OK && how != NULL) status = mw_sound_finish_up(&made, how, error);
  if (status == MW_OK) {
    describe(comment, sizeof comment, model, wish);
    sound_writer_tag(w, wish->prompt, comment);
    status = sound_writer_write(w, made.samples, made.frames, error);
  }
  if (status == MW_OK)
    status = sound_writer_finish(w, error);
  else
    sound_writer_drop(w);
  mw_sound_free(&made);
  return status;
}
