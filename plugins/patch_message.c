// SPDX-License-Identifier: GPL-3.0-or-later
#include "patch_message.h"

#include <string.h>

#include <lv2/atom/util.h>
#include <lv2/patch/patch.h>

void patch_urids_init(patch_urids *u, LV2_URID_Map *map)
{
  u->Blank = map->map(map->handle, LV2_ATOM__Blank);
  u->Object = map->map(map->handle, LV2_ATOM__Object);
  u->Resource = map->map(map->handle, LV2_ATOM__Resource);
  u->URID = map->map(map->handle, LV2_ATOM__URID);
  u->Get = map->map(map->handle, LV2_PATCH__Get);
  u->Set = map->map(map->handle, LV2_PATCH__Set);
  u->property = map->map(map->handle, LV2_PATCH__property);
  u->value = map->map(map->handle, LV2_PATCH__value);
}

// The value of the object's member `key`; NULL when it has none or does not fit into the object.
static const LV2_Atom *member(const LV2_Atom_Object *object, LV2_URID key)
{
  const size_t head = sizeof(LV2_Atom_Property_Body);
  const unsigned char *body = (const unsigned char *)LV2_ATOM_BODY_CONST(&object->atom);
  size_t size = object->atom.size;
  for (size_t at = sizeof(LV2_Atom_Object_Body); at + head <= size;) {
    const LV2_Atom_Property_Body *p = (const LV2_Atom_Property_Body *)(body + at);
    if (p->value.size > size - at - head) return NULL;
    if (p->key == key) return &p->value;
    at += head + lv2_atom_pad_size(p->value.size);
  }
  return NULL;
}

bool patch_read(const patch_urids *u, const LV2_Atom *atom, patch_message *message)
{
  bool is_object = atom->type == u->Object || atom->type == u->Blank || atom->type == u->Resource;
  if (!is_object || atom->size < sizeof(LV2_Atom_Object_Body)) return false;
  const LV2_Atom_Object *object = (const LV2_Atom_Object *)atom;
  message->is_get = object->body.otype == u->Get;
  if (!message->is_get && object->body.otype != u->Set) return false;
  const LV2_Atom *key = member(object, u->property);
  bool named = key != NULL && key->type == u->URID && key->size == sizeof(LV2_URID);
  message->property = named ? ((const LV2_Atom_URID *)key)->body : 0;
  message->value = member(object, u->value);
  return message->is_get ? key == NULL || named : named && message->value != NULL;
}

bool patch_text(const LV2_Atom *value, LV2_URID type, char *text, size_t size)
{
  size_t length = strnlen(LV2_ATOM_BODY_CONST(value), value->size);
  if (value->type != type || length >= size) return false;
  memcpy(text, LV2_ATOM_BODY_CONST(value), length);
  text[length] = '\0';
  return true;
}

void patch_begin_set(const patch_urids *u, LV2_Atom_Forge *forge, LV2_Atom_Forge_Frame *frame,
                     LV2_URID property)
{
  lv2_atom_forge_object(forge, frame, 0, u->Set);
  lv2_atom_forge_key(forge, u->property);
  lv2_atom_forge_urid(forge, property);
  lv2_atom_forge_key(forge, u->value);
}
