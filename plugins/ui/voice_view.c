// SPDX-License-Identifier: GPL-3.0-or-later
#include "voice_view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <X11/keysym.h>

enum { VOICES = 1, THEME, NAME, LOAD, SAVE, BROWSE, ENABLED, PITCH, MIX, GATE, GAIN };

enum { GAP = 12, ROW = 30, NAME_SIZE = 96 };

static const float gate_off = -120.0f;

// ---- Values in words ----

static void say_pitch(double value, char *text, size_t size)
{
  snprintf(text, size, value == 0.0 ? "%.0f semitones" : "%+.1f semitones", value);
}

static void say_gate(double value, char *text, size_t size)
{
  if (value <= (double)gate_off)
    snprintf(text, size, "off");
  else
    snprintf(text, size, "%.0f dB", value);
}

static const ui_range pitch_range = {"Pitch", -24, 24, 0, 0.1, 1, say_pitch, "", 1};
static const ui_range mix_range = {"Mix", 0, 100, 100, 1, 1, NULL, "%", 0};
static const ui_range gate_range = {"Gate", -120, 0, -120, 1, 1, say_gate, "", 0};
static const ui_range gain_range = {"Gain", -60, 24, 0, 0.5, 1, NULL, "dB", 1};

static void slider(ui *u, voice_window *v, int id, ui_box b, const ui_range *range, int port)
{
  double value = v->ports[port];
  if (ui_slider(u, id, b, range, &value)) voice_set(v, port, (float)value);
}

// ---- The list of voices ----

typedef struct {
  char names[VOICE_MOST_ROWS][NAME_SIZE];
  const char *paths[VOICE_MOST_ROWS]; // NULL, or where a line with one begins
  int numbers[VOICE_MOST_ROWS];       // of the model
  ui_row rows[VOICE_MOST_ROWS];
  int count;
  int chosen;
} table;

static void add(table *t, const char *name, int number, const char *path, bool is_title)
{
  if (t->count == VOICE_MOST_ROWS) return;
  int i = t->count++;
  snprintf(t->names[i], NAME_SIZE, "%.*s", NAME_SIZE - 1, name);
  t->paths[i] = path;
  t->numbers[i] = number;
  t->rows[i] = (ui_row){t->names[i], is_title};
}

// The next line of a text, in line[size]; NULL behind the last.
static const char *next_line(const char *text, char *line, size_t size)
{
  size_t length = strcspn(text, "\n");
  if (text[0] == '\0') return NULL;
  snprintf(line, size, "%.*s", (int)length, text);
  return text + length + (text[length] == '\n');
}

// `at`: where the path stands, with a line's end or a NUL behind it.
static void add_file(table *t, const voice_window *v, const char *path, const char *at)
{
  char name[NAME_SIZE];
  const char *file = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
  size_t length = strlen(file);
  bool is_voice = length > 6 && strcmp(file + length - 6, ".voice") == 0;
  snprintf(name, sizeof name, "%.*s", (int)(is_voice ? length - 6 : length), file);
  if (v->ports[PORT_VOICE] == 0.0f && strcmp(path, v->file_path) == 0) t->chosen = t->count;
  add(t, name, 0, at, false);
}

static void fill(table *t, const voice_window *v)
{
  char line[UI_FOLDER_SIZE];
  const char *at = v->voices;
  int number = 1;
  bool has_file = v->file_path[0] != '\0';
  t->count = 0;
  t->chosen = -1;
  add(t, "Voices of the model", 0, NULL, true);
  while ((at = next_line(at, line, sizeof line)) != NULL) {
    float port = v->ports[PORT_VOICE];
    if (port == (float)number || (port == 0.0f && number == 1 && !has_file)) t->chosen = t->count;
    add(t, line, number++, NULL, false);
  }
  add(t, "Your voices", 0, NULL, true);
  bool listed = false;
  const char *begin = v->files;
  while ((at = next_line(begin, line, sizeof line)) != NULL) {
    listed = listed || strcmp(line, v->file_path) == 0;
    add_file(t, v, line, begin);
    begin = at;
  }
  if (has_file && !listed) add_file(t, v, v->file_path, v->file_path);
}

static void voices(ui *u, voice_window *v, ui_box b)
{
  static const char hint[] = "name, or path of a recording";
  table t;
  bool dialog = v->base.request != NULL;
  fill(&t, v);
  ui_text(u, ui_bottom(&b, 16.0), "Only with its owner\u2019s consent", UI_SMALL, UI_AT_LEFT,
          u->theme->faint);
  ui_bottom(&b, 4.0);
  ui_box buttons = ui_bottom(&b, 26.0);
  ui_bottom(&b, 6.0);
  ui_box name = ui_bottom(&b, 28.0);
  ui_bottom(&b, 8.0);
  int picked = ui_choose(u, VOICES, b, &v->list, t.rows, t.count, t.chosen);
  if (picked >= 0 && t.numbers[picked] > 0) voice_choose(v, t.numbers[picked]);
  if (picked >= 0 && t.paths[picked] != NULL) {
    char path[UI_FOLDER_SIZE];
    next_line(t.paths[picked], path, sizeof path);
    voice_load(v, path);
  }
  ui_write(u, NAME, name, &v->name, hint);
  if (ui_key(u, NAME) && u->event.key == XK_Return) {
    u->event.taken = true;
    voice_load_named(v);
  }
  int count = dialog ? 3 : 2;
  if (ui_button(u, LOAD, ui_column(buttons, 0, count, 6.0), "Load", UI_PLAIN)) voice_load_named(v);
  if (ui_button(u, SAVE, ui_column(buttons, 1, count, 6.0), "Save", UI_PLAIN)) voice_save_named(v);
  if (dialog && ui_button(u, BROWSE, ui_column(buttons, 2, count, 6.0), "Files", UI_PLAIN))
    voice_browse(v);
}

