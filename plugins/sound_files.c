// SPDX-License-Identifier: GPL-3.0-or-later
#include "sound_files.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sha256.h"

// The first bytes of a text file, less white space at the end.
static mw_status read_text(const char *path, char prompt[MW_PROMPT_BYTES], mw_error *error)
{
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    snprintf(error->text, sizeof error->text, "%.300s: %s", path, strerror(errno));
    return MW_ERROR_IO;
  }
  size_t length = fread(prompt, 1, MW_PROMPT_BYTES, file);
  bool good = ferror(file) == 0 && length < MW_PROMPT_BYTES && memchr(prompt, 0, length) == NULL;
  fclose(file);
  while (good && length > 0 && strchr(" \t\r\n", prompt[length - 1]) != NULL) length--;
  if (good) prompt[length] = '\0';
  if (good && length > 0) return MW_OK;
  snprintf(error->text, sizeof error->text, "%.300s: not a text of at most %d bytes", path,
           MW_PROMPT_BYTES - 1);
  return MW_ERROR_FORMAT;
}

static mw_status read_preset(sound_words *words, mw_error *error)
{
  mw_preset preset;
  mw_status status = mw_preset_open(&preset, words->file, error);
  if (status != MW_OK) return status;
  if (preset.kind != MW_PRESET_SOUND || preset.prompt[0] == '\0') {
    snprintf(error->text, sizeof error->text, "%.300s: a preset without a prompt", words->file);
    return MW_ERROR_FORMAT;
  }
  snprintf(words->prompt, sizeof words->prompt, "%s", preset.prompt);
  snprintf(words->negative, sizeof words->negative, "%s", preset.negative);
  return MW_OK;
}

mw_status files_read_words(sound_words *words, mw_error *error)
{
  char prompt[MW_PROMPT_BYTES];
  const char *ending = strrchr(words->file, '.');
  mw_status status = mw_file_check(words->file, error);
  if (status != MW_OK) return status;
  if (ending != NULL && strcmp(ending, ".preset") == 0) return read_preset(words, error);
  status = read_text(words->file, prompt, error);
  if (status == MW_OK) memcpy(words->prompt, prompt, sizeof prompt);
  return status;
}

// ---- The clip of a state ----

// A clip inside the state, or none: its rate, then its samples, 32 bits each, least byte first.
static void store_inside(const side_state *st, const sound_keys *keys, const mw_sound *sound)
{
  size_t bytes = (sound->frames + 1) * 4;
  unsigned char *packed = malloc(bytes);
  if (packed == NULL) return;
  for (size_t i = 0; i <= sound->frames; i++) {
    uint32_t word = sound->rate_hz;
    if (i > 0) memcpy(&word, &sound->samples[i - 1], sizeof word);
    for (int k = 0; k < 4; k++) packed[4 * i + (size_t)k] = (unsigned char)(word >> (8 * k));
  }
  side_store_path(st, keys->clip, "");
  side_store(st, keys->clip_bytes, st->host->atom_Chunk, packed, bytes);
  free(packed);
}

// Carla has one folder for all projects that lie beside each other, so that clips of one name would
// take each other's place: another clip has another name.
static void name_file(const mw_sound *sound, char *name, size_t size)
{
  char text[SHA256_TEXT];
  sha256 hash;
  sha256_start(&hash);
  sha256_add(&hash, sound->samples, sound->frames * sizeof(float));
  sha256_finish(&hash, text);
  snprintf(name, size, "clip-%.16s.wav", text);
}

void files_store_clip(const side_state *st, const sound_keys *keys, const mw_sound *sound,
                      bool loops)
{
  char path[SIDE_PATH_SIZE];
  char name[32];
  const int32_t loops_value = loops;
  mw_error error;
  side_store(st, keys->clip_loops, st->host->atom_Bool, &loops_value, sizeof loops_value);
  name_file(sound, name, sizeof name);
  if (sound->frames == 0 || !side_make_path(st, name, path)) {
    store_inside(st, keys, sound);
  } else if (mw_sound_save(sound, path, true, &error) == MW_OK) {
    side_store_path(st, keys->clip, path);
  } else {
    side_log(st->host, st->host->log_Error, error.text);
    store_inside(st, keys, sound);
  }
}

mw_status files_read_clip(const side_state *st, const sound_keys *keys, mw_sound *sound,
                          mw_error *error)
{
  char path[SIDE_PATH_SIZE];
  size_t bytes;
  side_retrieve_path(st, keys->clip, path);
  if (path[0] != '\0') {
    mw_status status = mw_file_check(path, error);
    if (status == MW_OK) status = mw_sound_read(sound, path, 0, MW_SOUND_LONGEST + 1.0, error);
    if (status != MW_OK || (double)sound->frames <= MW_SOUND_LONGEST * sound->rate_hz)
      return status;
    mw_sound_free(sound);
    snprintf(error->text, sizeof error->text, "%.300s: longer than the %.0f seconds of a sound",
             path, MW_SOUND_LONGEST);
    return MW_ERROR_FORMAT;
  }
  const unsigned char *packed = side_retrieve(st, keys->clip_bytes, st->host->atom_Chunk, &bytes);
  if (packed == NULL || bytes < 8 || bytes % 4 != 0) return MW_OK;
  float *samples = malloc(bytes);
  if (samples == NULL) {
    snprintf(error->text, sizeof error->text, "out of memory for the sound of a state");
    return MW_ERROR_MEMORY;
  }
  *sound = (mw_sound){samples, bytes / 4 - 1, 0};
  for (size_t i = 0; i <= sound->frames; i++) {
    uint32_t word = 0;
    for (int k = 0; k < 4; k++) word |= (uint32_t)packed[4 * i + (size_t)k] << (8 * k);
    if (i == 0) {
      sound->rate_hz = word;
    } else {
      memcpy(&samples[i - 1], &word, sizeof word);
      if (!isfinite(samples[i - 1])) samples[i - 1] = 0.0f;
    }
  }
  return MW_OK;
}

bool files_read_loops(const side_state *st, const sound_keys *keys)
{
  size_t bytes;
  int32_t loops = 0;
  const void *value = side_retrieve(st, keys->clip_loops, st->host->atom_Bool, &bytes);
  // hosts align nothing
  if (value != NULL && bytes == sizeof loops) memcpy(&loops, value, sizeof loops);
  return loops != 0;
}
