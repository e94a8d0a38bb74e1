// SPDX-License-Identifier: GPL-3.0-or-later
//
// Another program beside the window that is tested: it copies and pastes, drags and drops.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <X11/Xatom.h>

#include "x11_host.h"

static Window peer;
static char *offered; // its clipboard, or what it drags
static char *pasted;
static char *dropped;
static bool answered;
static bool was_taken;
static int handed_up;
static size_t part_bytes; // 0: all at once
static size_t most_parts;
static struct {
  Window to; // None: nothing is being given
  Atom property;
  Atom type;
  size_t at;
  size_t parts;
} giving;

static Atom atom(const char *name)
{
  return XInternAtom(x11_display, name, False);
}

static void replace(char **text, const char *by, size_t length)
{
  free(*text);
  *text = by != NULL ? strndup(by, length) : NULL;
}

void x11_peer_make(void)
{
  const long version = 5;
  XSetWindowAttributes own = {.override_redirect = True, .background_pixel = 0x204080};
  peer = XCreateWindow(x11_display, DefaultRootWindow(x11_display), 1200, 800, 100, 100, 0,
                       CopyFromParent, InputOutput, CopyFromParent,
                       CWOverrideRedirect | CWBackPixel, &own);
  XChangeProperty(x11_display, peer, atom("XdndAware"), XA_ATOM, 32, PropModeReplace,
                  (const unsigned char *)&version, 1);
  XMapWindow(x11_display, peer);
  XSync(x11_display, False);
}

void x11_peer_place(int left, int top, int size)
{
  XMoveResizeWindow(x11_display, peer, left, top, (unsigned)size, (unsigned)size);
  XRaiseWindow(x11_display, peer);
  XSync(x11_display, False);
  replace(&dropped, NULL, 0);
}

const char *x11_peer_dropped(void)
{
  return dropped;
}

static void message(Window to, const char *type, long a, long b, long c, long d)
{
  XEvent e = {.xclient = {.type = ClientMessage, .window = to, .format = 32}};
  const long data[5] = {(long)peer, a, b, c, d};
  e.xclient.message_type = atom(type);
  memcpy(e.xclient.data.l, data, sizeof data);
  XSendEvent(x11_display, to, False, NoEventMask, &e);
  XSync(x11_display, False);
}

void x11_give_in_parts(size_t bytes, size_t most)
{
  part_bytes = bytes;
  most_parts = most;
}

static void begin_parts(const XSelectionRequestEvent *r)
{
  long all = (long)strlen(offered);
  giving.to = r->requestor;
  giving.property = r->property;
  giving.type = r->target;
  giving.at = giving.parts = 0;
  XSelectInput(x11_display, r->requestor, PropertyChangeMask);
  XChangeProperty(x11_display, r->requestor, r->property, atom("INCR"), 32, PropModeReplace,
                  (const unsigned char *)&all, 1);
}

// The next part, once the one before has been taken away; the last one is empty.
static void give_part(const XPropertyEvent *e)
{
  if (e->state != PropertyDelete || e->window != giving.to || e->atom != giving.property) return;
  if (giving.parts++ == most_parts) return;
  size_t left = strlen(offered) - giving.at;
  size_t bytes = left < part_bytes ? left : part_bytes;
  XChangeProperty(x11_display, giving.to, giving.property, giving.type, 8, PropModeReplace,
                  (const unsigned char *)offered + giving.at, (int)bytes);
  giving.at += bytes;
  if (bytes == 0) giving.to = None;
}

static void give(const XSelectionRequestEvent *r)
{
  bool good =
      offered != NULL && (r->target == atom("UTF8_STRING") || r->target == atom("text/uri-list"));
  if (good && part_bytes > 0)
    begin_parts(r);
  else if (good)
    XChangeProperty(x11_display, r->requestor, r->property, r->target, 8, PropModeReplace,
                    (const unsigned char *)offered, (int)strlen(offered));
  XEvent e = {.xselection = {.type = SelectionNotify,
                             .requestor = r->requestor,
                             .selection = r->selection,
                             .target = r->target,
                             .property = good ? r->property : None,
                             .time = r->time}};
  XSendEvent(x11_display, r->requestor, False, NoEventMask, &e);
}

static void take(const XSelectionEvent *s)
{
  Atom type;
  int format;
  unsigned long count = 0;
  unsigned long left;
  unsigned char *data = NULL;
  char **to = s->selection == atom("CLIPBOARD") ? &pasted : &dropped;
  answered = true;
  replace(to, NULL, 0);
  if (s->property == None) return;
  XGetWindowProperty(x11_display, peer, s->property, 0, 1 << 16, True, AnyPropertyType, &type,
                     &format, &count, &left, &data);
  replace(to, (const char *)data, count);
  if (data != NULL) XFree(data);
}

static void hear(const XClientMessageEvent *e)
{
  Window other = (Window)e->data.l[0];
  if (e->message_type == atom("XdndPosition")) // somebody holds a file over us
    message(other, "XdndStatus", 1, 0, 0, (long)atom("XdndActionCopy"));
  if (e->message_type == atom("XdndDrop")) {
    XConvertSelection(x11_display, atom("XdndSelection"), atom("text/uri-list"), atom("PEER"), peer,
                      (Time)e->data.l[2]);
    message(other, "XdndFinished", 1, (long)atom("XdndActionCopy"), 0, 0);
  }
  if (e->message_type == atom("XdndStatus")) was_taken = e->data.l[1] & 1;
  if (e->message_type == atom("XdndStatus") || e->message_type == atom("XdndFinished"))
    answered = true;
}

void x11_peer_serve(void)
{
  while (XPending(x11_display) > 0) {
    XEvent e;
    XNextEvent(x11_display, &e);
    if (e.type == SelectionRequest) give(&e.xselectionrequest);
    if (e.type == SelectionNotify) take(&e.xselection);
    if (e.type == PropertyNotify) give_part(&e.xproperty);
    if (e.type == KeyPress) handed_up++;
    if (e.type == ClientMessage) hear(&e.xclient);
  }
  XFlush(x11_display);
}

void x11_offer(const char *text)
{
  replace(&offered, text, text != NULL ? strlen(text) : 0);
  XSetSelectionOwner(x11_display, atom("CLIPBOARD"), text != NULL ? peer : None, CurrentTime);
  XSync(x11_display, False);
}

int x11_keys_handed_up(void)
{
  int count = handed_up;
  handed_up = 0;
  return count;
}

static void wait_for_answer(x11_host *x)
{
  for (int i = 0; i < 100 && !answered; i++) x11_turn(x, 10);
}

const char *x11_ask(x11_host *x)
{
  answered = false;
  replace(&pasted, NULL, 0);
  XConvertSelection(x11_display, atom("CLIPBOARD"), atom("UTF8_STRING"), atom("PEER"), peer,
                    CurrentTime);
  wait_for_answer(x);
  return pasted;
}

bool x11_drop(x11_host *x, const char *uris)
{
  Window to = x11_xid(x);
  replace(&offered, uris, strlen(uris));
  XSetSelectionOwner(x11_display, atom("XdndSelection"), peer, CurrentTime);
  message(to, "XdndEnter", 5L << 24, (long)atom("text/plain"), (long)atom("text/uri-list"), None);
  answered = was_taken = false;
  message(to, "XdndPosition", 0, 100L << 16 | 100, CurrentTime, (long)atom("XdndActionCopy"));
  wait_for_answer(x);
  if (!was_taken) return false;
  answered = false;
  message(to, "XdndDrop", 0, CurrentTime, 0, 0);
  wait_for_answer(x);
  return answered;
}
