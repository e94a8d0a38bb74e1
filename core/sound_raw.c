// SPDX-License-Identifier: GPL-3.0-or-later
#include "sound_raw.h"

#include <stdlib.h>
#include <string.h>

static int encoding_of(const char *name, size_t length)
{
  static const struct {
    const char *name;
    int format;
  } known[] = {
      {"s16le", SF_FORMAT_PCM_16},
      {"s24le", SF_FORMAT_PCM_24},
      {"s32le", SF_FORMAT_PCM_32},
      {"f32le", SF_FORMAT_FLOAT},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strlen(known[i].name) == length && memcmp(known[i].name, name, length) == 0)
      return SF_FORMAT_RAW | SF_ENDIAN_LITTLE | known[i].format;
  return 0;
}

mw_status sound_raw_read(SF_INFO *info, const char *raw, mw_error *error)
{
  size_t length = strcspn(raw, ":");
  char *end = NULL;
  long rate_hz = 0;
  long channels = 1;
  *info = (SF_INFO){.format = encoding_of(raw, length)};
  if (raw[length] == ':') rate_hz = strtol(raw + length + 1, &end, 10);
  if (end != NULL && *end == ':') channels = strtol(end + 1, &end, 10);
  if (info->format == 0 || end == NULL || *end != '\0' || rate_hz < 1 || rate_hz > 1000000 ||
      channels < 1 || channels > 1000)
    return mw_fail(error, MW_ERROR_ARGUMENT,
                   "raw samples are named s16le:48000, or s16le:48000:2 when there are two "
                   "channels; also s24le, s32le, f32le; not '%s'",
                   raw);
  info->samplerate = (int)rate_hz;
  info->channels = (int)channels;
  return MW_OK;
}
