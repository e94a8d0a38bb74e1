// SPDX-License-Identifier: GPL-3.0-or-later
//
// A folder like that of MeanAudio's published files, of the small golden checkpoints and a small
// tokenizer that fits them.
#ifndef MEANWAVE_TESTS_SOUND_FOLDER_H
#define MEANWAVE_TESTS_SOUND_FOLDER_H

#include "temp_folder.h"

// Makes it below /tmp, of links. Fails the test when it cannot.
void sound_folder_make(char folder[TEMP_FOLDER_SIZE]);
// Puts another file (of tests/data) in the place of NAME; NULL: takes NAME away.
void sound_folder_replace(const char *folder, const char *name, const char *file);
void sound_folder_remove(const char *folder);

#endif
