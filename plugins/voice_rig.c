// SPDX-License-Identifier: GPL-3.0-or-later
#include "voice_rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A value that moves towards where it is wanted, as fast as it may.
typedef struct {
  float now;
  float step; // a frame, at most
} slope;

static float slope_next(slope *g, float target)
{
  if (g->now < target)
    g->now = fminf(g->now + g->step, target);
  else if (g->now > target)
    g->now = fmaxf(g->now - g->step, target);
  return g->now;
}

enum { SEED = 42 }; // the program's default: the same file gives the same bits

struct voice_rig {
  rig_wish wish;
  rig_status state;
  mw_error message;
  char names[RIG_NAMES_SIZE];
  mw_voice_model *model;
  mw_voice *voice;
  mw_live *live; // NULL: its sound is silence
  size_t channels;
  size_t delay;
  float *dry; // [channels, delay + 1] the input in a circle
  size_t at;  // where the next frame of it goes
  float rtf;
  uint64_t late;
  size_t unseen;      // frames since these were measured
  size_t look_frames; // so often they are
  bool settled;       // the slopes begin at the first values they are given
  slope enabled;
  slope side; // share of the stereo difference that is heard
};

// The name or file of the voice that is wished; NULL: there is none.
static const char *voice_of(const mw_voice_model *model, const rig_wish *w, mw_error *error)
{
  const char *what = w->file;
  if (w->number > 0 || w->file[0] == '\0')
    what = mw_voice_model_voice(model, w->number > 0 ? (size_t)w->number - 1 : 0);
  if (what == NULL)
    snprintf(error->text, sizeof error->text,
             w->number > 0 ? "the model has no voice %d; choose a voice file"
                           : "the model has no voices of its own; choose a voice file",
             w->number);
  return what;
}

static mw_status open_model(mw_voice_model **model, const rig_wish *w, mw_error *error)
{
  return mw_voice_model_share(model, w->model[0] != '\0' ? w->model : NULL, NULL, 1, error);
}

static mw_status open_voice(mw_voice **voice, const mw_voice_model *model, const rig_wish *w,
                            mw_error *error)
{
  char cache[SIDE_PATH_SIZE];
  const char *what = voice_of(model, w, error);
  if (what == NULL) return MW_ERROR_MODEL;
  return mw_voice_open(voice, model, what, mw_voice_cache(cache, sizeof cache), error);
}

static void list_names(voice_rig *r)
{
  size_t length = 0;
  const char *name;
  for (size_t i = 0; (name = mw_voice_model_voice(r->model, i)) != NULL; i++) {
    if (length + strlen(name) + 2 > sizeof r->names) return;
    length += (size_t)snprintf(r->names + length, sizeof r->names - length, "%s%s",
                               i > 0 ? "\n" : "", name);
  }
}

// Model, voice and stream; in `state` and `message` what went wrong.
static mw_status open_all(voice_rig *r, unsigned rate_hz, size_t block_frames)
{
  r->state = RIG_NO_MODEL;
  mw_status status = open_model(&r->model, &r->wish, &r->message);
  if (status != MW_OK) return status;
  list_names(r);
  r->state = RIG_NO_VOICE;
  status = open_voice(&r->voice, r->model, &r->wish, &r->message);
  if (status != MW_OK) return status;
  const mw_live_setup setup = {.model = r->model,
                               .voice = r->voice,
                               .seed = SEED,
                               .rate_hz = rate_hz,
                               .block_frames = block_frames};
  status = mw_live_new(&r->live, &setup, &r->message);
  if (status != MW_OK) return status;
  r->state = RIG_READY;
  r->message.text[0] = '\0';
  r->delay = mw_live_delay_frames(r->live);
  return MW_OK;
}

mw_status rig_save_voice(const rig_wish *wish, const char *path, mw_error *error)
{
  char name[64];
  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  const char *file = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
  snprintf(name, sizeof name, "%.*s", (int)strcspn(file, "."), file);
  mw_status status = open_model(&model, wish, error);
  if (status == MW_OK) status = open_voice(&voice, model, wish, error);
  // who allowed its use stays noted, when it was
  if (status == MW_OK) status = mw_voice_save(voice, path, name, NULL, false, error);
  mw_voice_close(voice);
  mw_voice_model_give_back(model);
  return status;
}

