// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_PLACES_H
#define MEANWAVE_PLACES_H

#include "meanwave.h"
#include "options.h"

// The voice model that --model, --vocoder and --steps name, or the default one.
mw_status places_open_voice_model(mw_voice_model **opened, const arguments *a, mw_error *error);

#endif
