// SPDX-License-Identifier: GPL-3.0-or-later
#include "places.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

mw_status places_find_model(char *path, size_t size, const char *file, mw_error *error)
{
  const char *chosen = getenv("MEANWAVE_MODELS");
  const char *data = getenv("XDG_DATA_HOME");
  const char *home = getenv("HOME");
  if (chosen != NULL && snprintf(path, size, "%s/%s", chosen, file) < (int)size &&
      access(path, R_OK) == 0)
    return MW_OK;
  // a relative XDG_DATA_HOME is to be ignored, says its specification
  int length = data != NULL && data[0] == '/'
                   ? snprintf(path, size, "%s/meanwave/models/%s", data, file)
                   : snprintf(path, size, "%s/.local/share/meanwave/models/%s",
                              home != NULL ? home : "", file);
  if (length < (int)size && access(path, R_OK) == 0) return MW_OK;
  if (snprintf(path, size, "%s/models/%s", MW_DATA_DIR, file) < (int)size &&
      access(path, R_OK) == 0)
    return MW_OK;
  snprintf(error->text, sizeof error->text,
           "no %s in $MEANWAVE_MODELS, the user's data or %s/models; name one with --model", file,
           MW_DATA_DIR);
  return MW_ERROR_MODEL;
}

mw_status places_open_voice_model(mw_voice_model **opened, const arguments *a, mw_error *error)
{
  char model_path[4096];
  char vocoder_path[4096];
  const char *model = arguments_text(a, "model", NULL);
  const char *vocoder = arguments_text(a, "vocoder", NULL);
  struct stat about;
  mw_status status = MW_OK;
  if (model == NULL) {
    status = places_find_model(model_path, sizeof model_path, "voice.safetensors", error);
    model = model_path;
  }
  // a folder of published files has its own
  bool folder = status == MW_OK && stat(model, &about) == 0 && S_ISDIR(about.st_mode);
  if (status == MW_OK && vocoder == NULL && !folder) {
    status = places_find_model(vocoder_path, sizeof vocoder_path, "vocoder.safetensors", error);
    vocoder = vocoder_path;
  }
  if (status != MW_OK) return status;
  unsigned steps = (unsigned)arguments_number(a, "steps", 1);
  return mw_voice_model_open(opened, model, vocoder, steps, error);
}

const char *places_cache(char *path, size_t size)
{
  const char *cache = getenv("XDG_CACHE_HOME");
  const char *home = getenv("HOME");
  int length = -1;
  if (cache != NULL && cache[0] == '/')
    length = snprintf(path, size, "%s/meanwave/voices", cache);
  else if (home != NULL && home[0] == '/')
    length = snprintf(path, size, "%s/.cache/meanwave/voices", home);
  return length > 0 && (size_t)length < size ? path : NULL;
}
