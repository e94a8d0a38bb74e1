// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory_file.h"
#include "sound_io.h"
#include "sound_raw.h"

enum { CHANNEL_LIMIT = 64, LOWEST_HZ = 1000, HIGHEST_HZ = 768000, PIECE_FRAMES = 256 };

struct sound_reader {
  SNDFILE *file;
  memory_file memory; // of a pipe
  SF_INFO info;
  unsigned channel;
  bool live;      // raw: its length is not known
  float *piece;   // [PIECE_FRAMES, channels]
  char path[256]; // for error lines
};

static mw_status open_file(sound_reader *r, const char *path, const char *raw, mw_error *error)
{
  bool pipe = strcmp(path, "-") == 0;
  r->live = pipe && raw != NULL;
  if (r->live) {
    mw_status status = sound_raw_read(&r->info, raw, error);
    if (status != MW_OK) return status;
    r->file = sf_open_fd(STDIN_FILENO, SFM_READ, &r->info, SF_FALSE);
  } else if (pipe) {
    mw_status status = memory_file_fill(&r->memory, STDIN_FILENO, r->path, error);
    if (status != MW_OK) return status;
    r->file = memory_file_open(&r->memory, SFM_READ, &r->info);
  } else {
    r->file = sf_open(path, SFM_READ, &r->info);
  }
  if (r->file == NULL) return mw_fail(error, MW_ERROR_IO, "%s: %s", r->path, sf_strerror(NULL));
  return MW_OK;
}

static mw_status check(const sound_reader *r, mw_error *error)
{
  const SF_INFO *i = &r->info;
  if (i->channels < 1 || i->channels > CHANNEL_LIMIT || i->samplerate < LOWEST_HZ ||
      i->samplerate > HIGHEST_HZ)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: %d channels at %d Hz cannot be used", r->path,
                   i->channels, i->samplerate);
  if (r->channel > (unsigned)i->channels)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%s: there is no channel %u, it has %d", r->path,
                   r->channel, i->channels);
  return MW_OK;
}

mw_status sound_reader_open(sound_reader **opened, const char *path, unsigned channel,
                            const char *raw, mw_error *error)
{
  sound_reader *r = calloc(1, sizeof *r);
  if (r == NULL) return mw_fail_memory(error, "opening a sound file");
  r->channel = channel;
  strncpy(r->path, strcmp(path, "-") == 0 ? "standard input" : path, sizeof r->path - 1);
  mw_status status = open_file(r, path, raw, error);
  if (status == MW_OK) status = check(r, error);
  if (status == MW_OK) {
    r->piece = malloc(PIECE_FRAMES * (size_t)r->info.channels * sizeof(float));
    if (r->piece == NULL) status = mw_fail_memory(error, "opening a sound file");
  }
  if (status != MW_OK) {
    sound_reader_close(r);
    return status;
  }
  *opened = r;
  return MW_OK;
}

void sound_reader_close(sound_reader *r)
{
  if (r == NULL) return;
  if (r->file != NULL) sf_close(r->file);
  memory_file_free(&r->memory);
  free(r->piece);
  free(r);
}

unsigned sound_reader_rate_hz(const sound_reader *r)
{
  return (unsigned)r->info.samplerate;
}

double sound_reader_frames(const sound_reader *r)
{
  return r->live || r->info.frames < 0 ? 0.0 : (double)r->info.frames;
}

static float one_channel(const sound_reader *r, const float *frame)
{
  size_t channels = (size_t)r->info.channels;
  float value = 0.0f;
  if (r->channel > 0) {
    value = frame[r->channel - 1];
  } else {
    for (size_t c = 0; c < channels; c++) value += frame[c];
    value /= (float)channels;
  }
  return isfinite(value) ? value : 0.0f;
}

mw_status sound_reader_read(sound_reader *r, float *block, size_t frames, size_t *got,
                            mw_error *error)
{
  *got = 0;
  while (*got < frames) {
    size_t wanted = frames - *got < PIECE_FRAMES ? frames - *got : PIECE_FRAMES;
    sf_count_t count = sf_readf_float(r->file, r->piece, (sf_count_t)wanted);
    if (count <= 0) break;
    for (size_t i = 0; i < (size_t)count; i++)
      block[(*got)++] = one_channel(r, r->piece + i * (size_t)r->info.channels);
  }
  if (*got < frames && sf_error(r->file) != SF_ERR_NO_ERROR)
    return mw_fail(error, MW_ERROR_FORMAT, "%s: %s", r->path, sf_strerror(r->file));
  return MW_OK;
}
