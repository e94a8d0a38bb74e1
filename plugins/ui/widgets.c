// SPDX-License-Identifier: GPL-3.0-or-later
//
// Buttons, switches, sliders, lists and meters.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <X11/keysym.h>

#include "ui.h"

enum { RADIUS = 5, ROW = 24 };

static bool is_enter(const ui *u)
{
  return u->event.key == XK_Return || u->event.key == XK_KP_Enter || u->event.key == XK_space;
}

// ---- Buttons ----

static void draw_button(ui *u, int id, ui_box b, const char *text, bool main, bool down)
{
  const ui_theme *t = u->theme;
  bool hovers = ui_in(u, b) && (u->pressed == 0 || u->pressed == id);
  ui_fill(u, b, RADIUS, main ? t->accent : t->panel);
  if (hovers || down) {
    ui_round(u, b, RADIUS);
    ui_colour_set(u, t->text, down ? 0.18 : 0.07);
    cairo_fill(u->cr);
  }
  if (!main) ui_frame(u, b, RADIUS, t->line);
  ui_text(u, ui_inner(b, 4.0), text, main ? UI_BOLD : UI_NORMAL, UI_CENTRED,
          main ? t->on_accent : t->text);
  ui_draw_focus(u, id, b, RADIUS);
}

bool ui_button(ui *u, int id, ui_box b, const char *text, ui_look look)
{
  ui_stop(u, id);
  ui_press(u, id, b);
  bool clicked = ui_released(u, id) && ui_in(u, b);
  if (ui_key(u, id) && is_enter(u)) clicked = u->event.taken = true;
  draw_button(u, id, b, text, look == UI_MAIN, u->pressed == id && ui_in(u, b));
  return clicked;
}

bool ui_hold(ui *u, int id, ui_box b, const char *text, bool *held)
{
  bool was = *held;
  ui_stop(u, id);
  if (ui_press(u, id, b)) *held = true;
  if (ui_released(u, id)) *held = false;
  if (ui_key(u, id) && is_enter(u)) { // a key is not told to be up: the next one is
    u->event.taken = true;
    *held = !*held;
  }
  if (*held && u->focus != id) *held = false;
  draw_button(u, id, b, text, false, *held);
  return *held != was;
}

bool ui_toggle(ui *u, int id, ui_box b, const char *text, bool *on)
{
  const ui_theme *t = u->theme;
  const ui_box knob = {b.x, b.y + (b.h - 16.0) / 2.0, 28.0, 16.0};
  ui_stop(u, id);
  ui_press(u, id, b);
  bool clicked = ui_released(u, id) && ui_in(u, b);
  if (ui_key(u, id) && is_enter(u)) clicked = u->event.taken = true;
  if (clicked) *on = !*on;
  ui_fill(u, knob, 8.0, *on ? t->accent : t->well);
  if (!*on) ui_frame(u, knob, 8.0, t->line);
  ui_fill(u, (ui_box){knob.x + (*on ? 14.0 : 2.0), knob.y + 2.0, 12.0, 12.0}, 6.0,
          *on ? t->on_accent : t->faint);
  ui_draw_focus(u, id, knob, 8.0);
  ui_text(u, (ui_box){b.x + 36.0, b.y, b.w - 36.0, b.h}, text, UI_NORMAL, UI_AT_LEFT, t->text);
  return clicked;
}

// ---- Sliders ----

static double clamp(double x, double low, double high)
{
  return x < low ? low : x > high ? high : x;
}

// Where a value lies on the slider, 0 to 1, and back.
static double place_of(const ui_range *r, double value)
{
  return pow(clamp((value - r->low) / (r->high - r->low), 0.0, 1.0), 1.0 / r->curve);
}

static double value_at(const ui_range *r, double place)
{
  double value = r->low + (r->high - r->low) * pow(clamp(place, 0.0, 1.0), r->curve);
  return clamp(round(value / r->step) * r->step, r->low, r->high);
}

static void say_value(const ui_range *r, double value, char *text, size_t size)
{
  if (r->say != NULL)
    r->say(value, text, size);
  else
    snprintf(text, size, "%.*f%s%s", r->decimals, value, r->unit[0] != '\0' ? " " : "", r->unit);
}

static void slider_mouse(ui *u, int id, ui_box b, const ui_range *r, double *value)
{
  if (ui_press(u, id, b)) {
    u->grip_value = place_of(r, *value);
    if (u->event.clicks == 2) *value = r->standard;
  }
  if (u->pressed == id && u->event.kind == UI_MOVE && fabs(u->mouse_x - u->grip_x) > 0.5) {
    double width = (u->event.shift ? 8.0 : 1.0) * fmax(b.w, 1.0);
    *value = value_at(r, u->grip_value + (u->mouse_x - u->grip_x) / width);
    u->event.taken = true;
  }
  ui_released(u, id);
  if (u->event.kind == UI_WHEEL && !u->event.taken && ui_in(u, b)) {
    *value = clamp(*value + u->event.wheel * r->step, r->low, r->high);
    u->event.taken = true;
  }
}

