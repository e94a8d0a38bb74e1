// SPDX-License-Identifier: GPL-3.0-or-later
//
// Live conversion: two rings around a stream, and a thread between them.
//
//   mw_live_write -> in -> [drift] -> cross (the stream) -> out -> mw_live_read
//                         ------- serve, on one thread -------
//
// `out` begins with `spare` frames of silence: the time a chunk may take. Every frame written owes
// one frame read. When frames are not there in time, the sound has faded out (the last `fade`
// frames are always known beforehand), silence is heard in their place and as many are skipped once
// they come: the delay stays. With two clocks a drift resampler holds the filling of `out` instead
// of counting; frames that never came in owe nothing.
//
// The thread that writes and reads touches rings, atomics and a semaphore. `work` guards everything
// between the rings: the thread holds it while it serves, callers that change model or voice take
// it in between, and a synchronous reader serves under it.
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cross.h"
#include "drift.h"
#include "hold.h"
#include "recording.h"
#include "ring.h"
#include "status.h"

enum {
  PIECE_FRAMES = 256,
  EVENT_COUNT = 64,
  FADES_PER_SECOND = 200,
  // below what JACK (5) and PulseAudio (5) give the threads of their sound
  PRIORITY = 2,
};
#define DEFAULT_COMPUTE_MS 20.0
#define FAR_SECONDS 0.03 // from the target, for two clocks: then it jumps

typedef struct {
  size_t at; // frame written from which on it holds
  mw_voice_controls set;
} event;

struct mw_live {
  uint64_t seed;
  unsigned in_hz;
  unsigned out_hz;
  bool two_clocks;
  bool fixed_pitch;
  size_t block;
  size_t spare;
  size_t fade;
  size_t most_behind; // frames of input; more are let go
  ring *in;
  ring *out;
  mw_recording *recording; // NULL: none

  // any thread
  _Atomic float mix;
  _Atomic float pitch;
  _Atomic float gate_db;
  _Atomic float gain_db;
  atomic_bool bypass;
  atomic_bool mute;
  atomic_bool synchronous;
  atomic_bool running;
  atomic_bool leave;
  atomic_bool changing;
  atomic_bool granted; // real-time priority

  // the writing thread's
  size_t written;
  mw_voice_controls sent;
  event events[EVENT_COUNT];
  atomic_size_t events_written;
  atomic_size_t events_read; // stored by serve

  // the reading thread's
  long owed;   // frames heard as silence that have yet to come; negative: silence to put in
  float shown; // 0 faded out to 1
  bool late;
  bool starving;          // two clocks: waits until `spare` frames are there again
  size_t taken;           // from `out`
  atomic_size_t position; // taken + owed
  atomic_bool begun;      // something was written
  atomic_bool listening;  // something was read: with two clocks the input counts from then on
  atomic_long jump;       // frames to leave out; set by serve

  // serve's, under `work`
  pthread_mutex_t work;
  cross *paths;
  drift *clock; // NULL with one clock
  hold keeper;
  size_t served; // frames of input
  size_t pushed; // frames to `out`, the first silence included
  atomic_size_t in_hand;
  size_t rising; // frames until the input is at its full level, after something was let go
  float piece[PIECE_FRAMES];

  pthread_t thread;
  sem_t wake;

  // counted for mw_live_look
  atomic_ullong busy_ns;
  atomic_ullong worst_ns;
  atomic_ullong heard; // frames of output served
  atomic_ullong late_count;
  atomic_ullong let_go;
  atomic_ullong jumps;
  _Atomic float in_peak;
  _Atomic float out_peak;
  _Atomic float gate_gain;
  _Atomic double drift_ppm;
};

static size_t frames_of(double seconds, unsigned rate_hz)
{
  return (size_t)ceil(seconds * rate_hz);
}

// ---- making ----

static mw_status make_stream(mw_stream **made, const mw_live *l, const mw_voice_model *model,
                             const mw_voice *voice, mw_error *error)
{
  mw_stream *s = NULL;
  mw_status status = mw_stream_new(&s, model, voice, l->out_hz, l->seed, error);
  if (status == MW_OK && l->fixed_pitch) status = mw_stream_fix_pitch(s, error);
  if (status != MW_OK) {
    mw_stream_free(s);
    return status;
  }
  *made = s;
  return MW_OK;
}

