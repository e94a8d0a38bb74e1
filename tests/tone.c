// SPDX-License-Identifier: GPL-3.0-or-later
#include "tone.h"

#include <math.h>

void tone_make(float *samples, size_t count)
{
  for (size_t i = 0; i < count; i++)
    samples[i] = 0.3f * sinf(0.05f * (float)i + 3.0f * sinf(0.001f * (float)i));
}
