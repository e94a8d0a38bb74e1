// SPDX-License-Identifier: GPL-3.0-or-later
#include "theme.h"

#include <string.h>

#include "user_folder.h"

#define HEX(rgb)                                                                                   \
  {                                                                                                \
    ((rgb) >> 16 & 255) / 255.0, ((rgb) >> 8 & 255) / 255.0, ((rgb)&255) / 255.0                   \
  }

const ui_theme ui_dark = {
    .dark = true,
    .back = HEX(0x1E2125),
    .panel = HEX(0x282C31),
    .well = HEX(0x16181B),
    .line = HEX(0x3A4047),
    .text = HEX(0xE4E7EA),
    .faint = HEX(0x959DA6),
    .accent = HEX(0x52B6A8),
    .on_accent = HEX(0x0E1716),
    .warn = HEX(0xE6A15C),
};

const ui_theme ui_light = {
    .dark = false,
    .back = HEX(0xEEEDEA),
    .panel = HEX(0xF8F7F5),
    .well = HEX(0xFFFFFF),
    .line = HEX(0xCBC8C2),
    .text = HEX(0x23272B),
    .faint = HEX(0x666C73),
    .accent = HEX(0x14786B),
    .on_accent = HEX(0xFFFFFF),
    .warn = HEX(0xA85310),
};

const ui_theme *ui_theme_for(uint32_t background)
{
  unsigned red = background >> 16 & 255;
  unsigned green = background >> 8 & 255;
  unsigned blue = background & 255;
  return 3 * red + 6 * green + blue < 10 * 128 ? &ui_dark : &ui_light;
}

static const char setting[] = "windows"; // its file

const ui_theme *ui_theme_chosen(void)
{
  char text[64];
  if (!user_setting_read(setting, text, sizeof text)) return NULL;
  return strcmp(text, "theme = dark\n") == 0    ? &ui_dark
         : strcmp(text, "theme = light\n") == 0 ? &ui_light
                                                : NULL;
}

void ui_theme_choose(const ui_theme *theme)
{
  user_setting_write(setting, theme->dark ? "theme = dark\n" : "theme = light\n");
}
