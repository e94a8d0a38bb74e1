// SPDX-License-Identifier: GPL-3.0-or-later
#include "places.h"

mw_status places_open_voice_model(mw_voice_model **opened, const arguments *a, mw_error *error)
{
  unsigned steps = (unsigned)arguments_number(a, "steps", 0);
  return mw_voice_model_open(opened, arguments_text(a, "model", NULL),
                             arguments_text(a, "vocoder", NULL), steps, error);
}
