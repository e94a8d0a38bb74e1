// SPDX-License-Identifier: GPL-3.0-or-later
//
// The verbs, each in a file of its name. To add one: write host/NAME.c with a `verb`, declare it
// here, list it in main.c.
#ifndef MEANWAVE_COMMANDS_H
#define MEANWAVE_COMMANDS_H

#include "options.h"

extern const verb bench_verb;
extern const verb convert_verb;
extern const verb devices_verb;
extern const verb generate_verb;
extern const verb latency_verb;
extern const verb live_verb;
extern const verb models_verb;
extern const verb presets_verb;
extern const verb vocode_verb;
extern const verb voice_verb;

#endif
