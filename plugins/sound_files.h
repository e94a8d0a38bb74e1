// SPDX-License-Identifier: GPL-3.0-or-later
//
// What Meanwave Sound reads from files and keeps in them: prompts, and the clip of a state. Not
// real time.
#ifndef MEANWAVE_SOUND_FILES_H
#define MEANWAVE_SOUND_FILES_H

#include "sound_work.h"

// The words of words->file: a preset, or a text with a prompt alone.
mw_status files_read_words(sound_words *words, mw_error *error);

// The clip goes into a file of the state, where the host keeps none into the state itself. One
// without frames is none.
void files_store_clip(const side_state *st, const sound_keys *keys, const mw_sound *sound,
                      bool loops);
// Empty when there is none.
mw_status files_read_clip(const side_state *st, const sound_keys *keys, mw_sound *sound,
                          mw_error *error);
bool files_read_loops(const side_state *st, const sound_keys *keys);

#endif
