// SPDX-License-Identifier: GPL-3.0-or-later
#include "sound_work.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "worker.h"

// Who brings news; each has a box of its own.
enum { FROM_MAKER, FROM_FILE, FROM_STATE, BOXES };

struct sound_work {
  lv2_side *host; // its `slow` keeps and reads
  sound_keys keys;
  worker *maker; // own thread

  // between threads
  _Atomic(sound_news *) boxes[BOXES];
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
  char prompt[MW_PROMPT_BYTES];
  char kept_model[SIDE_PATH_SIZE];
  sound_clip *clip;
  bool clip_loops;
};

void news_free(sound_news *n)
{
  if (n == NULL) return;
  clip_give_back(n->clip);
  free(n);
}

static sound_news *news_new(sound_status status, const char *message)
{
  sound_news *n = calloc(1, sizeof *n);
  if (n == NULL) return NULL;
  n->status = status;
  snprintf(n->message, sizeof n->message, "%s", message);
  return n;
}

// NULL, out of memory for news, is no news.
static void tell(sound_work *w, int box, sound_news *n)
{
  if (n != NULL) news_free(atomic_exchange_explicit(&w->boxes[box], n, memory_order_acq_rel));
}

static void tell_failure(sound_work *w, int box, sound_status status, const char *line)
{
  side_log(w->host, w->host->log_Error, line);
  tell(w, box, news_new(status, line));
}

// Under `mutex`.
static void keep_clip(sound_work *w, sound_clip *clip, bool loops)
{
  clip_give_back(w->clip);
  w->clip = clip_share(clip);
  w->clip_loops = loops;
}

// Likewise.
static void keep_text(sound_work *w, const char *prompt, const char *model)
{
  snprintf(w->prompt, sizeof w->prompt, "%s", prompt);
  snprintf(w->kept_model, sizeof w->kept_model, "%s", model);
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
      .prompt = wish->prompt,
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
  sound_news *n = news_new(SOUND_READY, "");
  pthread_mutex_lock(&w->mutex);
  if (n != NULL && still_wanted(g, 1.0)) {
    n->has_clip = true;
    n->clip = clip_share(clip);
    keep_clip(w, clip, loops);
    tell(w, FROM_MAKER, n);
    n = NULL;
  }
  pthread_mutex_unlock(&w->mutex);
  news_free(n);
  clip_give_back(clip);
}

static void generate(void *context, const void *item)
{
  enum { NICE = 5 }; // behind everything that sounds
  sound_work *w = context;
  const sound_wish *wish = item;
  generation g = {w, wish->serial};
  sound_clip *clip = NULL;
  mw_error error;
  if (!still_wanted(&g, 0.0)) return;
  setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
  mw_status status = open_model(w, wish->model, &error);
  if (status != MW_OK) {
    tell_failure(w, FROM_MAKER, SOUND_NO_MODEL, error.text);
  } else if ((status = make_clip(w, wish, &clip, &error)) == MW_OK) {
    hand_over(w, &g, clip, wish->loop);
  } else if (status != MW_ERROR_CANCELLED) {
    tell_failure(w, FROM_MAKER, SOUND_FAILED, error.text);
  }
  atomic_store_explicit(&w->finished, wish->serial, memory_order_release);
}

// ---- Files ----

// The first bytes of a text file, less white space at the end.
static mw_status read_text(const char *path, char prompt[MW_PROMPT_BYTES], mw_error *error)
{
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    snprintf(error->text, sizeof error->text, "%.300s: %s", path, strerror(errno));
    return MW_ERROR_IO;
  }
  size_t length = fread(prompt, 1, MW_PROMPT_BYTES, file);
  bool good = ferror(file) == 0 && length < MW_PROMPT_BYTES && memchr(prompt, 0, length) == NULL;
  fclose(file);
  while (good && length > 0 && strchr(" \t\r\n", prompt[length - 1]) != NULL) length--;
  if (good) prompt[length] = '\0';
  if (good && length > 0) return MW_OK;
  snprintf(error->text, sizeof error->text, "%.300s: not a text of at most %d bytes", path,
           MW_PROMPT_BYTES - 1);
  return MW_ERROR_FORMAT;
}

static mw_status read_preset(const char *path, char prompt[MW_PROMPT_BYTES], mw_error *error)
{
  mw_preset preset;
  mw_status status = mw_preset_open(&preset, path, error);
  if (status != MW_OK) return status;
  snprintf(prompt, MW_PROMPT_BYTES, "%s", preset.prompt);
  if (preset.kind == MW_PRESET_SOUND && prompt[0] != '\0') return MW_OK;
  snprintf(error->text, sizeof error->text, "%.300s: a preset without a prompt", path);
  return MW_ERROR_FORMAT;
}

