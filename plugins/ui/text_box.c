// SPDX-License-Identifier: GPL-3.0-or-later
//
// A box to write in: the text of an `edit` broken into lines, with caret, selection and keys.
#include <math.h>
#include <string.h>

#include <X11/keysym.h>

#include "ui.h"

enum { MOST_LINES = 512, RADIUS = 5 };

typedef struct {
  size_t begin;
  size_t end; // without the newline
} line;

typedef struct {
  ui_box box; // of the letters
  double line_height;
  double ascent;
  double scroll;
  line lines[MOST_LINES];
  int count;
} layout;

static double width_of(ui *u, const edit *e, size_t begin, size_t end)
{
  char part[EDIT_SIZE];
  memcpy(part, e->text + begin, end - begin);
  part[end - begin] = '\0';
  return ui_text_width(u, part);
}

// The end of as much as fits into a line, at a gap when there is one.
static size_t fitting(ui *u, const edit *e, size_t begin, size_t end, double width)
{
  size_t fits = begin;
  size_t gap = begin;
  double used = 0.0;
  while (fits < end) {
    size_t next = edit_behind(e->text, end, fits);
    used += width_of(u, e, fits, next);
    if (used > width && fits > begin) return gap > begin ? gap : fits;
    if (e->text[fits] == ' ') gap = next;
    fits = next;
  }
  return end;
}

static void add_line(layout *l, size_t begin, size_t end)
{
  if (l->count < MOST_LINES) l->lines[l->count++] = (line){begin, end};
}

static void break_lines(ui *u, const edit *e, layout *l)
{
  if (e->one_line) {
    add_line(l, 0, e->length);
    return;
  }
  for (size_t at = 0;;) {
    const char *newline = memchr(e->text + at, '\n', e->length - at);
    size_t end = newline != NULL ? (size_t)(newline - e->text) : e->length;
    while (l->count < MOST_LINES) {
      size_t fits = fitting(u, e, at, end, l->box.w);
      add_line(l, at, fits);
      at = fits;
      if (at >= end) break;
    }
    if (newline == NULL || l->count == MOST_LINES) return;
    at = end + 1;
  }
}

static int line_of(const layout *l, size_t position)
{
  int i = l->count - 1;
  while (i > 0 && l->lines[i].begin > position) i--;
  return i;
}

static double x_of(ui *u, const edit *e, const layout *l, int index, size_t position)
{
  const line *at = &l->lines[index];
  return width_of(u, e, at->begin, position < at->end ? position : at->end);
}

static size_t position_at(ui *u, const edit *e, const layout *l, int index, double x)
{
  const line *at = &l->lines[index];
  size_t position = at->begin;
  double left = 0.0;
  while (position < at->end) {
    size_t next = edit_behind(e->text, at->end, position);
    double width = width_of(u, e, position, next);
    if (x < left + width / 2.0) return position;
    left += width;
    position = next;
  }
  // behind the gap of a broken line the next one begins
  bool broken = index + 1 < l->count && l->lines[index + 1].begin == at->end && at->end > at->begin;
  return broken ? edit_before(e->text, position) : position;
}

// So that the caret can be seen: down for many lines, to the side for one.
static void scroll_to_caret(ui *u, const edit *e, layout *l)
{
  int at = line_of(l, e->caret);
  if (e->one_line)
    l->scroll = fmax(x_of(u, e, l, 0, e->caret) - l->box.w + 2.0, 0.0);
  else
    l->scroll = fmax((at + 1) * l->line_height - l->box.h, 0.0);
}

static void lay_out(ui *u, ui_box b, const edit *e, layout *l)
{
  cairo_font_extents_t extents;
  ui_font_set(u, UI_NORMAL);
  cairo_font_extents(u->cr, &extents);
  l->ascent = extents.ascent;
  l->line_height = round(extents.height * 1.15);
  l->box = (ui_box){b.x + 8.0, b.y + 6.0, fmax(b.w - 16.0, 1.0), fmax(b.h - 12.0, 1.0)};
  if (e->one_line) { // in the middle
    l->box.y = b.y + (b.h - l->line_height) / 2.0;
    l->box.h = l->line_height;
  }
  l->count = 0;
  break_lines(u, e, l);
  scroll_to_caret(u, e, l);
}

