// SPDX-License-Identifier: GPL-3.0-or-later
#include "fft.h"

#include <fftw3.h>
#include <pthread.h>
#include <stdlib.h>

struct fft {
  size_t size;
  float *samples;
  fftwf_complex *bins;
  fftwf_plan forward;
  fftwf_plan inverse;
};

static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;

mw_status fft_new(fft **made, size_t size, mw_error *error)
{
  if (size < 2 || size % 2 != 0 || size > 1 << 24)
    return mw_fail(error, MW_ERROR_ARGUMENT, "a transform of %zu samples is not possible", size);
  fft *f = calloc(1, sizeof *f);
  if (f == NULL) return mw_fail_memory(error, "planning a transform");
  f->size = size;
  f->samples = fftwf_alloc_real(size);
  f->bins = fftwf_alloc_complex(size / 2 + 1);
  if (f->samples != NULL && f->bins != NULL) {
    pthread_mutex_lock(&planner);
    f->forward = fftwf_plan_dft_r2c_1d((int)size, f->samples, f->bins, FFTW_ESTIMATE);
    f->inverse = fftwf_plan_dft_c2r_1d((int)size, f->bins, f->samples, FFTW_ESTIMATE);
    pthread_mutex_unlock(&planner);
  }
  if (f->forward == NULL || f->inverse == NULL) {
    fft_free(f);
    return mw_fail_memory(error, "planning a transform");
  }
  *made = f;
  return MW_OK;
}

void fft_free(fft *f)
{
  if (f == NULL) return;
  pthread_mutex_lock(&planner);
  if (f->forward != NULL) fftwf_destroy_plan(f->forward);
  if (f->inverse != NULL) fftwf_destroy_plan(f->inverse);
  pthread_mutex_unlock(&planner);
  if (f->samples != NULL) fftwf_free(f->samples);
  if (f->bins != NULL) fftwf_free(f->bins);
  free(f);
}

size_t fft_size(const fft *f)
{
  return f->size;
}

float *fft_samples(fft *f)
{
  return f->samples;
}

float *fft_bins(fft *f)
{
  return (float *)f->bins;
}

void fft_forward(fft *f)
{
  fftwf_execute(f->forward);
}

void fft_inverse(fft *f)
{
  fftwf_execute(f->inverse);
  float scale = 1.0f / (float)f->size;
  for (size_t i = 0; i < f->size; i++) f->samples[i] *= scale;
}
