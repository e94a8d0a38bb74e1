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

void selection_ask(ui_window *w, Atom selection, Atom type, Time time)
{
  XConvertSelection(w->display, selection, type, w->atoms.received, w->xid, time);
  XFlush(w->display);
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

// What has been laid down for us; NULL when it is nothing that can be taken. To be freed by XFree.
static unsigned char *take(ui_window *w, size_t *bytes)
{
  Atom type = None;
  int format = 0;
  unsigned long count = 0;
  unsigned long left = 0;
  unsigned char *data = NULL;
  *bytes = 0;
  int status = XGetWindowProperty(w->display, w->xid, w->atoms.received, 0, UI_MOST_RECEIVED / 4,
                                  True, AnyPropertyType, &type, &format, &count, &left, &data);
  if (status != Success) return NULL;
  // too much comes in parts, as INCR: it is no prompt and no file name
  if (type != w->atoms.incr && format == 8 && left == 0) {
    *bytes = count;
    return data;
  }
  if (data != NULL) XFree(data);
  return NULL;
}

static void receive(ui_window *w, const XSelectionEvent *e)
{
  size_t bytes = 0;
  unsigned char *data = e->property != None ? take(w, &bytes) : NULL;
  if (e->selection == w->atoms.dnd_selection)
    drop_received(w, (const char *)data, bytes);
  else if (e->selection == w->atoms.clipboard && data != NULL)
    window_pass(w, (ui_event){.kind = UI_PASTE, .text = (const char *)data, .text_bytes = bytes});
  if (data != NULL) XFree(data);
}

bool selection_event(ui_window *w, const XEvent *event)
{
  switch (event->type) {
  case SelectionRequest: answer(w, &event->xselectionrequest); return true;
  case SelectionNotify: receive(w, &event->xselection); return true;
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
