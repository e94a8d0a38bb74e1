// SPDX-License-Identifier: GPL-3.0-or-later
#include "sound_work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sound_files.h"
#include "worker.h"

// Of the worker.
typedef struct {
  enum { SWEEP, KEEP, READ, SAVE } task; // SWEEP: only frees what came back
  sound_words words;                     // of SAVE: the file alone
} file_task;

struct sound_work {
  lv2_side *host; // its `slow` keeps and reads
  sound_keys keys;
  worker *maker; // own thread

  // between threads
  _Atomic(sound_news *) boxes[NEWS_KINDS];
  _Atomic(sound_news *) outgoing;
  atomic_uint wanted;   // serial of the generation that is wanted
  atomic_uint finished; // of the last that came to an end
  _Atomic float progress;
  atomic_bool closing;

  // the audio thread's
  bool asked; // the generation `wanted` was not cancelled

  // the maker's
  mw_sound_model *model;
  char model_path[SIDE_PATH_SIZE]; // of `model`

  // what a state is to hold
  pthread_mutex_t mutex;
  sound_words words; // but for the file
  sound_clip *clip;
  bool clip_loops;
};

void news_free(sound_news *n)
{
  if (n == NULL) return;
  clip_give_back(n->clip);
  free(n);
}

static sound_news *news_new(sound_news_kind kind, sound_status status, const char *message)
{
  sound_news *n = calloc(1, sizeof *n);
  if (n == NULL) return NULL;
  n->kind = kind;
  n->status = status;
  snprintf(n->message, sizeof n->message, "%s", message);
  return n;
}

// NULL, out of memory for news, is no news.
static void tell(sound_work *w, sound_news *n)
{
  if (n != NULL) news_free(atomic_exchange_explicit(&w->boxes[n->kind], n, memory_order_acq_rel));
}

static void tell_failure(sound_work *w, sound_news_kind kind, sound_status status, const char *line)
{
  side_log(w->host, w->host->log_Error, line);
  tell(w, news_new(kind, status, line));
}

// Under `mutex`.
static void keep_clip(sound_work *w, sound_clip *clip, bool loops)
{
  clip_give_back(w->clip);
  w->clip = clip_share(clip);
  w->clip_loops = loops;
}

// ---- The maker ----

typedef struct {
  sound_work *work;
  unsigned serial;
} generation;

static bool still_wanted(void *context, double done)
{
  const generation *g = context;
  atomic_store_explicit(&g->work->progress, (float)done, memory_order_relaxed);
  return atomic_load_explicit(&g->work->wanted, memory_order_relaxed) == g->serial &&
         !atomic_load_explicit(&g->work->closing, memory_order_relaxed);
}

// The model stays open for the next generation.
static mw_status open_model(sound_work *w, const char *path, mw_error *error)
{
  if (w->model != NULL && strcmp(w->model_path, path) == 0) return MW_OK;
  mw_sound_model_give_back(w->model);
  w->model = NULL;
  snprintf(w->model_path, sizeof w->model_path, "%s", path);
  return mw_sound_model_share(&w->model, path[0] != '\0' ? path : NULL, NULL, error);
}

static mw_status make_clip(sound_work *w, const sound_wish *wish, sound_clip **clip,
                           mw_error *error)
{
  generation g = {w, wish->serial};
  mw_sound sound = {0};
  const mw_sound_wish how = {
      .prompt = wish->words.prompt,
      .negative = wish->words.negative[0] != '\0' ? wish->words.negative : NULL,
      .seed = wish->seed,
      .steps = wish->steps,
      .seconds = wish->seconds,
      .loop = wish->loop,
      .progress = still_wanted,
      .context = &g,
  };
  mw_status status = mw_sound_generate(&sound, w->model, &how, error);
  if (status == MW_OK) status = clip_new(clip, &sound, w->host->rate_hz, wish->loop, error);
  mw_sound_free(&sound);
  return status;
}

// A finished clip to the state and to `run`, unless a state was restored meanwhile.
static void hand_over(sound_work *w, generation *g, sound_clip *clip, bool loops)
{
  sound_news *n = news_new(NEWS_MADE, SOUND_READY, "");
  pthread_mutex_lock(&w->mutex);
  if (n != NULL && still_wanted(g, 1.0)) {
    n->clip = clip_share(clip);
    keep_clip(w, clip, loops);
    tell(w, n);
    n = NULL;
  }
  pthread_mutex_unlock(&w->mutex);
  news_free(n);
  clip_give_back(clip);
}

// An item of serial 0 only asks what the model can do.
static void look(sound_work *w, const sound_wish *wish)
{
  mw_error error;
  if (open_model(w, wish->words.model, &error) != MW_OK) {
    tell_failure(w, NEWS_LOOKED, SOUND_NO_MODEL, error.text);
    return;
  }
  sound_news *n = news_new(NEWS_LOOKED, SOUND_READY, "");
  if (n != NULL) n->guidance = (float)mw_sound_model_about(w->model).guidance;
  tell(w, n);
}

