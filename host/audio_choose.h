// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MEANWAVE_HOST_AUDIO_CHOOSE_H
#define MEANWAVE_HOST_AUDIO_CHOOSE_H

#include <portaudio.h>

#include "meanwave.h"

// Between Pa_Initialize and Pa_Terminate. `what`: an index, an exact name, a unique part of a name
// in any case, or "api:" before either; NULL: the default. MW_ERROR_ARGUMENT with a line that names
// the list command.
mw_status audio_choose(PaDeviceIndex *chosen, const char *what, bool input, mw_error *error);

#endif
