// SPDX-License-Identifier: GPL-3.0-or-later
#include "window.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <X11/Xatom.h>
#include <X11/Xlibint.h>
#include <X11/Xutil.h>
#include <X11/keysym.h>

#undef min // of Xlibint.h
#undef max

double ui_clock_s(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// ---- Opening and closing ----

// Windows of other programs vanish at any time. By default a request to one that is gone ends the
// process, which is the host. Of this display such errors are left out; others are not touched.
static Bool swallow(Display *display, XErrorEvent *event, xError *wire)
{
  (void)display;
  (void)event;
  (void)wire;
  return False;
}

static void swallow_errors(Display *display)
{
  for (int code = 1; code < 128; code++) XESetWireToError(display, code, swallow);
}

static void find_atoms(Display *d, ui_atoms *a)
{
  static const char *const names[] = {
      "CLIPBOARD",     "TARGETS",      "UTF8_STRING",   "text/plain;charset=utf-8",
      "text/uri-list", "MEANWAVE",     "INCR",          "XdndAware",
      "XdndEnter",     "XdndPosition", "XdndStatus",    "XdndLeave",
      "XdndDrop",      "XdndFinished", "XdndSelection", "XdndTypeList",
      "XdndActionCopy"};
  Atom found[sizeof names / sizeof names[0]];
  _Static_assert(sizeof found == sizeof *a, "a name for each");
  XInternAtoms(d, (char **)names, sizeof names / sizeof names[0], False, found);
  memcpy(a, found, sizeof found);
}

static void make_window(ui_window *w)
{
  const ui_setup *s = &w->setup;
  const long version = 5; // of the drag and drop protocol
  XSetWindowAttributes attributes = {
      .event_mask = ExposureMask | StructureNotifyMask | ButtonPressMask | ButtonReleaseMask |
                    PointerMotionMask | EnterWindowMask | LeaveWindowMask | KeyPressMask |
                    KeyReleaseMask | FocusChangeMask | PropertyChangeMask,
      .bit_gravity = NorthWestGravity,
  };
  Window parent = s->parent != None ? s->parent : DefaultRootWindow(w->display);
  w->xid = XCreateWindow(w->display, parent, 0, 0, (unsigned)w->width_px, (unsigned)w->height_px, 0,
                         CopyFromParent, InputOutput, CopyFromParent, CWEventMask | CWBitGravity,
                         &attributes);
  XSizeHints hints = {.flags = PMinSize | PBaseSize,
                      .min_width = (int)lround(s->least_width * s->scale),
                      .min_height = (int)lround(s->least_height * s->scale),
                      .base_width = w->width_px,
                      .base_height = w->height_px};
  XSetWMNormalHints(w->display, w->xid, &hints);
  XChangeProperty(w->display, w->xid, w->atoms.dnd_aware, XA_ATOM, 32, PropModeReplace,
                  (const unsigned char *)&version, 1);
}

// The picture is drawn in memory and sent: a screen of true colours, as all are, takes it as it is.
// (Cairo's own surfaces of X keep something of each window for ever.)
static bool make_picture(ui_window *w)
{
  XWindowAttributes about;
  if (!XGetWindowAttributes(w->display, w->xid, &about)) return false; // the parent is none
  const Visual *v = about.visual;
  if (about.depth < 24 || v->red_mask != 0xFF0000 || v->green_mask != 0xFF00 ||
      v->blue_mask != 0xFF)
    return false;
  w->visual = about.visual;
  w->depth = about.depth;
  w->back = cairo_image_surface_create(CAIRO_FORMAT_RGB24, w->width_px, w->height_px);
  w->pen = XCreateGC(w->display, w->xid, 0, NULL);
  return cairo_surface_status(w->back) == CAIRO_STATUS_SUCCESS;
}

ui *ui_open(const ui_setup *setup)
{
  ui_window *w = calloc(1, sizeof *w);
  if (w == NULL) return NULL;
  w->setup = *setup;
  w->pass.window = w;
  w->pass.theme = setup->theme;
  w->width_px = (int)lround(setup->width * setup->scale);
  w->height_px = (int)lround(setup->height * setup->scale);
  w->display = XOpenDisplay(NULL);
  if (w->display == NULL) {
    free(w);
    return NULL;
  }
  swallow_errors(w->display);
  find_atoms(w->display, &w->atoms);
  make_window(w);
  if (!make_picture(w)) {
    ui_close(&w->pass);
    return NULL;
  }
  w->method = XOpenIM(w->display, NULL, NULL, NULL);
  if (w->method != NULL)
    w->context = XCreateIC(w->method, XNInputStyle, XIMPreeditNothing | XIMStatusNothing,
                           XNClientWindow, w->xid, XNFocusWindow, w->xid, NULL);
  XMapWindow(w->display, w->xid);
  XFlush(w->display);
  w->stale = true;
  return &w->pass;
}

void ui_close(ui *u)
{
  if (u == NULL) return;
  ui_window *w = u->window;
  if (w->back != NULL) cairo_surface_destroy(w->back);
  if (w->pen != NULL) XFreeGC(w->display, w->pen);
  if (w->context != NULL) XDestroyIC(w->context);
  if (w->method != NULL) XCloseIM(w->method);
  XDestroyWindow(w->display, w->xid);
  XCloseDisplay(w->display);
  free(w->copied);
  free(w->incoming.text);
  free(w);
}

Window ui_xid(const ui *u)
{
  return u->window->xid;
}

void ui_stale(ui *u)
{
  u->window->stale = true;
}

void ui_toggle_theme(ui *u)
{
  u->theme = u->theme->dark ? &ui_light : &ui_dark;
  ui_theme_choose(u->theme);
  u->window->stale = true;
}

// ---- Passes ----

static void move_focus(ui *u, int by)
{
  int at = -1;
  for (int i = 0; i < u->stop_count; i++)
    if (u->stops[i] == u->focus) at = i;
  if (u->stop_count == 0) return;
  at = at < 0 ? (by > 0 ? 0 : u->stop_count - 1) : (at + by + u->stop_count) % u->stop_count;
  u->focus = u->stops[at];
}

// What no widget has taken: Tab goes on, Escape and the mouse let the keys go.
static bool after_widgets(ui *u)
{
  if (u->event.kind == UI_PRESS && !u->event.taken) u->focus = 0;
  if (u->event.kind == UI_RELEASE) u->pressed = 0;
  if (u->event.kind != UI_KEY || u->event.taken) return u->event.taken;
  bool tab = u->event.key == XK_Tab || u->event.key == XK_ISO_Left_Tab;
  if (tab && !u->event.control) {
    move_focus(u, u->event.shift ? -1 : 1);
    return true;
  }
  if (u->event.key != XK_Escape || u->focus == 0) return false;
  u->focus = 0;
  return true;
}

// A window that is smaller than it wants to be shows all the same, smaller.
static double scale_now(const ui_window *w)
{
  return fmin(w->setup.scale, fmin((double)w->width_px / w->setup.least_width,
                                   (double)w->height_px / w->setup.least_height));
}

bool window_pass(ui_window *w, ui_event event)
{
  ui *u = &w->pass;
  u->cr = cairo_create(w->back);
  if (event.kind != UI_NOTHING) { // nothing is to be seen of it
    cairo_new_path(u->cr);
    cairo_clip(u->cr);
  }
  double scale = scale_now(w);
  cairo_scale(u->cr, scale, scale);
  u->width = w->width_px / scale;
  u->height = w->height_px / scale;
  u->now_s = ui_clock_s();
  u->event = event;
  u->file_hangs = w->drop.source != None && w->drop.acceptable;
  u->stop_count = 0;
  if (event.kind == UI_NOTHING) u->again_s = HUGE_VAL;
  w->setup.view(u, w->setup.context);
  cairo_destroy(u->cr);
  u->cr = NULL;
  w->stale = event.kind != UI_NOTHING;
  return after_widgets(u);
}

static void paint(ui_window *w)
{
  window_pass(w, (ui_event){.kind = UI_NOTHING});
  cairo_surface_flush(w->back);
  XImage *image = XCreateImage(w->display, w->visual, (unsigned)w->depth, ZPixmap, 0,
                               (char *)cairo_image_surface_get_data(w->back), (unsigned)w->width_px,
                               (unsigned)w->height_px, 32, cairo_image_surface_get_stride(w->back));
  if (image == NULL) return;
  const int one = 1; // as cairo has it, each pixel is a number of this machine
  image->byte_order = *(const char *)&one ? LSBFirst : MSBFirst;
  XPutImage(w->display, w->xid, w->pen, image, 0, 0, 0, 0, (unsigned)w->width_px,
            (unsigned)w->height_px);
  image->data = NULL; // not its own
  XDestroyImage(image);
  XFlush(w->display);
}

// ---- Events ----

static void take_size(ui_window *w, int width_px, int height_px)
{
  enum { MOST = 16384 };
  if (width_px < 1 || height_px < 1 || width_px > MOST || height_px > MOST) return;
  if (width_px == w->width_px && height_px == w->height_px) return;
  cairo_surface_t *back = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width_px, height_px);
  if (cairo_surface_status(back) != CAIRO_STATUS_SUCCESS) {
    cairo_surface_destroy(back);
    return;
  }
  w->width_px = width_px;
  w->height_px = height_px;
  cairo_surface_destroy(w->back);
  w->back = back;
  w->stale = true;
}

