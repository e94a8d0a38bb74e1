// SPDX-License-Identifier: GPL-3.0-or-later
//
// The hand of the host for windows: mouse and keyboard, through the XTEST extension.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <X11/XKBlib.h>
#include <X11/extensions/XTest.h>

#include "x11_host.h"

static void move(x11_host *x, int x_px, int y_px)
{
  XTestFakeMotionEvent(x11_display, 0, x_px, y_px, CurrentTime);
  XSync(x11_display, False);
  x11_turn(x, 10);
}

static void button(x11_host *x, unsigned number, bool down)
{
  XTestFakeButtonEvent(x11_display, number, down, CurrentTime);
  XSync(x11_display, False);
  x11_turn(x, 10);
}

// A window of the host's lies at the corner of the screen.
void x11_click(x11_host *x, int x_px, int y_px, int count)
{
  move(x, x_px, y_px);
  for (int i = 0; i < count; i++) {
    button(x, 1, true);
    button(x, 1, false);
  }
}

void x11_pull(x11_host *x, int from_x, int from_y, int to_x, int to_y)
{
  enum { STEPS = 8 };
  move(x, from_x, from_y);
  button(x, 1, true);
  for (int i = 1; i <= STEPS; i++) {
    move(x, from_x + (to_x - from_x) * i / STEPS, from_y + (to_y - from_y) * i / STEPS);
    x11_turn(x, 60);
  }
  button(x, 1, false);
}

void x11_wheel(x11_host *x, int x_px, int y_px, int steps)
{
  move(x, x_px, y_px);
  for (int i = 0; i < abs(steps); i++) {
    button(x, steps > 0 ? 4 : 5, true);
    button(x, steps > 0 ? 4 : 5, false);
  }
}

static void tap(x11_host *x, KeySym key, bool control, bool shift)
{
  KeyCode code = XKeysymToKeycode(x11_display, key);
  KeyCode control_code = XKeysymToKeycode(x11_display, XK_Control_L);
  KeyCode shift_code = XKeysymToKeycode(x11_display, XK_Shift_L);
  assert_int_not_equal(code, 0);
  shift = shift || XkbKeycodeToKeysym(x11_display, code, 0, 0) != key;
  if (control) XTestFakeKeyEvent(x11_display, control_code, True, CurrentTime);
  if (shift) XTestFakeKeyEvent(x11_display, shift_code, True, CurrentTime);
  XTestFakeKeyEvent(x11_display, code, True, CurrentTime);
  XTestFakeKeyEvent(x11_display, code, False, CurrentTime);
  if (shift) XTestFakeKeyEvent(x11_display, shift_code, False, CurrentTime);
  if (control) XTestFakeKeyEvent(x11_display, control_code, False, CurrentTime);
  XSync(x11_display, False);
  x11_turn(x, 10);
}

void x11_key(x11_host *x, KeySym key, const char *modifiers)
{
  tap(x, key, strchr(modifiers, 'C') != NULL, strchr(modifiers, 'S') != NULL);
}

void x11_type(x11_host *x, const char *text)
{
  for (; *text != '\0'; text++)
    tap(x, *text == '\n' ? XK_Return : (KeySym)(unsigned char)*text, false, false);
}
