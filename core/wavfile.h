// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whole sound files in and out; sound_io does it block by block.
#ifndef MEANWAVE_WAVFILE_H
#define MEANWAVE_WAVFILE_H

#include "status.h"

typedef mw_sound sound;

// The mean of all channels, "-" from standard input; NaN and infinity are silence.
static inline mw_status sound_read(sound *read, const char *path, double seconds, mw_error *error)
{
  return mw_sound_read(read, path, 0, seconds, error);
}

static inline void sound_free(sound *s)
{
  mw_sound_free(s);
}

static inline mw_status sound_write(const sound *s, const char *path, bool overwrite,
                                    mw_error *error)
{
  return mw_sound_save(s, path, overwrite, error);
}

// The same sound at another rate, in a new object.
mw_status sound_resample(sound *made, const sound *s, unsigned rate_hz, mw_error *error);

#endif