void ui_resize(ui *u, int width_px, int height_px)
{
  ui_window *w = u->window;
  if (width_px < 1 || height_px < 1) return;
  XResizeWindow(w->display, w->xid, (unsigned)width_px, (unsigned)height_px);
  XFlush(w->display);
}

static void point(ui_window *w, int x_px, int y_px)
{
  w->pass.mouse_x = x_px / scale_now(w);
  w->pass.mouse_y = y_px / scale_now(w);
  w->pass.mouse_in = x_px >= 0 && y_px >= 0 && x_px < w->width_px && y_px < w->height_px;
}

static void press(ui_window *w, const XButtonEvent *e)
{
  enum { LEFT = 1, UP = 4, DOWN = 5 };
  const double at_once_s = 0.4;
  point(w, e->x, e->y);
  ui_event event = {.shift = e->state & ShiftMask, .control = e->state & ControlMask};
  if (e->button == UP || e->button == DOWN) {
    event.kind = UI_WHEEL;
    event.wheel = e->button == UP ? 1.0 : -1.0;
    window_pass(w, event);
  }
  if (e->button != LEFT) return;
  double now_s = ui_clock_s();
  bool again = now_s - w->press_s < at_once_s && fabs(w->press_x - e->x) < 4.0 &&
               fabs(w->press_y - e->y) < 4.0;
  w->clicks = again && w->clicks < 3 ? w->clicks + 1 : 1;
  w->press_s = now_s;
  w->press_x = e->x;
  w->press_y = e->y;
  event.kind = UI_PRESS;
  event.clicks = w->clicks;
  XSetInputFocus(w->display, w->xid, RevertToParent, e->time);
  w->pass.has_keys = true;
  window_pass(w, event);
}

