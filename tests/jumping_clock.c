// SPDX-License-Identifier: GPL-3.0-or-later
#include "jumping_clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// Libraries must find these, too.
#define VISIBLE __attribute__((visibility("default")))

static atomic_uint looks;
static atomic_bool held;

void jumping_clock_hold(bool still)
{
  atomic_store(&held, still);
}

static long jump_s(void)
{
  static const long hours[] = {0, 5, -3, 48, -72, 1, -1};
  if (atomic_load(&held)) return 0;
  return 3600 * hours[atomic_fetch_add(&looks, 1) % (sizeof hours / sizeof hours[0])];
}

VISIBLE int clock_gettime(clockid_t clock, struct timespec *now)
{
  int code = (int)syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI)
    now->tv_sec += jump_s();
  return code;
}

VISIBLE int timespec_get(struct timespec *now, int base)
{
  return clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

VISIBLE int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
  struct timespec precise;
  (void)zone;
  int code = clock_gettime(CLOCK_REALTIME, &precise);
  *now = (struct timeval){.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
  return code;
}

VISIBLE time_t time(time_t *now)
{
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (now != NULL) *now = precise.tv_sec;
  return precise.tv_sec;
}
