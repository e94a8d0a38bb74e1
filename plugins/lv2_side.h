// SPDX-License-Identifier: GPL-3.0-or-later
//
// What both plugins need of a host: features (only urid:map must be there), the URIDs in use,
// ports, one line of log, the worker's interface, and properties: texts and values that are told on
// the notify port. An lv2_side is the first member of an instance, so an LV2_Handle points to one.
#ifndef MEANWAVE_LV2_SIDE_H
#define MEANWAVE_LV2_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lv2/atom/atom.h>
#include <lv2/atom/forge.h>
#include <lv2/core/lv2.h>
#include <lv2/log/log.h>
#include <lv2/state/state.h>
#include <lv2/urid/urid.h>
#include <lv2/worker/worker.h>

#include "patch_message.h"
#include "worker.h"

enum {
  SIDE_PORTS = 24,       // at most, of a plugin
  SIDE_PROPERTIES = 8,   // likewise
  SIDE_PATH_SIZE = 4096, // no longer path is taken; PATH_MAX of Linux
};

// When a property is told, besides when it is asked for by name. Of those they cannot write hosts
// know nothing, and complain when they are told too much.
typedef enum {
  SIDE_WRITABLE, // by hosts: in answer to a Get of everything, and when side_announce says so
  SIDE_READABLE, // when it has changed
  SIDE_ON_DEMAND // likewise, once it has been asked for
} side_manner;

// A text that hosts may read, or a value of another type.
typedef struct {
  LV2_URID key;
  LV2_URID type;
  char *text; // [size], the plugin's; NULL: no text
  size_t size;
  const void *value; // [size] bytes, likewise
  side_manner manner;
  bool asked; // for by name, once
  bool due;   // to be told
} side_property;

typedef struct side_state side_state; // a call to save or restore: lv2_state.h

typedef struct {
  LV2_URID_Map *map;
  LV2_Log_Log *log;              // NULL: the host has none
  LV2_Worker_Schedule *schedule; // NULL: the host has none
  unsigned rate_hz;
  uint32_t block_frames; // to plan for: the nominal, else the longest; no promise
  void *ports[SIDE_PORTS];
  side_property properties[SIDE_PROPERTIES];
  size_t property_count;
  bool changed;         // the host is to be told that the state is another
  LV2_Atom_Forge forge; // into the notify port

  // set by the plugin
  worker *slow; // what the host's worker does; the plugin's to end
  LV2_State_Status (*save)(void *plugin, const side_state *state);
  LV2_State_Status (*restore)(void *plugin, const side_state *state);

  patch_urids patch;
  LV2_URID atom_Bool;
  LV2_URID atom_Chunk;
  LV2_URID atom_Float;
  LV2_URID atom_Int;
  LV2_URID atom_Path;
  LV2_URID atom_String;
  LV2_URID atom_Vector;
  LV2_URID log_Error;
  LV2_URID log_Note;
  LV2_URID midi_MidiEvent;
  LV2_URID state_StateChanged;
} lv2_side;

// False when the host has no urid:map or a rate that is none. Not real time.
bool side_init(lv2_side *s, double rate_hz, const LV2_Feature *const *features);
void *side_feature(const LV2_Feature *const *features, const char *uri); // NULL: not there
LV2_URID side_urid(const lv2_side *s, const char *uri);

// One line to the host's log, else to standard error. Not real time.
void side_log(const lv2_side *s, LV2_URID type, const char *line);

// Of a plugin's descriptor: ports go into `ports`; the worker drains `slow`, and what it makes
// reaches `run` by itself; the state's calls go to `save` and `restore`.
void side_connect_port(LV2_Handle instance, uint32_t index, void *data);
const void *side_extension_data(const char *uri);

// ---- Real time, from here on ----

// Of a control port: its value within the limits; `standard` where there is none.
float side_port(const lv2_side *s, int index, float low, float high, float standard);
bool side_switch(const lv2_side *s, int index, bool standard);
void side_set_port(const lv2_side *s, int index, float value);

// Makes the text in text[size] a property, of type atom_Path or atom_String, and returns its key.
LV2_URID side_add_property(lv2_side *s, const char *uri, LV2_URID type, side_manner manner,
                           char *text, size_t size);
// Likewise a value, on demand; side_due says that it has changed.
LV2_URID side_add_value(lv2_side *s, const char *uri, LV2_URID type, const void *value,
                        size_t size);
void side_announce(lv2_side *s);          // all writable ones
void side_due(lv2_side *s, LV2_URID key); // this one, as if it had changed
void side_set_text(lv2_side *s, LV2_URID key, const char *text);
// The state has changed by something that hosts do not know of: a session has to be saved anew.
void side_changed(lv2_side *s);
// Writes what is due as patch:Set into a notify port, or no port; what does not fit stays due.
void side_tell(lv2_side *s, LV2_Atom_Sequence *notify);

// A patch:Set, or a patch:Get.
typedef struct {
  LV2_URID property; // to be set; 0: it is none
  const LV2_Atom *value;
  LV2_URID asked; // the property that a patch:Get names; 0: it is none
} side_message;

// Reads an event of the control port; what a patch:Get asks for becomes due.
side_message side_read(lv2_side *s, const LV2_Atom *atom);

#endif