static void release(ui_window *w, const XButtonEvent *e)
{
  if (e->button != 1) return;
  point(w, e->x, e->y);
  window_pass(w, (ui_event){.kind = UI_RELEASE});
}

static void move(ui_window *w, const XMotionEvent *e)
{
  point(w, e->x, e->y);
  window_pass(w, (ui_event){.kind = UI_MOVE, .shift = e->state & ShiftMask});
}

// Keys that nobody here wants are the host's: the space bar starts its transport.
static void hand_up(ui_window *w, XKeyEvent e)
{
  if (w->setup.parent == None) return;
  e.window = w->setup.parent;
  e.subwindow = None;
  XSendEvent(w->display, w->setup.parent, True, e.type == KeyPress ? KeyPressMask : KeyReleaseMask,
             (XEvent *)&e);
}

static void key(ui_window *w, XKeyEvent *e)
{
  char text[64];
  KeySym symbol = NoSymbol;
  Status status = XLookupNone;
  int bytes;
  if (w->context != NULL)
    bytes = Xutf8LookupString(w->context, e, text, sizeof text, &symbol, &status);
  else
    bytes = XLookupString(e, text, sizeof text, &symbol, NULL);
  if (bytes < 0 || status == XBufferOverflow) bytes = 0;
  ui_event event = {.kind = UI_KEY,
                    .key = (unsigned)symbol,
                    .shift = e->state & ShiftMask,
                    .control = e->state & ControlMask,
                    .text = text,
                    .text_bytes = e->state & Mod1Mask ? 0 : (size_t)bytes};
  bool own = w->pass.focus != 0 && IsModifierKey(symbol); // of a key that is about to come
  if (!window_pass(w, event) && !own) hand_up(w, *e);
}