static void type_number(ui *u, int id, const ui_range *r, double *value)
{
  size_t length = u->typed_into == id ? strlen(u->typed) : 0;
  const char *text = u->event.text;
  bool digit = u->event.text_bytes == 1 && strchr("0123456789.,-", text[0]) != NULL;
  if (digit && length + 2 < UI_TYPED) {
    u->typed_into = id;
    u->typed[length] = text[0] == ',' ? '.' : text[0];
    u->typed[length + 1] = '\0';
    u->event.taken = true;
  } else if (length > 0 && u->event.key == XK_BackSpace) {
    u->typed[length - 1] = '\0';
    u->event.taken = true;
  } else if (length > 0 && (is_enter(u) || u->event.key == XK_Tab)) {
    double typed = strtod(u->typed, NULL);
    if (isfinite(typed)) *value = clamp(round(typed / r->step) * r->step, r->low, r->high);
    u->event.taken = u->event.key != XK_Tab;
    u->typed_into = 0;
  } else if (length > 0 && u->event.key == XK_Escape) {
    u->typed_into = 0;
    u->event.taken = true;
  }
}

static void slider_keys(ui *u, int id, const ui_range *r, double *value)
{
  const double big = u->event.shift ? 10.0 : 1.0;
  type_number(u, id, r, value);
  if (u->event.taken) return;
  double by = 0.0;
  if (u->event.key == XK_Right || u->event.key == XK_Up) by = r->step;
  if (u->event.key == XK_Left || u->event.key == XK_Down) by = -r->step;
  if (u->event.key == XK_Home) *value = r->low;
  if (u->event.key == XK_End) *value = r->high;
  *value = clamp(*value + big * by, r->low, r->high);
  u->event.taken = by != 0.0 || u->event.key == XK_Home || u->event.key == XK_End;
}

bool ui_slider(ui *u, int id, ui_box b, const ui_range *r, double *value)
{
  const ui_theme *t = u->theme;
  char text[64];
  *value = clamp(*value, r->low, r->high);
  const double before = *value;
  ui_stop(u, id);
  slider_mouse(u, id, b, r, value);
  if (ui_key(u, id)) slider_keys(u, id, r, value);
  if (u->typed_into == id && u->focus != id) u->typed_into = 0;
  say_value(r, *value, text, sizeof text);
  if (u->typed_into == id) snprintf(text, sizeof text, "%s_", u->typed);

  ui_box line = b;
  ui_box words = ui_top(&line, b.h - 8.0);
  ui_font_set(u, UI_SMALL);
  ui_box label = ui_left(&words, ui_text_width(u, r->label) + 4.0);
  ui_text(u, label, r->label, UI_SMALL, UI_AT_LEFT, t->faint);
  ui_text(u, words, text, UI_SMALL, UI_AT_RIGHT, t->text);
  const ui_box track = {line.x, line.y + 1.0, line.w, 5.0};
  ui_fill(u, track, 2.5, t->well);
  if (!t->dark) ui_frame(u, track, 2.5, t->line);
  // from zero, where the range has it inside
  double zero = r->low < 0.0 && r->high > 0.0 && r->curve == 1.0 ? place_of(r, 0.0) : 0.0;
  double place = place_of(r, *value);
  ui_box filled = {track.x + fmin(zero, place) * track.w, track.y, fabs(place - zero) * track.w,
                   track.h};
  ui_fill(u, filled, 2.5, t->accent);
  ui_box knob = {clamp(track.x + place * track.w - 4.0, track.x, track.x + track.w - 8.0),
                 track.y - 2.5, 8.0, 10.0};
  bool lit = u->pressed == id || (u->pressed == 0 && ui_in(u, b));
  ui_fill(u, knob, 3.0, lit ? t->text : t->faint);
  ui_draw_focus(u, id, ui_inner(b, -3.0), RADIUS);
  return *value != before;
}

// ---- Lists ----

static int list_keys(ui *u, const ui_row *rows, int count, int chosen)
{
  int by = u->event.key == XK_Down ? 1 : u->event.key == XK_Up ? -1 : 0;
  if (by == 0) return -1;
  u->event.taken = true;
  int at = chosen + by;
  while (at >= 0 && at < count && rows[at].is_title) at += by;
  return at >= 0 && at < count ? at : -1;
}

static void draw_row(ui *u, ui_box row, const ui_row *r, bool chosen, bool hovers)
{
  const ui_theme *t = u->theme;
  ui_box words = {row.x + 10.0, row.y, row.w - 18.0, row.h};
  if (r->is_title) {
    ui_text(u, words, r->name, UI_SMALL, UI_AT_LEFT, t->faint);
    return;
  }
  if (chosen) ui_fill(u, ui_inner(row, 1.0), 4.0, t->accent);
  if (hovers && !chosen) {
    ui_round(u, ui_inner(row, 1.0), 4.0);
    ui_colour_set(u, t->text, 0.07);
    cairo_fill(u->cr);
  }
  ui_text(u, words, r->name, UI_NORMAL, UI_AT_LEFT, chosen ? t->on_accent : t->text);
}

