// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rows of the option table that several verbs have, and what is read from them.
#ifndef MEANWAVE_HOST_SHARED_OPTIONS_H
#define MEANWAVE_HOST_SHARED_OPTIONS_H

#include "audio.h"
#include "options.h"

// clang-format off
#define TARGET_OPTIONS                                                                             \
  {"voice", 'V', OPTION_TEXT, "VOICE",                                                             \
   "the target: a voice of the model, a .voice file or a recording", 0, 0},                        \
  {"preset", 'P', OPTION_TEXT, "NAME",                                                             \
   "voice and controls of a preset, or of a .preset file; other options override it", 0, 0}

#define CONTROL_OPTIONS                                                                            \
  {"pitch", 'p', OPTION_NUMBER, "SEMITONES", "moves the pitch of the result (default 0)", -24, 24}, \
  {"mix", 0, OPTION_NUMBER, "SHARE", "of the converted sound against the input (default 1)", 0, 1}, \
  {"gate", 'g', OPTION_NUMBER, "DB", "silence where the input is softer (default: off)", -120, 0}, \
  {"gain", 0, OPTION_NUMBER, "DB", "of the result (default 0)", -60, 24}

#define GUESS_AHEAD_OPTION                                                                         \
  {"guess-ahead", 0, OPTION_FLAG, NULL,                                                            \
   "MeanVC 2: guess the end of the look-ahead, for 40 ms less delay", 0, 0}

#define VOICE_MODEL_OPTIONS                                                                        \
  {"model", 'm', OPTION_TEXT, "PATH",                                                              \
   "a voice bundle, a folder of published files, or the decoder in one", 0, 0},                    \
  {"vocoder", 0, OPTION_TEXT, "FILE", "a vocoder bundle, where the model is a bundle", 0, 0}

#define RUN_OPTIONS                                                                                \
  {"steps", 0, OPTION_WHOLE, "N",                                                                  \
   "mean-flow steps (default: as published, 1 or with MeanVC 2 two)", 1, 16},                      \
  {"seed", 0, OPTION_WHOLE, "N", "noise to start from (default 42)", 0, 4294967295.0}

#define DEVICE_OPTIONS                                                                             \
  {"channel", 'c', OPTION_WHOLE, "N", "of the input (default 1)", 1, 64},                          \
  {"rate", 0, OPTION_WHOLE, "HZ", "to ask the devices for (default 48000)", 8000, 192000},         \
  {"block", 0, OPTION_WHOLE, "FRAMES", "that the devices hand over at once (default 256)", 16,     \
   8192},                                                                                          \
  {"buffer", 0, OPTION_NUMBER, "MS", "in the device, each way (default 40; with JACK its own)", 1, \
   1000}
// clang-format on

// CONTROL_OPTIONS, where they are given.
void read_controls(mw_voice_controls *c, const arguments *a);
// DEVICE_OPTIONS, "in" and "out".
audio_wish read_device_wish(const arguments *a);
// The preset that --preset names; `*found` is NULL when none is named. An exit code, after a line
// when it is not of this kind.
int open_named_preset(const mw_preset **found, mw_preset *room, const arguments *a,
                      mw_preset_kind kind);
// The voice model of VOICE_MODEL_OPTIONS and --steps, else that of `preset` (NULL: none), else the
// default one.
mw_status open_voice_model(mw_voice_model **opened, const arguments *a, const mw_preset *preset,
                           mw_error *error);

#endif
