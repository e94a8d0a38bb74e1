// SPDX-License-Identifier: GPL-3.0-or-later
//
// A live run: the device, the converter behind it, and what is recorded; started, lost, resumed and
// stopped. All on one thread, but for what the device calls.
#ifndef MEANWAVE_HOST_LIVE_SESSION_H
#define MEANWAVE_HOST_LIVE_SESSION_H

#include <stdatomic.h>

#include "audio.h"

typedef struct {
  // what is wished; filled by the caller
  const audio_backend *backend;
  audio_wish wish;
  mw_voice_model *model;
  mw_voice *voice;
  mw_voice_controls controls;
  double compute_ms;
  bool fixed_pitch;
  bool guess_ahead;
  uint64_t seed;
  const char *record_path; // NULL: none
  bool side_by_side;
  bool plays_file; // instead of a microphone
  mw_sound file;   // with a real output
  bool virtual_mic;
  bool monitor;
  bool bypass;

  // what came of it
  audio *device;
  audio_facts facts;
  mw_live *live;
  mw_recording *recording;
  uint64_t xruns;
  uint64_t xruns_before; // on devices that were lost
  uint64_t late_before;  // likewise
  char notice[sizeof(mw_error)];
  int notice_looks; // it is shown for so many more

  // the device's thread
  size_t played;    // frames of `file` and the silence behind it
  double play_part; // of a frame, when the rates differ
  atomic_bool played_all;
} live_session;

// MW_ERROR_ARGUMENT: no such device.
mw_status live_session_start(live_session *s, mw_error *error);
audio_state live_session_look(live_session *s);
void live_session_silence(live_session *s);                      // after AUDIO_LOST
mw_status live_session_resume(live_session *s, mw_error *error); // may be tried again
mw_status live_session_stop(live_session *s, mw_error *error);   // fades, closes, writes
void live_session_free(live_session *s);

void live_session_bypass(live_session *s, bool bypass);
void live_session_monitor(live_session *s, bool heard);
void live_session_next_voice(live_session *s);
const char *live_session_notice(live_session *s);

#endif