// The worker's work. An item with a file is to be read; one of serial 0 only asks to free what
// came back.
static void serve_files(void *context, const void *item)
{
  sound_work *w = context;
  const sound_wish *wish = item;
  news_free(atomic_exchange_explicit(&w->outgoing, NULL, memory_order_acquire));
  if (wish->serial == 0) return;
  if (wish->file[0] == '\0') {
    pthread_mutex_lock(&w->mutex);
    keep_text(w, wish->prompt, wish->model);
    pthread_mutex_unlock(&w->mutex);
    return;
  }
  mw_error error;
  sound_news *n = news_new(SOUND_READY, "");
  if (n == NULL) return;
  const char *ending = strrchr(wish->file, '.');
  bool is_preset = ending != NULL && strcmp(ending, ".preset") == 0;
  mw_status status = is_preset ? read_preset(wish->file, n->prompt, &error)
                               : read_text(wish->file, n->prompt, &error);
  n->has_text = true;
  snprintf(n->model, sizeof n->model, "%s", wish->model);
  if (status == MW_OK) {
    snprintf(n->file, sizeof n->file, "%s", wish->file);
    pthread_mutex_lock(&w->mutex);
    keep_text(w, n->prompt, n->model);
    pthread_mutex_unlock(&w->mutex);
  } else {
    snprintf(n->prompt, sizeof n->prompt, "%s", wish->prompt);
    snprintf(n->message, sizeof n->message, "%s", error.text);
    n->status = SOUND_FAILED;
    side_log(w->host, w->host->log_Error, error.text);
  }
  tell(w, FROM_FILE, n);
}

// ---- Making and ending ----

sound_work *work_new(lv2_side *host, const sound_keys *keys)
{
  sound_work *w = calloc(1, sizeof *w);
  if (w == NULL) return NULL;
  w->host = host;
  w->keys = *keys;
  pthread_mutex_init(&w->mutex, NULL);
  host->slow = worker_new(host->schedule, sizeof(sound_wish), serve_files, w);
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
  for (int i = 0; i < BOXES; i++) news_free(atomic_load(&w->boxes[i]));
  news_free(atomic_load(&w->outgoing));
  clip_give_back(w->clip);
  mw_sound_model_give_back(w->model);
  pthread_mutex_destroy(&w->mutex);
  free(w);
}

// ---- Real time ----

bool work_keep(sound_work *w, const sound_wish *wish)
{
  sound_wish item = *wish;
  item.serial = 1;
  item.file[0] = '\0';
  return worker_post(w->host->slow, &item);
}

bool work_read(sound_work *w, const sound_wish *wish)
{
  sound_wish item = *wish;
  item.serial = 1;
  return worker_post(w->host->slow, &item);
}

