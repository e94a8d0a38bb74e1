// SPDX-License-Identifier: GPL-3.0-or-later
//
// The window of Meanwave Sound: words, presets, the clip and how it is played. Says what is wanted
// through ports and messages, and shows what the plugin tells.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../sound_ports.h"
#include "factory_presets.h"
#include "sound_view.h"
#include "user_folder.h"

enum { SEEDS = 16777216 };

// ---- To the plugin ----

static const double echo_s = 1.0; // so long the plugin may take to tell a text back

static void send_words(sound_window *s, sound_text *t)
{
  snprintf(t->sent, sizeof t->sent, "%s", t->words.text);
  t->sent_s = ui_clock_s();
  t->waits = true;
  lv2_window_set_text(&s->base, t->key, s->base.atom_String, t->words.text);
}

void sound_set(sound_window *s, int port, float value)
{
  s->ports[port] = value;
  lv2_window_set_port(&s->base, (uint32_t)port, value);
}

void sound_written(sound_window *s, sound_text *t)
{
  if (s->ports[PORT_PROMPT] != 0.0f) sound_set(s, PORT_PROMPT, 0.0f);
  s->preset = -1;
  send_words(s, t);
}

void sound_take_preset(sound_window *s, int index)
{
  const factory_preset *p = &factory_presets[index];
  edit_set(&s->prompt.words, p->prompt);
  edit_set(&s->negative.words, p->negative);
  sound_set(s, PORT_SEED, (float)p->seed);
  sound_set(s, PORT_STEPS, (float)p->steps);
  sound_set(s, PORT_SECONDS, (float)p->seconds);
  sound_set(s, PORT_LOOP, p->loop ? 1.0f : 0.0f);
  sound_written(s, &s->negative);
  sound_written(s, &s->prompt);
  s->preset = index;
}

// A switch that goes on is seen at the plugin's next block: it goes off later.
static void push(sound_window *s, int port)
{
  sound_set(s, port, 1.0f);
  s->let_go_s = ui_clock_s() + 0.25;
}

void sound_generate(sound_window *s)
{
  push(s, PORT_GENERATE);
}

void sound_cancel(sound_window *s)
{
  push(s, PORT_CANCEL);
}

void sound_let_go(sound_window *s, ui *u)
{
  if (s->let_go_s == 0.0) return;
  if (u->now_s < s->let_go_s) {
    ui_again(u, s->let_go_s - u->now_s);
    return;
  }
  s->let_go_s = 0.0;
  if (s->ports[PORT_GENERATE] > 0.0f) sound_set(s, PORT_GENERATE, 0.0f);
  if (s->ports[PORT_CANCEL] > 0.0f) sound_set(s, PORT_CANCEL, 0.0f);
}

void sound_roll(sound_window *s)
{
  unsigned now = (unsigned)(ui_clock_s() * 1e6);
  s->random = s->random * 1664525u + 1013904223u + now;
  sound_set(s, PORT_SEED, (float)(s->random >> 8 & (SEEDS - 1)));
}

// A name for the clip, of its words: that of a file which is not there yet.
static bool name_clip(const sound_window *s, char path[UI_FOLDER_SIZE])
{
  char folder[UI_FOLDER_SIZE];
  char name[48];
  size_t length = 0;
  if (!user_folder("sounds", folder)) return false;
  for (const char *c = s->prompt.words.text; *c != '\0' && length < 40; c++) {
    bool plain = isalnum((unsigned char)*c) && (unsigned char)*c < 128;
    if (plain) name[length++] = (char)tolower((unsigned char)*c);
    if (!plain && length > 0 && name[length - 1] != '-') name[length++] = '-';
  }
  while (length > 0 && name[length - 1] == '-') length--;
  name[length] = '\0';
  for (int i = 1; i < 1000; i++) {
    int bytes = snprintf(path, UI_FOLDER_SIZE, "%s/%s-%.0f-%d.wav", folder,
                         length > 0 ? name : "sound", (double)s->ports[PORT_SEED], i);
    if (bytes >= UI_FOLDER_SIZE) return false;
    if (access(path, F_OK) != 0) return true;
  }
  return false;
}

void sound_drag(sound_window *s)
{
  if (!name_clip(s, s->saving)) {
    snprintf(s->message, sizeof s->message, "there is no folder to keep the sound in");
    return;
  }
  ui_drag_begin(s->base.u);
  if (!ui_dragging(s->base.u)) return;
  lv2_window_set_text(&s->base, s->save, s->base.atom_Path, s->saving);
}

static bool ends_in(const char *path, const char *ending)
{
  size_t length = strlen(path);
  size_t tail = strlen(ending);
  return length > tail && strcmp(path + length - tail, ending) == 0;
}

// A text or preset is a prompt; a folder or a bundle is a model.
static void dropped(void *window, const char *path)
{
  sound_window *s = window;
  bool words = ends_in(path, ".txt") || ends_in(path, ".preset");
  if (words && s->ports[PORT_PROMPT] != 0.0f) sound_set(s, PORT_PROMPT, 0.0f);
  lv2_window_set_text(&s->base, words ? s->file : s->model, s->base.atom_Path, path);
}

