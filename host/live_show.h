// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a live run tells: a view for the meters, lines for people and objects for programs.
#ifndef MEANWAVE_HOST_LIVE_SHOW_H
#define MEANWAVE_HOST_LIVE_SHOW_H

#include "live_session.h"
#include "meters.h"

// Of what happened since the last view; `seconds` since the start.
void live_show_fill(meters_view *v, live_session *s, double seconds);
void live_show_meters(const meters_view *v); // with --json
void live_show_event(const char *event);     // likewise
void live_show_begin(live_session *s);
void live_show_end(live_session *s, double seconds);

#endif