static void generate(void *context, const void *item)
{
  enum { NICE = 5 }; // behind everything that sounds
  sound_work *w = context;
  const sound_wish *wish = item;
  generation g = {w, wish->serial};
  sound_clip *clip = NULL;
  mw_error error;
  setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
  if (wish->serial == 0) look(w, wish);
  if (wish->serial == 0 || !still_wanted(&g, 0.0)) return;
  mw_status status = open_model(w, wish->words.model, &error);
  if (status != MW_OK) {
    tell_failure(w, NEWS_MADE, SOUND_NO_MODEL, error.text);
  } else if ((status = make_clip(w, wish, &clip, &error)) == MW_OK) {
    hand_over(w, &g, clip, wish->loop);
  } else if (status != MW_ERROR_CANCELLED) {
    tell_failure(w, NEWS_MADE, SOUND_FAILED, error.text);
  }
  atomic_store_explicit(&w->finished, wish->serial, memory_order_release);
}

// ---- The worker ----

static void keep_words(sound_work *w, const sound_words *words)
{
  pthread_mutex_lock(&w->mutex);
  w->words = *words;
  pthread_mutex_unlock(&w->mutex);
}

static void read_file(sound_work *w, const sound_words *words)
{
  mw_error error;
  sound_news *n = news_new(NEWS_READ, SOUND_READY, "");
  if (n == NULL) return;
  n->words = *words;
  if (files_read_words(&n->words, &error) == MW_OK) {
    keep_words(w, &n->words);
  } else {
    n->words.file[0] = '\0';
    n->status = SOUND_FAILED;
    snprintf(n->message, sizeof n->message, "%s", error.text);
    side_log(w->host, w->host->log_Error, error.text);
  }
  tell(w, n);
}

static void save_clip(sound_work *w, const char *path)
{
  mw_error error = {"there is no sound to save"};
  bool saved = false;
  pthread_mutex_lock(&w->mutex);
  sound_clip *clip = clip_share(w->clip);
  pthread_mutex_unlock(&w->mutex);
  if (strcmp(path, "-") == 0) // that would be the host's standard output
    snprintf(error.text, sizeof error.text, "-: not a file");
  else if (access(path, F_OK) == 0)
    snprintf(error.text, sizeof error.text, "%.200s exists already: choose another name", path);
  else if (clip != NULL)
    saved = mw_sound_save(clip_sound(clip), path, false, &error) == MW_OK;
  if (saved) {
    sound_news *n = news_new(NEWS_SAVED, SOUND_READY, "");
    if (n != NULL) snprintf(n->saved, sizeof n->saved, "%s", path);
    tell(w, n);
  } else {
    tell_failure(w, NEWS_SAVED, SOUND_FAILED, error.text);
  }
  clip_give_back(clip);
}

static void serve(void *context, const void *item)
{
  sound_work *w = context;
  const file_task *t = item;
  news_free(atomic_exchange_explicit(&w->outgoing, NULL, memory_order_acquire));
  if (t->task == KEEP) keep_words(w, &t->words);
  if (t->task == READ) read_file(w, &t->words);
  if (t->task == SAVE) save_clip(w, t->words.file);
}

// ---- Making and ending ----

sound_work *work_new(lv2_side *host, const sound_keys *keys)
{
  sound_work *w = calloc(1, sizeof *w);
  if (w == NULL) return NULL;
  w->host = host;
  w->keys = *keys;
  pthread_mutex_init(&w->mutex, NULL);
  host->slow = worker_new(host->schedule, sizeof(file_task), serve, w);
  w->maker = worker_new(NULL, sizeof(sound_wish), generate, w);
  if (host->slow == NULL || w->maker == NULL || !worker_start(host->slow) ||
      !worker_start(w->maker)) {
    work_free(w);
    return NULL;
  }
  return w;
}

void work_free(sound_work *w)
{
  if (w == NULL) return;
  atomic_store(&w->closing, true);
  if (w->host->slow != NULL) worker_stop(w->host->slow);
  if (w->maker != NULL) worker_stop(w->maker);
  worker_free(w->host->slow);
  worker_free(w->maker);
  for (int i = 0; i < NEWS_KINDS; i++) news_free(atomic_load(&w->boxes[i]));
  news_free(atomic_load(&w->outgoing));
  clip_give_back(w->clip);
  mw_sound_model_give_back(w->model);
  pthread_mutex_destroy(&w->mutex);
  free(w);
}

// ---- Real time ----

bool work_keep(sound_work *w, const sound_words *words)
{
  const file_task t = {KEEP, *words};
  return worker_post(w->host->slow, &t);
}

bool work_read(sound_work *w, const sound_words *words)
{
  const file_task t = {READ, *words};
  return worker_post(w->host->slow, &t);
}

