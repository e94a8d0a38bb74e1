// SPDX-License-Identifier: GPL-3.0-or-later
//
// The calls that an audio thread must not make, noted while the trap is set. A program that links
// it has it in the place of the C library's.
#ifndef MEANWAVE_TESTS_TRAP_H
#define MEANWAVE_TESTS_TRAP_H

#include <stdbool.h>

bool in_valgrind(void);
bool trap_works(void);    // not under a sanitizer, nor in Valgrind
void trap_set(bool on);   // of this thread
void trap_stall(bool on); // every thread that takes a lock waits: what computes is slow
// The forbidden call that was made last, and NULL again after this.
const char *trap_take(void);

#endif
