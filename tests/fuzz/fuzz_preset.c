// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any bytes as a preset; what is taken is within the limits that the program relies on.
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "preset.h"

static bool ends(const char *text, size_t size)
{
  return memchr(text, '\0', size) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  mw_preset p;
  mw_error error = {""};
  mw_status status = preset_parse(&p, (const char *)bytes, size, "folder/fuzz.preset", &error);
  if (!fuzz_judge(status, &error)) return 0;
  if (!ends(p.name, sizeof p.name) || !ends(p.group, sizeof p.group) ||
      !ends(p.about, sizeof p.about) || !ends(p.model, sizeof p.model) ||
      !ends(p.voice, sizeof p.voice) || !ends(p.prompt, sizeof p.prompt) ||
      !ends(p.negative, sizeof p.negative))
    abort();
  if (p.kind == MW_PRESET_VOICE ? p.voice[0] == '\0' : p.prompt[0] == '\0') abort();
  const mw_voice_controls *c = &p.controls;
  if (!(c->pitch >= -24 && c->pitch <= 24 && c->mix >= 0 && c->mix <= 1 && c->gain_db >= -60 &&
        c->gain_db <= 24 && c->gate_db <= 0 && p.seconds >= 0 && p.seconds <= MW_SOUND_LONGEST &&
        p.steps <= MW_SOUND_MOST_STEPS && (double)p.seed < MW_SOUND_SEEDS && p.loudness_lufs <= 0 &&
        p.loudness_lufs >= -70))
    abort();
  return 0;
}
