// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "memory_file.h"
#include "replace.h"
#include "sound_io.h"
#include "sound_raw.h"

struct sound_writer {
  SNDFILE *file;
  memory_file memory; // for a pipe
  bool pipe;
  bool live; // raw: nothing is held back
  bool overwrite;
  char path[REPLACE_PATH_SIZE];
  char temporary[REPLACE_PATH_SIZE]; // "" when there is none
};

static int format_of(const char *path)
{
  static const struct {
    const char *ending;
    int format;
  } known[] = {
      {".wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT},    {".flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24},
      {".aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_24}, {".aif", SF_FORMAT_AIFF | SF_FORMAT_PCM_24},
      {".ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS},
  };
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; dot != NULL && i < sizeof known / sizeof known[0]; i++)
    if (strcasecmp(dot, known[i].ending) == 0) return known[i].format;
  return 0;
}

static mw_status open_file(sound_writer *w, unsigned rate_hz, unsigned channels, const char *raw,
                           mw_error *error)
{
  SF_INFO info = {.format = w->pipe ? SF_FORMAT_WAV | SF_FORMAT_FLOAT : format_of(w->path)};
  mw_status status = MW_OK;
  if (w->live) status = sound_raw_read(&info, raw, error);
  if (status == MW_OK && info.format == 0)
    status = mw_fail(error, MW_ERROR_ARGUMENT, "%s: name it .wav, .flac, .aiff or .ogg", w->path);
  if (status != MW_OK) return status;
  info.samplerate = (int)rate_hz;
  info.channels = (int)channels;
  if (w->live) {
    w->file = sf_open_fd(STDOUT_FILENO, SFM_WRITE, &info, SF_FALSE);
  } else if (w->pipe) {
    w->file = memory_file_open(&w->memory, SFM_WRITE, &info);
  } else {
    char temporary[REPLACE_PATH_SIZE];
    status = replace_begin(temporary, w->path, w->overwrite, error);
    if (status != MW_OK) return status;
    w->file = sf_open(temporary, SFM_WRITE, &info);
    if (w->file != NULL) memcpy(w->temporary, temporary, sizeof temporary);
  }
  if (w->file == NULL) return mw_fail(error, MW_ERROR_IO, "%s: %s", w->path, sf_strerror(NULL));
  // its time stamp would make equal sounds unequal files
  sf_command(w->file, SFC_SET_ADD_PEAK_CHUNK, NULL, SF_FALSE);
  // integers and Vorbis must not wrap around
  sf_command(w->file, SFC_SET_CLIPPING, NULL, SF_TRUE);
  return MW_OK;
}

mw_status sound_writer_open(sound_writer **opened, const char *path, unsigned rate_hz,
                            unsigned channels, const char *raw, bool overwrite, mw_error *error)
{
  sound_writer *w = calloc(1, sizeof *w);
  if (w == NULL) return mw_fail_memory(error, "writing a sound file");
  w->pipe = strcmp(path, "-") == 0;
  w->live = w->pipe && raw != NULL;
  w->overwrite = overwrite;
  strncpy(w->path, w->pipe ? "standard output" : path, sizeof w->path - 1);
  mw_status status =
      strlen(path) < sizeof w->path
          ? open_file(w, rate_hz, channels, raw, error)
          : mw_fail(error, MW_ERROR_ARGUMENT, "%.200s...: the name is too long", path);
  if (status != MW_OK) {
    sound_writer_drop(w);
    return status;
  }
  *opened = w;
  return MW_OK;
}

static mw_status fail_writing(const sound_writer *w, mw_error *error)
{
  return mw_fail(error, MW_ERROR_IO, "%s: could not be written; is the disk full?", w->path);
}

void sound_writer_tag(sound_writer *w, const char *title, const char *comment)
{
  if (title != NULL) sf_set_string(w->file, SF_STR_TITLE, title);
  if (comment != NULL) sf_set_string(w->file, SF_STR_COMMENT, comment);
}

mw_status sound_writer_write(sound_writer *w, const float *block, size_t frames, mw_error *error)
{
  bool good = sf_writef_float(w->file, block, (sf_count_t)frames) == (sf_count_t)frames;
  return good ? MW_OK : fail_writing(w, error);
}

mw_status sound_writer_finish(sound_writer *w, mw_error *error)
{
  if (!w->pipe) sf_write_sync(w->file);
  bool good = sf_error(w->file) == SF_ERR_NO_ERROR;
  if (sf_close(w->file) != 0) good = false;
  w->file = NULL;
  if (good && w->pipe && !w->live) good = memory_file_pour(&w->memory, STDOUT_FILENO);
  mw_status status = good ? MW_OK : fail_writing(w, error);
  if (status == MW_OK && w->temporary[0] != '\0') {
    status = replace_finish(w->temporary, w->path, w->overwrite, error);
    if (status == MW_OK) w->temporary[0] = '\0';
  }
  sound_writer_drop(w);
  return status;
}

void sound_writer_drop(sound_writer *w)
{
  if (w == NULL) return;
  if (w->file != NULL) sf_close(w->file);
  if (w->temporary[0] != '\0') unlink(w->temporary);
  memory_file_free(&w->memory);
  free(w);
}
