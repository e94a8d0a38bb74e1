// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files that are dropped on the window: the target's side of the XDND protocol, version 5.
#include <stdlib.h>
#include <string.h>

#include <X11/Xatom.h>

#include "window.h"

static bool holds_uris(ui_window *w, const Atom *types, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (types[i] == w->atoms.uri_list) return true;
  return false;
}

// More than three types are in a property of the source.
static bool lists_uris(ui_window *w, Window source)
{
  enum { MOST_TYPES = 256 };
  Atom type = None;
  int format = 0;
  unsigned long count = 0;
  unsigned long left = 0;
  unsigned char *data = NULL;
  int status = XGetWindowProperty(w->display, source, w->atoms.dnd_types, 0, MOST_TYPES, False,
                                  XA_ATOM, &type, &format, &count, &left, &data);
  bool found = status == Success && type == XA_ATOM && format == 32 && data != NULL &&
               holds_uris(w, (const Atom *)data, count);
  if (data != NULL) XFree(data);
  return found;
}

static void enter(ui_window *w, const XClientMessageEvent *e)
{
  const Atom three[3] = {(Atom)e->data.l[2], (Atom)e->data.l[3], (Atom)e->data.l[4]};
  w->drop.source = (Window)e->data.l[0];
  w->drop.version = (e->data.l[1] >> 24) & 255;
  w->drop.acceptable = e->data.l[1] & 1 ? lists_uris(w, w->drop.source) : holds_uris(w, three, 3);
  if (w->setup.dropped == NULL) w->drop.acceptable = false;
  w->stale = true;
}

static void leave(ui_window *w)
{
  w->drop = (ui_drop){0};
  w->stale = true;
}

static void finish(ui_window *w, bool done)
{
  const long data[4] = {done, done ? (long)w->atoms.dnd_copy : (long)None, 0, 0};
  if (w->drop.source != None) window_tell(w, w->drop.source, w->atoms.dnd_finished, data);
  leave(w);
}

bool drop_event(ui_window *w, const XEvent *event)
{
  const XClientMessageEvent *e = &event->xclient;
  const ui_atoms *a = &w->atoms;
  if (event->type != ClientMessage || e->format != 32) return false;
  Window source = (Window)e->data.l[0];
  if (e->message_type == a->dnd_enter) {
    enter(w, e);
  } else if (e->message_type == a->dnd_position) {
    const long data[4] = {w->drop.acceptable, 0, 0,
                          w->drop.acceptable ? (long)a->dnd_copy : (long)None};
    window_tell(w, source, a->dnd_status, data);
  } else if (e->message_type == a->dnd_leave) {
    leave(w);
  } else if (e->message_type == a->dnd_drop) {
    if (!w->drop.acceptable || !selection_ask(w, a->dnd_selection, a->uri_list, (Time)e->data.l[2]))
      finish(w, false);
  } else {
    return false;
  }
  return true;
}

static int digit_of(char c)
{
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The path of a file's URI. False when it is none, or has a NUL in it.
static bool path_of(const char *uri, size_t length, char path[UI_PATH_SIZE])
{
  static const char scheme[] = "file://";
  size_t used = 0;
  if (length < sizeof scheme || memcmp(uri, scheme, sizeof scheme - 1) != 0) return false;
  const char *slash = memchr(uri + sizeof scheme - 1, '/', length - (sizeof scheme - 1));
  if (slash == NULL) return false; // behind a host's name
  for (const char *at = slash; at < uri + length; at++) {
    char c = *at;
    if (c == '%') {
      int high = at + 2 < uri + length ? digit_of(at[1]) : -1;
      int low = high >= 0 ? digit_of(at[2]) : -1;
      if (low < 0) return false;
      c = (char)(16 * high + low);
      at += 2;
    }
    if (c == '\0' || used + 1 == UI_PATH_SIZE) return false;
    path[used++] = c;
  }
  path[used] = '\0';
  return true;
}

void drop_received(ui_window *w, const char *text, size_t bytes)
{
  char path[UI_PATH_SIZE];
  bool found = false;
  for (size_t at = 0; text != NULL && !found && at < bytes; at++) { // the first one
    size_t length = 0;
    while (at + length < bytes && strchr("\r\n", text[at + length]) == NULL) length++;
    found = path_of(text + at, length, path);
    at += length;
  }
  finish(w, found);
  if (found) w->setup.dropped(w->setup.context, path);
}
