// SPDX-License-Identifier: GPL-3.0-or-later
//
// The only printer. Results go to standard output, talk to standard error.
#ifndef MEANWAVE_REPORT_H
#define MEANWAVE_REPORT_H

#include "meanwave.h"
#include "options.h"

void report_setup(const arguments *a); // reads --json, --quiet, --verbose
bool report_json(void);
bool report_quiet(void);

// From here on only what this file prints is seen on standard error, whatever libraries write
// there; with --verbose all is.
void report_alone(void);
int report_talk_fd(void); // where talk goes

// "meanwave: LINE" on standard error, always.
void report_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Talk: standard error, not with --quiet.
// EXIT_GOOD, or the error's line and the exit code that tells its kind.
int report_status(mw_status status, const mw_error *error);
void report_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
// A result for people: standard output, not with --json.
void report_result(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A result for programs, with --json only: one object a line.
void report_begin(void);
void report_text(const char *name, const char *value);
void report_number(const char *name, double value);
void report_sizes(const char *name, const size_t *values, size_t count);
void report_end(void);

// A bar with the time left, on a terminal only; `share` 0..1; at 1 the line is cleared.
void report_progress(const char *what, double share, double seconds_so_far);

#endif
