// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sound files and pipes, block by block. A path of "-" is standard input or output: a
// sound file that is held in memory, or, with a raw form, headerless samples that pass through.
#ifndef MEANWAVE_SOUND_IO_H
#define MEANWAVE_SOUND_IO_H

#include "status.h"

typedef struct sound_reader sound_reader;

// `channel`: from 1; 0: the mean of all. `raw`: "ENCODING:RATE" or "ENCODING:RATE:CHANNELS" of
// headerless samples, NULL for sound files; ENCODING is s16le, s24le, s32le or f32le.
mw_status sound_reader_open(sound_reader **opened, const char *path, unsigned channel,
                            const char *raw, mw_error *error);
void sound_reader_close(sound_reader *r); // NULL is fine
unsigned sound_reader_rate_hz(const sound_reader *r);
double sound_reader_frames(const sound_reader *r); // as its header says, which may lie; 0: unknown
// Up to `frames` into `block`; their number into `got`, 0 at the end. NaN and infinity become
// silence.
mw_status sound_reader_read(sound_reader *r, float *block, size_t frames, size_t *got,
                            mw_error *error);

typedef struct sound_writer sound_writer;

// WAV (32-bit float), FLAC or AIFF (24 bit) or OGG (Vorbis), by the name's ending; WAV to standard
// output. A file is written under a temporary name and renamed when all is there: the old one or
// the whole new one. An existing file is an error unless `overwrite`.
mw_status sound_writer_open(sound_writer **opened, const char *path, unsigned rate_hz,
                            unsigned channels, const char *raw, bool overwrite, mw_error *error);
// Texts for the file, where its format has room for them; before the first block. NULL: not.
void sound_writer_tag(sound_writer *w, const char *title, const char *comment);
// block [frames, channels]
mw_status sound_writer_write(sound_writer *w, const float *block, size_t frames, mw_error *error);
// Puts the file in place and frees the writer.
mw_status sound_writer_finish(sound_writer *w, mw_error *error);
void sound_writer_drop(sound_writer *w); // instead: nothing stays; NULL is fine

#endif
