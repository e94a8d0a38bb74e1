// SPDX-License-Identifier: GPL-3.0-or-later
//
// Meanwave Voice as an LV2 effect, mono and stereo.
//
//   in -> rig (converter, delayed dry sound) --------- fade -> out
//   in -> next rig, while a new voice warms up ----------|
//
// `run` owns the wish (voice, files) and the rigs that sound. A changed wish goes to the worker,
// which makes a rig, lays it into `incoming` and frees what is in `outgoing`. A state restored
// while the plugin runs lays its wish into `restored`.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lv2/atom/util.h>

#include "denormal.h"
#include "voice_plugin.h"

_Static_assert((int)PORT_AUDIO + 2 * (int)RIG_CHANNELS <= (int)SIDE_PORTS, "room for the ports");

enum { FADE_MS = 50 };

static int port_number(const voice_plugin *p)
{
  return (int)lrintf(side_port(&p->host, PORT_VOICE, 0.0f, 1000.0f, 0.0f));
}

// ---- Beginning and end ----

static LV2_Handle instantiate(const LV2_Descriptor *descriptor, double rate_hz,
                              const char *bundle_path, const LV2_Feature *const *features)
{
  (void)bundle_path;
  voice_plugin *p = calloc(1, sizeof *p);
  if (p == NULL || !side_init(&p->host, rate_hz, features)) {
    free(p);
    return NULL;
  }
  lv2_side *host = &p->host;
  host->save = voice_save;
  host->restore = voice_restore;
  p->file = side_add_property(host, VOICE_URI ":file", host->atom_Path, SIDE_WRITABLE, p->told_file,
                              sizeof p->told_file);
  p->model = side_add_property(host, VOICE_URI ":model", host->atom_Path, SIDE_WRITABLE,
                               p->told_model, sizeof p->told_model);
  p->message = side_add_property(host, VOICE_URI ":message", host->atom_String, SIDE_READABLE,
                                 p->told_message, sizeof p->told_message);
  p->voices = side_add_property(host, VOICE_URI ":voices", host->atom_String, SIDE_ON_DEMAND,
                                p->told_voices, sizeof p->told_voices);
  p->files = side_add_property(host, VOICE_URI ":files", host->atom_String, SIDE_ON_DEMAND,
                               p->told_files, sizeof p->told_files);
  p->save = side_add_property(host, VOICE_URI ":save", host->atom_Path, SIDE_READABLE,
                              p->told_saved, sizeof p->told_saved);
  p->file_hash = side_urid(host, VOICE_URI ":fileHash");
  p->channels = strcmp(descriptor->URI, VOICE_STEREO_URI) == 0 ? 2 : 1;
  pthread_mutex_init(&p->mutex, NULL);
  host->slow = worker_new(host->schedule, sizeof(voice_task), work_serve, p);
  if (host->slow == NULL) {
    pthread_mutex_destroy(&p->mutex);
    free(p);
    return NULL;
  }
  return p;
}

static bool same_wish(const rig_wish *a, const rig_wish *b)
{
  return a->number == b->number && strcmp(a->file, b->file) == 0 && strcmp(a->model, b->model) == 0;
}

// What is told from now on. What could not be had is not named.
static void present(voice_plugin *p, const voice_rig *r)
{
  const rig_wish *w = rig_wished(r);
  side_set_text(&p->host, p->file, rig_state(r) == RIG_NO_VOICE ? "" : w->file);
  side_set_text(&p->host, p->model, rig_state(r) == RIG_NO_MODEL ? "" : w->model);
  side_set_text(&p->host, p->message, rig_message(r));
  side_set_text(&p->host, p->voices, rig_names(r));
  side_announce(&p->host);
}

