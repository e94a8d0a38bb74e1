// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whole sound files in and out; sound_io does it block by block.
#ifndef MEANWAVE_WAVFILE_H
#define MEANWAVE_WAVFILE_H

#include "status.h"

typedef mw_sound sound;

// Reads any format libsndfile knows, "-" from standard input, mixes the channels to one, and turns
// NaN and infinity into silence. At most a day of 192 kHz. Free with sound_free.
mw_status sound_read(sound *read, const char *path, mw_error *error);
void sound_free(sound *s);

// The same sound at another rate, in a new object.
mw_status sound_resample(sound *made, const sound *s, unsigned rate_hz, mw_error *error);

// As sound_writer does.
mw_status sound_write(const sound *s, const char *path, bool overwrite, mw_error *error);

#endif