static void focus(ui_window *w, bool in)
{
  w->pass.has_keys = in;
  w->stale = true;
  if (w->context == NULL) return;
  if (in)
    XSetICFocus(w->context);
  else
    XUnsetICFocus(w->context);
}

static void take_event(ui_window *w, XEvent *e)
{
  if (drag_event(w, e) || drop_event(w, e) || selection_event(w, e)) return;
  switch (e->type) {
  case Expose: w->stale = true; break;
  case ConfigureNotify:
    if (e->xconfigure.window == w->xid) take_size(w, e->xconfigure.width, e->xconfigure.height);
    break;
  case ButtonPress: press(w, &e->xbutton); break;
  case ButtonRelease: release(w, &e->xbutton); break;
  case MotionNotify: move(w, &e->xmotion); break;
  case LeaveNotify:
    w->pass.mouse_in = false;
    w->stale = true;
    break;
  case KeyPress: key(w, &e->xkey); break;
  case KeyRelease:
    if (w->pass.focus == 0) hand_up(w, e->xkey);
    break;
  case FocusIn: focus(w, true); break;
  case FocusOut: focus(w, false); break;
  case MappingNotify: XRefreshKeyboardMapping(&e->xmapping); break;
  default: break;
  }
}

// Of moves in a row only the last is looked at.
static bool is_overtaken(ui_window *w, const XEvent *e)
{
  XEvent next;
  if (e->type != MotionNotify || XPending(w->display) == 0) return false;
  XPeekEvent(w->display, &next);
  return next.type == MotionNotify && next.xmotion.window == e->xmotion.window;
}

void ui_idle(ui *u)
{
  enum { MOST_EVENTS = 500 }; // at once: the host's own windows want their turn
  ui_window *w = u->window;
  for (int i = 0; i < MOST_EVENTS && XPending(w->display) > 0; i++) {
    XEvent event;
    XNextEvent(w->display, &event);
    if (XFilterEvent(&event, None) || is_overtaken(w, &event)) continue;
    take_event(w, &event);
  }
  selection_idle(w);
  drag_idle(w);
  if (w->stale || ui_clock_s() >= u->again_s) paint(w);
}

void window_tell(ui_window *w, Window to, Atom type, const long data[4])
{
  XEvent event = {.xclient = {.type = ClientMessage,
                              .display = w->display,
                              .window = to,
                              .message_type = type,
                              .format = 32}};
  event.xclient.data.l[0] = (long)w->xid;
  memcpy(event.xclient.data.l + 1, data, 4 * sizeof data[0]);
  XSendEvent(w->display, to, False, NoEventMask, &event);
  XFlush(w->display);
}
