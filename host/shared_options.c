// SPDX-License-Identifier: GPL-3.0-or-later
#include "shared_options.h"

#include "report.h"

void read_controls(mw_voice_controls *c, const arguments *a)
{
  c->pitch = (float)arguments_number(a, "pitch", c->pitch);
  c->mix = (float)arguments_number(a, "mix", c->mix);
  c->gate_db = (float)arguments_number(a, "gate", c->gate_db);
  c->gain_db = (float)arguments_number(a, "gain", c->gain_db);
}

audio_wish read_device_wish(const arguments *a)
{
  return (audio_wish){.in = arguments_text(a, "in", NULL),
                      .out = arguments_text(a, "out", NULL),
                      .channel = (unsigned)arguments_number(a, "channel", 1),
                      .rate_hz = (unsigned)arguments_number(a, "rate", 48000),
                      .block_frames = (size_t)arguments_number(a, "block", 256),
                      .buffer_ms = arguments_number(a, "buffer", 0.0)};
}

int open_named_preset(const mw_preset **found, mw_preset *room, const arguments *a,
                      mw_preset_kind kind)
{
  mw_error error;
  const char *name = arguments_text(a, "preset", NULL);
  *found = NULL;
  if (name == NULL) return EXIT_GOOD;
  mw_status status = mw_preset_open(room, name, &error);
  if (status != MW_OK) return report_status(status, &error);
  if (room->kind != kind) {
    report_error("'%s' is the preset of a %s", name,
                 kind == MW_PRESET_VOICE ? "sound, not of a voice" : "voice, not of a sound");
    return EXIT_USAGE;
  }
  *found = room;
  return EXIT_GOOD;
}

mw_status open_voice_model(mw_voice_model **opened, const arguments *a, const mw_preset *preset,
                           mw_error *error)
{
  const char *path = preset != NULL && preset->model[0] != '\0' ? preset->model : NULL;
  return mw_voice_model_open(opened, arguments_text(a, "model", path),
                             arguments_text(a, "vocoder", NULL),
                             (unsigned)arguments_number(a, "steps", 0), error);
}
