// SPDX-License-Identifier: GPL-3.0-or-later
#include "sound_view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <X11/keysym.h>

#include "factory_presets.h"

enum {
  PRESETS = 1,
  THEME,
  PROMPT,
  NEGATIVE,
  GENERATE,
  DICE,
  SEED,
  SECONDS,
  STEPS,
  AUTO,
  WAVE,
  PLAY,
  LOOP,
  ROOT_KEY,
  ATTACK,
  RELEASE,
  VELOCITY,
  GAIN,
};

enum { GAP = 12, ROW = 30 };

// ---- Values in words ----

static void say_key(double value, char *text, size_t size)
{
  static const char *const names[12] = {"C",       "C\u266f", "D",       "D\u266f", "E",       "F",
                                        "F\u266f", "G",       "G\u266f", "A",       "A\u266f", "B"};
  int key = (int)value;
  snprintf(text, size, "%s%d", names[key % 12], key / 12 - 1);
}

static void say_seconds(double value, char *text, size_t size)
{
  if (value == 0.0)
    snprintf(text, size, "auto");
  else
    snprintf(text, size, "%.1f s", value);
}

static void say_ms(double value, char *text, size_t size)
{
  if (value < 1000.0)
    snprintf(text, size, "%.0f ms", value);
  else
    snprintf(text, size, "%.1f s", value / 1000.0);
}

static void say_steps(double value, char *text, size_t size)
{
  if (value == 0.0)
    snprintf(text, size, "auto");
  else
    snprintf(text, size, "%.0f", value);
}

static const ui_range seed_range = {"Seed", 0, 16777215, 0, 1, 3, NULL, "", 0};
static const ui_range seconds_range = {"Length", 0, 60, 0, 0.1, 2, say_seconds, "s", 1};
static const ui_range steps_range = {"Steps", 0, 50, 0, 1, 1, say_steps, "", 0};
static const ui_range key_range = {"Root", 0, 127, 60, 1, 1, say_key, "", 0};
static const ui_range attack_range = {"Attack", 0, 5000, 0, 1, 3, say_ms, "", 0};
static const ui_range release_range = {"Release", 1, 10000, 50, 1, 3, say_ms, "", 0};
static const ui_range velocity_range = {"Velocity", 0, 100, 50, 1, 1, NULL, "%", 0};
static const ui_range gain_range = {"Gain", -60, 24, 0, 0.5, 1, NULL, "dB", 1};

static void slider(ui *u, sound_window *s, int id, ui_box b, const ui_range *range, int port)
{
  double value = s->ports[port];
  if (ui_slider(u, id, b, range, &value)) sound_set(s, port, (float)value);
}

static void toggle(ui *u, sound_window *s, int id, ui_box b, const char *text, int port)
{
  bool on = s->ports[port] > 0.0f;
  if (ui_toggle(u, id, b, text, &on)) sound_set(s, port, on ? 1.0f : 0.0f);
}

static bool is_busy(const sound_window *s)
{
  return s->ports[PORT_STATUS] == (float)SOUND_BUSY;
}

// ---- Parts, from top to bottom ----

static void presets(ui *u, sound_window *s, ui_box b)
{
  ui_row rows[2 * FACTORY_PRESETS + 1];
  int which[2 * FACTORY_PRESETS + 1];
  int count = 0;
  int chosen = -1;
  const char *group = "";
  for (int i = 0; i < FACTORY_PRESETS; i++) {
    const factory_preset *p = &factory_presets[i];
    if (strcmp(group, p->group) != 0) {
      which[count] = -1;
      rows[count++] = (ui_row){p->group, true};
    }
    group = p->group;
    if (i == s->preset) chosen = count;
    which[count] = i;
    rows[count++] = (ui_row){p->name, false};
  }
  int picked = ui_choose(u, PRESETS, b, &s->list, rows, count, chosen);
  if (picked >= 0) sound_take_preset(s, which[picked]);
}

static void words(ui *u, sound_window *s, ui_box b)
{
  ui_box title = ui_top(&b, 20.0);
  ui_text(u, title, "What do you want to hear?", UI_SMALL, UI_AT_LEFT, u->theme->faint);
  if (s->guided) {
    ui_box line = ui_bottom(&b, 28.0);
    ui_bottom(&b, 6.0);
    ui_text(u, ui_left(&line, 62.0), "But not", UI_SMALL, UI_AT_LEFT, u->theme->faint);
    if (ui_write(u, NEGATIVE, line, &s->negative.words, "what is not to be heard"))
      sound_written(s, &s->negative);
  }
  if (ui_write(u, PROMPT, b, &s->prompt.words, "rain on a tin roof")) sound_written(s, &s->prompt);
}

