// SPDX-License-Identifier: GPL-3.0-or-later
//
// What both plugins' windows need of a host: features, messages to the plugin and from it. A window
// knows of its plugin only what comes through ports and messages. An lv2_window is the first member
// of an instance, so an LV2UI_Handle points to one. The host's thread for windows.
#ifndef MEANWAVE_LV2_WINDOW_H
#define MEANWAVE_LV2_WINDOW_H

#include <lv2/atom/forge.h>
#include <lv2/ui/ui.h>
#include <lv2/urid/urid.h>

#include "patch_message.h"
#include "ui.h"

enum { WINDOW_TEXT_SIZE = 8192 }; // longest text taken from the plugin

typedef struct {
  ui *u;
  LV2UI_Write_Function write;
  LV2UI_Controller controller;
  const LV2_URID_Map *map;
  const LV2UI_Request_Value *request; // the host's file dialog; NULL: it has none
  patch_urids patch;
  LV2_URID event_transfer;
  LV2_URID atom_Float;
  LV2_URID atom_Path;
  LV2_URID atom_String;
  LV2_URID atom_Vector;

  // set by the window: what has been told
  void (*port)(void *window, uint32_t index, float value);
  void (*told)(void *window, LV2_URID property, const LV2_Atom *value);
} lv2_window;

// Opens `setup` in the host's parent window, with its colours and scale, and writes what the host
// takes as the widget. False: there is no urid:map, no parent or no display.
bool lv2_window_open(lv2_window *v, ui_setup setup, LV2UI_Write_Function write,
                     LV2UI_Controller controller, LV2UI_Widget *widget,
                     const LV2_Feature *const *features);

// A property of the plugin: where its URID goes, and whether the plugin is asked for it at once.
typedef struct {
  LV2_URID *key;
  const char *uri;
  bool asked;
} lv2_window_property;
void lv2_window_map(const lv2_window *v, const lv2_window_property *properties, size_t count);

void lv2_window_set_port(const lv2_window *v, uint32_t index, float value);
void lv2_window_set_text(const lv2_window *v, LV2_URID property, LV2_URID type, const char *text);
void lv2_window_get(const lv2_window *v, LV2_URID property); // 0: all
// Opens the host's file dialog for a property.
void lv2_window_request(const lv2_window *v, LV2_URID property);

// Of a descriptor.
void lv2_window_event(LV2UI_Handle handle, uint32_t port, uint32_t bytes, uint32_t format,
                      const void *data);
const void *lv2_window_extension_data(const char *uri);

#endif
