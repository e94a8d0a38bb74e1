// SPDX-License-Identifier: GPL-3.0-or-later
//
// What both plugins need of a host: features (only urid:map must be there), the URIDs in use,
// paths of the state, one line of log, and what is written to the notify port.
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

// No longer path is taken; PATH_MAX of Linux.
enum { SIDE_PATH_SIZE = 4096 };

typedef struct {
  LV2_URID_Map *map;
  LV2_Log_Log *log;              // NULL: the host has none
  LV2_Worker_Schedule *schedule; // NULL: the host has none
  uint32_t block_frames;         // to plan for: the nominal, else the longest; no promise
  LV2_URID atom_Blank;
  LV2_URID atom_Bool;
  LV2_URID atom_Chunk;
  LV2_URID atom_Double;
  LV2_URID atom_Float;
  LV2_URID atom_Int;
  LV2_URID atom_Long;
  LV2_URID atom_Object;
  LV2_URID atom_Path;
  LV2_URID atom_Resource;
  LV2_URID atom_Sequence;
  LV2_URID atom_String;
  LV2_URID atom_URID;
  LV2_URID log_Error;
  LV2_URID log_Note;
  LV2_URID midi_MidiEvent;
  LV2_URID patch_Get;
  LV2_URID patch_Set;
  LV2_URID patch_property;
  LV2_URID patch_value;
} lv2_side;

// False when the host has no urid:map. Not real time.
bool side_init(lv2_side *s, const LV2_Feature *const *features);
void *side_feature(const LV2_Feature *const *features, const char *uri); // NULL: not there

// One line to the host's log, else to standard error. Not real time.
void side_log(const lv2_side *s, LV2_URID type, const char *line);

// ---- Paths in a state. Not real time. ----

// The host's paths: the features of a call to save or restore.
typedef struct {
  LV2_State_Map_Path *map;
  LV2_State_Make_Path *make;
  LV2_State_Free_Path *free;
} side_paths;

side_paths side_paths_of(const LV2_Feature *const *features);
// An absolute path as the state is to hold it, and back. False: too long or no memory.
bool side_abstract(const side_paths *p, const char *absolute, char path[SIDE_PATH_SIZE]);
bool side_absolute(const side_paths *p, const char *abstract, char path[SIDE_PATH_SIZE]);
// Where a new file of the state called `name` goes. False when the host keeps no files.
bool side_make(const side_paths *p, const char *name, char path[SIDE_PATH_SIZE]);

// Text or path of the state under `key` into text[size]; "" when missing, of another type, or
// too long.
void side_retrieve(LV2_State_Retrieve_Function retrieve, LV2_State_Handle handle, LV2_URID key,
                   LV2_URID type, char *text, size_t size);

// ---- Messages on the atom ports. Real time. ----

// A patch message: what it asks, and of a Set the value.
typedef struct {
  enum { SIDE_OTHER, SIDE_GET, SIDE_SET } kind;
  LV2_URID property; // 0 in a Get of everything
  const LV2_Atom *value;
} side_message;

side_message side_read(const lv2_side *s, const LV2_Atom *atom);
// A text or path of at most size - 1 bytes, which hosts may end with NUL or not, into text[size].
bool side_text(const LV2_Atom *value, LV2_URID type, char *text, size_t size);
// A number of any numeric type; false for others and for what is not finite.
bool side_number(const lv2_side *s, const LV2_Atom *value, double *number);

// A patch:Set into an open sequence; what does not fit is left out.
void side_announce_text(const lv2_side *s, LV2_Atom_Forge *forge, LV2_URID property, LV2_URID type,
                        const char *text);
void side_announce_number(const lv2_side *s, LV2_Atom_Forge *forge, LV2_URID property,
                          float number);

// Denormal numbers are taken as zero until side_leave_run, which puts back what was.
unsigned side_enter_run(void);
void side_leave_run(unsigned before);

#endif
