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

// ---- Model files ----
//
// Any file of weights: safetensors, our bundles, PyTorch and TorchScript archives. Not real time.

typedef struct mw_model_file mw_model_file;

typedef struct {
  const char *name;
  const char *type; // "F32", "F16", "BF16", "I8", ...
  unsigned rank;
  size_t shape[8]; // [shape[0], ..., shape[rank - 1]]
  size_t bytes;
} mw_tensor_info;

MW_API mw_status mw_model_file_open(mw_model_file **opened, const char *path, mw_error *error);
MW_API void mw_model_file_close(mw_model_file *file); // NULL is fine
MW_API size_t mw_model_file_count(const mw_model_file *file);
MW_API bool mw_model_file_tensor(const mw_model_file *file, size_t index, mw_tensor_info *info);
// Which network it is, told by its tensors: "meanvc", "meanaudio-s", ...; NULL when none is known.
// Full size: in the shapes of the official file, else a smaller or larger relative.
MW_API const char *mw_model_file_kind(const mw_model_file *file);
MW_API bool mw_model_file_is_full_size(const mw_model_file *file);
// Of a bundle: "family", "name", "licence", "config", "parts", "source", "source_sha256"; or NULL.
MW_API const char *mw_model_file_metadata(const mw_model_file *file, const char *key);
// Calls `say` with a line for each tensor that a file of full size lacks or has too many; returns
// how many lines.
typedef void (*mw_say)(void *context, const char *line);
MW_API size_t mw_model_file_problems(const mw_model_file *file, mw_say say, void *context);

typedef enum { MW_WEIGHTS_F32, MW_WEIGHTS_F16, MW_WEIGHTS_BF16, MW_WEIGHTS_INT8 } mw_weight_type;

typedef struct {
  const char *const *paths; // weights, and at most one *.json with the configuration
  size_t count;
  const char *output;
  const char *name;    // NULL: that of the source
  const char *licence; // NULL: that of the source
  mw_weight_type type; // of matrices
  bool overwrite;
} mw_model_import;

// Writes one bundle of all the files: one file keeps its tensors' names, several get the prefix of
// their part ("decoder.", "encoder.", "vocoder.", "speaker.", "flow.", "text.", "clap.", "vae.").
// `output` is either what it was or whole, whenever the program ends.
MW_API mw_status mw_models_import(const mw_model_import *wish, mw_error *error);

// ---- Voice conversion ----

typedef struct {
  const char *model_path;   // a voice bundle, or a folder of MeanVC's published files
  const char *vocoder_path; // a vocoder bundle; not used with a folder
  const char *voice; // a voice of the bundle by name, or a recording (a path with a dot or a slash)
  unsigned steps;    // of mean flow, 1 to 16
  uint64_t seed;     // the same seed gives the same bits
} mw_conversion;

// Converts a sound file: any rate and number of channels in; one channel of the same rate and
// length out, in time with the input. Not real time.
MW_API mw_status mw_convert_file(const mw_conversion *how, const char *in_path,
                                 const char *out_path, bool overwrite, mw_error *error);

// Calls `voice` for each voice of a bundle, in the file's order.
MW_API mw_status mw_list_voices(const char *model_path,
                                void (*voice)(void *context, const char *name), void *context,
                                mw_error *error);

// ---- Vocoder ----

// Reads a sound file, takes its mel spectrogram and makes it sound again with the vocoder of
// `model_path` (our bundle or the published vocos.pt): how good conversion and generation can get
// at best. Any rate and number of channels in; one channel of the same rate and length out. Not
// real time.
MW_API mw_status mw_copy_synthesis(const char *model_path, const char *in_path,
                                   const char *out_path, bool overwrite, mw_error *error);

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

typedef struct {
  const char *name; // "analysis", "encoder", "decoder", "vocoder", "total"
  double rtf;       // processor time over sound time, one thread
  double median_ms; // of a chunk
  double p999_ms;
} mw_bench_stage;

// MeanVC at its published sizes with weights by formula: chunks of 200 ms, one step, a prompt of
// 500 frames. Calls `row` for each stage. Not real time.
MW_API mw_status mw_bench_voice(unsigned chunks,
                                void (*row)(void *context, const mw_bench_stage *row),
                                void *context, mw_error *error);

#endif
