// SPDX-License-Identifier: GPL-3.0-or-later
//
// A sound device behind six functions; audio_portaudio.c is the real one, audio_file.c plays and
// writes files.
#ifndef MEANWAVE_HOST_AUDIO_H
#define MEANWAVE_HOST_AUDIO_H

#include "meanwave.h"

enum { AUDIO_NAME_SIZE = 256, AUDIO_RATE_COUNT = 8 };

typedef struct {
  int index;
  char api[64];
  char name[AUDIO_NAME_SIZE];
  unsigned in_channels;
  unsigned out_channels;
  unsigned default_hz;
  unsigned rates[AUDIO_RATE_COUNT]; // that work, 0 behind the last
  double in_latency_ms;             // as the device claims, 0 without that direction
  double out_latency_ms;
  bool default_in;
  bool default_out;
} audio_info;

typedef struct {
  const char *in; // index, name, unique part of a name or api:name; a file; NULL: the default
  const char *out;
  bool out_only;       // nothing is captured
  unsigned channel;    // of the input that is taken, from 1
  unsigned rate_hz;    // wished for; another one may come
  size_t block_frames; // of a call
  double buffer_ms;    // in the device, each way; 0: what it calls low
  bool overwrite;      // an output file
} audio_wish;

// What came of it.
typedef struct {
  unsigned in_hz;
  unsigned out_hz;
  bool two_clocks; // input and output are called apart, each at its own pace
  size_t in_block;
  size_t out_block;
  double in_latency_s; // as the device claims
  double out_latency_s;
  char in_name[AUDIO_NAME_SIZE];
  char out_name[AUDIO_NAME_SIZE];
} audio_facts;

// Called on the device's threads, in real time, one channel each.
typedef struct {
  void (*both)(void *context, const float *in, float *out, size_t frames); // one clock
  void (*in)(void *context, const float *in, size_t frames);               // two clocks
  void (*out)(void *context, float *out, size_t frames); // two clocks, or nothing captured
  void *context;
  size_t tail_frames; // of silence behind the end of a file
} audio_calls;

typedef enum { AUDIO_RUNNING, AUDIO_ENDED, AUDIO_LOST } audio_state;

typedef struct audio audio;

typedef struct {
  mw_status (*list)(void (*each)(void *context, const audio_info *info), void *context,
                    mw_error *error);
  // MW_ERROR_ARGUMENT: there is no such device, or it cannot do what is wished.
  mw_status (*open)(audio **opened, const audio_wish *wish, audio_facts *facts, mw_error *error);
  mw_status (*start)(audio *a, const audio_calls *calls, mw_error *error);
  audio_state (*look)(audio *a, uint64_t *xruns); // any time after start; counts since open
  mw_status (*stop)(audio *a, mw_error *error);   // no call is made after it
  void (*close)(audio *a);                        // NULL is fine
} audio_backend;

extern const audio_backend audio_portaudio;
extern const audio_backend audio_file;

// "no input device ..." and where the list is, for both backends' callers.
#define AUDIO_SEE_LIST "see meanwave devices"

#endif