static mw_status allocate(mw_live *l, const mw_live_setup *setup, mw_error *error)
{
  mw_stream *first = NULL;
  mw_status status = make_stream(&first, l, setup->model, setup->voice, error);
  if (status == MW_OK) status = cross_new(&l->paths, first, l->out_hz, error);
  if (status == MW_OK && l->two_clocks) status = drift_new(&l->clock, l->in_hz, l->out_hz, error);
  if (status != MW_OK) return status;
  double ratio = (double)l->in_hz / l->out_hz;
  size_t in_block = l->two_clocks ? setup->in_block_frames : setup->block_frames;
  l->most_behind =
      (size_t)ceil((double)(l->spare + cross_delay_frames(l->paths)) * ratio) + in_block;
  size_t in_size = 2 * l->most_behind + 2 * in_block;
  l->in = ring_new(in_size);
  // all of a full `in` may come at once, and a little more when the clock is corrected
  l->out = ring_new(l->spare + setup->block_frames +
                    (size_t)ceil(1.02 * (double)(in_size * 2) / ratio) + PIECE_FRAMES);
  return l->in != NULL && l->out != NULL ? MW_OK : mw_fail_memory(error, "making a live stream");
}

static mw_status check_setup(const mw_live_setup *s, mw_error *error)
{
  enum { MOST_BLOCK = 1 << 20 };
  bool good = s->block_frames >= 1 && s->block_frames <= MOST_BLOCK && s->compute_ms >= 0.0 &&
              s->compute_ms <= 10000.0 &&
              (s->in_rate_hz == 0 || (s->in_block_frames >= 1 && s->in_block_frames <= MOST_BLOCK));
  return good ? MW_OK
              : mw_fail(error, MW_ERROR_ARGUMENT,
                        "a live stream takes blocks of 1 to %d frames and 0 to 10000 ms a chunk",
                        MOST_BLOCK);
}

mw_status mw_live_new(mw_live **made, const mw_live_setup *setup, mw_error *error)
{
  mw_status status = check_setup(setup, error);
  if (status != MW_OK) return status;
  mw_live *l = aligned_alloc(64, (sizeof *l + 63) / 64 * 64);
  if (l == NULL) return mw_fail_memory(error, "making a live stream");
  memset(l, 0, sizeof *l);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&l->work, &attributes);
  pthread_mutexattr_destroy(&attributes);
  sem_init(&l->wake, 0, 0);
  l->seed = setup->seed;
  l->out_hz = setup->rate_hz;
  l->fixed_pitch = setup->fixed_pitch;
  l->two_clocks = setup->in_rate_hz != 0;
  l->in_hz = l->two_clocks ? setup->in_rate_hz : setup->rate_hz;
  l->block = setup->block_frames;
  l->fade = l->out_hz / FADES_PER_SECOND;
  double compute_ms = setup->compute_ms > 0.0 ? setup->compute_ms : DEFAULT_COMPUTE_MS;
  l->spare = setup->block_frames + l->fade + frames_of(compute_ms / 1000.0, l->out_hz);
  if (l->two_clocks) l->spare += frames_of((double)setup->in_block_frames / l->in_hz, l->out_hz);
  mw_live_set(l, &MW_VOICE_CONTROLS);
  status = allocate(l, setup, error);
  if (status != MW_OK) {
    mw_live_free(l);
    return status;
  }
  mw_live_reset(l);
  *made = l;
  return MW_OK;
}

void mw_live_free(mw_live *l)
{
  if (l == NULL) return;
  mw_live_stop(l);
  cross_free(l->paths);
  drift_free(l->clock);
  ring_free(l->in);
  ring_free(l->out);
  pthread_mutex_destroy(&l->work);
  sem_destroy(&l->wake);
  free(l);
}

static void push_silence(mw_live *l, size_t frames)
{
  memset(l->piece, 0, sizeof l->piece);
  for (size_t left = frames; left > 0;)
    left -= ring_write(l->out, l->piece, left < PIECE_FRAMES ? left : PIECE_FRAMES);
}