// What a load that was under way left.
static void drop_unfinished(voice_plugin *p)
{
  free(atomic_exchange(&p->restored, NULL)); // it is in `kept`
  free(atomic_exchange(&p->spent, NULL));
  free(atomic_exchange(&p->news, NULL));
  free(atomic_exchange(&p->old_news, NULL));
  rig_free(atomic_exchange(&p->incoming, NULL));
  rig_free(atomic_exchange(&p->outgoing, NULL));
  if (p->next != NULL) {
    rig_free(p->now);
    p->now = p->next;
    p->next = NULL;
  }
}

static void activate(LV2_Handle instance)
{
  voice_plugin *p = instance;
  drop_unfinished(p);
  p->wish = p->kept;
  p->wish.number = port_number(p);
  p->wish.serial = atomic_fetch_add(&p->serial, 1) + 1;
  p->unposted = false;
  bool stays =
      p->now != NULL && rig_state(p->now) == RIG_READY && same_wish(&p->wish, rig_wished(p->now));
  voice_rig *made = stays ? NULL : work_make_rig(p, &p->wish);
  if (made != NULL) {
    rig_free(p->now);
    p->now = made;
  }
  if (stays) rig_wished_again(p->now, p->wish.serial);
  if (p->now != NULL) {
    rig_reset(p->now);
    work_start_rig(p, p->now);
    present(p, p->now);
  }
  if (!worker_start(p->host.slow))
    side_log(&p->host, p->host.log_Error,
             "no thread to load voices: a change waits for the next start");
  p->active = true;
}

static void deactivate(LV2_Handle instance)
{
  voice_plugin *p = instance;
  p->active = false;
  worker_stop(p->host.slow);
  drop_unfinished(p);
  if (p->now != NULL) rig_stop(p->now);
}

static void cleanup(LV2_Handle instance)
{
  voice_plugin *p = instance;
  if (p->active) deactivate(p);
  drop_unfinished(p);
  rig_free(p->now);
  worker_free(p->host.slow);
  pthread_mutex_destroy(&p->mutex);
  free(p);
}

// ---- The audio thread ----

static void new_wish(voice_plugin *p)
{
  p->wish.serial = atomic_fetch_add_explicit(&p->serial, 1, memory_order_relaxed) + 1;
  p->unposted = true;
}

static void set_path(voice_plugin *p, char path[SIDE_PATH_SIZE], const LV2_Atom *value)
{
  if (patch_text(value, p->host.atom_Path, path, SIDE_PATH_SIZE)) new_wish(p);
}

static void want_save(voice_plugin *p, const LV2_Atom *value)
{
  p->unsaved = patch_text(value, p->host.atom_Path, p->save_path, sizeof p->save_path) &&
               p->save_path[0] != '\0';
}

static void read_messages(voice_plugin *p)
{
  const LV2_Atom_Sequence *control = p->host.ports[PORT_CONTROL];
  if (control == NULL) return;
  LV2_ATOM_SEQUENCE_FOREACH(control, event)
  {
    side_message m = side_read(&p->host, &event->body);
    if (m.property == p->file) set_path(p, p->wish.file, m.value);
    if (m.property == p->model) set_path(p, p->wish.model, m.value);
    if (m.property == p->save) want_save(p, m.value);
    if (m.asked == p->files) p->unlisted = true;
  }
}

static void take_restored(voice_plugin *p)
{
  if (atomic_load_explicit(&p->spent, memory_order_relaxed) != NULL) return; // about to be freed
  rig_wish *restored = atomic_exchange_explicit(&p->restored, NULL, memory_order_acquire);
  if (restored == NULL) return;
  memcpy(p->wish.file, restored->file, sizeof restored->file);
  memcpy(p->wish.model, restored->model, sizeof restored->model);
  atomic_store_explicit(&p->spent, restored, memory_order_release);
  new_wish(p);
}

// Wishes out to the worker.
static void post(voice_plugin *p)
{
  voice_task *t = &p->task;
  t->wish = p->wish;
  t->task = LOAD;
  if (p->unposted) p->unposted = !worker_post(p->host.slow, t);
  t->task = LIST;
  if (p->unlisted) p->unlisted = !worker_post(p->host.slow, t);
  t->task = SAVE;
  memcpy(t->path, p->save_path, sizeof t->path);
  if (p->unsaved) p->unsaved = !worker_post(p->host.slow, t);
  t->task = SWEEP;
  if (p->unswept) p->unswept = !worker_post(p->host.slow, t);
}

