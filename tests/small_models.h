// SPDX-License-Identifier: GPL-3.0-or-later
//
// Folders of files named as the authors publish them, linked to the small ones of golden cases.
#ifndef MEANWAVE_TESTS_SMALL_MODELS_H
#define MEANWAVE_TESTS_SMALL_MODELS_H

#include "meanwave.h"
#include "temp_folder.h"

typedef enum { SMALL_MEANVC, SMALL_MEANVC2_120, SMALL_MEANVC2_40, SMALL_MODELS } small_model;

extern const char *const small_decoders[SMALL_MODELS]; // by their published names

typedef struct {
  char path[TEMP_FOLDER_SIZE];
} small_folder;

// An empty folder of its own; false when there is none to be had.
bool small_folder_make(small_folder *folder);
bool small_folder_add(const small_folder *folder, small_model model);
bool small_folder_add_speaker(const small_folder *folder); // the encoder that listens to recordings
void small_folder_remove(const small_folder *folder);      // and all that is in it

// Every model, each in a folder of its own, with a voice.
typedef struct {
  small_folder folders[SMALL_MODELS];
  mw_voice_model *models[SMALL_MODELS];
  mw_voice *voices[SMALL_MODELS];
} small_set;

bool small_set_open(small_set *set); // false, and told, when it cannot be
void small_set_close(small_set *set);

// The default voice model with its vocoder, an eighth as wide, with two layers of a kind and one
// voice, "birch", as a bundle. Out of the values of the real one: what it says means nothing.
mw_status small_own_write(const char *path, mw_error *error);

// A voice that no recording is needed for, ready for streams of the model.
mw_status small_voice(mw_voice **made, const mw_voice_model *model, mw_error *error);

#endif