bool work_generate(sound_work *w, const sound_wish *wish, const char *prompt)
{
  sound_wish item = *wish;
  memmove(item.prompt, prompt, strnlen(prompt, sizeof item.prompt - 1) + 1);
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
  for (int i = BOXES - 1; i >= 0; i--) {
    sound_news *n = atomic_exchange_explicit(&w->boxes[i], NULL, memory_order_acq_rel);
    if (n != NULL && i == FROM_STATE) w->asked = false;
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
  static const sound_wish nothing;
  atomic_store_explicit(&w->outgoing, news, memory_order_release);
  // when the queue is full, the next item in it frees this too
  worker_post(w->host->slow, &nothing);
}

// ---- State ----

// A clip inside the state: its rate, then its samples, 32 bits each, least byte first.
static void store_inside(const sound_work *w, const side_state *st, const mw_sound *sound)
{
  size_t bytes = (sound->frames + 1) * 4;
  unsigned char *packed = malloc(bytes);
  if (packed == NULL) return;
  for (size_t i = 0; i <= sound->frames; i++) {
    uint32_t word = sound->rate_hz;
    if (i > 0) memcpy(&word, &sound->samples[i - 1], sizeof word);
    for (int k = 0; k < 4; k++) packed[4 * i + (size_t)k] = (unsigned char)(word >> (8 * k));
  }
  side_store(st, w->keys.clip_bytes, w->host->atom_Chunk, packed, bytes);
  free(packed);
}

static void store_clip(const sound_work *w, const side_state *st, const mw_sound *sound, bool loops)
{
  char path[SIDE_PATH_SIZE];
  const int32_t loops_value = loops;
  mw_error error;
  side_store(st, w->keys.clip_loops, w->host->atom_Bool, &loops_value, sizeof loops_value);
  if (!side_make_path(st, "clip.wav", path)) {
    store_inside(w, st, sound);
  } else if (mw_sound_save(sound, path, true, &error) == MW_OK) {
    side_store_path(st, w->keys.clip, path);
  } else {
    side_log(w->host, w->host->log_Error, error.text);
    store_inside(w, st, sound);
  }
}

LV2_State_Status work_save(sound_work *w, const side_state *st)
{
  char prompt[MW_PROMPT_BYTES];
  char model[SIDE_PATH_SIZE];
  pthread_mutex_lock(&w->mutex);
  memcpy(prompt, w->prompt, sizeof prompt);
  memcpy(model, w->kept_model, sizeof model);
  sound_clip *clip = clip_share(w->clip);
  bool loops = w->clip_loops;
  pthread_mutex_unlock(&w->mutex);
  side_store_text(st, w->keys.prompt, prompt);
  side_store_path(st, w->keys.model, model);
  if (clip != NULL) store_clip(w, st, clip_sound(clip), loops);
  clip_give_back(clip);
  return LV2_STATE_SUCCESS;
}

// The clip of a state, from its file or from inside; empty when there is none.
static mw_status read_clip(const sound_work *w, const side_state *st, mw_sound *sound,
                           mw_error *error)
{
  char path[SIDE_PATH_SIZE];
  size_t bytes;
  side_retrieve_path(st, w->keys.clip, path);
  if (path[0] != '\0') return mw_sound_read(sound, path, 0, error);
  const unsigned char *packed = side_retrieve(st, w->keys.clip_bytes, w->host->atom_Chunk, &bytes);
  if (packed == NULL || bytes < 8 || bytes % 4 != 0) return MW_OK;
  float *samples = malloc(bytes);
  if (samples == NULL) {
    snprintf(error->text, sizeof error->text, "out of memory for the sound of a state");
    return MW_ERROR_MEMORY;
  }
  *sound = (mw_sound){samples, bytes / 4 - 1, 0};
  for (size_t i = 0; i <= sound->frames; i++) {
    uint32_t word = 0;
    for (int k = 0; k < 4; k++) word |= (uint32_t)packed[4 * i + (size_t)k] << (8 * k);
    if (i == 0)
      sound->rate_hz = word;
    else
      memcpy(&samples[i - 1], &word, sizeof word);
  }
  return MW_OK;
}

static bool read_loops(const sound_work *w, const side_state *st)
{
  size_t bytes;
  const int32_t *value = side_retrieve(st, w->keys.clip_loops, w->host->atom_Bool, &bytes);
  return value != NULL && bytes == sizeof *value && *value != 0;
}

LV2_State_Status work_restore(sound_work *w, const side_state *st)
{
  mw_sound sound = {0};
  mw_error error;
  sound_news *n = news_new(SOUND_EMPTY, "");
  if (n == NULL) return LV2_STATE_ERR_UNKNOWN;
  n->has_text = true;
  side_retrieve_text(st, w->keys.prompt, n->prompt, sizeof n->prompt);
  side_retrieve_path(st, w->keys.model, n->model);
  bool loops = read_loops(w, st);
  mw_status status = read_clip(w, st, &sound, &error);
  // missing means empty: no clip stays that is not of this state
  n->has_clip = true;
  if (status == MW_OK && sound.frames > 0)
    status = clip_new(&n->clip, &sound, w->host->rate_hz, loops, &error);
  mw_sound_free(&sound);
  if (status != MW_OK) {
    snprintf(n->message, sizeof n->message, "%s", error.text);
    side_log(w->host, w->host->log_Error, error.text);
  }
  n->status = status != MW_OK ? SOUND_FAILED : n->clip != NULL ? SOUND_READY : SOUND_EMPTY;
  // a prompt alone, as presets have it, and one whose clip is lost, is generated (again)
  n->generate = n->clip == NULL && n->prompt[0] != '\0';
  pthread_mutex_lock(&w->mutex);
  atomic_fetch_add(&w->wanted, 1); // what is being generated is not of this state
  news_free(atomic_exchange(&w->boxes[FROM_MAKER], NULL));
  keep_text(w, n->prompt, n->model);
  keep_clip(w, n->clip, loops);
  tell(w, FROM_STATE, n);
  pthread_mutex_unlock(&w->mutex);
  return LV2_STATE_SUCCESS;
}
