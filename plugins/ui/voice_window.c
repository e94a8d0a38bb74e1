// SPDX-License-Identifier: GPL-3.0-or-later
//
// The window of Meanwave Voice: voices, meters, what is done to the sound. Says what is wanted
// through ports and messages, and shows what the plugin tells.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "voice_view.h"

// ---- To the plugin ----

void voice_set(voice_window *v, int port, float value)
{
  v->ports[port] = value;
  lv2_window_set_port(&v->base, (uint32_t)port, value);
}

void voice_choose(voice_window *v, int number)
{
  v->saved = false;
  voice_set(v, PORT_VOICE, (float)number);
}

void voice_load(voice_window *v, const char *path)
{
  v->saved = false;
  snprintf(v->file_path, sizeof v->file_path, "%s", path);
  lv2_window_set_text(&v->base, v->file, v->base.atom_Path, path);
  voice_set(v, PORT_VOICE, 0.0f);
}

// A name alone is that of a file among the user's voices.
static bool path_of(voice_window *v, char path[UI_FOLDER_SIZE])
{
  char folder[UI_FOLDER_SIZE];
  const char *name = v->name.text;
  const char *home = getenv("HOME");
  int length = -1;
  if (name[0] == '/') {
    length = snprintf(path, UI_FOLDER_SIZE, "%s", name);
  } else if (name[0] == '~' && name[1] == '/' && home != NULL) {
    length = snprintf(path, UI_FOLDER_SIZE, "%s%s", home, name + 1);
  } else if (name[0] != '\0' && user_folder("voices", folder)) {
    const char *dot = strrchr(name, '.');
    bool whole = dot != NULL && strcmp(dot, ".voice") == 0;
    length = snprintf(path, UI_FOLDER_SIZE, "%s/%s%s", folder, name, whole ? "" : ".voice");
  }
  return length > 0 && length < UI_FOLDER_SIZE;
}

void voice_load_named(voice_window *v)
{
  char path[UI_FOLDER_SIZE];
  if (path_of(v, path)) voice_load(v, path);
}

void voice_save_named(voice_window *v)
{
  if (!path_of(v, v->saving)) return;
  v->saved = false;
  lv2_window_set_text(&v->base, v->save, v->base.atom_Path, v->saving);
}

void voice_browse(voice_window *v)
{
  lv2_window_request(&v->base, v->file);
  voice_set(v, PORT_VOICE, 0.0f);
}

// A bundle is a model, all else a voice.
static void dropped(void *window, const char *path)
{
  voice_window *v = window;
  const char *dot = strrchr(path, '.');
  if (dot != NULL && strcmp(dot, ".safetensors") == 0)
    lv2_window_set_text(&v->base, v->model, v->base.atom_Path, path);
  else
    voice_load(v, path);
}

// ---- From the plugin ----

static void port(void *window, uint32_t index, float value)
{
  voice_window *v = window;
  if (index < PORT_AUDIO) v->ports[index] = value;
}

static void told(void *window, LV2_URID property, const LV2_Atom *value)
{
  voice_window *v = window;
  const LV2_URID path = v->base.atom_Path;
  const LV2_URID text = v->base.atom_String;
  char saved[UI_FOLDER_SIZE];
  if (property == v->file) patch_text(value, path, v->file_path, sizeof v->file_path);
  if (property == v->model) patch_text(value, path, v->model_path, sizeof v->model_path);
  if (property == v->message_key) patch_text(value, text, v->message, sizeof v->message);
  if (property == v->voices_key) patch_text(value, text, v->voices, sizeof v->voices);
  if (property == v->files_key) patch_text(value, text, v->files, sizeof v->files);
  if (property == v->save && patch_text(value, path, saved, sizeof saved) && v->saving[0] != '\0') {
    v->saved = strcmp(saved, v->saving) == 0;
    if (v->saved) edit_set(&v->name, "");
  }
}

// ---- Descriptor ----

static void cleanup(LV2UI_Handle handle)
{
  voice_window *v = handle;
  ui_close(v->base.u);
  edit_free(&v->name);
  free(v);
}

static LV2UI_Handle instantiate(const LV2UI_Descriptor *descriptor, const char *plugin_uri,
                                const char *bundle_path, LV2UI_Write_Function write,
                                LV2UI_Controller controller, LV2UI_Widget *widget,
                                const LV2_Feature *const *features)
{
  (void)descriptor;
  (void)bundle_path;
  if (strcmp(plugin_uri, VOICE_URI) != 0 && strcmp(plugin_uri, VOICE_STEREO_URI) != 0) return NULL;
  voice_window *v = calloc(1, sizeof *v);
  if (v == NULL) return NULL;
  edit_init(&v->name, true);
  v->list.wanted = -1;
  v->ports[PORT_ENABLED] = 1.0f;
  v->ports[PORT_LEVEL_IN] = v->ports[PORT_LEVEL_OUT] = VOICE_LEVEL_FLOOR;
  v->base.port = port;
  v->base.told = told;
  const ui_setup setup = {.width = 660,
                          .height = 430,
                          .least_width = 520,
                          .least_height = 360,
                          .view = voice_view,
                          .dropped = dropped,
                          .context = v};
  if (!lv2_window_open(&v->base, setup, write, controller, widget, features)) {
    free(v);
    return NULL;
  }
  const lv2_window_property properties[] = {
      {&v->file, VOICE_URI ":file", true},           {&v->model, VOICE_URI ":model", true},
      {&v->message_key, VOICE_URI ":message", true}, {&v->voices_key, VOICE_URI ":voices", true},
      {&v->files_key, VOICE_URI ":files", true},     {&v->save, VOICE_URI ":save", false}};
  lv2_window_map(&v->base, properties, sizeof properties / sizeof properties[0]);
  return v;
}

LV2_SYMBOL_EXPORT const LV2UI_Descriptor *lv2ui_descriptor(uint32_t index)
{
  static const LV2UI_Descriptor descriptor = {VOICE_URI ":ui", instantiate, cleanup,
                                              lv2_window_event, lv2_window_extension_data};
  return index == 0 ? &descriptor : NULL;
}
