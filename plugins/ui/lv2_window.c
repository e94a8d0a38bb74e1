// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_window.h"

#include <math.h>
#include <string.h>

#include <lv2/atom/atom.h>
#include <lv2/options/options.h>

#define PORT_CONTROL 0 // of both plugins
#define PORT_NOTIFY 1

static void *feature(const LV2_Feature *const *features, const char *uri)
{
  for (; features != NULL && *features != NULL; features++)
    if (strcmp((*features)->URI, uri) == 0) return (*features)->data;
  return NULL;
}

static LV2_URID urid_of(const lv2_window *v, const char *uri)
{
  return v->map->map(v->map->handle, uri);
}

// The host's colours and scale.
static void read_options(const lv2_window *v, const LV2_Options_Option *options, ui_setup *setup)
{
  const LV2_URID atom_Int = urid_of(v, LV2_ATOM__Int);
  const LV2_URID back = urid_of(v, LV2_UI__backgroundColor);
  const LV2_URID scale = urid_of(v, LV2_UI__scaleFactor);
  for (; options != NULL && options->key != 0; options++) {
    if (options->value == NULL || options->size != 4) continue;
    if (options->key == back && options->type == atom_Int)
      setup->theme = ui_theme_for(*(const uint32_t *)options->value);
    if (options->key == scale && options->type == v->atom_Float) {
      float value = *(const float *)options->value;
      if (isfinite(value)) setup->scale = fmin(fmax((double)value, 0.5), 4.0);
    }
  }
}

bool lv2_window_open(lv2_window *v, ui_setup setup, LV2UI_Write_Function write,
                     LV2UI_Controller controller, LV2UI_Widget *widget,
                     const LV2_Feature *const *features)
{
  const LV2UI_Resize *resize = feature(features, LV2_UI__resize);
  v->write = write;
  v->controller = controller;
  v->map = feature(features, LV2_URID__map);
  v->request = feature(features, LV2_UI__requestValue);
  setup.parent = (Window)(uintptr_t)feature(features, LV2_UI__parent);
  if (v->map == NULL || setup.parent == None) return false;
  patch_urids_init(&v->patch, (LV2_URID_Map *)v->map);
  v->event_transfer = urid_of(v, LV2_ATOM__eventTransfer);
  v->atom_Float = urid_of(v, LV2_ATOM__Float);
  v->atom_Path = urid_of(v, LV2_ATOM__Path);
  v->atom_String = urid_of(v, LV2_ATOM__String);
  v->atom_Vector = urid_of(v, LV2_ATOM__Vector);
  const ui_theme *chosen = ui_theme_chosen();
  setup.theme = &ui_dark;
  setup.scale = 1.0;
  read_options(v, feature(features, LV2_OPTIONS__options), &setup);
  if (chosen != NULL) setup.theme = chosen;
  v->u = ui_open(&setup);
  if (v->u == NULL) return false;
  if (resize != NULL)
    resize->ui_resize(resize->handle, (int)(setup.width * setup.scale),
                      (int)(setup.height * setup.scale));
  *widget = (LV2UI_Widget)(uintptr_t)ui_xid(v->u);
  return true;
}

// ---- To the plugin ----

void lv2_window_set_port(const lv2_window *v, uint32_t index, float value)
{
  v->write(v->controller, index, sizeof value, 0, &value);
}

static void send(const lv2_window *v, const LV2_Atom *atom)
{
  v->write(v->controller, PORT_CONTROL, (uint32_t)sizeof *atom + atom->size, v->event_transfer,
           atom);
}

void lv2_window_set_text(const lv2_window *v, LV2_URID property, LV2_URID type, const char *text)
{
  _Alignas(8) uint8_t message[WINDOW_TEXT_SIZE];
  LV2_Atom_Forge forge;
  LV2_Atom_Forge_Frame frame;
  size_t length = strlen(text);
  if (length + 256 > sizeof message) return;
  lv2_atom_forge_init(&forge, (LV2_URID_Map *)v->map);
  lv2_atom_forge_set_buffer(&forge, message, sizeof message);
  patch_begin_set(&v->patch, &forge, &frame, property);
  lv2_atom_forge_typed_string(&forge, type, text, (uint32_t)length);
  lv2_atom_forge_pop(&forge, &frame);
  send(v, (const LV2_Atom *)message);
}

void lv2_window_get(const lv2_window *v, LV2_URID property)
{
  _Alignas(8) uint8_t message[256];
  LV2_Atom_Forge forge;
  LV2_Atom_Forge_Frame frame;
  lv2_atom_forge_init(&forge, (LV2_URID_Map *)v->map);
  lv2_atom_forge_set_buffer(&forge, message, sizeof message);
  lv2_atom_forge_object(&forge, &frame, 0, v->patch.Get);
  if (property != 0) {
    lv2_atom_forge_key(&forge, v->patch.property);
    lv2_atom_forge_urid(&forge, property);
  }
  lv2_atom_forge_pop(&forge, &frame);
  send(v, (const LV2_Atom *)message);
}

void lv2_window_request(const lv2_window *v, LV2_URID property)
{
  if (v->request != NULL) v->request->request(v->request->handle, property, v->atom_Path, NULL);
}

void lv2_window_map(const lv2_window *v, const lv2_window_property *properties, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    *properties[i].key = urid_of(v, properties[i].uri);
    if (properties[i].asked) lv2_window_get(v, *properties[i].key);
  }
}

// ---- From the plugin ----

void lv2_window_event(LV2UI_Handle handle, uint32_t port, uint32_t bytes, uint32_t format,
                      const void *data)
{
  const float most = 1e9f; // nothing a plugin says is more; an int holds it
  lv2_window *v = handle;
  patch_message m;
  if (data == NULL) return;
  if (format == 0 && bytes == sizeof(float)) {
    float value;
    memcpy(&value, data, sizeof value);
    if (isfinite(value)) v->port(v, port, fmaxf(fminf(value, most), -most));
  } else if (format == v->event_transfer && port == PORT_NOTIFY && bytes >= sizeof(LV2_Atom)) {
    // into a place of our own: hosts need not align it, nor say how long it is as the atom does
    _Alignas(8) uint8_t message[4 * WINDOW_TEXT_SIZE];
    const LV2_Atom *atom = (const LV2_Atom *)message;
    if (bytes > sizeof message) return;
    memcpy(message, data, bytes);
    if (atom->size > bytes - sizeof *atom) return;
    if (patch_read(&v->patch, atom, &m) && !m.is_get) v->told(v, m.property, m.value);
  } else {
    return;
  }
  ui_stale(v->u);
}

static int idle(LV2UI_Handle handle)
{
  ui_idle(((lv2_window *)handle)->u);
  return 0;
}

static int resized(LV2UI_Feature_Handle handle, int width, int height)
{
  ui_resize(((lv2_window *)handle)->u, width, height);
  return 0;
}

const void *lv2_window_extension_data(const char *uri)
{
  static const LV2UI_Idle_Interface idle_interface = {idle};
  static const LV2UI_Resize resize_interface = {NULL, resized};
  if (strcmp(uri, LV2_UI__idleInterface) == 0) return &idle_interface;
  if (strcmp(uri, LV2_UI__resize) == 0) return &resize_interface;
  return NULL;
}