// ---- Mouse and keys ----

static size_t position_at_mouse(ui *u, const edit *e, const layout *l)
{
  double side = e->one_line ? l->scroll : 0.0;
  double down = e->one_line ? 0.0 : l->scroll;
  int index = (int)floor((u->mouse_y - l->box.y + down) / l->line_height);
  index = index < 0 ? 0 : index >= l->count ? l->count - 1 : index;
  return position_at(u, e, l, index, u->mouse_x - l->box.x + side);
}

static void mouse(ui *u, int id, ui_box b, edit *e, const layout *l)
{
  if (ui_press(u, id, b)) {
    size_t position = position_at_mouse(u, e, l);
    if (u->event.clicks == 2)
      edit_select_word(e, position);
    else
      edit_move_to(e, u->event.clicks > 2 ? 0 : position, u->event.shift);
    if (u->event.clicks > 2) edit_move(e, 1, EDIT_ALL, true);
  } else if (u->event.kind == UI_MOVE && u->pressed == id) {
    edit_move_to(e, position_at_mouse(u, e, l), true);
  }
  ui_released(u, id);
}

static void copy(ui *u, const edit *e)
{
  size_t begin = edit_selection_begin(e);
  if (edit_selection_end(e) > begin) ui_copy(u, e->text + begin, edit_selection_end(e) - begin);
}

static bool command(ui *u, edit *e)
{
  switch (u->event.key) {
  case XK_a:
  case XK_A:
    edit_move_to(e, 0, false);
    edit_move(e, 1, EDIT_ALL, true);
    return true;
  case XK_c:
  case XK_C:
  case XK_Insert: copy(u, e); return true;
  case XK_x:
  case XK_X:
    copy(u, e);
    if (e->caret != e->anchor) edit_delete(e, -1, EDIT_LETTER);
    return true;
  case XK_v:
  case XK_V: ui_paste(u); return true;
  case XK_z: edit_undo(e); return true;
  case XK_Z: edit_redo(e); return true;
  case XK_y:
  case XK_Y: edit_redo(e); return true;
  default: return false;
  }
}

static bool move_lines(ui *u, edit *e, const layout *l, int by)
{
  int at = line_of(l, e->caret);
  double x = x_of(u, e, l, at, e->caret);
  if (at + by < 0)
    edit_move(e, -1, EDIT_ALL, u->event.shift);
  else if (at + by >= l->count)
    edit_move(e, 1, EDIT_ALL, u->event.shift);
  else
    edit_move_to(e, position_at(u, e, l, at + by, x), u->event.shift);
  return true;
}

static bool move_in_line(ui *u, edit *e, const layout *l, int direction)
{
  int at = line_of(l, e->caret);
  if (u->event.control)
    edit_move(e, direction, EDIT_ALL, u->event.shift);
  else if (direction < 0)
    edit_move_to(e, l->lines[at].begin, u->event.shift);
  else
    edit_move_to(e, position_at(u, e, l, at, HUGE_VAL), u->event.shift);
  return true;
}

static bool key(ui *u, edit *e, const layout *l)
{
  bool extend = u->event.shift;
  edit_unit unit = u->event.control ? EDIT_WORD : EDIT_LETTER;
  switch (u->event.key) {
  case XK_Left:
  case XK_KP_Left: edit_move(e, -1, unit, extend); return true;
  case XK_Right:
  case XK_KP_Right: edit_move(e, 1, unit, extend); return true;
  case XK_Up:
  case XK_KP_Up: return !e->one_line && move_lines(u, e, l, -1);
  case XK_Down:
  case XK_KP_Down: return !e->one_line && move_lines(u, e, l, 1);
  case XK_Home:
  case XK_KP_Home: return move_in_line(u, e, l, -1);
  case XK_End:
  case XK_KP_End: return move_in_line(u, e, l, 1);
  case XK_BackSpace: edit_delete(e, -1, unit); return true;
  case XK_Delete:
  case XK_KP_Delete: edit_delete(e, 1, unit); return true;
  case XK_Return:
  case XK_KP_Enter:
    if (e->one_line || u->event.control) return false;
    edit_insert(e, "\n", 1, true);
    return true;
  case XK_Insert:
    if (u->event.shift) ui_paste(u);
    return true;
  case XK_Tab:
  case XK_ISO_Left_Tab:
  case XK_Escape: return false;
  default: break;
  }
  if (u->event.control) return command(u, e);
  if (u->event.text_bytes == 0 || (unsigned char)u->event.text[0] < ' ') return false;
  edit_insert(e, u->event.text, u->event.text_bytes, true);
  return true;
}