bool work_save_clip(sound_work *w, const char *path)
{
  file_task t = {.task = SAVE};
  memcpy(t.words.file, path, strnlen(path, sizeof t.words.file - 1));
  return worker_post(w->host->slow, &t);
}

bool work_look(sound_work *w, const sound_words *words)
{
  const sound_wish wish = {.words = *words};
  return worker_post(w->maker, &wish);
}

bool work_generate(sound_work *w, const sound_wish *wish, const char *prompt)
{
  sound_wish item = *wish;
  memmove(item.words.prompt, prompt, strnlen(prompt, sizeof item.words.prompt - 1) + 1);
  item.serial = atomic_fetch_add_explicit(&w->wanted, 1, memory_order_relaxed) + 1;
  if (item.serial == 0) // it has wrapped round
    item.serial = atomic_fetch_add_explicit(&w->wanted, 1, memory_order_relaxed) + 1;
  atomic_store_explicit(&w->progress, 0.0f, memory_order_relaxed);
  w->asked = worker_post(w->maker, &item);
  return w->asked;
}

void work_cancel(sound_work *w)
{
  atomic_fetch_add_explicit(&w->wanted, 1, memory_order_relaxed);
  w->asked = false;
}

bool work_busy(const sound_work *w)
{
  return w->asked && atomic_load_explicit(&w->finished, memory_order_acquire) !=
                         atomic_load_explicit(&w->wanted, memory_order_relaxed);
}

float work_progress(const sound_work *w)
{
  return atomic_load_explicit(&w->progress, memory_order_relaxed);
}

sound_news *work_news(sound_work *w)
{
  for (int i = NEWS_KINDS - 1; i >= 0; i--) {
    sound_news *n = atomic_exchange_explicit(&w->boxes[i], NULL, memory_order_acq_rel);
    if (n != NULL && i == NEWS_STATE) w->asked = false;
    if (n != NULL) return n;
  }
  return NULL;
}

bool work_room(const sound_work *w)
{
  return atomic_load_explicit(&w->outgoing, memory_order_relaxed) == NULL;
}

void work_give_back(sound_work *w, sound_news *news)
{
  static const file_task nothing; // SWEEP
  atomic_store_explicit(&w->outgoing, news, memory_order_release);
  // when the queue is full, the next item in it frees this too
  worker_post(w->host->slow, &nothing);
}

// ---- State ----

LV2_State_Status work_save(sound_work *w, const side_state *st)
{
  sound_words *words = malloc(sizeof *words);
  if (words == NULL) return LV2_STATE_ERR_UNKNOWN;
  pthread_mutex_lock(&w->mutex);
  *words = w->words;
  sound_clip *clip = clip_share(w->clip);
  bool loops = w->clip_loops;
  pthread_mutex_unlock(&w->mutex);
  side_store_text(st, w->keys.prompt, words->prompt);
  side_store_text(st, w->keys.negative, words->negative);
  side_store_path(st, w->keys.model, words->model);
  const mw_sound none = {0};
  files_store_clip(st, &w->keys, clip != NULL ? clip_sound(clip) : &none, loops);
  clip_give_back(clip);
  free(words);
  return LV2_STATE_SUCCESS;
}

LV2_State_Status work_restore(sound_work *w, const side_state *st)
{
  mw_sound sound = {0};
  mw_error error;
  sound_news *n = news_new(NEWS_STATE, SOUND_EMPTY, "");
  if (n == NULL) return LV2_STATE_ERR_UNKNOWN;
  side_retrieve_text(st, w->keys.prompt, n->words.prompt, sizeof n->words.prompt);
  side_retrieve_text(st, w->keys.negative, n->words.negative, sizeof n->words.negative);
  side_retrieve_path(st, w->keys.model, n->words.model);
  bool loops = files_read_loops(st, &w->keys);
  mw_status status = files_read_clip(st, &w->keys, &sound, &error);
  // missing means empty: no clip stays that is not of this state
  if (status == MW_OK && sound.frames > 0)
    status = clip_new(&n->clip, &sound, w->host->rate_hz, loops, &error);
  mw_sound_free(&sound);
  if (status != MW_OK) {
    snprintf(n->message, sizeof n->message, "%s", error.text);
    side_log(w->host, w->host->log_Error, error.text);
  }
  n->status = status != MW_OK ? SOUND_FAILED : n->clip != NULL ? SOUND_READY : SOUND_EMPTY;
  // a prompt alone, as presets have it, and one whose clip is lost, is generated (again)
  n->generate = n->clip == NULL && n->words.prompt[0] != '\0';
  pthread_mutex_lock(&w->mutex);
  atomic_fetch_add(&w->wanted, 1); // what is being generated is not of this state
  news_free(atomic_exchange(&w->boxes[NEWS_MADE], NULL));
  w->words = n->words;
  keep_clip(w, n->clip, loops);
  tell(w, n);
  pthread_mutex_unlock(&w->mutex);
  return LV2_STATE_SUCCESS;
}
