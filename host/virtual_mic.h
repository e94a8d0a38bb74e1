// SPDX-License-Identifier: GPL-3.0-or-later
//
// A microphone that other programs can choose, made under PulseAudio or PipeWire with pactl: a sink
// that sounds nowhere, "Meanwave", and a source over its monitor, "Meanwave Microphone". Every
// module bears the process that made it; a keeper process removes them however that one ends.
#ifndef MEANWAVE_HOST_VIRTUAL_MIC_H
#define MEANWAVE_HOST_VIRTUAL_MIC_H

#include "meanwave.h"

// Removes what killed runs left, makes the microphone (or takes a kept one) and sends the sound of
// this process there. Before any thread is made. `keep`: it stays when the program ends.
mw_status virtual_mic_begin(bool keep, mw_error *error);
// What this process plays elsewhere already is moved to it. Once the output runs.
void virtual_mic_take_output(void);
// After the server was lost: makes the microphone again where the new one lacks it.
mw_status virtual_mic_restore(mw_error *error);
// Whether the microphone is heard on the default output too.
void virtual_mic_monitor(bool heard);
void virtual_mic_end(void);

#endif