// ---- From the plugin ----

// A port says for itself what it is; of the factory's prompts the words are shown.
static void port(void *window, uint32_t index, float value)
{
  sound_window *s = window;
  if (index >= PORT_COUNT) return;
  s->ports[index] = value;
  if (index != PORT_PROMPT) return;
  for (int i = 0; i < FACTORY_PRESETS; i++)
    if (value == (float)factory_presets[i].number) {
      edit_set(&s->prompt.words, factory_presets[i].prompt);
      s->preset = i;
    }
}

// What the plugin tells back of a text that is still being written is older than that.
static void take_words(sound_window *s, sound_text *t, const LV2_Atom *value)
{
  char text[EDIT_SIZE];
  if (!patch_text(value, s->base.atom_String, text, sizeof text)) return;
  bool echo = t->waits && ui_clock_s() < t->sent_s + echo_s;
  if (echo && strcmp(text, t->sent) == 0) t->waits = false;
  if (echo || s->ports[PORT_PROMPT] != 0.0f) return;
  t->waits = false;
  edit_set(&t->words, text);
}

static void take_wave(sound_window *s, const LV2_Atom *value)
{
  const LV2_Atom_Vector_Body *head = LV2_ATOM_BODY_CONST(value);
  if (value->type != s->base.atom_Vector || value->size != sizeof *head + sizeof s->wave ||
      head->child_type != s->base.atom_Float || head->child_size != sizeof(float))
    return;
  memcpy(s->wave, head + 1, sizeof s->wave);
  for (size_t i = 0; i < SOUND_COLUMNS; i++)
    for (size_t k = 0; k < 2; k++) {
      float x = s->wave[i][k];
      s->wave[i][k] = isfinite(x) ? fmaxf(fminf(x, 1.0f), -1.0f) : 0.0f;
    }
}

static void told(void *window, LV2_URID property, const LV2_Atom *value)
{
  sound_window *s = window;
  char path[UI_FOLDER_SIZE];
  if (property == s->prompt.key) take_words(s, &s->prompt, value);
  if (property == s->negative.key) take_words(s, &s->negative, value);
  if (property == s->message_key)
    patch_text(value, s->base.atom_String, s->message, sizeof s->message);
  if (property == s->model)
    patch_text(value, s->base.atom_Path, s->model_path, sizeof s->model_path);
  if (property == s->wave_key) take_wave(s, value);
  if (property == s->guidance_key && value->type == s->base.atom_Float &&
      value->size == sizeof(float)) {
    float guidance = *(const float *)LV2_ATOM_BODY_CONST(value);
    s->guided = isfinite(guidance) && guidance > 0.0f;
  }
  if (property == s->save && patch_text(value, s->base.atom_Path, path, sizeof path) &&
      strcmp(path, s->saving) == 0)
    ui_drag_file(s->base.u, path);
}

// ---- Descriptor ----

static void cleanup(LV2UI_Handle handle)
{
  sound_window *s = handle;
  ui_close(s->base.u);
  edit_free(&s->prompt.words);
  edit_free(&s->negative.words);
  free(s);
}

static LV2UI_Handle instantiate(const LV2UI_Descriptor *descriptor, const char *plugin_uri,
                                const char *bundle_path, LV2UI_Write_Function write,
                                LV2UI_Controller controller, LV2UI_Widget *widget,
                                const LV2_Feature *const *features)
{
  (void)descriptor;
  (void)bundle_path;
  if (strcmp(plugin_uri, SOUND_URI) != 0) return NULL;
  sound_window *s = calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  edit_init(&s->prompt.words, false);
  edit_init(&s->negative.words, true);
  s->list.wanted = s->preset = -1;
  s->base.port = port;
  s->base.told = told;
  const ui_setup setup = {.width = 860,
                          .height = 520,
                          .least_width = 700,
                          .least_height = 430,
                          .view = sound_view,
                          .dropped = dropped,
                          .context = s};
  if (!lv2_window_open(&s->base, setup, write, controller, widget, features)) {
    free(s);
    return NULL;
  }
  const lv2_window_property properties[] = {{&s->prompt.key, SOUND_URI ":prompt", true},
                                            {&s->negative.key, SOUND_URI ":negative", true},
                                            {&s->message_key, SOUND_URI ":message", true},
                                            {&s->model, SOUND_URI ":model", true},
                                            {&s->wave_key, SOUND_URI ":wave", true},
                                            {&s->guidance_key, SOUND_URI ":guidance", true},
                                            {&s->file, SOUND_URI ":file", false},
                                            {&s->save, SOUND_URI ":save", false}};
  lv2_window_map(&s->base, properties, sizeof properties / sizeof properties[0]);
  return s;
}

LV2_SYMBOL_EXPORT const LV2UI_Descriptor *lv2ui_descriptor(uint32_t index)
{
  static const LV2UI_Descriptor descriptor = {SOUND_URI ":ui", instantiate, cleanup,
                                              lv2_window_event, lv2_window_extension_data};
  return index == 0 ? &descriptor : NULL;
}