void mw_live_reset(mw_live *l)
{
  ring_reset(l->in);
  ring_reset(l->out);
  push_silence(l, l->spare);
  cross_set(l->paths, &MW_VOICE_CONTROLS);
  cross_reset(l->paths);
  atomic_store(&l->changing, false);
  if (l->clock != NULL) drift_reset(l->clock);
  hold_start(&l->keeper, (double)l->spare, l->out_hz, FAR_SECONDS * l->out_hz);
  l->written = l->served = l->taken = 0;
  l->pushed = l->spare;
  l->rising = 0;
  l->sent = MW_VOICE_CONTROLS;
  l->owed = 0;
  l->shown = 1.0f;
  l->late = false;
  l->starving = false;
  atomic_store(&l->events_written, 0);
  atomic_store(&l->events_read, 0);
  atomic_store(&l->position, 0);
  atomic_store(&l->begun, false);
  atomic_store(&l->listening, false);
  atomic_store(&l->jump, 0);
  atomic_store(&l->in_hand, 0);
}

size_t mw_live_delay_frames(const mw_live *l)
{
  size_t clock = l->clock == NULL
                     ? 0
                     : (size_t)ceil((double)drift_look_ahead(l->clock) * l->out_hz / l->in_hz);
  return cross_delay_frames(l->paths) + l->spare + clock;
}

size_t mw_live_spare_frames(const mw_live *l)
{
  return l->spare;
}

// ---- between the rings ----

// Takes what holds from the next frame on; returns the frames until the next change, at most
// `count`.
static size_t apply_events(mw_live *l, size_t count)
{
  size_t read = atomic_load_explicit(&l->events_read, memory_order_relaxed);
  size_t end = atomic_load_explicit(&l->events_written, memory_order_acquire);
  while (read != end && l->events[read % EVENT_COUNT].at <= l->served) {
    cross_set(l->paths, &l->events[read % EVENT_COUNT].set);
    // what is set before the first frame does not glide there
    if (l->served == 0) cross_reset(l->paths);
    atomic_store_explicit(&l->events_read, ++read, memory_order_release);
  }
  if (read == end) return count;
  size_t left = l->events[read % EVENT_COUNT].at - l->served;
  return left < count ? left : count;
}

static void note_peak(_Atomic float *peak, const float *x, size_t count)
{
  float most = atomic_load_explicit(peak, memory_order_relaxed);
  for (size_t i = 0; i < count; i++)
    if (fabsf(x[i]) > most) most = fabsf(x[i]);
  atomic_store_explicit(peak, most, memory_order_relaxed);
}

static void convert(mw_live *l, float *x, size_t count, bool dropped)
{
  if (l->recording != NULL) recording_take_in(l->recording, x, count);
  if (dropped) {
    memset(x, 0, count * sizeof(float));
  } else {
    for (size_t i = 0; i < count && l->rising > 0; i++)
      x[i] *= 1.0f - (float)l->rising-- / (float)l->fade;
    cross_run(l->paths, x, x, count);
  }
  note_peak(&l->out_peak, x, count);
  l->pushed += ring_write(l->out, x, count);
  atomic_fetch_add_explicit(&l->heard, count, memory_order_relaxed);
}

static void convert_at_own_clock(mw_live *l, const float *in, size_t count, bool dropped)
{
  float room[PIECE_FRAMES];
  for (size_t taken, made = 1; count > 0 || made > 0; in += taken, count -= taken) {
    made = drift_run(l->clock, in, count, &taken, room, PIECE_FRAMES);
    convert(l, room, made, dropped);
    if (made == 0 && taken == 0) break;
  }
}

// The level after `fresh` frames came in: what is there and what they will become, less what was
// read or is owed.
static void hold_level(mw_live *l, size_t fresh)
{
  double seconds = (double)fresh / l->in_hz;
  size_t position = atomic_load_explicit(&l->position, memory_order_relaxed);
  double level = (double)(long)(l->pushed - position) + seconds * l->out_hz;
  double correction = hold_step(&l->keeper, level, seconds);
  drift_correct(l->clock, correction);
  atomic_store_explicit(&l->drift_ppm, l->keeper.drift * 1e6, memory_order_relaxed);
  double jump = hold_jump(&l->keeper);
  if (jump == 0.0) return;
  atomic_fetch_add_explicit(&l->jump, (long)jump, memory_order_relaxed);
  atomic_fetch_add_explicit(&l->jumps, 1, memory_order_relaxed);
}

