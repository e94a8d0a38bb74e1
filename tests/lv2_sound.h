// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tests of Meanwave Sound share: the plugin in the strict host with a small model in the
// published form, and what it plays.
#ifndef MEANWAVE_LV2_SOUND_H
#define MEANWAVE_LV2_SOUND_H

#include "lv2_host.h"
#include "temp_folder.h"

#define SOUND "urn:meanwave:sound"
#define PROMPT_KEY SOUND ":prompt"
#define NEGATIVE_KEY SOUND ":negative"
#define MODEL_KEY SOUND ":model"
#define FILE_KEY SOUND ":file"
#define CLIP_KEY SOUND ":clip"
#define MESSAGE_KEY SOUND ":message"
#define GUIDANCE_KEY SOUND ":guidance"
#define SAVE_KEY SOUND ":save"
#define WAVE_KEY SOUND ":wave"
#define PATH "http://lv2plug.in/ns/ext/atom#Path"
#define STRING "http://lv2plug.in/ns/ext/atom#String"

enum { EMPTY, READY, BUSY, NO_MODEL, FAILED }; // values of the status port
enum { RATE = 48000, LONGEST = 8192, FRAMES = RATE / 2, NOTE_ON = 0x90, NOTE_OFF = 0x80 };

extern char sound_model[TEMP_FOLDER_SIZE];
extern char sound_home[TEMP_FOLDER_SIZE]; // the home of the test
extern float out[2][FRAMES];
extern float reference[2][FRAMES];

// Of a group of tests.
int sound_make_folders(void **state);
int sound_remove_folders(void **state);

void sound_run(lv2_host *h, float (*to)[FRAMES], size_t frames, uint32_t block);
// Runs as long as a third of a second of sound, then until nothing is being generated.
void sound_settle(lv2_host *h);
// Runs until the plugin has told a property that holds the words.
void sound_wait_for(lv2_host *h, const char *property, const char *words);
lv2_host *sound_open(unsigned features);
// A key of full velocity, from silence.
void sound_play(lv2_host *h, int key, float (*to)[FRAMES]);
float sound_peak(float (*x)[FRAMES]);

#endif
