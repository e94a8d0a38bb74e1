// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "voice_plugin.h"

LV2_State_Status voice_save(void *plugin, const side_state *st)
{
  voice_plugin *p = plugin;
  rig_wish *kept = malloc(sizeof *kept);
  char hash[sizeof p->kept_hash];
  if (kept == NULL) return LV2_STATE_ERR_UNKNOWN;
  pthread_mutex_lock(&p->mutex);
  *kept = p->kept;
  memcpy(hash, p->kept_hash, sizeof hash);
  pthread_mutex_unlock(&p->mutex);
  side_store_path(st, p->file, kept->file);
  side_store_path(st, p->model, kept->model);
  // a file that is gone keeps the hash it had
  if (kept->file[0] != '\0') mw_file_hash(kept->file, hash, NULL);
  side_store_text(st, p->file_hash, kept->file[0] != '\0' ? hash : "");
  free(kept);
  return LV2_STATE_SUCCESS;
}

// A voice file that is gone, found by its name and content among the user's voices.
static void find_again(voice_plugin *p, char file[SIDE_PATH_SIZE], const char *hash)
{
  char found[SIDE_PATH_SIZE];
  char found_hash[MW_HASH_SIZE];
  mw_error line;
  const char *name = strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;
  if (name[0] == '\0' || hash[0] == '\0' || access(file, R_OK) == 0) return;
  if (mw_find_voice(found, sizeof found, name, NULL) != MW_OK ||
      mw_file_hash(found, found_hash, NULL) != MW_OK || strcmp(hash, found_hash) != 0)
    return;
  snprintf(line.text, sizeof line.text, "%.200s is gone; the same voice is taken from %.200s", file,
           found);
  side_log(&p->host, p->host.log_Note, line.text);
  memcpy(file, found, sizeof found);
}

LV2_State_Status voice_restore(void *plugin, const side_state *st)
{
  voice_plugin *p = plugin;
  char hash[sizeof p->kept_hash];
  rig_wish *wish = calloc(1, sizeof *wish);
  // a missing key means an empty path: what was there before does not stay
  if (wish == NULL || !side_retrieve_path(st, p->file, wish->file) ||
      !side_retrieve_path(st, p->model, wish->model)) {
    free(wish);
    return LV2_STATE_ERR_UNKNOWN;
  }
  side_retrieve_text(st, p->file_hash, hash, sizeof hash);
  find_again(p, wish->file, hash);
  pthread_mutex_lock(&p->mutex);
  p->kept = *wish;
  memcpy(p->kept_hash, hash, sizeof hash);
  pthread_mutex_unlock(&p->mutex);
  // activate loads it; while the plugin runs, the next `run` has it loaded
  if (p->active) {
    wish = atomic_exchange_explicit(&p->restored, wish, memory_order_acq_rel);
    free(atomic_exchange_explicit(&p->spent, NULL, memory_order_acquire));
  }
  free(wish);
  return LV2_STATE_SUCCESS;
}
