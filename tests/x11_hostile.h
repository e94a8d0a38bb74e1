// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_X11_HOSTILE_H
#define MEANWAVE_X11_HOSTILE_H

#include "x11_host.h"

// Tells a window what no plugin says: noise, messages that end too early or claim to be longer,
// values of every wrong type and size for each of the properties, numbers that are none.
void x11_be_hostile(x11_host *x, const char *const *properties, size_t count);

#endif
