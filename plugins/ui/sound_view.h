// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the window of Meanwave Sound knows, and what can be wanted in it.
#ifndef MEANWAVE_SOUND_VIEW_H
#define MEANWAVE_SOUND_VIEW_H

#include "../sound_ports.h"
#include "lv2_window.h"
#include "user_folder.h"

enum { SOUND_COLUMNS = 256 };

// A text that the plugin has too.
typedef struct {
  edit words;
  LV2_URID key;
  char sent[EDIT_SIZE]; // last
  double sent_s;
  bool waits; // for the plugin to tell it back
} sound_text;

typedef struct {
  lv2_window base;
  LV2_URID message_key;
  LV2_URID model;
  LV2_URID file;
  LV2_URID save;
  LV2_URID wave_key;
  LV2_URID guidance_key;
  float ports[PORT_COUNT];
  sound_text prompt;
  sound_text negative;
  bool guided; // the negative prompt has a say
  char message[512];
  char model_path[UI_FOLDER_SIZE];
  float wave[SOUND_COLUMNS][2];
  ui_list list;
  int preset; // chosen last; -1: none
  bool plays;
  double let_go_s; // when a pushed switch goes off; 0: none is on
  unsigned random;
  char saving[UI_FOLDER_SIZE]; // the file of a clip that is dragged
} sound_window;

void sound_view(ui *u, void *window);

void sound_set(sound_window *s, int port, float value);
void sound_written(sound_window *s, sound_text *t);
void sound_take_preset(sound_window *s, int index);
void sound_generate(sound_window *s);
void sound_cancel(sound_window *s);
void sound_let_go(sound_window *s, ui *u); // what was pushed, when it is time
void sound_roll(sound_window *s);
void sound_drag(sound_window *s);

#endif
