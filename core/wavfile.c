// SPDX-License-Identifier: GPL-3.0-or-later
#include "wavfile.h"

#include <math.h>
#include <stdlib.h>

#include "resample.h"
#include "sound_io.h"

enum { BLOCK_FRAMES = 4096 };
#define FRAME_LIMIT ((size_t)1 << 28) // 1 GB

void mw_sound_free(mw_sound *s)
{
  free(s->samples);
  *s = (sound){0};
}

static bool grow(sound *s, size_t *capacity)
{
  if (s->frames + BLOCK_FRAMES <= *capacity) return true;
  size_t larger = 2 * *capacity + BLOCK_FRAMES;
  float *moved = realloc(s->samples, larger * sizeof(float));
  if (moved == NULL) return false;
  s->samples = moved;
  *capacity = larger;
  return true;
}

// Header lengths lie, so memory grows with what is really there.
static mw_status read_frames(sound *s, sound_reader *r, size_t most, const char *path,
                             mw_error *error)
{
  size_t capacity = 0;
  for (size_t got = 1; got > 0 && s->frames < most; s->frames += got) {
    size_t wanted = most - s->frames < BLOCK_FRAMES ? most - s->frames : BLOCK_FRAMES;
    if (!grow(s, &capacity)) return mw_fail_memory(error, "reading a sound file");
    mw_status status = sound_reader_read(r, s->samples + s->frames, wanted, &got, error);
    if (status != MW_OK) return status;
  }
  if (s->frames > FRAME_LIMIT)
    return mw_fail(error, MW_ERROR_MEMORY,
                   "%s: longer than the %.0f minutes that are held in memory at its rate", path,
                   (double)FRAME_LIMIT / s->rate_hz / 60.0);
  if (s->frames == 0) return mw_fail(error, MW_ERROR_FORMAT, "%s: there is no sound in it", path);
  return MW_OK;
}

mw_status mw_sound_read(mw_sound *read, const char *path, unsigned channel, double seconds,
                        mw_error *error)
{
  sound_reader *r = NULL;
  *read = (sound){0};
  mw_status status = sound_reader_open(&r, path, channel, NULL, error);
  if (status != MW_OK) return status;
  read->rate_hz = sound_reader_rate_hz(r);
  double frames = ceil(seconds * read->rate_hz);
  bool cut = frames > 0.0 && frames <= (double)FRAME_LIMIT;
  status = read_frames(read, r, cut ? (size_t)frames : FRAME_LIMIT + 1, path, error);
  sound_reader_close(r);
  if (status != MW_OK) mw_sound_free(read);
  return status;
}

mw_status sound_resample(sound *made, const sound *s, unsigned rate_hz, mw_error *error)
{
  resampler *r = NULL;
  *made = (sound){.rate_hz = rate_hz};
  mw_status status = resampler_new(&r, s->rate_hz, rate_hz, error);
  if (status != MW_OK) return status;
  made->frames = resampler_length(r, s->frames);
  made->samples = malloc((made->frames + 1) * sizeof(float));
  if (made->samples == NULL)
    status = mw_fail_memory(error, "resampling");
  else
    resampler_whole(r, s->samples, s->frames, made->samples);
  resampler_free(r);
  return status;
}

mw_status mw_sound_save(const mw_sound *s, const char *path, bool overwrite, mw_error *error)
{
  sound_writer *w = NULL;
  mw_status status = sound_writer_open(&w, path, s->rate_hz, 1, NULL, overwrite, error);
  if (status != MW_OK) return status;
  status = sound_writer_write(w, s->samples, s->frames, error);
  if (status == MW_OK) return sound_writer_finish(w, error);
  sound_writer_drop(w);
  return status;
}
