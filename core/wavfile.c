// SPDX-License-Identifier: GPL-3.0-or-later
#include "wavfile.h"

#include <errno.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "replace.h"
#include "resample.h"

enum { CHANNEL_LIMIT = 64, BLOCK_FRAMES = 4096 };
#define FRAME_LIMIT ((sf_count_t)192000 * 86400)

void sound_free(sound *s)
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
static mw_status read_mixed(sound *s, SNDFILE *file, size_t channels, const char *path,
                            mw_error *error)
{
  size_t capacity = 0;
  float *block = malloc(BLOCK_FRAMES * channels * sizeof(float));
  if (block == NULL) return mw_fail_memory(error, "reading a sound file");
  for (;;) {
    sf_count_t count = sf_readf_float(file, block, BLOCK_FRAMES);
    if (count <= 0) break;
    if ((sf_count_t)s->frames + count > FRAME_LIMIT || !grow(s, &capacity)) {
      free(block);
      return mw_fail(error, MW_ERROR_MEMORY, "%s: too long to be held in memory", path);
    }
    for (sf_count_t i = 0; i < count; i++) {
      float sum = 0.0f;
      for (size_t c = 0; c < channels; c++) sum += block[(size_t)i * channels + c];
      sum /= (float)channels;
      s->samples[s->frames++] = isfinite(sum) ? sum : 0.0f;
    }
  }
  free(block);
  return MW_OK;
}

mw_status sound_read(sound *read, const char *path, mw_error *error)
{
  SF_INFO info = {0};
  *read = (sound){0};
  SNDFILE *file = sf_open(path, SFM_READ, &info);
  if (file == NULL) return mw_fail(error, MW_ERROR_IO, "%s: %s", path, sf_strerror(NULL));
  mw_status status;
  if (info.channels < 1 || info.channels > CHANNEL_LIMIT || info.samplerate < 1000 ||
      info.samplerate > 768000)
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: %d channels at %d Hz cannot be used", path,
                     info.channels, info.samplerate);
  else
    status = read_mixed(read, file, (size_t)info.channels, path, error);
  sf_close(file);
  read->rate_hz = (unsigned)info.samplerate;
  if (status == MW_OK && read->frames == 0)
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: there is no sound in it", path);
  if (status != MW_OK) sound_free(read);
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

static int format_of(const char *path)
{
  static const struct {
    const char *ending;
    int format;
  } known[] = {
      {".wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT},
      {".flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24},
      {".aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_24},
      {".ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS},
  };
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; dot != NULL && i < sizeof known / sizeof known[0]; i++)
    if (strcasecmp(dot, known[i].ending) == 0) return known[i].format;
  return 0;
}

static mw_status write_all(const sound *s, SNDFILE *file, const char *path, mw_error *error)
{
  // its time stamp would make equal sounds unequal files
  sf_command(file, SFC_SET_ADD_PEAK_CHUNK, NULL, SF_FALSE);
  // integers and Vorbis must not wrap around
  sf_command(file, SFC_SET_CLIPPING, NULL, SF_TRUE);
  sf_count_t done = sf_writef_float(file, s->samples, (sf_count_t)s->frames);
  sf_write_sync(file);
  bool good = done == (sf_count_t)s->frames && sf_error(file) == SF_ERR_NO_ERROR;
  if (sf_close(file) != 0) good = false;
  return good ? MW_OK
              : mw_fail(error, MW_ERROR_IO, "%s: could not be written; is the disk full?", path);
}

mw_status sound_write(const sound *s, const char *path, bool overwrite, mw_error *error)
{
  char temporary[REPLACE_PATH_SIZE];
  SF_INFO info = {.samplerate = (int)s->rate_hz, .channels = 1, .format = format_of(path)};
  if (info.format == 0)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%s: name it .wav, .flac, .aiff or .ogg", path);
  mw_status status = replace_begin(temporary, path, overwrite, error);
  if (status != MW_OK) return status;
  SNDFILE *file = sf_open(temporary, SFM_WRITE, &info);
  if (file == NULL) return mw_fail(error, MW_ERROR_IO, "%s: %s", path, sf_strerror(NULL));
  status = write_all(s, file, path, error);
  if (status == MW_OK) status = replace_finish(temporary, path, overwrite, error);
  if (status != MW_OK) unlink(temporary);
  return status;
}
