// SPDX-License-Identifier: GPL-3.0-or-later
#include "audio_choose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "audio.h"

static bool has_direction(PaDeviceIndex index, bool input)
{
  const PaDeviceInfo *info = Pa_GetDeviceInfo(index);
  return (input ? info->maxInputChannels : info->maxOutputChannels) > 0;
}

// Whether `what` begins with the API's name, or its first word, and a colon; then the rest.
static const char *behind_api(const char *what, PaDeviceIndex index)
{
  const char *api = Pa_GetHostApiInfo(Pa_GetDeviceInfo(index)->hostApi)->name;
  size_t lengths[2] = {strlen(api), strcspn(api, " ")};
  for (size_t i = 0; i < 2; i++)
    if (strncasecmp(what, api, lengths[i]) == 0 && what[lengths[i]] == ':')
      return what + lengths[i] + 1;
  return NULL;
}

typedef enum { EXACT, PART, LEVELS } likeness;

static bool is_like(PaDeviceIndex index, const char *what, likeness level)
{
  const char *name = Pa_GetDeviceInfo(index)->name;
  const char *rest = behind_api(what, index);
  if (level == EXACT) return strcmp(name, what) == 0 || (rest != NULL && strcmp(name, rest) == 0);
  return strcasestr(name, what) != NULL ||
         (rest != NULL && *rest != '\0' && strcasestr(name, rest) != NULL);
}

static mw_status fail(mw_error *error, bool input, const char *what, const char *why)
{
  snprintf(error->text, sizeof error->text, "no %s device '%.80s'%.220s; %s",
           input ? "input" : "output", what, why, AUDIO_SEE_LIST);
  return MW_ERROR_ARGUMENT;
}

static mw_status by_index(PaDeviceIndex *chosen, const char *what, bool input, mw_error *error)
{
  long index = strtol(what, NULL, 10);
  if (index >= Pa_GetDeviceCount()) return fail(error, input, what, ": there are not so many");
  if (!has_direction((PaDeviceIndex)index, input))
    return fail(error, input, what, input ? ": it only plays" : ": it only captures");
  *chosen = (PaDeviceIndex)index;
  return MW_OK;
}

mw_status audio_choose(PaDeviceIndex *chosen, const char *what, bool input, mw_error *error)
{
  if (what == NULL) {
    *chosen = input ? Pa_GetDefaultInputDevice() : Pa_GetDefaultOutputDevice();
    return *chosen != paNoDevice ? MW_OK : fail(error, input, "default", ": there is none");
  }
  if (*what == '\0') return fail(error, input, what, "");
  if (strspn(what, "0123456789") == strlen(what)) return by_index(chosen, what, input, error);
  for (likeness level = EXACT; level < LEVELS; level++) {
    PaDeviceIndex found = paNoDevice;
    for (PaDeviceIndex i = 0; i < Pa_GetDeviceCount(); i++) {
      if (!has_direction(i, input) || !is_like(i, what, level)) continue;
      if (found != paNoDevice) {
        char why[256];
        snprintf(why, sizeof why, " alone: '%.80s' and '%.80s' are both meant",
                 Pa_GetDeviceInfo(found)->name, Pa_GetDeviceInfo(i)->name);
        return fail(error, input, what, why);
      }
      found = i;
    }
    *chosen = found;
    if (found != paNoDevice) return MW_OK;
  }
  return fail(error, input, what, "");
}
