// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_LV2_TRAP_H
#define MEANWAVE_LV2_TRAP_H

#include <stdbool.h>

bool trap_works(void);  // not under a sanitizer
void trap_set(bool on); // of this thread
// The forbidden call that was made last, and NULL again after this.
const char *trap_take(void);

#endif
