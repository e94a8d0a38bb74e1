// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the window of Meanwave Voice knows, and what can be wanted in it.
#ifndef MEANWAVE_VOICE_VIEW_H
#define MEANWAVE_VOICE_VIEW_H

#include "../voice_ports.h"
#include "lv2_window.h"
#include "user_folder.h"

enum { VOICE_MOST_ROWS = 256 };

typedef struct {
  lv2_window base;
  LV2_URID file;
  LV2_URID model;
  LV2_URID message_key;
  LV2_URID voices_key;
  LV2_URID files_key;
  LV2_URID save;
  float ports[PORT_AUDIO];
  char file_path[UI_FOLDER_SIZE];
  char model_path[UI_FOLDER_SIZE];
  char message[512];
  char voices[WINDOW_TEXT_SIZE]; // a line each
  char files[WINDOW_TEXT_SIZE];
  edit name; // of a voice to load or to save
  ui_list list;
  char saving[UI_FOLDER_SIZE]; // "": nothing is
  bool saved;                  // the message says so
} voice_window;

void voice_view(ui *u, void *window);

void voice_set(voice_window *v, int port, float value);
void voice_choose(voice_window *v, int number);     // of the model, from 1
void voice_load(voice_window *v, const char *path); // a .voice file or a recording
void voice_load_named(voice_window *v);             // what is written
void voice_save_named(voice_window *v);             // likewise
void voice_browse(voice_window *v);

#endif
