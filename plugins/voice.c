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
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lv2/atom/util.h>

#include "lv2_state.h"
#include "voice_rig.h"

#define VOICE_URI "urn:meanwave:voice"
#define VOICE_STEREO_URI "urn:meanwave:voice-stereo"

enum {
  PORT_CONTROL,
  PORT_NOTIFY,
  PORT_ENABLED,
  PORT_FREEWHEEL,
  PORT_VOICE,
  PORT_PITCH,
  PORT_MIX,
  PORT_GATE,
  PORT_GAIN,
  PORT_LATENCY,
  PORT_LATE_CHUNKS,
  PORT_RTF,
  PORT_STATUS,
  PORT_AUDIO, // inputs, then outputs
  PORT_COUNT = PORT_AUDIO + 2 * RIG_CHANNELS,
};

_Static_assert((int)PORT_COUNT <= (int)SIDE_PORTS, "room for the ports");

enum { FADE_MS = 50 };

typedef struct {
  lv2_side host;
  LV2_URID file; // properties
  LV2_URID model;
  LV2_URID message;
  LV2_URID file_hash; // of the state
  size_t channels;

  // the audio thread's
  voice_rig *now;
  voice_rig *next;      // or NULL; heard once it is as late as it says
  size_t next_age;      // frames it has run
  rig_wish wish;        // the newest
  bool unposted;        // the newest wish waits for room in the worker's queue
  bool unswept;         // so does the wish that something be freed
  uint64_t late_chunks; // of rigs that are gone
  char told_file[SIDE_PATH_SIZE];
  char told_model[SIDE_PATH_SIZE];
  char told_message[sizeof((mw_error *)0)->text];
  float scratch[3][RIG_CHANNELS][RIG_PIECE_FRAMES];

  // between threads
  _Atomic(voice_rig *) incoming;
  _Atomic(voice_rig *) outgoing;
  _Atomic(rig_wish *) restored;
  _Atomic(rig_wish *) spent; // was restored
  atomic_uint serial;        // of the newest wish; stored by the audio thread only

  // not the audio thread's
  pthread_mutex_t mutex;
  rig_wish kept;                // what a state is to hold, but for its number
  char kept_hash[MW_HASH_SIZE]; // of its file, when the state had it
  bool active;                  // between activate and deactivate
} voice_plugin;

static int port_number(const voice_plugin *p)
{
  return (int)lrintf(side_port(&p->host, PORT_VOICE, 0.0f, 1000.0f, 0.0f));
}

// ---- Off the audio thread ----

static voice_rig *make_rig(voice_plugin *p, const rig_wish *wish)
{
  voice_rig *r = rig_new(wish, p->host.rate_hz, p->channels, p->host.block_frames);
  if (r == NULL)
    side_log(&p->host, p->host.log_Error, "out of memory for a voice; the old one stays");
  else if (rig_state(r) != RIG_READY)
    side_log(&p->host, p->host.log_Error, rig_message(r));
  return r;
}

static void start_rig(voice_plugin *p, voice_rig *r)
{
  mw_error error;
  if (rig_start(r, &error) != MW_OK) side_log(&p->host, p->host.log_Error, error.text);
}

static void deliver(voice_plugin *p, const rig_wish *wish)
{
  voice_rig *r = make_rig(p, wish);
  if (r == NULL) return;
  start_rig(p, r);
  rig_free(atomic_exchange_explicit(&p->incoming, r, memory_order_acq_rel));
}

// The worker's work. An item of serial 0 only asks to free what is gone.
static void load(void *context, const void *item)
{
  voice_plugin *p = context;
  const rig_wish *wish = item;
  rig_free(atomic_exchange_explicit(&p->outgoing, NULL, memory_order_acquire));
  if (wish->serial == 0 || wish->serial != atomic_load(&p->serial)) return; // a newer one follows
  pthread_mutex_lock(&p->mutex);
  if (strcmp(p->kept.file, wish->file) != 0) p->kept_hash[0] = '\0';
  p->kept = *wish;
  pthread_mutex_unlock(&p->mutex);
  deliver(p, wish);
}

// ---- State ----

