// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sound files in and out through libsndfile.
#ifndef MEANWAVE_WAVFILE_H
#define MEANWAVE_WAVFILE_H

#include "status.h"

typedef struct {
  float *samples; // [frames], one channel
  size_t frames;
  unsigned rate_hz;
} sound;

// Reads any format libsndfile knows, mixes the channels to one, and turns NaN and infinity into
// silence. At most a day of 192 kHz. Free with sound_free.
mw_status sound_read(sound *read, const char *path, mw_error *error);
void sound_free(sound *s);

// The same sound at another rate, in a new object.
mw_status sound_resample(sound *made, const sound *s, unsigned rate_hz, mw_error *error);

// Writes WAV (32-bit float), FLAC or AIFF (24 bit) or OGG, by the name's ending, under a temporary
// name that is renamed when all is written: the old file or the whole new one. An existing file is
// an error unless `overwrite`.
mw_status sound_write(const sound *s, const char *path, bool overwrite, mw_error *error);

#endif
