// SPDX-License-Identifier: GPL-3.0-or-later
//
// A small set of widgets on X11 and cairo, for windows inside a host's. There is no tree: a window
// has a view, a function that is run through for each thing that happens and once more to draw.
// Each widget in it draws itself, and says whether what has happened was meant for it:
//
//   if (ui_button(u, GENERATE, box, "Generate", UI_MAIN)) generate();
//
// Lengths are points: pixels at scale 1. Everything belongs to the host's thread for windows.
#ifndef MEANWAVE_UI_H
#define MEANWAVE_UI_H

#include <stdbool.h>
#include <stddef.h>

#include <X11/Xlib.h>
#include <cairo/cairo.h>

#include "edit.h"
#include "theme.h"

typedef struct {
  double x;
  double y;
  double w;
  double h;
} ui_box;

typedef struct {
  enum {
    UI_NOTHING, // draw
    UI_PRESS,
    UI_RELEASE,
    UI_MOVE,
    UI_WHEEL,
    UI_KEY,
    UI_PASTE,
  } kind;
  int clicks;   // PRESS: 1, 2 or 3 in a row
  double wheel; // WHEEL: steps up
  unsigned key; // KEY: its symbol
  bool shift;   // with the mouse too
  bool control;
  const char *text; // KEY and PASTE: UTF-8
  size_t text_bytes;
  bool taken; // by a widget
} ui_event;

enum { UI_MOST_STOPS = 64, UI_TYPED = 24 };

typedef struct ui_window ui_window;

// A pass through a view: what it may look at.
typedef struct {
  cairo_t *cr;
  const ui_theme *theme;
  double width; // of the window
  double height;
  double now_s; // a clock
  double mouse_x;
  double mouse_y;
  bool mouse_in;
  bool has_keys;   // the window has the keyboard
  bool file_hangs; // a file is held over the window
  ui_event event;
  int focus;   // the widget that gets the keys; 0: none
  int pressed; // the widget that the mouse holds; 0: none
  ui_window *window;

  // the widgets' own
  double grip_x; // where the mouse began
  double grip_y;
  double grip_value;
  int typed_into; // a slider that a number is being typed into
  char typed[UI_TYPED];
  int stops[UI_MOST_STOPS]; // widgets that Tab goes to, in their order
  int stop_count;
  double again_s; // draw again then at the latest
} ui;

// ---- Boxes ----

ui_box ui_inner(ui_box b, double by);
// Cut off and taken away from what is left.
ui_box ui_top(ui_box *b, double height);
ui_box ui_bottom(ui_box *b, double height);
ui_box ui_left(ui_box *b, double width);
ui_box ui_right(ui_box *b, double width);
ui_box ui_column(ui_box b, int index, int count, double gap); // one of equal ones, side by side
bool ui_in(const ui *u, ui_box b);                            // the mouse is

// ---- Drawing ----

typedef enum { UI_SMALL, UI_NORMAL, UI_BOLD, UI_TITLE } ui_font;
typedef enum { UI_AT_LEFT, UI_CENTRED, UI_AT_RIGHT } ui_side;

void ui_colour_set(ui *u, ui_colour c, double opacity);
void ui_round(ui *u, ui_box b, double radius); // a path
void ui_fill(ui *u, ui_box b, double radius, ui_colour c);
void ui_frame(ui *u, ui_box b, double radius, ui_colour c);
void ui_font_set(ui *u, ui_font font);
double ui_text_width(ui *u, const char *text);
// In one line; what does not fit ends in dots.
void ui_text(ui *u, ui_box b, const char *text, ui_font font, ui_side side, ui_colour c);
void ui_clip(ui *u, ui_box b); // until ui_unclip
void ui_unclip(ui *u);
void ui_again(ui *u, double seconds); // draw again then

// ---- Keys and mouse, for widgets ----

bool ui_press(ui *u, int id, ui_box b); // begins here; the widget gets the mouse and the keys
bool ui_released(ui *u, int id);        // ends, wherever
bool ui_key(ui *u, int id);             // a key for this widget; it is to say if it takes it
void ui_stop(ui *u, int id);            // Tab stops here
bool ui_focused(const ui *u, int id);
void ui_draw_focus(ui *u, int id, ui_box b, double radius);

// ---- Widgets ----
//
// `id`: another number for each, from 1.

typedef enum { UI_PLAIN, UI_MAIN } ui_look;

bool ui_button(ui *u, int id, ui_box b, const char *text, ui_look look);
// True when `held` has changed: down as long as the mouse or the key is.
bool ui_hold(ui *u, int id, ui_box b, const char *text, bool *held);
bool ui_toggle(ui *u, int id, ui_box b, const char *text, bool *on);

typedef struct {
  const char *label;
  double low;
  double high;
  double standard; // by double click
  double step;
  double curve; // 1: even; above: finer at the low end
  // NULL: the number
  void (*say)(double value, char *text, size_t size);
  const char *unit;
  int decimals;
} ui_range;

// Drag, wheel, arrows, or a typed number; true when it has changed.
bool ui_slider(ui *u, int id, ui_box b, const ui_range *range, double *value);

typedef struct {
  double scroll; // points
  int wanted;    // the row that is to be seen; -1: any
} ui_list;

typedef struct {
  const char *name;
  bool is_title; // of the rows behind it
} ui_row;

// The row that has been chosen, -1: none.
int ui_choose(ui *u, int id, ui_box b, ui_list *list, const ui_row *rows, int count, int chosen);

void ui_meter(ui *u, ui_box b, const char *label, double level_db);

// True when the text has changed. Enter goes through to the view as a key unless it makes a line.
bool ui_write(ui *u, int id, ui_box b, edit *e, const char *hint);

// The name of the plugin, and the switch between dark and light.
void ui_header(ui *u, int id, ui_box b, const char *title);
// Over all the window while a file hangs over it: what may be dropped.
void ui_hanging(ui *u, const char *what);

// ---- Windows ----

typedef struct {
  int width;
  int height;
  int least_width;
  int least_height;
  double scale;
  const ui_theme *theme;
  Window parent;
  void (*view)(ui *u, void *context);
  // A file or a text has been dropped on the window; either may be NULL.
  void (*dropped)(void *context, const char *path);
  void *context;
} ui_setup;

ui *ui_open(const ui_setup *setup); // NULL: no display
void ui_close(ui *u);               // NULL is fine
Window ui_xid(const ui *u);
void ui_resize(ui *u, int width_px, int height_px);
void ui_idle(ui *u);         // some times a second: what has happened, then drawing
void ui_stale(ui *u);        // draw at the next ui_idle
void ui_toggle_theme(ui *u); // which is remembered

void ui_copy(ui *u, const char *text, size_t bytes);
void ui_paste(ui *u); // comes as an event, when there is something

// Begins to drag a file out of the window, which hangs at the mouse button. What is dropped is
// there when ui_drag_file has named it, which may be later.
void ui_drag_begin(ui *u);
void ui_drag_file(ui *u, const char *path);
bool ui_dragging(const ui *u);

double ui_clock_s(void);

#endif
