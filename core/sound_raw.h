// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_SOUND_RAW_H
#define MEANWAVE_SOUND_RAW_H

#include <sndfile.h>

#include "status.h"

// "ENCODING:RATE" or "ENCODING:RATE:CHANNELS" for libsndfile.
mw_status sound_raw_read(SF_INFO *info, const char *raw, mw_error *error);

#endif
