// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_UI_THEME_H
#define MEANWAVE_UI_THEME_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  double red;
  double green;
  double blue;
} ui_colour;

typedef struct {
  bool dark;
  ui_colour back;  // of the window
  ui_colour panel; // of what stands out from it
  ui_colour well;  // of what is written or drawn into
  ui_colour line;  // around and between
  ui_colour text;
  ui_colour faint;  // text that explains
  ui_colour accent; // what is on, chosen or filled
  ui_colour on_accent;
  ui_colour warn;
} ui_theme;

extern const ui_theme ui_dark;
extern const ui_theme ui_light;

// The one that goes with a host's background, 0xAARRGGBB or 0xRRGGBB.
const ui_theme *ui_theme_for(uint32_t background);

// What the user has chosen, for all windows from then on; NULL: nothing yet.
const ui_theme *ui_theme_chosen(void);
void ui_theme_choose(const ui_theme *theme);

#endif