// ---- The sound ----

static void fact(ui *u, ui_box b, const char *label, const char *value, bool bad)
{
  ui_fill(u, b, 5.0, u->theme->panel);
  ui_frame(u, b, 5.0, u->theme->line);
  b = ui_inner(b, 8.0);
  ui_text(u, ui_top(&b, 14.0), label, UI_SMALL, UI_AT_LEFT, u->theme->faint);
  ui_text(u, b, value, UI_TITLE, UI_AT_LEFT, bad ? u->theme->warn : u->theme->text);
}

static void facts(ui *u, const voice_window *v, ui_box b)
{
  char text[32];
  const float *ports = v->ports;
  snprintf(text, sizeof text, "%.0f ms", (double)ports[PORT_DELAY]);
  fact(u, ui_column(b, 0, 3, GAP), "Delay", text, false);
  snprintf(text, sizeof text, "%.2f", (double)ports[PORT_RTF]);
  fact(u, ui_column(b, 1, 3, GAP), "Real-time factor", text, ports[PORT_RTF] > 0.8f);
  snprintf(text, sizeof text, "%.0f", (double)ports[PORT_LATE_CHUNKS]);
  fact(u, ui_column(b, 2, 3, GAP), "Late chunks", text, ports[PORT_LATE_CHUNKS] > 0.0f);
}

static void sound(ui *u, voice_window *v, ui_box b)
{
  bool on = v->ports[PORT_ENABLED] > 0.0f;
  facts(u, v, ui_bottom(&b, 56.0));
  ui_bottom(&b, GAP);
  if (ui_toggle(u, ENABLED, ui_top(&b, ROW), "Convert", &on))
    voice_set(v, PORT_ENABLED, on ? 1.0f : 0.0f);
  ui_top(&b, 4.0);
  ui_meter(u, ui_top(&b, 24.0), "In", (double)v->ports[PORT_LEVEL_IN]);
  ui_meter(u, ui_top(&b, 24.0), "Out", (double)v->ports[PORT_LEVEL_OUT]);
  const double gap = fmin(fmax((b.h - 4 * ROW) / 4.0, 2.0), 30.0);
  const ui_range *ranges[4] = {&pitch_range, &mix_range, &gate_range, &gain_range};
  for (int i = 0; i < 4; i++) {
    ui_top(&b, gap);
    slider(u, v, PITCH + i, ui_top(&b, ROW), ranges[i], PORT_PITCH + i);
  }
}

static void status(ui *u, const voice_window *v, ui_box b)
{
  static const char *const says[] = {[RIG_READY] = "Ready",
                                     [RIG_LOADING] = "Loading",
                                     [RIG_NO_MODEL] = "There is no model",
                                     [RIG_NO_VOICE] = "There is no such voice"};
  char text[600];
  int at = (int)v->ports[PORT_STATUS];
  bool known = at >= 0 && at <= RIG_NO_VOICE;
  bool bad = v->message[0] != '\0' || at >= RIG_NO_MODEL;
  const char *name = strrchr(v->model_path, '/');
  const char *model = v->model_path[0] == '\0' ? "default model" : name ? name + 1 : v->model_path;
  if (v->message[0] == '\0')
    ui_text(u, ui_right(&b, b.w * 0.3), model, UI_SMALL, UI_AT_RIGHT, u->theme->faint);
  if (v->message[0] != '\0')
    snprintf(text, sizeof text, "%s", v->message);
  else if (v->saved)
    snprintf(text, sizeof text, "Saved as %.500s", v->saving);
  else
    snprintf(text, sizeof text, "%s", known ? says[at] : "");
  ui_text(u, b, text, UI_SMALL, UI_AT_LEFT, bad ? u->theme->warn : u->theme->faint);
}

void voice_view(ui *u, void *window)
{
  voice_window *v = window;
  ui_box b = {0.0, 0.0, u->width, u->height};
  ui_fill(u, b, 0.0, u->theme->back);
  ui_header(u, THEME, ui_top(&b, 42.0), "Meanwave Voice");
  b = (ui_box){b.x + GAP, b.y, b.w - 2 * GAP, b.h};
  status(u, v, ui_bottom(&b, 30.0));
  voices(u, v, ui_left(&b, fmin(b.w * 0.36, 260.0)));
  ui_left(&b, 1.5 * GAP);
  sound(u, v, b);
  ui_hanging(u, "a voice, a recording or a model");
}
