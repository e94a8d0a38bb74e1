// SPDX-License-Identifier: GPL-3.0-or-later
//
// The messages between a plugin, its hosts and its own windows: patch:Set and patch:Get. Reads no
// byte beyond what an atom says it has, and nothing of an atom that contradicts itself. Real time.
#ifndef MEANWAVE_PATCH_MESSAGE_H
#define MEANWAVE_PATCH_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <lv2/atom/atom.h>
#include <lv2/atom/forge.h>
#include <lv2/urid/urid.h>

typedef struct {
  LV2_URID Blank;
  LV2_URID Object;
  LV2_URID Resource;
  LV2_URID URID;
  LV2_URID Get;
  LV2_URID Set;
  LV2_URID property;
  LV2_URID value;
} patch_urids;

typedef struct {
  bool is_get;
  LV2_URID property;     // 0, of a Get alone: it names none
  const LV2_Atom *value; // of a Set; lies in the message
} patch_message;

void patch_urids_init(patch_urids *u, LV2_URID_Map *map); // not real time

// False when it is neither, or broken.
bool patch_read(const patch_urids *u, const LV2_Atom *atom, patch_message *message);
// A text or path of at most size - 1 bytes, which may end with NUL or not, into text[size].
bool patch_text(const LV2_Atom *value, LV2_URID type, char *text, size_t size);

// The beginning of a Set, up to its value; the frame is to be popped behind that.
void patch_begin_set(const patch_urids *u, LV2_Atom_Forge *forge, LV2_Atom_Forge_Frame *frame,
                     LV2_URID property);

#endif
