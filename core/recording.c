// SPDX-License-Identifier: GPL-3.0-or-later
//
// A sound file written while it sounds: two rings, and a thread that looks at them twenty times a
// second. Input and output are paired by their count, so what is heard at a moment stands beside
// what came in at that moment. Where the output was shifted, for input that was lost or sound that
// was left out, as much silence is put into the input, or input left out.
#include "recording.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ring.h"
#include "sound_io.h"
#include "status.h"

enum { PIECE_FRAMES = 1024, RING_SECONDS = 4, LOOKS_PER_SECOND = 20 };

struct mw_recording {
  sound_writer *file;
  bool side_by_side;
  size_t patience; // frames of output after which missing input is taken as silence
  ring *in;        // NULL when only the output is written
  ring *out;
  atomic_ullong lost;
  atomic_llong shift; // of the input, in all; negative: frames to leave out
  long long shifted;  // of it, by the thread that writes
  atomic_bool leave;
  bool running;
  pthread_t thread;
  mw_status status; // of writing; the first failure stays
  mw_error error;
};

// Returns the frames lost.
static long take(mw_recording *r, ring *to, const float *values, size_t frames)
{
  size_t lost = frames - ring_write(to, values, frames);
  if (lost > 0) atomic_fetch_add_explicit(&r->lost, lost, memory_order_relaxed);
  return (long)lost;
}

static void add_shift(mw_recording *r, long shift)
{
  if (shift != 0) atomic_fetch_add_explicit(&r->shift, shift, memory_order_relaxed);
}

void recording_take_in(mw_recording *r, const float *in, size_t frames)
{
  if (r->in != NULL) add_shift(r, take(r, r->in, in, frames));
}

void recording_take_out(mw_recording *r, const float *out, size_t frames, long shift)
{
  add_shift(r, shift - take(r, r->out, out, frames));
}

void recording_align(mw_recording *r)
{
  if (r->in == NULL) return;
  size_t ahead = atomic_load(&r->out->written) - atomic_load(&r->in->written);
  atomic_store(&r->shift, (long)ahead);
}

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

// The next frames of both, at the end with silence for input that never came. Silence that was not
// due is a shift too: input that comes after all is left out for it.
static size_t take_pairs(mw_recording *r, float *both, bool ending)
{
  float in[PIECE_FRAMES] = {0.0f};
  float out[PIECE_FRAMES];
  long long due = atomic_load_explicit(&r->shift, memory_order_relaxed) - r->shifted;
  if (due < 0) r->shifted -= (long long)ring_skip(r->in, (size_t)-due);
  size_t silence = due > 0 ? (size_t)due : 0;
  size_t heard = ring_readable(r->out);
  size_t count = smaller(heard, PIECE_FRAMES);
  if (!ending && heard < r->patience) count = smaller(count, silence + ring_readable(r->in));
  silence = smaller(silence, count);
  size_t came = ring_read(r->in, in + silence, count - silence);
  r->shifted += (long long)(count - came);
  ring_read(r->out, out, count);
  for (size_t i = 0; i < count; i++) {
    both[2 * i] = in[i];
    both[2 * i + 1] = out[i];
  }
  return count;
}

static void write_what_is_there(mw_recording *r, bool ending)
{
  float block[2 * PIECE_FRAMES];
  for (;;) {
    size_t count =
        r->side_by_side ? take_pairs(r, block, ending) : ring_read(r->out, block, PIECE_FRAMES);
    if (count == 0) return;
    if (r->status == MW_OK) r->status = sound_writer_write(r->file, block, count, &r->error);
  }
}

static void *work(void *argument)
{
  mw_recording *r = argument;
  const struct timespec pause = {.tv_nsec = 1000000000 / LOOKS_PER_SECOND};
  while (!atomic_load(&r->leave)) {
    write_what_is_there(r, false);
    nanosleep(&pause, NULL);
  }
  write_what_is_there(r, true);
  return NULL;
}

static void free_all(mw_recording *r)
{
  ring_free(r->in);
  ring_free(r->out);
  free(r);
}

static mw_status begin(mw_recording *r, const char *path, unsigned rate_hz, bool overwrite,
                       mw_error *error)
{
  size_t room = (size_t)RING_SECONDS * rate_hz;
  r->patience = room / 2;
  r->out = ring_new(room);
  if (r->side_by_side) r->in = ring_new(room);
  if (r->out == NULL || (r->side_by_side && r->in == NULL))
    return mw_fail_memory(error, "recording");
  mw_status status =
      sound_writer_open(&r->file, path, rate_hz, r->side_by_side ? 2 : 1, NULL, overwrite, error);
  if (status != MW_OK) return status;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for the caller's threads
  r->running = pthread_create(&r->thread, NULL, work, r) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return r->running ? MW_OK : mw_fail(error, MW_ERROR_MEMORY, "the system gave no thread");
}

mw_status mw_recording_open(mw_recording **opened, const char *path, unsigned rate_hz,
                            bool side_by_side, bool overwrite, mw_error *error)
{
  mw_recording *r = calloc(1, sizeof *r);
  if (r == NULL) return mw_fail_memory(error, "recording");
  r->side_by_side = side_by_side;
  mw_status status = begin(r, path, rate_hz, overwrite, error);
  if (status != MW_OK) {
    sound_writer_drop(r->file);
    free_all(r);
    return status;
  }
  *opened = r;
  return MW_OK;
}

uint64_t mw_recording_lost_frames(const mw_recording *r)
{
  return atomic_load_explicit(&r->lost, memory_order_relaxed);
}

mw_status mw_recording_finish(mw_recording *r, mw_error *error)
{
  if (r == NULL) return MW_OK;
  atomic_store(&r->leave, true);
  pthread_join(r->thread, NULL);
  mw_status status = r->status;
  if (status == MW_OK) {
    status = sound_writer_finish(r->file, error);
  } else {
    if (error != NULL) *error = r->error;
    sound_writer_drop(r->file);
  }
  free_all(r);
  return status;
}
