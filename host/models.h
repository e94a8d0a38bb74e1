// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_HOST_MODELS_H
#define MEANWAVE_HOST_MODELS_H

#include "meanwave.h"
#include "options.h"

// The option --dtype, f32 unless given; false, and told, when it is none.
bool models_read_type(const arguments *a, mw_weight_type *type);

#endif
