// SPDX-License-Identifier: GPL-3.0-or-later
//
// What Meanwave Sound does beside its audio thread: generates on a thread of its own, reads prompts
// from files in the worker, keeps what a state is to hold. What it has to tell reaches `run` as
// news.
#ifndef MEANWAVE_SOUND_WORK_H
#define MEANWAVE_SOUND_WORK_H

#include "lv2_state.h"
#include "sound_clip.h"

// Values of the status port; a symbol's meaning never changes.
typedef enum { SOUND_EMPTY, SOUND_READY, SOUND_BUSY, SOUND_NO_MODEL, SOUND_FAILED } sound_status;

// What is to be generated, and where a prompt is to be read from.
typedef struct {
  unsigned serial;
  char prompt[MW_PROMPT_BYTES];
  char model[SIDE_PATH_SIZE]; // "": the default one
  char file[SIDE_PATH_SIZE];  // a text or a preset
  uint32_t seed;
  unsigned steps;
  double seconds;
  bool loop;
} sound_wish;

typedef struct {
  sound_status status;
  char message[512]; // "" when all is well
  bool has_clip;     // instead of the one before; NULL: none
  sound_clip *clip;
  bool has_text; // the prompt, model and file are these now
  char prompt[MW_PROMPT_BYTES];
  char model[SIDE_PATH_SIZE];
  char file[SIDE_PATH_SIZE];
  bool generate; // of a state that brought no clip with its prompt
} sound_news;

void news_free(sound_news *n); // and the clip in it; NULL is fine. Not real time.

typedef struct {
  LV2_URID prompt; // texts
  LV2_URID model;  // paths
  LV2_URID file;
  LV2_URID clip;       // a path of the state
  LV2_URID clip_bytes; // the clip in the state itself, where the host keeps no files
  LV2_URID clip_loops;
  LV2_URID message;
} sound_keys;

typedef struct sound_work sound_work;

// NULL when memory or threads are out. Makes the host's `slow`. Not real time.
sound_work *work_new(lv2_side *host, const sound_keys *keys);
void work_free(sound_work *w); // ends a generation under way; NULL is fine

// ---- Real time: the audio thread's ----

// False: later. The state holds the wish's prompt and model from then on.
bool work_keep(sound_work *w, const sound_wish *wish);
bool work_read(sound_work *w, const sound_wish *wish); // the prompt in wish->file
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