static void take_news(voice_plugin *p)
{
  if (atomic_load_explicit(&p->old_news, memory_order_relaxed) != NULL) return;
  voice_news *n = atomic_exchange_explicit(&p->news, NULL, memory_order_acquire);
  if (n == NULL) return;
  side_set_text(&p->host, p->files, n->files);
  if (n->has_saved) {
    side_set_text(&p->host, p->save, n->saved);
    side_due(&p->host, p->save);
    side_set_text(&p->host, p->message, n->message);
  }
  atomic_store_explicit(&p->old_news, n, memory_order_release);
  p->unswept = true;
}

// Wishes out, a new rig in.
static void exchange_rigs(voice_plugin *p, bool free_wheels)
{
  int number = port_number(p);
  if (number != p->wish.number) {
    p->wish.number = number;
    new_wish(p);
  }
  bool posts = p->unposted || p->unswept || p->unlisted || p->unsaved;
  if (posts) post(p);
  worker_retry(p->host.slow);
  if (free_wheels) worker_drain(p->host.slow);
  take_news(p);
  if (p->next != NULL || atomic_load_explicit(&p->outgoing, memory_order_relaxed) != NULL) return;
  voice_rig *r = atomic_exchange_explicit(&p->incoming, NULL, memory_order_acquire);
  if (r == NULL) return;
  if (rig_wished(r)->serial != atomic_load_explicit(&p->serial, memory_order_relaxed)) {
    atomic_store_explicit(&p->outgoing, r, memory_order_release);
    p->unswept = true;
    return;
  }
  p->next = r;
  p->next_age = 0;
  present(p, r);
}

static void retire(voice_plugin *p)
{
  if (p->now != NULL) {
    p->late_chunks += rig_late_chunks(p->now);
    atomic_store_explicit(&p->outgoing, p->now, memory_order_release);
    p->unswept = true;
  }
  p->now = p->next;
  p->next = NULL;
}

// The greatest of the samples, or what is left of the one before.
static float peak_of(float level, float *const *x, size_t channels, size_t frames)
{
  const float most = 4.0f; // 12 dB
  for (size_t k = 0; k < channels; k++)
    for (size_t i = 0; i < frames; i++) level = fabsf(x[k][i]) > level ? fabsf(x[k][i]) : level;
  return fminf(level, most);
}

// A piece through the rig that sounds and through the next, faded over when that is warm.
static void run_piece(voice_plugin *p, const rig_controls *c, size_t at, size_t frames,
                      bool synchronous)
{
  float *in[RIG_CHANNELS];
  float *old[RIG_CHANNELS];
  float *coming[RIG_CHANNELS];
  size_t fade_frames = (size_t)p->host.rate_hz * FADE_MS / 1000;
  for (size_t k = 0; k < p->channels; k++) {
    in[k] = p->scratch[0][k];
    old[k] = p->scratch[1][k];
    coming[k] = p->scratch[2][k];
    memcpy(in[k], (const float *)p->host.ports[PORT_AUDIO + k] + at, frames * sizeof(float));
    memset(old[k], 0, frames * sizeof(float));
  }
  p->level_in = peak_of(p->level_in, in, p->channels, frames);
  if (p->now != NULL) rig_run(p->now, c, in, old, frames, synchronous);
  if (p->next != NULL) {
    rig_run(p->next, c, in, coming, frames, synchronous);
    size_t warm = rig_delay_frames(p->next);
    for (size_t i = 0; i < frames; i++) {
      size_t age = p->next_age + i;
      if (age <= warm) continue;
      float share = age < warm + fade_frames ? (float)(age - warm) / (float)fade_frames : 1.0f;
      for (size_t k = 0; k < p->channels; k++)
        old[k][i] = share == 1.0f ? coming[k][i] : old[k][i] + share * (coming[k][i] - old[k][i]);
    }
    p->next_age += frames;
    if (p->next_age >= warm + fade_frames) retire(p);
  }
  p->level_out = peak_of(p->level_out, old, p->channels, frames);
  for (size_t k = 0; k < p->channels; k++)
    memcpy((float *)p->host.ports[PORT_AUDIO + p->channels + k] + at, old[k],
           frames * sizeof(float));
}

