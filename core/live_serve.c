// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between the rings: what was written, through the stream, with the changes that belong to it; and
// the thread that does so when nobody else does.
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "live_internal.h"

enum { PRIORITY = 2 }; // below what JACK (5) and PulseAudio (5) give the threads of their sound

// Takes what holds from the next frame on; returns the frames until the next change, at most
// `count`.
static size_t apply_events(mw_live *l, size_t count)
{
  size_t read = atomic_load_explicit(&l->events_read, memory_order_relaxed);
  size_t end = atomic_load_explicit(&l->events_written, memory_order_acquire);
  while (read != end && l->events[read % LIVE_EVENT_COUNT].at <= l->served) {
    cross_set(l->paths, &l->events[read % LIVE_EVENT_COUNT].set);
    // what is set before the first frame does not glide there
    if (l->served == 0) cross_reset(l->paths);
    atomic_store_explicit(&l->events_read, ++read, memory_order_release);
  }
  if (read == end) return count;
  size_t left = l->events[read % LIVE_EVENT_COUNT].at - l->served;
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
  float room[LIVE_PIECE_FRAMES];
  for (size_t taken, made = 1; count > 0 || made > 0; in += taken, count -= taken) {
    made = drift_run(l->clock, in, count, &taken, room, LIVE_PIECE_FRAMES);
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
  uint64_t stages[STAGES] = {0};
  cross_take_times(l->paths, stages);
  for (int i = 0; i < STAGES; i++)
    atomic_fetch_add_explicit(&l->stage_ns[i], stages[i], memory_order_relaxed);
  clock_gettime(CLOCK_MONOTONIC, &end);
  unsigned long long ns = (unsigned long long)((end.tv_sec - begin->tv_sec) * 1000000000LL +
                                               (end.tv_nsec - begin->tv_nsec));
  atomic_fetch_add_explicit(&l->busy_ns, ns, memory_order_relaxed);
  if (ns > atomic_load_explicit(&l->worst_ns, memory_order_relaxed))
    atomic_store_explicit(&l->worst_ns, ns, memory_order_relaxed);
}

void live_serve(mw_live *l, bool synchronous)
{
  struct timespec begin;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  size_t ready = ring_readable(l->in);
  if (ready == 0) return;
  // so far behind that nobody will hear it: let it go, and start with what comes next
  bool dropped = !synchronous && ready > l->most_behind;
  if (l->clock != NULL) hold_level(l, ready);
  for (size_t left = ready; left > 0;) {
    size_t count = apply_events(l, left < LIVE_PIECE_FRAMES ? left : LIVE_PIECE_FRAMES);
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
    live_serve(l, false);
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
