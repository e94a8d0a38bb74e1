// SPDX-License-Identifier: GPL-3.0-or-later
//
// Boxes, lines of text, and who gets mouse and keys.
#include <math.h>
#include <string.h>

#include "ui.h"

ui_box ui_inner(ui_box b, double by)
{
  return (ui_box){b.x + by, b.y + by, fmax(b.w - 2.0 * by, 0.0), fmax(b.h - 2.0 * by, 0.0)};
}

ui_box ui_top(ui_box *b, double height)
{
  ui_box cut = {b->x, b->y, b->w, fmin(height, b->h)};
  b->y += cut.h;
  b->h -= cut.h;
  return cut;
}

ui_box ui_bottom(ui_box *b, double height)
{
  double h = fmin(height, b->h);
  b->h -= h;
  return (ui_box){b->x, b->y + b->h, b->w, h};
}

ui_box ui_left(ui_box *b, double width)
{
  ui_box cut = {b->x, b->y, fmin(width, b->w), b->h};
  b->x += cut.w;
  b->w -= cut.w;
  return cut;
}

ui_box ui_right(ui_box *b, double width)
{
  double w = fmin(width, b->w);
  b->w -= w;
  return (ui_box){b->x + b->w, b->y, w, b->h};
}

ui_box ui_column(ui_box b, int index, int count, double gap)
{
  double w = (b.w - gap * (count - 1)) / count;
  return (ui_box){b.x + index * (w + gap), b.y, w, b.h};
}

bool ui_in(const ui *u, ui_box b)
{
  return u->mouse_in && u->mouse_x >= b.x && u->mouse_x < b.x + b.w && u->mouse_y >= b.y &&
         u->mouse_y < b.y + b.h;
}

// ---- Drawing ----

void ui_colour_set(ui *u, ui_colour c, double opacity)
{
  cairo_set_source_rgba(u->cr, c.red, c.green, c.blue, opacity);
}

void ui_round(ui *u, ui_box b, double radius)
{
  double r = fmin(radius, fmin(b.w, b.h) / 2.0);
  cairo_new_path(u->cr);
  if (r <= 0.0) {
    cairo_rectangle(u->cr, b.x, b.y, b.w, b.h);
    return;
  }
  cairo_arc(u->cr, b.x + b.w - r, b.y + r, r, -M_PI / 2.0, 0.0);
  cairo_arc(u->cr, b.x + b.w - r, b.y + b.h - r, r, 0.0, M_PI / 2.0);
  cairo_arc(u->cr, b.x + r, b.y + b.h - r, r, M_PI / 2.0, M_PI);
  cairo_arc(u->cr, b.x + r, b.y + r, r, M_PI, 1.5 * M_PI);
  cairo_close_path(u->cr);
}

void ui_fill(ui *u, ui_box b, double radius, ui_colour c)
{
  ui_round(u, b, radius);
  ui_colour_set(u, c, 1.0);
  cairo_fill(u->cr);
}

void ui_frame(ui *u, ui_box b, double radius, ui_colour c)
{
  ui_round(u, ui_inner(b, 0.5), radius);
  ui_colour_set(u, c, 1.0);
  cairo_set_line_width(u->cr, 1.0);
  cairo_stroke(u->cr);
}

void ui_font_set(ui *u, ui_font font)
{
  static const double sizes[] = {
      [UI_SMALL] = 11.0, [UI_NORMAL] = 12.5, [UI_BOLD] = 12.5, [UI_TITLE] = 15.0};
  bool bold = font == UI_BOLD || font == UI_TITLE;
  cairo_select_font_face(u->cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                         bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(u->cr, sizes[font]);
}

double ui_text_width(ui *u, const char *text)
{
  cairo_text_extents_t extents;
  cairo_text_extents(u->cr, text, &extents);
  return extents.x_advance;
}

// Cairo draws nothing any more once it has been given what is not UTF-8.
static void clean(const char *text, char *cleaned, size_t size)
{
  size_t used = 0;
  size_t length = strlen(text);
  for (size_t i = 0; i < length;) {
    size_t bytes = edit_letter(text + i, length - i);
    if (used + bytes + 4 > size) break; // room for the dots
    bool drawn = bytes > 1 || (bytes == 1 && (unsigned char)text[i] >= ' ' && text[i] != 0x7F);
    if (drawn) {
      memcpy(cleaned + used, text + i, bytes);
      used += bytes;
    }
    i += bytes > 0 ? bytes : 1;
  }
  cleaned[used] = '\0';
}

// Cuts off its end, so that it has room with dots behind.
static void shorten(ui *u, char *text, double width)
{
  size_t length = strlen(text);
  do {
    length = edit_before(text, length);
    strcpy(text + length, "\u2026");
  } while (length > 0 && ui_text_width(u, text) > width);
}

void ui_text(ui *u, ui_box b, const char *text, ui_font font, ui_side side, ui_colour c)
{
  char shown[512];
  cairo_font_extents_t extents;
  ui_font_set(u, font);
  cairo_font_extents(u->cr, &extents);
  clean(text, shown, sizeof shown);
  if (ui_text_width(u, shown) > b.w + 0.5) shorten(u, shown, b.w);
  double width = ui_text_width(u, shown);
  double left = side == UI_AT_LEFT ? 0.0 : side == UI_CENTRED ? (b.w - width) / 2.0 : b.w - width;
  ui_colour_set(u, c, 1.0);
  cairo_move_to(u->cr, round(b.x + left),
                round(b.y + (b.h + extents.ascent - extents.descent) / 2.0));
  cairo_show_text(u->cr, shown);
}

void ui_clip(ui *u, ui_box b)
{
  cairo_save(u->cr);
  cairo_rectangle(u->cr, b.x, b.y, b.w, b.h);
  cairo_clip(u->cr);
}

void ui_unclip(ui *u)
{
  cairo_restore(u->cr);
}

void ui_again(ui *u, double seconds)
{
  u->again_s = fmin(u->again_s, u->now_s + seconds);
}

// ---- Mouse and keys ----

void ui_stop(ui *u, int id)
{
  if (u->stop_count < UI_MOST_STOPS) u->stops[u->stop_count++] = id;
}

bool ui_focused(const ui *u, int id)
{
  return u->focus == id && u->has_keys;
}

void ui_draw_focus(ui *u, int id, ui_box b, double radius)
{
  if (!ui_focused(u, id)) return;
  ui_round(u, ui_inner(b, -1.5), radius + 1.5);
  ui_colour_set(u, u->theme->accent, 0.75);
  cairo_set_line_width(u->cr, 1.5);
  cairo_stroke(u->cr);
}

bool ui_press(ui *u, int id, ui_box b)
{
  if (u->event.kind != UI_PRESS || u->event.taken || !ui_in(u, b)) return false;
  u->event.taken = true;
  u->pressed = u->focus = id;
  u->grip_x = u->mouse_x;
  u->grip_y = u->mouse_y;
  return true;
}

bool ui_released(ui *u, int id)
{
  if (u->event.kind != UI_RELEASE || u->pressed != id) return false;
  u->event.taken = true;
  u->pressed = 0;
  return true;
}

bool ui_key(ui *u, int id)
{
  return u->event.kind == UI_KEY && !u->event.taken && u->focus == id;
}
