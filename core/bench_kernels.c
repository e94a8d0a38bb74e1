// SPDX-License-Identifier: GPL-3.0-or-later
//
// How near the kernels come to the processor's peak, and how OpenBLAS does on the same products.
// The peak is measured beside every row, so that a busy machine or a falling clock does not disturb
// the share.
#include <dlfcn.h>
#include <fftw3.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cpu.h"
#include "kernels.h"
#include "random.h"

typedef void cblas_sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k,
                                  float alpha, const float *a, int a_stride, const float *b,
                                  int b_stride, float beta, float *c, int c_stride);

typedef struct {
  unsigned repeat;
  void (*row)(void *, const mw_bench_row *);
  void *context;
  cblas_sgemm_function *sgemm; // NULL: not installed
} bench;

const char *mw_kernels_name(void)
{
  return kernels_name();
}

const char *mw_libraries(void)
{
  return sf_version_string();
}

// Seconds this thread has computed: everything here runs on one thread, and on a busy machine the
// time other programs take in between is none of ours.
static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double peak_gflops(void)
{
  float kept = 0.0f;
  double begun = now();
  size_t count = cpu_path()->multiply_adds(20000, &kept);
  return 2e-9 * (double)count / (now() - begun);
}

static void find_openblas(bench *b)
{
  // plain OpenBLAS, or the libraries Debian's alternatives point to
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so"};
  for (size_t i = 0; b->sgemm == NULL && i < sizeof names / sizeof names[0]; i++) {
    void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) continue;
    void (*set_threads)(int);
    *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
    *(void **)&b->sgemm = dlsym(library, "cblas_sgemm");
    if (set_threads != NULL) set_threads(1);
  }
}

typedef struct {
  matrix *m;
  matrix_shape shape;
  size_t rows;
  float *x;
  float *y;
  float *values;
} problem;

static void problem_free(problem *p)
{
  matrix_free(p->m);
  free(p->x);
  free(p->y);
  free(p->values);
}

static mw_status problem_make(problem *p, size_t rows, matrix_shape shape, matrix_dtype dtype,
                              mw_error *error)
{
  size_t x_count =
      ((rows - 1) * shape.stride + (shape.taps - 1) * shape.dilation + 1) * shape.inputs;
  size_t w_count = shape.outputs * shape.inputs * shape.taps;
  random_stream noise;
  *p = (problem){.shape = shape, .rows = rows};
  p->x = malloc((x_count + 16) * sizeof(float));
  p->y = malloc((rows * shape.outputs + 16) * sizeof(float));
  p->values = malloc((w_count + 16) * sizeof(float));
  if (p->x == NULL || p->y == NULL || p->values == NULL) {
    problem_free(p);
    return mw_fail_memory(error, "measuring kernels");
  }
  random_seed(&noise, 1);
  random_normal(&noise, p->x, x_count + 16);
  random_normal(&noise, p->values, w_count + 16);
  mw_status status = matrix_new(&p->m, &shape, dtype, p->values, NULL, error);
  if (status != MW_OK) problem_free(p);
  return status;
}

// Best of the repetitions of each, taken in turns, so that all three meet the same disturbances.
static void measure(const bench *b, const problem *p, const char *name, const char *shape)
{
  double products = 2e-9 * (double)p->rows * (double)p->shape.outputs * (double)p->shape.inputs *
                    (double)p->shape.taps;
  unsigned runs = products < 0.02 ? (unsigned)(0.02 / products) + 1 : 1;
  double peak = 0.0;
  double ours = 1e30;
  double theirs = 1e30;
  bool plain_product = p->shape.taps == 1 && b->sgemm != NULL;
  for (unsigned i = 0; i < b->repeat; i++) {
    double found = peak_gflops();
    if (found > peak) peak = found;
    double begun = now();
    for (unsigned k = 0; k < runs; k++)
      matrix_run(p->m, p->x, p->shape.inputs, p->rows, p->y, p->shape.outputs, NULL, NULL);
    double taken = (now() - begun) / runs;
    if (taken < ours) ours = taken;
    begun = now();
    for (unsigned k = 0; plain_product && k < runs; k++)
      b->sgemm(101, 111, 112, (int)p->rows, (int)p->shape.outputs, (int)p->shape.inputs, 1.0f, p->x,
               (int)p->shape.inputs, p->values, (int)p->shape.inputs, 0.0f, p->y,
               (int)p->shape.outputs);
    taken = (now() - begun) / runs;
    if (plain_product && taken < theirs) theirs = taken;
  }
  mw_bench_row row = {name, shape, products / ours, products / ours / peak,
                      plain_product ? products / theirs : 0.0};
  b->row(b->context, &row);
}

