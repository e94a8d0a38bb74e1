// SPDX-License-Identifier: GPL-3.0-or-later
//
// Numbers near zero that are slow to compute with are taken as zero for a while: a stream's decay
// into silence costs no more than its speech. Real time; per thread.
#ifndef MEANWAVE_DENORMAL_H
#define MEANWAVE_DENORMAL_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>

// Flush to zero (bit 15) and denormals are zero (bit 6) of MXCSR. Returns what was set before.
static inline uint64_t denormal_flush(void)
{
  unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040u);
  return before;
}

static inline void denormal_restore(uint64_t before)
{
  _mm_setcsr((unsigned)before);
}

#elif defined(__aarch64__)

// Flush to zero, bit 24 of FPCR.
static inline uint64_t denormal_flush(void)
{
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"(before | UINT64_C(1) << 24));
  return before;
}

static inline void denormal_restore(uint64_t before)
{
  __asm__ volatile("msr fpcr, %0" : : "r"(before));
}

#else

static inline uint64_t denormal_flush(void)
{
  return 0;
}

static inline void denormal_restore(uint64_t before)
{
  (void)before;
}

#endif

#endif
