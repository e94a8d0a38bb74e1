// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tests of live streams share: the default model, two of its voices, recordings.
#ifndef MEANWAVE_TESTS_LIVE_PARTS_H
#define MEANWAVE_TESTS_LIVE_PARTS_H

#include "meanwave.h"

enum { LIVE_HZ = 48000 };

extern mw_voice_model *live_model;
extern mw_voice *live_voice;
extern mw_voice *live_other_voice;

// Of a group of tests: before and after it.
int live_open(void **state);
int live_close(void **state);

void live_set_mix(mw_live *l, float mix);

// A recording side by side; its path's XXXXXX are filled in. Fails the test when it cannot be made.
mw_recording *live_record(char *path);
// Channel 1 is what came in, 2 what was heard; `r` NULL: finished before.
mw_sound live_finish(mw_recording *r, const char *path, unsigned channel);

#endif
