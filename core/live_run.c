// SPDX-License-Identifier: GPL-3.0-or-later
//
// The sounding side: what is written and read on the device's threads. Real time: rings, atomics
// and a semaphore; only a synchronous reader serves in the call.
#include <math.h>
#include <string.h>

#include "live_internal.h"

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
  size_t room =
      LIVE_EVENT_COUNT - (at - atomic_load_explicit(&l->events_read, memory_order_acquire));
  if (memcmp(&now, &l->sent, sizeof now) == 0 || room == 0) return;
  l->events[at % LIVE_EVENT_COUNT] = (live_event){l->written, now};
  l->sent = now;
  atomic_store_explicit(&l->events_written, at + 1, memory_order_release);
}

static bool is_synchronous(mw_live *l)
{
  return atomic_load_explicit(&l->synchronous, memory_order_relaxed) ||
         !atomic_load_explicit(&l->running, memory_order_relaxed);
}

// Input is lost. With one clock silence takes its place; with two the level falls, and it is a
// jump, however many blocks it lasts.
static void note_full(mw_live *l, bool full)
{
  if (l->two_clocks && full && !l->full)
    atomic_fetch_add_explicit(&l->jumps, 1, memory_order_relaxed);
  l->full = full;
}

size_t mw_live_write(mw_live *l, const float *in, size_t frames)
{
  if (l->two_clocks && !atomic_load_explicit(&l->listening, memory_order_relaxed)) return frames;
  send_controls(l);
  size_t done = ring_write(l->in, in, frames);
  l->written += done;
  note_full(l, done < frames);
  atomic_store_explicit(&l->begun, true, memory_order_release);
  if (!is_synchronous(l)) sem_post(&l->wake);
  return done;
}

// With two clocks: whether too little was written, served or not, for `frames` more. Then time
// stands still until the rings are filled as at the start.
static void note_starving(mw_live *l, size_t frames)
{
  // in this order: a piece on its way from one to the other may count twice, never nowhere
  size_t waiting = ring_waiting(l->in);
  waiting += atomic_load_explicit(&l->in_hand, memory_order_acquire);
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
    live_serve(l, true);
    pthread_mutex_unlock(&l->work);
  }
  atomic_store_explicit(&l->listening, true, memory_order_relaxed);
  if (!atomic_load_explicit(&l->begun, memory_order_acquire)) {
    memset(out, 0, frames * sizeof(float));
    return;
  }
  size_t before = atomic_load_explicit(&l->position, memory_order_relaxed);
  read_block(l, out, frames);
  size_t moved = atomic_load_explicit(&l->position, memory_order_relaxed) - before;
  if (l->recording != NULL) recording_take_out(l->recording, out, frames, (long)(frames - moved));
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
