// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "voice_plugin.h"

voice_rig *work_make_rig(voice_plugin *p, const rig_wish *wish)
{
  voice_rig *r = rig_new(wish, p->host.rate_hz, p->channels, p->host.block_frames);
  if (r == NULL)
    side_log(&p->host, p->host.log_Error, "out of memory for a voice; the old one stays");
  else if (rig_state(r) != RIG_READY)
    side_log(&p->host, p->host.log_Error, rig_message(r));
  return r;
}

void work_start_rig(voice_plugin *p, voice_rig *r)
{
  mw_error error;
  if (rig_start(r, &error) != MW_OK) side_log(&p->host, p->host.log_Error, error.text);
}

static void deliver(voice_plugin *p, const rig_wish *wish)
{
  voice_rig *r = work_make_rig(p, wish);
  if (r == NULL) return;
  work_start_rig(p, r);
  rig_free(atomic_exchange_explicit(&p->incoming, r, memory_order_acq_rel));
}

static void load(voice_plugin *p, const rig_wish *wish)
{
  if (wish->serial != atomic_load(&p->serial)) return; // a newer one follows
  pthread_mutex_lock(&p->mutex);
  if (strcmp(p->kept.file, wish->file) != 0) p->kept_hash[0] = '\0';
  p->kept = *wish;
  pthread_mutex_unlock(&p->mutex);
  deliver(p, wish);
}

// ---- The user's voices ----

// A line more, as long as there is room.
static void add_line(void *context, const char *path)
{
  char *files = context;
  size_t length = strlen(files);
  if (length + strlen(path) + 2 > VOICE_FILES_SIZE || strchr(path, '\n') != NULL) return;
  snprintf(files + length, VOICE_FILES_SIZE - length, "%s%s", length > 0 ? "\n" : "", path);
}

static void list(voice_news *n)
{
  n->files[0] = '\0';
  mw_voice_files_list(add_line, n->files);
}

static void save(voice_plugin *p, const voice_task *t, voice_news *n)
{
  mw_error error;
  n->has_saved = true;
  if (rig_save_voice(&t->wish, t->path, &error) == MW_OK) {
    snprintf(n->saved, sizeof n->saved, "%s", t->path);
  } else {
    snprintf(n->message, sizeof n->message, "%s", error.text);
    side_log(&p->host, p->host.log_Error, error.text);
  }
}

// What was not yet taken is not lost.
static void tell(voice_plugin *p, voice_news *n)
{
  voice_news *before = atomic_exchange_explicit(&p->news, NULL, memory_order_acquire);
  if (before != NULL && !n->has_saved) {
    n->has_saved = before->has_saved;
    memcpy(n->saved, before->saved, sizeof n->saved);
    memcpy(n->message, before->message, sizeof n->message);
  }
  free(before);
  free(atomic_exchange_explicit(&p->news, n, memory_order_acq_rel));
}

void work_serve(void *context, const void *item)
{
  voice_plugin *p = context;
  const voice_task *t = item;
  rig_free(atomic_exchange_explicit(&p->outgoing, NULL, memory_order_acquire));
  free(atomic_exchange_explicit(&p->old_news, NULL, memory_order_acquire));
  if (t->task == LOAD) load(p, &t->wish);
  if (t->task != LIST && t->task != SAVE) return;
  voice_news *n = calloc(1, sizeof *n);
  if (n == NULL) return;
  if (t->task == SAVE) save(p, t, n);
  list(n);
  tell(p, n);
}
