// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_host_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <lv2/state/state.h>

static const void *get_value(const char *symbol, void *data, uint32_t *size, uint32_t *type)
{
  lv2_host *h = data;
  *size = sizeof(float);
  *type = urid_of(LV2_ATOM__Float);
  return &h->values[port_index(h, symbol)];
}

static void set_value(const char *symbol, void *data, const void *value, uint32_t size,
                      uint32_t type)
{
  assert_int_equal(size, sizeof(float));
  assert_int_equal(type, urid_of(LV2_ATOM__Float));
  host_set(data, symbol, *(const float *)value);
}

LilvState *host_save(lv2_host *h, const char *folder)
{
  char scratch[512];
  snprintf(scratch, sizeof scratch, "%s/scratch", folder);
  LilvState *state = lilv_state_new_from_instance(h->plugin, h->instance, &uri_map, scratch, folder,
                                                  folder, folder, get_value, h,
                                                  LV2_STATE_IS_POD | LV2_STATE_IS_PORTABLE, NULL);
  assert_non_null(state);
  // to a file and back, as a session does
  char bundle[600];
  snprintf(bundle, sizeof bundle, "%s/state", folder);
  assert_int_equal(
      lilv_state_save(h->world, &uri_map, &uri_unmap, state, NULL, bundle, "state.ttl"), 0);
  lilv_state_free(state);
  char file[640];
  snprintf(file, sizeof file, "%s/state.ttl", bundle);
  state = lilv_state_new_from_file(h->world, &uri_map, NULL, file);
  assert_non_null(state);
  return state;
}

void host_restore(lv2_host *h, const LilvState *state)
{
  lilv_state_restore(state, h->instance, set_value, h, 0, NULL);
}

void host_load_preset(lv2_host *h, const char *uri)
{
  LilvNode *node = lilv_new_uri(h->world, uri);
  lilv_world_load_resource(h->world, node);
  LilvState *state = lilv_state_new_from_world(h->world, &uri_map, node);
  lilv_node_free(node);
  if (state == NULL) fail_msg("there is no preset %s", uri);
  host_restore(h, state);
  lilv_state_free(state);
}

struct host_table {
  char folder[512]; // of files; "": none
  size_t count;
  struct {
    LV2_URID key;
    LV2_URID type;
    size_t size;
    void *value;
  } rows[32];
};

static LV2_State_Status store(LV2_State_Handle handle, uint32_t key, const void *value, size_t size,
                              uint32_t type, uint32_t flags)
{
  host_table *t = handle;
  size_t row = 0;
  assert_true(size > 0);
  assert_true(flags & LV2_STATE_IS_POD);
  while (row < t->count && t->rows[row].key != key) row++;
  assert_true(row < 32);
  if (row == t->count) {
    t->rows[row].key = key;
    t->rows[row].type = type;
    t->count++;
  } else {
    free(t->rows[row].value);
  }
  t->rows[row].size = size;
  t->rows[row].value = malloc(size + 1);
  memcpy(t->rows[row].value, value, size);
  return LV2_STATE_SUCCESS;
}

static const void *retrieve(LV2_State_Handle handle, uint32_t key, size_t *size, uint32_t *type,
                            uint32_t *flags)
{
  const host_table *t = handle;
  for (size_t i = 0; i < t->count; i++) {
    if (t->rows[i].key != key) continue;
    *size = t->rows[i].size;
    *type = t->rows[i].type;
    *flags = LV2_STATE_IS_POD;
    return t->rows[i].value;
  }
  return NULL;
}

static const LV2_State_Interface *state_of(const lv2_host *h)
{
  const LV2_State_Interface *state =
      lilv_instance_get_extension_data(h->instance, LV2_STATE__interface);
  assert_non_null(state);
  return state;
}

// ---- A table's folder ----

static char *path_in_folder(void *table, const char *name)
{
  const host_table *t = table;
  char *path = malloc(600);
  snprintf(path, 600, "%s%s%s", name[0] == '/' ? "" : t->folder, name[0] == '/' ? "" : "/", name);
  return path;
}

static char *name_in_folder(LV2_State_Map_Path_Handle table, const char *path)
{
  const host_table *t = table;
  size_t length = strlen(t->folder);
  return strdup(strncmp(path, t->folder, length) == 0 ? path + length + 1 : path);
}

static void save_or_restore(lv2_host *h, host_table *t, bool saves)
{
  LV2_State_Make_Path make = {t, path_in_folder};
  LV2_State_Map_Path map = {t, name_in_folder, path_in_folder};
  const LV2_Feature make_feature = {LV2_STATE__makePath, &make};
  const LV2_Feature map_feature = {LV2_STATE__mapPath, &map};
  const LV2_Feature *with_folder[] = {&make_feature, &map_feature, NULL};
  const LV2_Feature *const *features = t->folder[0] != '\0' ? with_folder : &with_folder[2];
  LV2_Handle handle = lilv_instance_get_handle(h->instance);
  if (saves)
    assert_int_equal(state_of(h)->save(handle, store, t, 0, features), LV2_STATE_SUCCESS);
  else
    state_of(h)->restore(handle, retrieve, t, 0, features);
}

host_table *host_save_plain(lv2_host *h)
{
  host_table *t = calloc(1, sizeof *t);
  save_or_restore(h, t, true);
  return t;
}

void host_save_over(lv2_host *h, host_table *table, const char *folder)
{
  snprintf(table->folder, sizeof table->folder, "%s", folder);
  save_or_restore(h, table, true);
}

void host_restore_plain(lv2_host *h, const host_table *table)
{
  save_or_restore(h, (host_table *)table, false);
}

host_table *host_table_of(const char *key, const char *type, const char *text)
{
  host_table *t = calloc(1, sizeof *t);
  store(t, urid_of(key), text, strlen(text) + 1, urid_of(type), LV2_STATE_IS_POD);
  return t;
}

void host_table_free(host_table *t)
{
  for (size_t i = 0; i < t->count; i++) free(t->rows[i].value);
  free(t);
}

const char *host_table_text(const host_table *t, const char *key)
{
  for (size_t i = 0; i < t->count; i++)
    if (t->rows[i].key == urid_of(key)) return t->rows[i].value;
  return NULL;
}