// Products of the networks: [rows, outputs, inputs].
static mw_status measure_products(const bench *b, const char *name, matrix_dtype dtype,
                                  mw_error *error)
{
  static const size_t shapes[][3] = {
      {312, 1792, 448}, {389, 3072, 1024}, {77, 2816, 1024}, {512, 512, 512},
      {20, 2048, 512},  {20, 512, 2048},   {10, 512, 512},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    char text[64];
    problem p;
    mw_status status = problem_make(
        &p, shapes[i][0], (matrix_shape){shapes[i][1], shapes[i][2], 1, 1, 1}, dtype, error);
    if (status != MW_OK) return status;
    snprintf(text, sizeof text, "[%zu,%zu,%zu]", shapes[i][0], shapes[i][1], shapes[i][2]);
    measure(b, &p, name, text);
    problem_free(&p);
  }
  return MW_OK;
}

// Convolutions of BigVGAN's stages; the lengths are those of its tiles up to a whole 10 s clip.
static mw_status measure_convolutions(const bench *b, mw_error *error)
{
  static const struct {
    size_t channels;
    size_t taps;
    size_t dilation;
    size_t length;
  } shapes[] = {
      {1536, 3, 1, 626},   {768, 3, 1, 2504},   {768, 11, 5, 2504}, {384, 7, 3, 10016},
      {192, 11, 5, 20032}, {96, 7, 3, 40064},   {96, 3, 1, 40064},  {48, 11, 5, 80128},
      {48, 3, 1, 80128},   {24, 11, 5, 160256}, {24, 7, 3, 160256}, {24, 3, 1, 160256},
  };
  bench shorter = *b;
  shorter.repeat = b->repeat > 3 ? 3 : b->repeat;
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    char text[96];
    problem p;
    mw_status status = problem_make(&p, shapes[i].length,
                                    (matrix_shape){shapes[i].channels, shapes[i].channels,
                                                   shapes[i].taps, shapes[i].dilation, 1},
                                    MATRIX_F32, error);
    if (status != MW_OK) return status;
    snprintf(text, sizeof text, "%zu channels k%zu d%zu x %zu", shapes[i].channels, shapes[i].taps,
             shapes[i].dilation, shapes[i].length);
    measure(shapes[i].length > 2000 ? &shorter : b, &p, "conv", text);
    problem_free(&p);
  }
  return MW_OK;
}

mw_status mw_bench_kernels(unsigned repeat, void (*row)(void *context, const mw_bench_row *row),
                           void *context, mw_error *error)
{
  bench b = {.repeat = repeat > 0 ? repeat : 1, .row = row, .context = context};
  find_openblas(&b);
  mw_bench_row first = {"peak", mw_kernels_name(), 0.0, 1.0, 0.0};
  for (unsigned i = 0; i < 20; i++) {
    double found = peak_gflops();
    if (found > first.gflops) first.gflops = found;
  }
  row(context, &first);
  mw_status status = measure_products(&b, "gemm", MATRIX_F32, error);
  b.sgemm = NULL; // knows no bytes
  if (status == MW_OK && cpu_path()->tile_int8 != NULL)
    status = measure_products(&b, "int8", MATRIX_INT8, error);
  if (status == MW_OK) status = measure_convolutions(&b, error);
  return status;
}
