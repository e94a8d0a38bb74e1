// SPDX-License-Identifier: GPL-3.0-or-later
//
// Meanwave's public interface: voice conversion (MeanVC) and text to audio (MeanAudio).
//
// Errors: functions that can fail return mw_status (MW_OK is 0) and, when `error` is not NULL,
// leave one line in it: what failed, on which file, what to do. Nothing here prints.
// Threads: an object is used by one thread at a time unless its comment says otherwise.
// Units: samples are float, full scale -1..1; rates in Hz; a frame is one sample of every channel.
#ifndef MEANWAVE_H
#define MEANWAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MW_API __attribute__((visibility("default")))

typedef enum {
  MW_OK = 0,
  MW_ERROR_IO,        // a file or device failed while reading or writing
  MW_ERROR_FORMAT,    // a file is not what its reader expects: broken, truncated, hostile
  MW_ERROR_ARGUMENT,  // a value the caller gave is out of range
  MW_ERROR_MODEL,     // a model is missing, incomplete or of another kind
  MW_ERROR_MEMORY,    // the system gave no memory
  MW_ERROR_CANCELLED, // the caller asked to stop
} mw_status;

typedef struct {
  char text[512]; // one line, NUL-terminated, UTF-8
} mw_error;

// Short fixed name of a status ("out of memory"). Any thread.
MW_API const char *mw_status_name(mw_status status);

// The kernels this machine runs ("avx512", ...), and the libraries built in. Any thread.
MW_API const char *mw_kernels_name(void);
MW_API const char *mw_libraries(void);

// ---- Benchmarks ----

typedef struct {
  const char *name;       // "peak", "gemm" or "conv"
  const char *shape;      // "[M,N,K]" or "channels x kernel x dilation x length"
  double gflops;          // 2 M N K per second, one thread
  double share_of_peak;   // of the fused multiply-add peak measured beside it
  double openblas_gflops; // the same product by OpenBLAS, one thread; 0 when it is not installed
} mw_bench_row;

// Measures the peak first, then every shape as the best of `repeat` timings, and calls `row` for
// each. Not real time.
MW_API mw_status mw_bench_kernels(unsigned repeat,
                                  void (*row)(void *context, const mw_bench_row *row),
                                  void *context, mw_error *error);

#endif