static void count_time(mw_live *l, const struct timespec *begin)
{
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  unsigned long long ns = (unsigned long long)((end.tv_sec - begin->tv_sec) * 1000000000LL +
                                               (end.tv_nsec - begin->tv_nsec));
  atomic_fetch_add_explicit(&l->busy_ns, ns, memory_order_relaxed);
  if (ns > atomic_load_explicit(&l->worst_ns, memory_order_relaxed))
    atomic_store_explicit(&l->worst_ns, ns, memory_order_relaxed);
}

// Everything that was written, through the stream. Under `work`.
static void serve(mw_live *l, bool synchronous)
{
  struct timespec begin;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  size_t ready = ring_readable(l->in);
  if (ready == 0) return;
  // so far behind that nobody will hear it: let it go, and start with what comes next
  bool dropped = !synchronous && ready > l->most_behind;
  if (l->clock != NULL) hold_level(l, ready);
  for (size_t left = ready; left > 0;) {
    size_t count = apply_events(l, left < PIECE_FRAMES ? left : PIECE_FRAMES);
    atomic_store_explicit(&l->in_hand, count, memory_order_release);
    ring_read(l->in, l->piece, count);
    note_peak(&l->in_peak, l->piece, count);
    if (l->clock != NULL)
      convert_at_own_clock(l, l->piece, count, dropped);
    else
      convert(l, l->piece, count, dropped);
    atomic_store_explicit(&l->in_hand, 0, memory_order_release);
    l->served += count;
    left -= count;
  }
  if (dropped) {
    cross_reset(l->paths);
    l->rising = l->fade;
    atomic_fetch_add_explicit(&l->let_go, ready, memory_order_relaxed);
  }
  atomic_store_explicit(&l->gate_gain, cross_gate_gain(l->paths), memory_order_relaxed);
  atomic_store_explicit(&l->changing, cross_changing(l->paths), memory_order_release);
  count_time(l, &begin);
}

static void *work(void *argument)
{
  mw_live *l = argument;
  const struct sched_param wish = {.sched_priority = PRIORITY};
  atomic_store(&l->granted, pthread_setschedparam(pthread_self(), SCHED_FIFO, &wish) == 0);
  for (;;) {
    if (sem_wait(&l->wake) != 0) continue; // interrupted
    while (sem_trywait(&l->wake) == 0) continue;
    if (atomic_load(&l->leave)) return NULL;
    pthread_mutex_lock(&l->work);
    serve(l, false);
    pthread_mutex_unlock(&l->work);
  }
}

mw_status mw_live_start(mw_live *l, mw_error *error)
{
  if (atomic_load(&l->running)) return MW_OK;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  atomic_store(&l->leave, false);
  pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for the caller's threads
  int failed = pthread_create(&l->thread, NULL, work, l);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failed != 0) return mw_fail(error, MW_ERROR_MEMORY, "the system gave no thread");
  atomic_store(&l->running, true);
  return MW_OK;
}

void mw_live_stop(mw_live *l)
{
  if (!atomic_load(&l->running)) return;
  atomic_store(&l->leave, true);
  sem_post(&l->wake);
  pthread_join(l->thread, NULL);
  atomic_store(&l->running, false);
}

// ---- changes ----

void mw_live_set(mw_live *l, const mw_voice_controls *c)
{
  atomic_store_explicit(&l->mix, c->mix, memory_order_relaxed);
  atomic_store_explicit(&l->pitch, c->pitch, memory_order_relaxed);
  atomic_store_explicit(&l->gate_db, c->gate_db, memory_order_relaxed);
  atomic_store_explicit(&l->gain_db, c->gain_db, memory_order_relaxed);
}

void mw_live_set_bypass(mw_live *l, bool bypass)
{
  atomic_store_explicit(&l->bypass, bypass, memory_order_relaxed);
}

void mw_live_set_mute(mw_live *l, bool mute)
{
  atomic_store_explicit(&l->mute, mute, memory_order_relaxed);
}

void mw_live_record(mw_live *l, mw_recording *recording)
{
  l->recording = recording;
}

void mw_live_set_synchronous(mw_live *l, bool synchronous)
{
  atomic_store_explicit(&l->synchronous, synchronous, memory_order_relaxed);
}