static LV2_State_Status save(void *plugin, const side_state *st)
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
  if (kept->file[0] != '\0') side_store_text(st, p->file_hash, hash);
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

static LV2_State_Status restore(void *plugin, const side_state *st)
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
  host->save = save;
  host->restore = restore;
  p->file = side_add_property(host, VOICE_URI ":file", host->atom_Path, true, p->told_file,
                              sizeof p->told_file);
  p->model = side_add_property(host, VOICE_URI ":model", host->atom_Path, true, p->told_model,
                               sizeof p->told_model);
  p->message = side_add_property(host, VOICE_URI ":message", host->atom_String, false,
                                 p->told_message, sizeof p->told_message);
  p->file_hash = side_urid(host, VOICE_URI ":fileHash");
  p->channels = strcmp(descriptor->URI, VOICE_STEREO_URI) == 0 ? 2 : 1;
  pthread_mutex_init(&p->mutex, NULL);
  host->slow = worker_new(host->schedule, sizeof(rig_wish), load, p);
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
  side_announce(&p->host);
}

// What a load that was under way left.
static void drop_unfinished(voice_plugin *p)
{
  free(atomic_exchange(&p->restored, NULL)); // it is in `kept`
  free(atomic_exchange(&p->spent, NULL));
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
  voice_rig *made = stays ? NULL : make_rig(p, &p->wish);
  if (made != NULL) {
    rig_free(p->now);
    p->now = made;
  }
  if (p->now != NULL) {
    rig_reset(p->now);
    start_rig(p, p->now);
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

static void read_messages(voice_plugin *p)
{
  const LV2_Atom_Sequence *control = p->host.ports[PORT_CONTROL];
  if (control == NULL) return;
  LV2_ATOM_SEQUENCE_FOREACH(control, event)
  {
    side_message m = side_read(&p->host, &event->body);
    if (m.property == p->file) set_path(p, p->wish.file, m.value);
    if (m.property == p->model) set_path(p, p->wish.model, m.value);
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

// Wishes out to the worker, a new rig in.
static void exchange_rigs(voice_plugin *p, bool free_wheels)
{
  int number = port_number(p);
  if (number != p->wish.number) {
    p->wish.number = number;
    new_wish(p);
  }
  worker_retry(p->host.slow);
  if (p->unposted) p->unposted = !worker_post(p->host.slow, &p->wish);
  if (p->unswept) {
    rig_wish nothing;
    nothing.serial = 0;
    p->unswept = !worker_post(p->host.slow, &nothing);
  }
  if (free_wheels) worker_drain(p->host.slow);
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
  for (size_t k = 0; k < p->channels; k++)
    memcpy((float *)p->host.ports[PORT_AUDIO + p->channels + k] + at, old[k],
           frames * sizeof(float));
}

static void report(voice_plugin *p)
{
  bool waits = p->next != NULL || p->now == NULL ||
               rig_wished(p->now)->serial != atomic_load_explicit(&p->serial, memory_order_relaxed);
  uint64_t late = p->late_chunks + (p->next != NULL ? rig_late_chunks(p->next) : 0);
  if (p->now != NULL) late += rig_late_chunks(p->now);
  side_set_port(&p->host, PORT_LATENCY, p->now != NULL ? (float)rig_delay_frames(p->now) : 0.0f);
  side_set_port(&p->host, PORT_LATE_CHUNKS, (float)late);
  side_set_port(&p->host, PORT_RTF, p->now != NULL ? rig_rtf(p->now) : 0.0f);
  side_set_port(&p->host, PORT_STATUS, waits ? (float)RIG_LOADING : (float)rig_state(p->now));
}

static void run(LV2_Handle instance, uint32_t frames)
{
  voice_plugin *p = instance;
  unsigned before = side_enter_run();
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
  take_restored(p);
  read_messages(p);
  exchange_rigs(p, free_wheels);
  for (size_t at = 0; at < frames; at += RIG_PIECE_FRAMES) {
    size_t left = frames - at;
    run_piece(p, &c, at, left < RIG_PIECE_FRAMES ? left : RIG_PIECE_FRAMES, synchronous);
  }
  side_tell(&p->host, p->host.ports[PORT_NOTIFY]);
  report(p);
  side_leave_run(before);
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
