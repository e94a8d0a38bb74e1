// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a live run shows on a terminal, and the keys it takes from it.
#ifndef MEANWAVE_HOST_METERS_H
#define MEANWAVE_HOST_METERS_H

#include "meanwave.h"

typedef struct {
  const char *voice;
  const char *in_name;
  const char *out_name;
  double seconds; // since the start
  mw_live_view look;
  uint64_t xruns;
  unsigned rate_hz;
  size_t delay_frames; // 0: nothing runs
  double device_ms;    // the whole delay in its parts
  double ring_ms;
  double chunk_ms;
  double look_ahead_ms;
  mw_voice_controls controls;
  bool bypass;
  bool monitor;
  const char *notice; // "" or what just happened
} meters_view;

double meters_delay_ms(const meters_view *v);
double meters_db(float peak); // -99 for silence

// False, and nothing changes, when standard input and error are no terminal. From the first drawing
// on keys come one by one, whenever this program is in the foreground, until meters_end.
bool meters_begin(void);
void meters_end(void);        // from a signal handler too
void meters_hide(void);       // until the next drawing the terminal is as it was
void meters_show_again(void); // somebody else had the terminal
int meters_key(void);         // -1: none waits
void meters_leave(void);      // what was drawn stays; lines may follow it
void meters_draw(const meters_view *v);

#endif