void mw_live_set_voice(mw_live *l, const mw_voice *voice)
{
  pthread_mutex_lock(&l->work);
  mw_stream_set_voice(cross_latest(l->paths), voice);
  pthread_mutex_unlock(&l->work);
}

mw_status mw_live_set_model(mw_live *l, const mw_voice_model *model, const mw_voice *voice,
                            mw_error *error)
{
  mw_stream *next = NULL;
  mw_status status = make_stream(&next, l, model, voice, error);
  if (status != MW_OK) return status;
  pthread_mutex_lock(&l->work);
  status = cross_change(l->paths, next, error);
  atomic_store(&l->changing, cross_changing(l->paths));
  pthread_mutex_unlock(&l->work);
  if (status != MW_OK) mw_stream_free(next);
  return status;
}

bool mw_live_changing(const mw_live *l)
{
  return atomic_load_explicit(&l->changing, memory_order_acquire);
}

void mw_live_settle(mw_live *l)
{
  pthread_mutex_lock(&l->work);
  cross_settle(l->paths);
  atomic_store(&l->changing, false);
  pthread_mutex_unlock(&l->work);
}

// ---- the sounding side ----

static mw_voice_controls wanted_controls(mw_live *l)
{
  mw_voice_controls c = MW_VOICE_CONTROLS;
  if (atomic_load_explicit(&l->bypass, memory_order_relaxed)) {
    c.mix = 0.0f;
    return c;
  }
  c.mix = atomic_load_explicit(&l->mix, memory_order_relaxed);
  c.pitch = atomic_load_explicit(&l->pitch, memory_order_relaxed);
  c.gate_db = atomic_load_explicit(&l->gate_db, memory_order_relaxed);
  c.gain_db = atomic_load_explicit(&l->gain_db, memory_order_relaxed);
  return c;
}

// A change belongs to the frame it was made at, whenever it is served; when too many wait, the
// next block tries again.
static void send_controls(mw_live *l)
{
  mw_voice_controls now = wanted_controls(l);
  size_t at = atomic_load_explicit(&l->events_written, memory_order_relaxed);
  size_t room = EVENT_COUNT - (at - atomic_load_explicit(&l->events_read, memory_order_acquire));
  if (memcmp(&now, &l->sent, sizeof now) == 0 || room == 0) return;
  l->events[at % EVENT_COUNT] = (event){l->written, now};
  l->sent = now;
  atomic_store_explicit(&l->events_written, at + 1, memory_order_release);
}

static bool is_synchronous(mw_live *l)
{
  return atomic_load_explicit(&l->synchronous, memory_order_relaxed) ||
         !atomic_load_explicit(&l->running, memory_order_relaxed);
}

size_t mw_live_write(mw_live *l, const float *in, size_t frames)
{
  if (l->two_clocks && !atomic_load_explicit(&l->listening, memory_order_relaxed)) return frames;
  send_controls(l);
  size_t done = ring_write(l->in, in, frames);
  l->written += done;
  atomic_store_explicit(&l->begun, true, memory_order_release);
  if (!is_synchronous(l)) sem_post(&l->wake);
  return done;
}

// With two clocks: whether too little was written, served or not, for `frames` more. Then time
// stands still until the rings are filled as at the start.
static void note_starving(mw_live *l, size_t frames)
{
  size_t waiting = ring_readable(l->in) + atomic_load_explicit(&l->in_hand, memory_order_acquire);
  double coming = (double)waiting * l->out_hz / l->in_hz;
  size_t wanted = l->starving ? l->spare : frames + l->fade;
  bool starving = (double)ring_readable(l->out) + coming < (double)wanted;
  if (starving && !l->starving) atomic_fetch_add_explicit(&l->jumps, 1, memory_order_relaxed);
  l->starving = starving;
}

// Reads `count` frames, which are there, with the sound going to `goal` (0 or 1).
static void read_fading(mw_live *l, float *out, size_t count, float goal)
{
  float step = 1.0f / (float)l->fade;
  l->taken += ring_read(l->out, out, count);
  if (l->shown == goal && goal == 1.0f) return;
  for (size_t i = 0; i < count; i++) {
    l->shown = goal > l->shown ? fminf(l->shown + step, goal) : fmaxf(l->shown - step, goal);
    out[i] *= l->shown;
  }
}

