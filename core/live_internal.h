// SPDX-License-Identifier: GPL-3.0-or-later
//
// What live.c makes, live_serve.c runs between the rings and live_run.c on either side of them.
#ifndef MEANWAVE_LIVE_INTERNAL_H
#define MEANWAVE_LIVE_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "cross.h"
#include "drift.h"
#include "hold.h"
#include "recording.h"
#include "ring.h"
#include "status.h"

enum { LIVE_PIECE_FRAMES = 256, LIVE_EVENT_COUNT = 64 };

typedef struct {
  size_t at; // frame written from which on it holds
  mw_voice_controls set;
} live_event;

struct mw_live {
  uint64_t seed;
  unsigned in_hz;
  unsigned out_hz;
  bool two_clocks;
  bool fixed_pitch;
  bool guess_ahead;
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
  bool full; // the last block found too little room
  mw_voice_controls sent;
  live_event events[LIVE_EVENT_COUNT];
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
  float piece[LIVE_PIECE_FRAMES];

  pthread_t thread;
  sem_t wake;

  // counted for mw_live_look
  atomic_ullong busy_ns;
  atomic_ullong stage_ns[STAGES]; // of it
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

// Everything that was written, through the stream. Under `work`.
void live_serve(mw_live *l, bool synchronous);

#endif
