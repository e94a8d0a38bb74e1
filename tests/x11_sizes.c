// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_host_parts.h" // before the macros of Xlib

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "x11_host.h"

enum { KINDS = 4, THEME_FROM_RIGHT = 26, THEME_Y = 16 }; // the theme's button, in both windows

void x11_look_at_sizes(x11_host *x, const char *name, int width, int height, int more)
{
  static const char *const kinds[KINDS] = {"dark", "dark-large", "light", "light-large"};
  char picture[64];
  x11_picture seen[KINDS];
  for (int i = 0; i < KINDS; i++) {
    int added = i % 2 ? more : 0;
    x11_resize(x, width + added, height + added);
    if (i == 2) x11_click(x, width - THEME_FROM_RIGHT, THEME_Y, 1);
    snprintf(picture, sizeof picture, "%s-%s", name, kinds[i]);
    seen[i] = x11_look(x, picture);
    assert_int_equal(seen[i].width, width + added);
    assert_int_equal(seen[i].height, height + added);
    assert_true(seen[i].colours > 20);
    assert_int_equal(seen[i].undrawn, 0);
    assert_true(i < 2 ? seen[i].mean < 0.4 : seen[i].mean > 0.6);
    for (int k = 0; k < i; k++) assert_true(seen[k].print != seen[i].print);
  }
  x11_resize(x, 300, 200); // smaller than it wants to be
  snprintf(picture, sizeof picture, "%s-small", name);
  x11_look(x, picture);
  x11_resize(x, 1, 1);
  x11_forget(); // that it is light now
}
