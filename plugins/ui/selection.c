// SPDX-License-Identifier: GPL-3.0-or-later
//
// The clipboard, and how whatever is copied, pasted, dragged or dropped is handed over. A program
// that never answers leaves nothing behind: there is no waiting here, only events.
#include <stdlib.h>
#include <string.h>

#include <X11/Xatom.h>

#include "window.h"

void ui_copy(ui *u, const char *text, size_t bytes)
{
  ui_window *w = u->window;
  char *copied = malloc(bytes + 1);
  if (copied == NULL) return;
  memcpy(copied, text, bytes);
  copied[bytes] = '\0';
  free(w->copied);
  w->copied = copied;
  w->copied_bytes = bytes;
  XSetSelectionOwner(w->display, w->atoms.clipboard, w->xid, CurrentTime);
}

bool selection_ask(ui_window *w, Atom selection, Atom type, Time time)
{
  const double patience_s = 5.0;
  if (w->incoming.selection != None) return false;
  w->incoming = (ui_incoming){.selection = selection, .given_up_s = ui_clock_s() + patience_s};
  XConvertSelection(w->display, selection, type, w->atoms.received, w->xid, time);
  XFlush(w->display);
  return true;
}

void ui_paste(ui *u)
{
  selection_ask(u->window, u->window->atoms.clipboard, u->window->atoms.utf8, CurrentTime);
}

// ---- Giving ----

static void put(ui_window *w, const XSelectionRequestEvent *r, Atom property, Atom type, int format,
                const void *data, size_t count)
{
  XChangeProperty(w->display, r->requestor, property, type, format, PropModeReplace, data,
                  (int)count);
}

static bool give(ui_window *w, const XSelectionRequestEvent *r, Atom property)
{
  const ui_atoms *a = &w->atoms;
  bool drags = r->selection == a->dnd_selection;
  char uri[3 * UI_PATH_SIZE + 16];
  size_t bytes = drags ? drag_uri(w, uri, sizeof uri) : w->copied_bytes;
  const char *text = drags ? uri : w->copied;
  if ((!drags && r->selection != a->clipboard) || text == NULL || bytes == 0) return false;
  if (r->target == a->targets) {
    const Atom targets[] = {a->targets, drags ? a->uri_list : a->utf8, a->plain, XA_STRING};
    put(w, r, property, XA_ATOM, 32, targets, drags ? 2 : 4);
    return true;
  }
  bool wanted = drags ? r->target == a->uri_list
                      : r->target == a->utf8 || r->target == a->plain || r->target == XA_STRING;
  if (wanted) put(w, r, property, r->target, 8, text, bytes);
  return wanted;
}

static void answer(ui_window *w, const XSelectionRequestEvent *r)
{
  Atom property = r->property != None ? r->property : r->target; // old programs name none
  XEvent reply = {.xselection = {.type = SelectionNotify,
                                 .requestor = r->requestor,
                                 .selection = r->selection,
                                 .target = r->target,
                                 .property = give(w, r, property) ? property : None,
                                 .time = r->time}};
  XSendEvent(w->display, r->requestor, False, NoEventMask, &reply);
  XFlush(w->display);
}

// ---- Taking ----

// What has been laid down for us, and its type; None: nothing. `data` is NULL when it is nothing
// that can be taken, else to be freed by XFree.
static Atom take(ui_window *w, unsigned char **data, size_t *bytes)
{
  Atom type = None;
  int format = 0;
  unsigned long count = 0;
  unsigned long left = 0;
  *data = NULL;
  int status = XGetWindowProperty(w->display, w->xid, w->atoms.received, 0, UI_MOST_RECEIVED / 4,
                                  True, AnyPropertyType, &type, &format, &count, &left, data);
  if (status != Success) return None;
  *bytes = count;
  if (left > 0) XDeleteProperty(w->display, w->xid, w->atoms.received);
  if (type != w->atoms.incr && format == 8 && left == 0) return type;
  if (*data != NULL) XFree(*data);
  *data = NULL;
  return type;
}

static void hand_over(ui_window *w, Atom selection, const char *text, size_t bytes)
{
  if (selection == w->atoms.dnd_selection)
    drop_received(w, text, bytes);
  else if (text != NULL)
    window_pass(w, (ui_event){.kind = UI_PASTE, .text = text, .text_bytes = bytes});
}

static void end_parts(ui_window *w, bool whole)
{
  ui_incoming in = w->incoming;
  w->incoming = (ui_incoming){0};
  hand_over(w, in.selection, whole ? in.text : NULL, in.bytes);
  free(in.text);
}

// Each part is laid down when the one before has been deleted; the last is empty.
static void add_part(ui_window *w)
{
  ui_incoming *in = &w->incoming;
  unsigned char *data;
  size_t bytes = 0;
  if (take(w, &data, &bytes) == None) return;
  bool last = data != NULL && bytes == 0;
  if (data == NULL || bytes > UI_MOST_RECEIVED - in->bytes) in->too_much = true;
  if (!last && !in->too_much) {
    char *longer = realloc(in->text, in->bytes + bytes);
    in->too_much = longer == NULL;
    if (longer != NULL) {
      memcpy(longer + in->bytes, data, bytes);
      in->text = longer;
      in->bytes += bytes;
    }
  }
  if (data != NULL) XFree(data);
  if (last) end_parts(w, !in->too_much);
}

static void receive(ui_window *w, const XSelectionEvent *e)
{
  unsigned char *data = NULL;
  size_t bytes = 0;
  if (e->selection != w->incoming.selection || w->incoming.in_parts) return; // not asked for
  Atom type = e->property != None ? take(w, &data, &bytes) : None;
  w->incoming.in_parts = type == w->atoms.incr;
  if (w->incoming.in_parts) return;
  w->incoming.selection = None;
  hand_over(w, e->selection, (const char *)data, bytes);
  if (data != NULL) XFree(data);
}

void selection_idle(ui_window *w)
{
  if (w->incoming.selection != None && ui_clock_s() > w->incoming.given_up_s) end_parts(w, false);
}

bool selection_event(ui_window *w, const XEvent *event)
{
  switch (event->type) {
  case SelectionRequest: answer(w, &event->xselectionrequest); return true;
  case SelectionNotify: receive(w, &event->xselection); return true;
  case PropertyNotify:
    if (w->incoming.in_parts && event->xproperty.atom == w->atoms.received &&
        event->xproperty.state == PropertyNewValue)
      add_part(w);
    return true;
  case SelectionClear:
    if (event->xselectionclear.selection == w->atoms.clipboard) {
      free(w->copied);
      w->copied = NULL;
      w->copied_bytes = 0;
    }
    return true;
  default: return false;
  }
}
