// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any bytes as a sound file: what is read is finite and has a rate that the program can use.
#include <math.h>
#include <stdlib.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  mw_sound sound = {0};
  mw_error error = {""};
  if (!fuzz_judge(mw_sound_read(&sound, fuzz_file(bytes, size), 0, 0.0, &error), &error)) return 0;
  if (sound.rate_hz == 0) abort();
  for (size_t i = 0; i < sound.frames; i++)
    if (!isfinite(sound.samples[i])) abort();
  mw_sound_free(&sound);
  return 0;
}
