// SPDX-License-Identifier: GPL-3.0-or-later
//
// A call to save or restore, and what goes through it: texts, paths, bytes. What is missing is "",
// and "" is stored all the same: Carla keeps what nothing is stored over. Not real time.
#ifndef MEANWAVE_LV2_STATE_H
#define MEANWAVE_LV2_STATE_H

#include "lv2_side.h"

struct side_state {
  const lv2_side *host;
  LV2_State_Store_Function store;       // in a save
  LV2_State_Retrieve_Function retrieve; // in a restore
  LV2_State_Handle handle;
  LV2_State_Map_Path *map; // the host's paths; NULL: it has none
  LV2_State_Make_Path *make;
  LV2_State_Free_Path *free;
};

extern const LV2_State_Interface side_state_interface; // calls the plugin's `save` and `restore`

void side_store(const side_state *st, LV2_URID key, LV2_URID type, const void *value, size_t bytes);
void side_store_text(const side_state *st, LV2_URID key, const char *text);
void side_store_path(const side_state *st, LV2_URID key, const char *absolute);
// Where a new file of the state called `name` goes. False when the host keeps no files.
bool side_make_path(const side_state *st, const char *name, char path[SIDE_PATH_SIZE]);

// NULL when it is missing or of another type.
const void *side_retrieve(const side_state *st, LV2_URID key, LV2_URID type, size_t *bytes);
// "" also for what is too long.
void side_retrieve_text(const side_state *st, LV2_URID key, char *text, size_t size);
// Absolute, or "". False: there is one, and the host cannot say where it is.
bool side_retrieve_path(const side_state *st, LV2_URID key, char path[SIDE_PATH_SIZE]);

#endif
