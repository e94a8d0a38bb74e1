// SPDX-License-Identifier: GPL-3.0-or-later
//
// What Meanwave Sound does beside its audio thread: generates on a thread of its own, reads prompts
// from files in the worker, keeps what a state is to hold. What it has to tell reaches `run` as
// news.
#ifndef MEANWAVE_SOUND_WORK_H
#define MEANWAVE_SOUND_WORK_H

#include "lv2_state.h"
#include "sound_clip.h"
#include "sound_ports.h"

// What is to be heard, in words, and by what.
typedef struct {
  char prompt[MW_PROMPT_BYTES];
  char negative[MW_PROMPT_BYTES]; // what is not to be heard; only models with guidance listen to it
  char model[SIDE_PATH_SIZE];     // "": the default one
  char file[SIDE_PATH_SIZE];      // a text or a preset with the prompt
} sound_words;

typedef struct {
  unsigned serial;
  sound_words words;
  uint32_t seed;
  unsigned steps;
  double seconds;
  bool loop;
} sound_wish;

// Where news come from; each kind has a box of its own.
typedef enum {
  NEWS_LOOKED,
  NEWS_SAVED,
  NEWS_MADE,
  NEWS_READ,
  NEWS_STATE,
  NEWS_KINDS
} sound_news_kind;

typedef struct {
  sound_news_kind kind;
  sound_status status;
  char message[512];          // "" when all is well
  sound_clip *clip;           // MADE and STATE: instead of the one before; NULL: none
  sound_words words;          // READ and STATE: they are these now
  bool generate;              // STATE: it brought no clip with its prompt
  char saved[SIDE_PATH_SIZE]; // SAVED: the file
  float guidance;             // LOOKED: the model's
} sound_news;

void news_free(sound_news *n); // and the clip in it; NULL is fine. Not real time.

typedef struct {
  LV2_URID prompt; // texts
  LV2_URID negative;
  LV2_URID model; // paths
  LV2_URID file;
  LV2_URID clip;       // a path of the state
  LV2_URID clip_bytes; // the clip in the state itself, where the host keeps no files
  LV2_URID clip_loops;
  LV2_URID message; // of these no state
  LV2_URID guidance;
  LV2_URID wave;
  LV2_URID save;
} sound_keys;

typedef struct sound_work sound_work;

// NULL when memory or threads are out. Makes the host's `slow`. Not real time.
sound_work *work_new(lv2_side *host, const sound_keys *keys);
void work_free(sound_work *w); // ends a generation under way; NULL is fine

// ---- Real time: the audio thread's ----

// False: later. The state holds the words from then on.
bool work_keep(sound_work *w, const sound_words *words);
bool work_read(sound_work *w, const sound_words *words); // the prompt in words->file
bool work_save_clip(sound_work *w, const char *path);    // the clip of the state, as a sound file
bool work_look(sound_work *w, const sound_words *words); // what the model can do
// With this prompt, in place of what is under way.
bool work_generate(sound_work *w, const sound_wish *wish, const char *prompt);
void work_cancel(sound_work *w);
bool work_busy(const sound_work *w);
float work_progress(const sound_work *w); // 0 to 1
// News, or NULL; each is to be given back, with the clip it brought or the one from before.
sound_news *work_news(sound_work *w);
bool work_room(const sound_work *w); // to give back
void work_give_back(sound_work *w, sound_news *news);

// ---- State. Not real time ----

LV2_State_Status work_save(sound_work *w, const side_state *st);
LV2_State_Status work_restore(sound_work *w, const side_state *st);

#endif