int ui_choose(ui *u, int id, ui_box b, ui_list *list, const ui_row *rows, int count, int chosen)
{
  const ui_box inside = ui_inner(b, 3.0);
  const double most = fmax(count * ROW - inside.h, 0.0);
  int picked = -1;
  ui_stop(u, id);
  if (u->event.kind == UI_WHEEL && !u->event.taken && ui_in(u, b)) {
    list->scroll -= u->event.wheel * 3.0 * ROW;
    u->event.taken = true;
  }
  if (ui_press(u, id, b)) {
    int at = (int)floor((u->mouse_y - inside.y + list->scroll) / ROW);
    if (at >= 0 && at < count && !rows[at].is_title) picked = at;
  }
  ui_released(u, id);
  if (ui_key(u, id)) {
    picked = list_keys(u, rows, count, chosen);
    list->wanted = picked;
  }
  if (list->wanted >= 0 && list->wanted < count) {
    list->scroll = clamp(list->scroll, (list->wanted + 1.0) * ROW - inside.h, list->wanted * ROW);
    list->wanted = -1;
  }
  list->scroll = clamp(list->scroll, 0.0, most);
  ui_fill(u, b, RADIUS, u->theme->well);
  ui_frame(u, b, RADIUS, u->theme->line);
  ui_clip(u, inside);
  for (int i = 0; i < count; i++) {
    ui_box row = {inside.x, inside.y + i * ROW - list->scroll, inside.w, ROW};
    if (row.y + row.h < inside.y || row.y > inside.y + inside.h) continue;
    draw_row(u, row, &rows[i], i == chosen, u->pressed == 0 && ui_in(u, row) && ui_in(u, inside));
  }
  if (most > 0.0) {
    double shown = inside.h / (count * ROW);
    ui_box bar = {inside.x + inside.w - 4.0, inside.y + list->scroll / (count * ROW) * inside.h,
                  3.0, shown * inside.h};
    ui_round(u, bar, 1.5);
    ui_colour_set(u, u->theme->faint, 0.5);
    cairo_fill(u->cr);
  }
  ui_unclip(u);
  ui_draw_focus(u, id, b, RADIUS);
  return picked;
}

// ---- Meters ----

void ui_meter(ui *u, ui_box b, const char *label, double level_db)
{
  const ui_theme *t = u->theme;
  const double low = -60.0;
  char text[32];
  ui_text(u, ui_left(&b, 34.0), label, UI_SMALL, UI_AT_LEFT, t->faint);
  snprintf(text, sizeof text, level_db > low ? "%.0f dB" : "\u2212\u221e dB", level_db);
  ui_text(u, ui_right(&b, 52.0), text, UI_SMALL, UI_AT_RIGHT, t->text);
  const ui_box track = {b.x, b.y + (b.h - 10.0) / 2.0, b.w, 10.0};
  ui_fill(u, track, 3.0, t->well);
  if (!t->dark) ui_frame(u, track, 3.0, t->line);
  double share = clamp((level_db - low) / (6.0 - low), 0.0, 1.0);
  if (share <= 0.0) return;
  ui_clip(u, (ui_box){track.x, track.y, share * track.w, track.h});
  ui_fill(u, track, 3.0, t->accent);
  double loud = (-6.0 - low) / (6.0 - low);
  ui_fill(u, (ui_box){track.x + loud * track.w, track.y, (1.0 - loud) * track.w, track.h}, 3.0,
          t->warn);
  ui_unclip(u);
}

// ---- Around all ----

void ui_header(ui *u, int id, ui_box b, const char *title)
{
  const ui_theme *t = u->theme;
  ui_fill(u, (ui_box){b.x, b.y + b.h - 10.0, b.w, 1.0}, 0.0, t->line);
  b.h -= 10.0;
  ui_box button = {b.x + b.w - 40.0, b.y + 4.0, 28.0, b.h - 8.0};
  ui_text(u, (ui_box){b.x + 12.0, b.y, b.w - 60.0, b.h}, title, UI_TITLE, UI_AT_LEFT, t->text);
  if (ui_button(u, id, button, "", UI_PLAIN)) ui_toggle_theme(u);
  // half a disc, dark and light
  double x = button.x + button.w / 2.0;
  double y = button.y + button.h / 2.0;
  cairo_new_path(u->cr);
  cairo_arc(u->cr, x, y, 5.5, 0.0, 2.0 * M_PI);
  ui_colour_set(u, t->text, 1.0);
  cairo_set_line_width(u->cr, 1.2);
  cairo_stroke(u->cr);
  cairo_arc(u->cr, x, y, 5.5, M_PI / 2.0, 1.5 * M_PI);
  cairo_fill(u->cr);
}

void ui_hanging(ui *u, const char *what)
{
  char text[128];
  const ui_box all = {0.0, 0.0, u->width, u->height};
  if (!u->file_hangs) return;
  snprintf(text, sizeof text, "Drop %s here", what);
  ui_round(u, all, 0.0);
  ui_colour_set(u, u->theme->back, 0.85);
  cairo_fill(u->cr);
  ui_frame(u, ui_inner(all, 8.0), 8.0, u->theme->accent);
  ui_text(u, all, text, UI_TITLE, UI_CENTRED, u->theme->text);
}
