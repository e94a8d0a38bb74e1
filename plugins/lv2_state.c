// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static side_state state_of(const lv2_side *host, LV2_State_Handle handle,
                           const LV2_Feature *const *features)
{
  return (side_state){
      .host = host,
      .handle = handle,
      .map = side_feature(features, LV2_STATE__mapPath),
      .make = side_feature(features, LV2_STATE__makePath),
      .free = side_feature(features, LV2_STATE__freePath),
  };
}

static LV2_State_Status save(LV2_Handle instance, LV2_State_Store_Function store,
                             LV2_State_Handle handle, uint32_t flags,
                             const LV2_Feature *const *features)
{
  const lv2_side *host = instance;
  side_state st = state_of(host, handle, features);
  (void)flags;
  st.store = store;
  return host->save(instance, &st);
}

static LV2_State_Status restore(LV2_Handle instance, LV2_State_Retrieve_Function retrieve,
                                LV2_State_Handle handle, uint32_t flags,
                                const LV2_Feature *const *features)
{
  const lv2_side *host = instance;
  side_state st = state_of(host, handle, features);
  (void)flags;
  st.retrieve = retrieve;
  return host->restore(instance, &st);
}

const LV2_State_Interface side_state_interface = {save, restore};

// Copies what the host made and gives it back.
static bool take_path(const side_state *st, char *made, char path[SIDE_PATH_SIZE])
{
  if (made == NULL) return false;
  int length = snprintf(path, SIDE_PATH_SIZE, "%s", made);
  if (st->free != NULL)
    st->free->free_path(st->free->handle, made);
  else
    free(made);
  return length < SIDE_PATH_SIZE;
}

void side_store(const side_state *st, LV2_URID key, LV2_URID type, const void *value, size_t bytes)
{
  st->store(st->handle, key, value, bytes, type, LV2_STATE_IS_POD | LV2_STATE_IS_PORTABLE);
}

void side_store_text(const side_state *st, LV2_URID key, const char *text)
{
  side_store(st, key, st->host->atom_String, text, strlen(text) + 1);
}

void side_store_path(const side_state *st, LV2_URID key, const char *absolute)
{
  char path[SIDE_PATH_SIZE];
  if (absolute[0] == '\0') { // a text: lilv takes an empty path for one to the state itself
    side_store_text(st, key, "");
    return;
  }
  if (st->map != NULL) {
    if (!take_path(st, st->map->abstract_path(st->map->handle, absolute), path)) return;
    absolute = path;
  }
  side_store(st, key, st->host->atom_Path, absolute, strlen(absolute) + 1);
}

bool side_make_path(const side_state *st, const char *name, char path[SIDE_PATH_SIZE])
{
  return st->make != NULL && take_path(st, st->make->path(st->make->handle, name), path);
}

const void *side_retrieve(const side_state *st, LV2_URID key, LV2_URID type, size_t *bytes)
{
  uint32_t found = 0;
  uint32_t flags = 0;
  *bytes = 0;
  const void *value = st->retrieve(st->handle, key, bytes, &found, &flags);
  return value != NULL && found == type ? value : NULL;
}

// Text that may lack its NUL. A path comes as a text where Carla stored it over an empty one, for
// it keeps the type.
static void retrieve_string(const side_state *st, LV2_URID key, LV2_URID type, char *text,
                            size_t size)
{
  size_t length;
  const char *value = side_retrieve(st, key, type, &length);
  if (value == NULL) value = side_retrieve(st, key, st->host->atom_String, &length);
  text[0] = '\0';
  if (value != NULL) length = strnlen(value, length);
  if (value == NULL || length >= size) return;
  memcpy(text, value, length);
  text[length] = '\0';
}

void side_retrieve_text(const side_state *st, LV2_URID key, char *text, size_t size)
{
  retrieve_string(st, key, st->host->atom_String, text, size);
}

bool side_retrieve_path(const side_state *st, LV2_URID key, char path[SIDE_PATH_SIZE])
{
  retrieve_string(st, key, st->host->atom_Path, path, SIDE_PATH_SIZE);
  if (path[0] == '\0' || st->map == NULL) return true;
  if (take_path(st, st->map->absolute_path(st->map->handle, path), path)) return true;
  path[0] = '\0';
  return false;
}