static float decibels(float level)
{
  const float least = 3.2e-5f; // VOICE_LEVEL_FLOOR
  return level > least ? 20.0f * log10f(level) : VOICE_LEVEL_FLOOR;
}

static void report(voice_plugin *p)
{
  bool waits = p->next != NULL || p->now == NULL ||
               rig_wished(p->now)->serial != atomic_load_explicit(&p->serial, memory_order_relaxed);
  uint64_t late = p->late_chunks + (p->next != NULL ? rig_late_chunks(p->next) : 0);
  if (p->now != NULL) late += rig_late_chunks(p->now);
  float delay = p->now != NULL ? (float)rig_delay_frames(p->now) : 0.0f;
  side_set_port(&p->host, PORT_LATENCY, delay);
  side_set_port(&p->host, PORT_DELAY, 1000.0f * delay / (float)p->host.rate_hz);
  side_set_port(&p->host, PORT_LEVEL_IN, decibels(p->level_in));
  side_set_port(&p->host, PORT_LEVEL_OUT, decibels(p->level_out));
  side_set_port(&p->host, PORT_LATE_CHUNKS, (float)late);
  side_set_port(&p->host, PORT_RTF, p->now != NULL ? rig_rtf(p->now) : 0.0f);
  side_set_port(&p->host, PORT_STATUS, waits ? (float)RIG_LOADING : (float)rig_state(p->now));
}

static void run(LV2_Handle instance, uint32_t frames)
{
  voice_plugin *p = instance;
  uint64_t before = denormal_flush();
  bool free_wheels = side_switch(&p->host, PORT_FREEWHEEL, false);
  // a block longer than the host has said leaves as much time to compute it here
  bool synchronous = free_wheels || frames > p->host.block_frames;
  rig_controls c = {
      .enabled = side_switch(&p->host, PORT_ENABLED, true),
      .voice = {.mix = side_port(&p->host, PORT_MIX, 0.0f, 100.0f, 100.0f) / 100.0f,
                .pitch = side_port(&p->host, PORT_PITCH, -24.0f, 24.0f, 0.0f),
                .gate_db = side_port(&p->host, PORT_GATE, MW_GATE_OFF, 0.0f, MW_GATE_OFF),
                .gain_db = side_port(&p->host, PORT_GAIN, -60.0f, 24.0f, 0.0f)},
  };
  const float fall = powf(0.1f, (float)frames / (float)p->host.rate_hz); // 20 dB a second
  p->level_in *= fall;
  p->level_out *= fall;
  take_restored(p);
  read_messages(p);
  exchange_rigs(p, free_wheels);
  for (size_t at = 0; at < frames; at += RIG_PIECE_FRAMES) {
    size_t left = frames - at;
    run_piece(p, &c, at, left < RIG_PIECE_FRAMES ? left : RIG_PIECE_FRAMES, synchronous);
  }
  side_tell(&p->host, p->host.ports[PORT_NOTIFY]);
  report(p);
  denormal_restore(before);
}

static const LV2_Descriptor mono = {VOICE_URI, instantiate, side_connect_port, activate,
                                    run,       deactivate,  cleanup,           side_extension_data};
static const LV2_Descriptor stereo = {
    VOICE_STEREO_URI, instantiate, side_connect_port,  activate, run,
    deactivate,       cleanup,     side_extension_data};

LV2_SYMBOL_EXPORT const LV2_Descriptor *lv2_descriptor(uint32_t index)
{
  return index == 0 ? &mono : index == 1 ? &stereo : NULL;
}