static void die(ui *u, ui_box b)
{
  static const double dots[5][2] = {
      {0.28, 0.28}, {0.72, 0.28}, {0.5, 0.5}, {0.28, 0.72}, {0.72, 0.72}};
  ui_box face = {b.x + b.w / 2.0 - 8.0, b.y + b.h / 2.0 - 8.0, 16.0, 16.0};
  ui_frame(u, face, 4.0, u->theme->text);
  for (int i = 0; i < 5; i++)
    ui_fill(u,
            (ui_box){face.x + dots[i][0] * 16.0 - 1.5, face.y + dots[i][1] * 16.0 - 1.5, 3.0, 3.0},
            1.5, u->theme->text);
}

static void making(ui *u, sound_window *s, ui_box b)
{
  bool busy = is_busy(s);
  ui_box button = ui_left(&b, 116.0);
  if (ui_button(u, GENERATE, button, busy ? "Cancel" : "Generate", busy ? UI_PLAIN : UI_MAIN)) {
    if (busy)
      sound_cancel(s);
    else
      sound_generate(s);
  }
  ui_left(&b, GAP);
  ui_box dice = ui_left(&b, ROW);
  if (ui_button(u, DICE, dice, "", UI_PLAIN)) sound_roll(s);
  die(u, dice);
  ui_left(&b, GAP);
  ui_box automatic = ui_right(&b, 112.0);
  ui_right(&b, GAP);
  slider(u, s, SEED, ui_column(b, 0, 3, 2 * GAP), &seed_range, PORT_SEED);
  slider(u, s, SECONDS, ui_column(b, 1, 3, 2 * GAP), &seconds_range, PORT_SECONDS);
  slider(u, s, STEPS, ui_column(b, 2, 3, 2 * GAP), &steps_range, PORT_STEPS);
  toggle(u, s, AUTO, automatic, "On changes", PORT_AUTO);
}

static void draw_wave(ui *u, const sound_window *s, ui_box b)
{
  const double middle = b.y + b.h / 2.0;
  const double high = b.h / 2.0 - 6.0;
  float most = 1e-6f;
  for (int i = 0; i < SOUND_COLUMNS; i++) most = fmaxf(most, fmaxf(-s->wave[i][0], s->wave[i][1]));
  double scale = high / fmax((double)most, 0.1); // what is soft is seen too, but not as loud
  cairo_new_path(u->cr);
  for (int i = 0; i < SOUND_COLUMNS; i++)
    cairo_line_to(u->cr, b.x + (i + 0.5) * b.w / SOUND_COLUMNS,
                  fmin(middle - scale * s->wave[i][1], middle - 0.5));
  for (int i = SOUND_COLUMNS - 1; i >= 0; i--)
    cairo_line_to(u->cr, b.x + (i + 0.5) * b.w / SOUND_COLUMNS,
                  fmax(middle - scale * s->wave[i][0], middle + 0.5));
  cairo_close_path(u->cr);
  ui_colour_set(u, u->theme->accent, is_busy(s) ? 0.35 : 1.0);
  cairo_fill(u->cr);
}

// Where a loop goes back to, and from where: both ends of the clip.
static void draw_loop_point(ui *u, ui_box b, bool end)
{
  double x = end ? b.x + b.w - 1.0 : b.x;
  double to = end ? -8.0 : 8.0;
  ui_colour_set(u, u->theme->warn, 1.0);
  cairo_rectangle(u->cr, x, b.y, 1.5, b.h);
  cairo_fill(u->cr);
  cairo_move_to(u->cr, x, b.y);
  cairo_line_to(u->cr, x + to, b.y);
  cairo_line_to(u->cr, x, b.y + 8.0);
  cairo_close_path(u->cr);
  cairo_fill(u->cr);
}

static void draw_progress(ui *u, const sound_window *s, ui_box b)
{
  char text[32];
  double share = fmin(fmax((double)s->ports[PORT_PROGRESS] / 100.0, 0.0), 1.0);
  ui_box bar = {b.x + b.w * 0.2, b.y + b.h / 2.0 + 8.0, b.w * 0.6, 6.0};
  snprintf(text, sizeof text, "Generating  %.0f %%", 100.0 * share);
  ui_text(u, (ui_box){bar.x, bar.y - 24.0, bar.w, 18.0}, text, UI_BOLD, UI_CENTRED, u->theme->text);
  ui_fill(u, bar, 3.0, u->theme->line);
  bar.w *= share;
  ui_fill(u, bar, 3.0, u->theme->accent);
  ui_again(u, 0.05);
}