static void pay_what_is_owed(mw_live *l)
{
  long jump = l->shown == 0.0f ? atomic_exchange_explicit(&l->jump, 0, memory_order_relaxed) : 0;
  l->owed += jump;
  if (l->owed <= 0) return;
  size_t skipped = ring_skip(l->out, (size_t)l->owed);
  l->taken += skipped;
  l->owed -= (long)skipped;
}

static void note_late(mw_live *l, bool late)
{
  if (late && !l->late) atomic_fetch_add_explicit(&l->late_count, 1, memory_order_relaxed);
  l->late = late;
}

static void read_block(mw_live *l, float *out, size_t frames)
{
  bool jumps = atomic_load_explicit(&l->jump, memory_order_relaxed) != 0;
  pay_what_is_owed(l);
  if (l->two_clocks) note_starving(l, frames);
  size_t ready = ring_readable(l->out);
  bool muted = atomic_load_explicit(&l->mute, memory_order_relaxed);
  bool late = l->owed > 0 || ready < frames + l->fade;
  note_late(l, late && !jumps && !l->starving);
  size_t held = 0; // silence to put in
  if (l->starving && l->shown == 0.0f) held = frames;
  if (l->owed < 0) {
    size_t wanted = (size_t)-l->owed;
    held = wanted < frames ? wanted : frames;
    l->owed += (long)held;
  }
  size_t rest = frames - held;
  size_t count = l->owed > 0 ? 0 : ready < rest ? ready : rest;
  memset(out, 0, held * sizeof(float));
  read_fading(l, out + held, count, late || jumps || muted ? 0.0f : 1.0f);
  memset(out + held + count, 0, (rest - count) * sizeof(float));
  if (!l->starving) l->owed += (long)(rest - count);
  atomic_store_explicit(&l->position, l->taken + (size_t)l->owed, memory_order_relaxed);
}

void mw_live_read(mw_live *l, float *out, size_t frames)
{
  if (is_synchronous(l)) {
    pthread_mutex_lock(&l->work);
    serve(l, true);
    pthread_mutex_unlock(&l->work);
  }
  atomic_store_explicit(&l->listening, true, memory_order_relaxed);
  if (!atomic_load_explicit(&l->begun, memory_order_acquire)) {
    memset(out, 0, frames * sizeof(float));
    return;
  }
  read_block(l, out, frames);
  if (l->recording != NULL) recording_take_out(l->recording, out, frames);
}

// In the blocks the rings are made for.
void mw_live_run(mw_live *l, const float *in, float *out, size_t frames)
{
  while (frames > 0) {
    size_t count = frames < l->block ? frames : l->block;
    size_t done = mw_live_write(l, in, count);
    l->owed -= (long)(count - done); // never served, never to come
    mw_live_read(l, out, count);
    in += count;
    out += count;
    frames -= count;
  }
}

// ---- meters ----

void mw_live_look(mw_live *l, mw_live_view *view)
{
  unsigned long long busy = atomic_exchange_explicit(&l->busy_ns, 0, memory_order_relaxed);
  unsigned long long heard = atomic_exchange_explicit(&l->heard, 0, memory_order_relaxed);
  *view = (mw_live_view){
      .in_peak = atomic_exchange_explicit(&l->in_peak, 0.0f, memory_order_relaxed),
      .out_peak = atomic_exchange_explicit(&l->out_peak, 0.0f, memory_order_relaxed),
      .gate_gain = atomic_load_explicit(&l->gate_gain, memory_order_relaxed),
      .rtf = heard > 0 ? (double)busy * 1e-9 * l->out_hz / (double)heard : 0.0,
      .worst_ms = (double)atomic_exchange_explicit(&l->worst_ns, 0, memory_order_relaxed) * 1e-6,
      .late = atomic_load_explicit(&l->late_count, memory_order_relaxed),
      .let_go_frames = atomic_load_explicit(&l->let_go, memory_order_relaxed),
      .jumps = atomic_load_explicit(&l->jumps, memory_order_relaxed),
      .drift_ppm = atomic_load_explicit(&l->drift_ppm, memory_order_relaxed),
      .real_time = atomic_load_explicit(&l->granted, memory_order_relaxed),
  };
}
