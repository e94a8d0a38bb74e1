// SPDX-License-Identifier: GPL-3.0-or-later
//
// A file that is dragged out of the window: the source's side of the XDND protocol, version 5.
#include <stdio.h>
#include <string.h>

#include <X11/Xatom.h>
#include <X11/cursorfont.h>

#include "window.h"

static void end(ui_window *w)
{
  XUngrabPointer(w->display, CurrentTime);
  w->drag = (ui_drag){0};
  w->pass.pressed = 0;
  w->stale = true;
}

void ui_drag_begin(ui *u)
{
  ui_window *w = u->window;
  if (w->drag.state != DRAG_NONE) return;
  Cursor cursor = XCreateFontCursor(w->display, XC_hand2);
  int grabbed = XGrabPointer(w->display, w->xid, False, ButtonReleaseMask | PointerMotionMask,
                             GrabModeAsync, GrabModeAsync, None, cursor, CurrentTime);
  XFreeCursor(w->display, cursor);
  if (grabbed != GrabSuccess) return;
  w->drag = (ui_drag){.state = DRAG_HELD};
  XSetSelectionOwner(w->display, w->atoms.dnd_selection, w->xid, CurrentTime);
}

void ui_drag_file(ui *u, const char *path)
{
  ui_drag *drag = &u->window->drag;
  if (drag->state == DRAG_HELD) snprintf(drag->path, sizeof drag->path, "%s", path);
}

bool ui_dragging(const ui *u)
{
  return u->window->drag.state != DRAG_NONE;
}

size_t drag_uri(const ui_window *w, char *text, size_t size)
{
  static const char plain[] = "/-_.~abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  size_t used = 0;
  if (w->drag.path[0] == '\0') return 0;
  used += (size_t)snprintf(text, size, "file://");
  for (const char *c = w->drag.path; *c != '\0' && used + 6 < size; c++)
    used += (size_t)snprintf(text + used, size - used, strchr(plain, *c) != NULL ? "%c" : "%%%02X",
                             strchr(plain, *c) != NULL ? *c : (unsigned char)*c);
  return used + (size_t)snprintf(text + used, size - used, "\r\n");
}

// The version of the protocol that a window speaks; 0: none.
static long version_of(ui_window *w, Window window)
{
  Atom type = None;
  int format = 0;
  unsigned long count = 0;
  unsigned long left = 0;
  unsigned char *data = NULL;
  long version = 0;
  int status = XGetWindowProperty(w->display, window, w->atoms.dnd_aware, 0, 1, False,
                                  AnyPropertyType, &type, &format, &count, &left, &data);
  if (status == Success && format == 32 && count > 0) version = *(const long *)data;
  if (data != NULL) XFree(data);
  return version;
}

// The nearest window below the mouse, seen from the root, that takes what is dropped.
static Window target_at(ui_window *w, int x, int y, long *version)
{
  Window root = DefaultRootWindow(w->display);
  Window at = root;
  for (int depth = 0; depth < 64; depth++) {
    Window child = None;
    int child_x;
    int child_y;
    if (!XTranslateCoordinates(w->display, root, at, x, y, &child_x, &child_y, &child) ||
        child == None)
      return None;
    *version = version_of(w, child);
    if (*version >= 3) return child != w->xid ? child : None;
    at = child;
  }
  return None;
}

static void tell_target(ui_window *w, Atom type, long a, long b, long c, long d)
{
  const long data[4] = {a, b, c, d};
  if (w->drag.target != None) window_tell(w, w->drag.target, type, data);
}

static void move(ui_window *w, int x, int y, Time time)
{
  long version = 0;
  if (w->drag.path[0] == '\0') return; // the file is being written
  Window target = target_at(w, x, y, &version);
  if (target != w->drag.target) {
    tell_target(w, w->atoms.dnd_leave, 0, 0, 0, 0);
    w->drag.target = target;
    w->drag.accepted = false;
    w->drag.version = version < 5 ? version : 5;
    tell_target(w, w->atoms.dnd_enter, w->drag.version << 24, (long)w->atoms.uri_list, None, None);
  }
  tell_target(w, w->atoms.dnd_position, 0, (long)x << 16 | y, (long)time, (long)w->atoms.dnd_copy);
}

static void release(ui_window *w, Time time)
{
  const double patience_s = 5.0;
  if (!w->drag.accepted) {
    tell_target(w, w->atoms.dnd_leave, 0, 0, 0, 0);
    end(w);
    return;
  }
  XUngrabPointer(w->display, CurrentTime);
  tell_target(w, w->atoms.dnd_drop, 0, (long)time, 0, 0);
  w->drag.state = DRAG_DROPPED;
  w->drag.given_up_s = ui_clock_s() + patience_s;
}

bool drag_event(ui_window *w, const XEvent *event)
{
  const XClientMessageEvent *e = &event->xclient;
  if (event->type == ClientMessage && e->format == 32 && w->drag.state != DRAG_NONE) {
    bool ours = (Window)e->data.l[0] == w->drag.target;
    if (e->message_type == w->atoms.dnd_status && ours) w->drag.accepted = e->data.l[1] & 1;
    if (e->message_type == w->atoms.dnd_finished && ours) end(w);
    return e->message_type == w->atoms.dnd_status || e->message_type == w->atoms.dnd_finished;
  }
  if (w->drag.state != DRAG_HELD) return false;
  if (event->type == MotionNotify)
    move(w, event->xmotion.x_root, event->xmotion.y_root, event->xmotion.time);
  else if (event->type == ButtonRelease)
    release(w, event->xbutton.time);
  else
    return false;
  return true;
}

void drag_idle(ui_window *w)
{
  if (w->drag.state == DRAG_DROPPED && ui_clock_s() > w->drag.given_up_s) end(w);
}