// ---- Drawing ----

static void draw_line(ui *u, const edit *e, const layout *l, int index, double x, double y)
{
  const line *at = &l->lines[index];
  char part[EDIT_SIZE];
  size_t begin = edit_selection_begin(e);
  size_t end = edit_selection_end(e);
  if (begin < end && begin <= at->end && end >= at->begin) {
    double left = x_of(u, e, l, index, begin > at->begin ? begin : at->begin);
    double right = x_of(u, e, l, index, end);
    if (end > at->end) right += 4.0; // the newline
    cairo_rectangle(u->cr, x + left, y, right - left, l->line_height);
    ui_colour_set(u, u->theme->accent, 0.4);
    cairo_fill(u->cr);
  }
  memcpy(part, e->text + at->begin, at->end - at->begin);
  part[at->end - at->begin] = '\0';
  ui_colour_set(u, u->theme->text, 1.0);
  cairo_move_to(u->cr, x, round(y + l->ascent + 1.0));
  cairo_show_text(u->cr, part);
}

static void draw_caret(ui *u, const edit *e, const layout *l, double x, double y)
{
  const double blink_s = 0.6;
  double phase = fmod(u->now_s, 2.0 * blink_s);
  ui_again(u, blink_s - fmod(phase, blink_s) + 0.01);
  if (phase > blink_s) return;
  int at = line_of(l, e->caret);
  x += x_of(u, e, l, at, e->caret);
  cairo_rectangle(u->cr, round(x), y + at * l->line_height + 1.0, 1.5, l->line_height - 2.0);
  ui_colour_set(u, u->theme->text, 1.0);
  cairo_fill(u->cr);
}

static void draw(ui *u, int id, ui_box b, const edit *e, const layout *l, const char *hint)
{
  const ui_theme *t = u->theme;
  ui_fill(u, b, RADIUS, t->well);
  ui_frame(u, b, RADIUS, t->line);
  ui_draw_focus(u, id, b, RADIUS);
  double x = l->box.x - (e->one_line ? l->scroll : 0.0);
  double y = l->box.y - (e->one_line ? 0.0 : l->scroll);
  if (e->length == 0)
    ui_text(u, (ui_box){l->box.x, l->box.y, l->box.w, l->line_height}, hint, UI_NORMAL, UI_AT_LEFT,
            t->faint);
  ui_clip(u, (ui_box){l->box.x - 1.0, l->box.y - 1.0, l->box.w + 3.0, l->box.h + 2.0});
  ui_font_set(u, UI_NORMAL);
  for (int i = 0; i < l->count; i++) {
    double top = y + i * l->line_height;
    if (top + l->line_height < b.y || top > b.y + b.h) continue;
    draw_line(u, e, l, i, x, top);
  }
  if (ui_focused(u, id)) draw_caret(u, e, l, x, y);
  ui_unclip(u);
}

bool ui_write(ui *u, int id, ui_box b, edit *e, const char *hint)
{
  layout l;
  char before[EDIT_SIZE];
  memcpy(before, e->text, e->length + 1);
  ui_stop(u, id);
  lay_out(u, b, e, &l);
  mouse(u, id, b, e, &l);
  if (ui_key(u, id)) u->event.taken = key(u, e, &l);
  if (u->event.kind == UI_PASTE && !u->event.taken && u->focus == id) {
    edit_insert(e, u->event.text, u->event.text_bytes, false);
    u->event.taken = true;
  }
  bool changed = strcmp(before, e->text) != 0;
  if (u->event.kind == UI_NOTHING) draw(u, id, b, e, &l, hint);
  return changed;
}
