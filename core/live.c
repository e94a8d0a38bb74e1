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
#include <stdlib.h>
#include <string.h>

#include "live_internal.h"

enum { FADES_PER_SECOND = 200 };
#define DEFAULT_COMPUTE_MS 20.0
#define FAR_SECONDS 0.03 // from the target, for two clocks: then it jumps

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
  if (status == MW_OK && l->guess_ahead) status = mw_stream_guess_ahead(s, error);
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
                    (size_t)ceil(1.02 * (double)(in_size * 2) / ratio) + LIVE_PIECE_FRAMES);
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
  l->guess_ahead = setup->guess_ahead;
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
    left -= ring_write(l->out, l->piece, left < LIVE_PIECE_FRAMES ? left : LIVE_PIECE_FRAMES);
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
  l->full = false;
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
  if (recording != NULL) recording_align(recording);
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

// ---- meters ----

void mw_live_look(mw_live *l, mw_live_view *view)
{
  double stages[STAGES];
  unsigned long long busy = atomic_exchange_explicit(&l->busy_ns, 0, memory_order_relaxed);
  unsigned long long heard = atomic_exchange_explicit(&l->heard, 0, memory_order_relaxed);
  double rtf_of_ns = heard > 0 ? 1e-9 * l->out_hz / (double)heard : 0.0;
  for (int i = 0; i < STAGES; i++)
    stages[i] =
        rtf_of_ns * (double)atomic_exchange_explicit(&l->stage_ns[i], 0, memory_order_relaxed);
  *view = (mw_live_view){
      .in_peak = atomic_exchange_explicit(&l->in_peak, 0.0f, memory_order_relaxed),
      .out_peak = atomic_exchange_explicit(&l->out_peak, 0.0f, memory_order_relaxed),
      .gate_gain = atomic_load_explicit(&l->gate_gain, memory_order_relaxed),
      .rtf = rtf_of_ns * (double)busy,
      .encoder_rtf = stages[STAGE_ANALYSIS] + stages[STAGE_ENCODER],
      .decoder_rtf = stages[STAGE_DECODER],
      .vocoder_rtf = stages[STAGE_VOCODER],
      .worst_ms = (double)atomic_exchange_explicit(&l->worst_ns, 0, memory_order_relaxed) * 1e-6,
      .late = atomic_load_explicit(&l->late_count, memory_order_relaxed),
      .let_go_frames = atomic_load_explicit(&l->let_go, memory_order_relaxed),
      .jumps = atomic_load_explicit(&l->jumps, memory_order_relaxed),
      .drift_ppm = atomic_load_explicit(&l->drift_ppm, memory_order_relaxed),
      .real_time = atomic_load_explicit(&l->granted, memory_order_relaxed),
  };
}
