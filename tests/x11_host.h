// SPDX-License-Identifier: GPL-3.0-or-later
//
// A host for a plugin's window, for tests: a screen of its own (Xvfb), the plugin in the strict
// host behind it, a hand that clicks and types, an eye that takes pictures, and another program to
// copy from, paste to, drag from and drop on.
#ifndef MEANWAVE_X11_HOST_H
#define MEANWAVE_X11_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <X11/Xlib.h>
#include <X11/keysym.h>

#include "lv2_host.h"

// Of all tests of a program. False: there is no Xvfb here, which has been said.
bool x11_start(size_t tests);
void x11_stop(void);
void x11_forget(void); // what was chosen for all windows

typedef struct x11_host x11_host;

enum { X11_DARK = 0x202020, X11_LIGHT = 0xE0E0E0 }; // backgrounds of hosts

// The window of the plugin, found by its metadata. `background`: of the host, 0xRRGGBB; `scale`: 0
// for a host that says none. A window that does not open fails the test.
x11_host *x11_open(lv2_host *plugin, uint32_t background, float scale);
void x11_close(x11_host *x);
void x11_close_both(x11_host *x);  // window and plugin
void x11_lose_parent(x11_host *x); // as hosts do that close their own window first
void x11_feed(float level);        // of what the plugin hears
int x11_keys_handed_up(void);      // keys that the host was given since the last call
// Runs plugin and window for a time.
void x11_turn(x11_host *x, int milliseconds);
// Until a property or control port says so; fails when it never does.
void x11_until_told(x11_host *x, const char *property, const char *text);
void x11_until_value(x11_host *x, const char *symbol, float low, float high);

void x11_resize(x11_host *x, int width, int height);
// What the plugin might have said; it need not be well-formed.
void x11_say(x11_host *x, uint32_t port, uint32_t bytes, uint32_t format, const void *data);

// Hand. Places are pixels of the window.
void x11_click(x11_host *x, int x_px, int y_px, int count);
void x11_pull(x11_host *x, int from_x, int from_y, int to_x, int to_y); // of the screen, in steps
void x11_wheel(x11_host *x, int x_px, int y_px, int steps);
void x11_type(x11_host *x, const char *text);
void x11_key(x11_host *x, KeySym key, const char *modifiers); // letters of "CS": control, shift

// Eye.
typedef struct {
  int width;
  int height;
  size_t colours; // different ones, at most 4096
  double mean;    // 0 black to 1 white
  size_t undrawn; // pixels of the host's window that shine through
  uint64_t print; // of all pixels
} x11_picture;
// Also as $MEANWAVE_SCREENSHOTS/NAME.png, when that is set.
x11_picture x11_look(x11_host *x, const char *name);
// A window that opened dark, as wide and high as it opens and by `more` pixels larger, dark and
// light: NAME-dark.png and so on differ, are drawn all over and of their theme; and far too small.
void x11_look_at_sizes(x11_host *x, const char *name, int width, int height, int more);

// Another program.
void x11_offer(const char *text); // in its clipboard; NULL: it has none
// What it gives comes in parts of so many bytes from now on, of which it gives `most`; 0: at once.
void x11_give_in_parts(size_t bytes, size_t most);
const char *x11_ask(x11_host *x);                 // what is in the clipboard; NULL: nothing
bool x11_drop(x11_host *x, const char *uris);     // on the window; false: it is not taken
void x11_peer_place(int left, int top, int size); // where its window is, that takes files
const char *x11_peer_dropped(void);               // what was dropped on it; NULL: nothing

// ---- For its parts ----

extern Display *x11_display;
Window x11_xid(const x11_host *x);
void x11_peer_make(void);
void x11_peer_serve(void); // what others want of it

#endif