voice_rig *rig_new(const rig_wish *wish, unsigned rate_hz, size_t channels, size_t block_frames)
{
  voice_rig *r = calloc(1, sizeof *r);
  if (r == NULL) return NULL;
  r->wish = *wish;
  r->channels = channels;
  r->look_frames = rate_hz / 5;
  r->enabled.step = r->side.step = 1.0f / (0.02f * (float)rate_hz);
  if (open_all(r, rate_hz, block_frames) == MW_ERROR_MEMORY) {
    rig_free(r);
    return NULL;
  }
  r->dry = calloc(channels * (r->delay + 1), sizeof(float));
  if (r->dry == NULL) {
    rig_free(r);
    return NULL;
  }
  return r;
}

void rig_free(voice_rig *r)
{
  if (r == NULL) return;
  mw_live_free(r->live);
  mw_voice_close(r->voice);
  mw_voice_model_give_back(r->model);
  free(r->dry);
  free(r);
}

const rig_wish *rig_wished(const voice_rig *r)
{
  return &r->wish;
}

void rig_wished_again(voice_rig *r, unsigned serial)
{
  r->wish.serial = serial;
}

rig_status rig_state(const voice_rig *r)
{
  return r->state;
}

const char *rig_message(const voice_rig *r)
{
  return r->message.text;
}

const char *rig_names(const voice_rig *r)
{
  return r->names;
}

mw_status rig_start(voice_rig *r, mw_error *error)
{
  return r->live != NULL ? mw_live_start(r->live, error) : MW_OK;
}

void rig_stop(voice_rig *r)
{
  if (r->live != NULL) mw_live_stop(r->live);
}

size_t rig_delay_frames(const voice_rig *r)
{
  return r->delay;
}

uint64_t rig_late_chunks(const voice_rig *r)
{
  return r->late;
}

float rig_rtf(const voice_rig *r)
{
  return r->rtf;
}

void rig_reset(voice_rig *r)
{
  if (r->live != NULL) mw_live_reset(r->live);
  memset(r->dry, 0, r->channels * (r->delay + 1) * sizeof(float));
  r->at = 0;
  r->settled = false;
}

static float clean(float x)
{
  return isfinite(x) ? x : 0.0f;
}

// What is heard of the difference of the channels: the converter has but one.
static float side_share(const rig_controls *c)
{
  return (1.0f - c->voice.mix) * powf(10.0f, c->voice.gain_db / 20.0f);
}

// Meters, some times a second.
static void look(voice_rig *r, size_t frames)
{
  mw_live_view view;
  r->unseen += frames;
  if (r->unseen < r->look_frames) return;
  r->unseen = 0;
  mw_live_look(r->live, &view);
  r->rtf = (float)view.rtf;
  r->late = view.late;
}

void rig_run(voice_rig *r, const rig_controls *c, float *const *in, float *const *out,
             size_t frames, bool synchronous)
{
  float converted[RIG_PIECE_FRAMES];
  float side = side_share(c);
  if (!r->settled) {
    r->settled = true;
    r->enabled.now = c->enabled;
    r->side.now = side;
  }
  for (size_t i = 0; i < frames; i++) {
    float sum = 0.0f;
    for (size_t k = 0; k < r->channels; k++) sum += clean(in[k][i]);
    converted[i] = sum / (float)r->channels;
  }
  if (r->live != NULL) {
    mw_live_set(r->live, &c->voice);
    mw_live_set_synchronous(r->live, synchronous);
    mw_live_run(r->live, converted, converted, frames);
    look(r, frames);
  } else {
    memset(converted, 0, frames * sizeof(float));
  }
  size_t size = r->delay + 1;
  for (size_t i = 0; i < frames; i++) {
    size_t oldest = r->at + 1 < size ? r->at + 1 : 0;
    float late[RIG_CHANNELS];
    for (size_t k = 0; k < r->channels; k++) {
      r->dry[k * size + r->at] = clean(in[k][i]);
      late[k] = r->dry[k * size + oldest];
    }
    r->at = oldest;
    float wet_side = slope_next(&r->side, side) * (late[0] - late[r->channels - 1]) * 0.5f;
    float enabled = slope_next(&r->enabled, c->enabled);
    for (size_t k = 0; k < r->channels; k++) {
      float wet = k == 0 ? converted[i] + wet_side : converted[i] - wet_side;
      // exactly one or the other at the ends
      out[k][i] = enabled == 1.0f   ? wet
                  : enabled == 0.0f ? late[k]
                                    : enabled * wet + (1.0f - enabled) * late[k];
    }
  }
}
