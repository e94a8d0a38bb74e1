// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of Meanwave Voice, for its parts: voice.c is the audio thread and the descriptor,
// voice_work.c what the worker does, voice_state.c saves and restores.
#ifndef MEANWAVE_VOICE_PLUGIN_H
#define MEANWAVE_VOICE_PLUGIN_H

#include <pthread.h>
#include <stdatomic.h>

#include "lv2_state.h"
#include "voice_rig.h"

enum { VOICE_FILES_SIZE = 8192 };

// What the worker does. A SWEEP only frees what is gone.
typedef struct {
  enum { SWEEP, LOAD, LIST, SAVE } task;
  rig_wish wish;             // LOAD and SAVE
  char path[SIDE_PATH_SIZE]; // SAVE: the file to write
} voice_task;

// What it has found out.
typedef struct {
  char files[VOICE_FILES_SIZE]; // paths of the user's voices, a line each
  bool has_saved;
  char saved[SIDE_PATH_SIZE]; // the file that was written; "": it was not
  char message[sizeof((mw_error *)0)->text];
} voice_news;

typedef struct {
  lv2_side host;
  LV2_URID file; // properties
  LV2_URID model;
  LV2_URID message;
  LV2_URID voices;
  LV2_URID files;
  LV2_URID save;
  LV2_URID file_hash; // of the state
  size_t channels;

  // the audio thread's
  voice_rig *now;
  voice_rig *next;      // or NULL; heard once it is as late as it says
  size_t next_age;      // frames it has run
  rig_wish wish;        // the newest
  bool unposted;        // the newest wish waits for room in the worker's queue
  bool unswept;         // so does the wish that something be freed
  bool unlisted;        // that the user's voice files be listed
  bool unsaved;         // that the voice be saved to save_path
  uint64_t late_chunks; // of rigs that are gone
  char told_file[SIDE_PATH_SIZE];
  char told_model[SIDE_PATH_SIZE];
  char told_message[sizeof((mw_error *)0)->text];
  char told_voices[RIG_NAMES_SIZE];
  char told_files[VOICE_FILES_SIZE];
  char told_saved[SIDE_PATH_SIZE];
  char save_path[SIDE_PATH_SIZE];
  voice_task task; // being posted
  float level_in;  // peaks that fall
  float level_out;
  float scratch[3][RIG_CHANNELS][RIG_PIECE_FRAMES];

  // between threads
  _Atomic(voice_rig *) incoming;
  _Atomic(voice_rig *) outgoing;
  _Atomic(rig_wish *) restored;
  _Atomic(rig_wish *) spent; // was restored
  _Atomic(voice_news *) news;
  _Atomic(voice_news *) old_news;
  atomic_uint serial; // of the newest wish; stored by the audio thread only

  // not the audio thread's
  pthread_mutex_t mutex;
  rig_wish kept;                // what a state is to hold, but for its number
  char kept_hash[MW_HASH_SIZE]; // of its file, when the state had it
  bool active;                  // between activate and deactivate
} voice_plugin;

// ---- Not real time ----

voice_rig *work_make_rig(voice_plugin *p, const rig_wish *wish);
void work_start_rig(voice_plugin *p, voice_rig *r);
void work_serve(void *plugin, const void *task); // the worker's

LV2_State_Status voice_save(void *plugin, const side_state *st);
LV2_State_Status voice_restore(void *plugin, const side_state *st);

#endif
