// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tests of Meanwave Voice share: the plugin in the strict host, with the default model,
// and something to convert.
#ifndef MEANWAVE_LV2_VOICE_H
#define MEANWAVE_LV2_VOICE_H

#include "lv2_host.h"
#include "temp_folder.h"

#define MONO "urn:meanwave:voice"
#define STEREO "urn:meanwave:voice-stereo"

enum { READY, LOADING, NO_MODEL, NO_VOICE };          // values of the status port
enum { RATE = 48000, LONGEST = 8192, SHORT = 18000 }; // SHORT: more than the delay

extern char folder[TEMP_FOLDER_SIZE]; // the home of the test
extern char models[1024];

// Of a group of tests.
int make_folder(void **state);
int remove_folder(void **state);

// Syllables of a buzz, so that there is something to convert.
float *speech(size_t frames, unsigned rate_hz);
float peak_of(const float *x, size_t frames);
void sleep_frames(size_t frames);

lv2_host *open_freewheeling(const char *uri, float voice);
// Some seconds through a mono instance in blocks of a size; 0: of any size, also none.
void run_all(lv2_host *h, const float *in, float *out, size_t frames, uint32_t block,
             bool in_place);
// What a fresh instance makes of `in` with a voice.
float *converted(const float *in, size_t frames, float voice);
// Runs silence until the plugin has done what it was asked to, in a host with or without a worker.
void settle(lv2_host *h);

#endif
