// SPDX-License-Identifier: GPL-3.0-or-later
//
// What this processor can do.
#ifndef MEANWAVE_CPU_H
#define MEANWAVE_CPU_H

#include "kernels_path.h"

// The fastest path this processor may run. Real time: reads a table the C runtime filled at start.
const kernels_path *cpu_path(void);

// Path `index` (0 is plain) of those this processor may run, or NULL past the last.
const kernels_path *cpu_path_at(size_t index);

// Physical cores this process may run on, at least 1.
size_t cpu_cores(void);

#endif
