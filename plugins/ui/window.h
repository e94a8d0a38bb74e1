// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a window, for its parts: window.c draws and takes events, selection.c is the
// clipboard and whatever else is handed over by selections, drop.c takes files that are dropped,
// drag.c lets one be dragged out.
#ifndef MEANWAVE_UI_WINDOW_H
#define MEANWAVE_UI_WINDOW_H

#include "ui.h"

enum { UI_PATH_SIZE = 4096, UI_MOST_RECEIVED = 1 << 18 };

typedef struct {
  Atom clipboard;
  Atom targets;
  Atom utf8;
  Atom plain; // text/plain;charset=utf-8
  Atom uri_list;
  Atom received; // a property of our own
  Atom incr;
  Atom dnd_aware;
  Atom dnd_enter;
  Atom dnd_position;
  Atom dnd_status;
  Atom dnd_leave;
  Atom dnd_drop;
  Atom dnd_finished;
  Atom dnd_selection;
  Atom dnd_types;
  Atom dnd_copy;
} ui_atoms;

// A file that hangs over our window, or none.
typedef struct {
  Window source; // None: there is none
  long version;
  bool acceptable;
} ui_drop;

// What has been asked for and is not there yet, one thing at a time.
typedef struct {
  Atom selection; // None: nothing
  bool in_parts;  // as INCR
  bool too_much;  // what comes is thrown away
  char *text;     // the parts so far
  size_t bytes;
  double given_up_s; // whoever has not handed over all of it is left then
} ui_incoming;

typedef struct {
  enum { DRAG_NONE, DRAG_HELD, DRAG_DROPPED } state;
  char path[UI_PATH_SIZE]; // "": not yet known
  Window target;           // None: nothing that takes files is below the mouse
  long version;
  bool accepted;
  double given_up_s; // when DROPPED: a target that never answers is left then
} ui_drag;

struct ui_window {
  ui pass; // first: a ui is its window's
  ui_setup setup;
  Display *display;
  Window xid;
  ui_atoms atoms;
  XIM method; // of input; NULL: none
  XIC context;
  Visual *visual;
  int depth;
  GC pen;
  cairo_surface_t *back; // the picture, in memory
  int width_px;
  int height_px;
  bool stale;
  double press_s; // of the last click
  double press_x;
  double press_y;
  int clicks;
  char *copied; // what is in the clipboard, as long as it is ours
  size_t copied_bytes;
  ui_incoming incoming;
  ui_drop drop;
  ui_drag drag;
};

// Runs the view through with an event; true when a widget has taken it.
bool window_pass(ui_window *w, ui_event event);

// ---- Parts. Each takes an event and says whether it was its own ----

bool selection_event(ui_window *w, const XEvent *event);
void selection_idle(ui_window *w);
// False while something else is still to come.
bool selection_ask(ui_window *w, Atom selection, Atom type, Time time);

bool drop_event(ui_window *w, const XEvent *event);
void drop_received(ui_window *w, const char *text, size_t bytes); // a list of URIs, or NULL

bool drag_event(ui_window *w, const XEvent *event);
void drag_idle(ui_window *w);
// The file as a list of URIs in text[size]; 0: there is none.
size_t drag_uri(const ui_window *w, char *text, size_t size);

// To another program's window; `data` beside our own, which is the first.
void window_tell(ui_window *w, Window to, Atom type, const long data[4]);

#endif