static void wave(ui *u, sound_window *s, ui_box b)
{
  const bool has_clip = s->ports[PORT_CLIP_SECONDS] > 0.0f;
  const ui_box inside = ui_inner(b, 8.0);
  char text[64];
  ui_press(u, WAVE, b);
  bool pulled = u->pressed == WAVE && u->event.kind == UI_MOVE &&
                hypot(u->mouse_x - u->grip_x, u->mouse_y - u->grip_y) > 6.0;
  if (pulled && has_clip && !ui_dragging(u)) sound_drag(s);
  ui_released(u, WAVE);
  ui_fill(u, b, 5.0, u->theme->well);
  ui_frame(u, b, 5.0, u->theme->line);
  if (has_clip) {
    draw_wave(u, s, inside);
    snprintf(text, sizeof text, "%.2f s", (double)s->ports[PORT_CLIP_SECONDS]);
    ui_text(u, (ui_box){inside.x, inside.y - 2.0, inside.w - 14.0, 16.0}, text, UI_SMALL,
            UI_AT_RIGHT, u->theme->faint);
    if (ui_in(u, b) && !is_busy(s))
      ui_text(u, (ui_box){inside.x, inside.y + inside.h - 14.0, inside.w - 14.0, 16.0},
              "drag it to where you need it", UI_SMALL, UI_AT_RIGHT, u->theme->faint);
    if (s->ports[PORT_LOOP] > 0.0f) {
      draw_loop_point(u, inside, false);
      draw_loop_point(u, inside, true);
    }
  } else if (!is_busy(s)) {
    ui_text(u, inside, "No sound yet", UI_NORMAL, UI_CENTRED, u->theme->faint);
  }
  if (is_busy(s)) draw_progress(u, s, inside);
}

static void keys(ui *u, sound_window *s, ui_box b)
{
  ui_box play = ui_left(&b, 70.0);
  if (ui_hold(u, PLAY, play, "Play", &s->plays)) sound_set(s, PORT_TRIGGER, s->plays ? 1.0f : 0.0f);
  ui_left(&b, GAP);
  toggle(u, s, LOOP, ui_left(&b, 72.0), "Loop", PORT_LOOP);
  ui_left(&b, GAP);
  slider(u, s, ROOT_KEY, ui_column(b, 0, 5, GAP), &key_range, PORT_ROOT_KEY);
  slider(u, s, ATTACK, ui_column(b, 1, 5, GAP), &attack_range, PORT_ATTACK);
  slider(u, s, RELEASE, ui_column(b, 2, 5, GAP), &release_range, PORT_RELEASE);
  slider(u, s, VELOCITY, ui_column(b, 3, 5, GAP), &velocity_range, PORT_VELOCITY);
  slider(u, s, GAIN, ui_column(b, 4, 5, GAP), &gain_range, PORT_GAIN);
}

static void status(ui *u, const sound_window *s, ui_box b)
{
  static const char *const says[] = {
      [SOUND_EMPTY] = "Write some words, or choose a preset",
      [SOUND_READY] = "Ready",
      [SOUND_BUSY] = "Generating",
      [SOUND_NO_MODEL] = "There is no model",
      [SOUND_FAILED] = "That did not work",
  };
  int at = (int)s->ports[PORT_STATUS];
  bool known = at >= 0 && at <= SOUND_FAILED;
  bool bad = s->message[0] != '\0' || (known && at >= SOUND_NO_MODEL);
  const char *name = strrchr(s->model_path, '/');
  const char *model = s->model_path[0] == '\0' ? "default model" : name ? name + 1 : s->model_path;
  if (s->message[0] == '\0')
    ui_text(u, ui_right(&b, b.w * 0.25), model, UI_SMALL, UI_AT_RIGHT, u->theme->faint);
  ui_text(u, b,
          s->message[0] != '\0' ? s->message
          : known               ? says[at]
                                : "",
          UI_SMALL, UI_AT_LEFT, bad ? u->theme->warn : u->theme->faint);
}

void sound_view(ui *u, void *window)
{
  sound_window *s = window;
  ui_box b = {0.0, 0.0, u->width, u->height};
  ui_fill(u, b, 0.0, u->theme->back);
  sound_let_go(s, u);
  ui_header(u, THEME, ui_top(&b, 42.0), "Meanwave Sound");
  b = (ui_box){b.x + GAP, b.y, b.w - 2 * GAP, b.h};
  status(u, s, ui_bottom(&b, 30.0));
  presets(u, s, ui_left(&b, fmin(172.0, b.w * 0.22)));
  ui_left(&b, GAP);
  ui_box bottom = ui_bottom(&b, ROW);
  ui_bottom(&b, GAP);
  const double written = fmin(fmax(76.0, 0.36 * (b.h - ROW)), 150.0) + (s->guided ? 34.0 : 0.0);
  words(u, s, ui_top(&b, written));
  ui_top(&b, GAP);
  making(u, s, ui_top(&b, ROW));
  ui_top(&b, GAP);
  wave(u, s, b);
  keys(u, s, bottom);
  if (u->event.kind == UI_KEY && !u->event.taken && u->event.control && u->event.key == XK_Return) {
    u->event.taken = true;
    sound_generate(s);
  }
  ui_hanging(u, "a prompt (.txt, .preset) or a model");
}
