// SPDX-License-Identifier: GPL-3.0-or-later
//
// Convolutions through values at points, on every path of this machine that has them, against sums
// in double precision.
#include "toom.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpu.h"
#include "kernels_path.h"
#include "random.h"

typedef struct {
  matrix_shape shape;
  size_t rows;
  size_t blocks;
  toom *t;
  float *x; // [blocks and what they read, inputs]
  float *w;
  float *bias;
  float *residual;
  float *y;
} problem;

static size_t round_up(size_t count)
{
  return (count * sizeof(float) + 63) / 64 * 64;
}

static problem problem_new(const kernels_path *path, matrix_shape shape, size_t rows)
{
  problem p = {.shape = shape, .rows = rows};
  random_stream random;
  size_t weights_count = shape.outputs * shape.inputs * shape.taps;
  size_t results = rows * shape.outputs;
  p.w = malloc(weights_count * sizeof(float));
  p.bias = malloc((shape.outputs + 16) * sizeof(float));
  p.residual = malloc((results + 16) * sizeof(float));
  p.y = calloc(results, sizeof(float));
  random_seed(&random, 11);
  random_normal(&random, p.w, weights_count);
  for (size_t i = 0; i < weights_count; i++) p.w[i] /= sqrtf((float)(shape.inputs * shape.taps));
  random_normal(&random, p.bias, shape.outputs + 16);
  random_normal(&random, p.residual, results + 16);
  assert_int_equal(toom_new_on(path, &p.t, &shape, p.w, p.bias, NULL), MW_OK);
  p.blocks = (rows + toom_block(p.t) - 1) / toom_block(p.t);
  size_t read = p.blocks * toom_block(p.t) + (shape.taps - 1) * shape.dilation + toom_spare(p.t);
  p.x = malloc((read * shape.inputs + 16) * sizeof(float));
  random_normal(&random, p.x, read * shape.inputs + 16);
  return p;
}

static void problem_free(problem *p)
{
  toom_free(p->t);
  free(p->x);
  free(p->w);
  free(p->bias);
  free(p->residual);
  free(p->y);
}

// Inputs in pieces of `piece` blocks.
static void run(const problem *p, size_t piece, const epilogue *after, float *y, pool *threads)
{
  const toom *t = p->t;
  float *values = aligned_alloc(64, round_up(toom_values(t, p->blocks)));
  float *room = aligned_alloc(64, round_up(toom_room(t) * pool_threads(threads)));
  for (size_t strip = 0; strip < toom_strips(t); strip++)
    for (size_t first = 0; first < p->blocks; first += piece) {
      size_t column;
      size_t width;
      size_t count = p->blocks - first < piece ? p->blocks - first : piece;
      toom_strip(t, strip, &column, &width);
      toom_forward(t, strip, p->x + first * toom_block(t) * p->shape.inputs + column,
                   p->shape.inputs, first, count, p->blocks, values);
    }
  toom_back(t, values, p->blocks, p->rows, after, y, room, threads);
  free(values);
  free(room);
}

static double exact(const problem *p, size_t row, size_t output)
{
  const matrix_shape *s = &p->shape;
  double sum = (double)p->bias[output] + (double)p->residual[row * s->outputs + output];
  for (size_t j = 0; j < s->taps; j++)
    for (size_t i = 0; i < s->inputs; i++)
      sum += (double)p->x[(row + j * s->dilation) * s->inputs + i] *
             (double)p->w[(output * s->inputs + i) * s->taps + j];
  return sum;
}

static void expect(const problem *p, const kernels_path *path, size_t row, size_t output,
                   double wanted, double tolerance)
{
  double found = (double)p->y[row * p->shape.outputs + output];
  if (!(fabs(found - wanted) < tolerance))
    fail_msg("%s: %zu taps, dilation %zu: row %zu, output %zu is %g, wanted %g", path->name,
             p->shape.taps, p->shape.dilation, row, output, found, wanted);
}

static void results_are_those_of_the_sum(void **state)
{
  (void)state;
  static const struct {
    matrix_shape shape;
    size_t rows;
  } shapes[] = {
      {{48, 48, 3, 1, 1}, 31},  {{24, 40, 3, 3, 1}, 18},  {{96, 80, 3, 5, 1}, 77},
      {{48, 64, 7, 1, 1}, 13},  {{56, 48, 7, 3, 1}, 100}, {{33, 72, 7, 5, 1}, 61},
      {{80, 130, 11, 1, 1}, 9}, {{24, 24, 11, 3, 1}, 50}, {{48, 48, 11, 5, 1}, 1},
  };
  size_t paths = 0;
  for (size_t which = 0; cpu_path_at(which) != NULL; which++) {
    const kernels_path *path = cpu_path_at(which);
    if (path->toom_back == NULL) continue;
    paths++;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
      problem p = problem_new(path, shapes[i].shape, shapes[i].rows);
      size_t outputs = p.shape.outputs;
      epilogue after = {.residual = p.residual, .residual_stride = outputs};
      run(&p, p.blocks, &after, p.y, NULL);
      for (size_t row = 0; row < p.rows; row++)
        for (size_t o = 0; o < outputs; o += 7)
          // results are about 1; points cost a digit of float32
          expect(&p, path, row, o, exact(&p, row, o), 1e-5);
      // the same with more to do, the residual being where results go
      memcpy(p.y, p.residual, p.rows * outputs * sizeof(float));
      after = (epilogue){.act = ACTIVATION_RELU, .residual = p.y, .residual_stride = outputs};
      run(&p, p.blocks, &after, p.y, NULL);
      for (size_t row = 0; row < p.rows; row++)
        for (size_t o = 0; o < outputs; o += 7) {
          double residual = (double)p.residual[row * outputs + o];
          expect(&p, path, row, o, residual + fmax(exact(&p, row, o) - residual, 0.0), 1e-5);
        }
      problem_free(&p);
    }
  }
  assert_true(paths > 0 || cpu_path()->toom_back == NULL);
}

static void pieces_and_threads_change_no_bit(void **state)
{
  (void)state;
  matrix_shape shape = {96, 96, 11, 3, 1};
  if (!toom_fits(&shape)) skip();
  problem p = problem_new(cpu_path(), shape, 5000); // more groups than a part holds
  size_t count = p.rows * shape.outputs;
  float *found = calloc(count, sizeof(float));
  pool *threads = pool_new(3);
  run(&p, p.blocks, NULL, p.y, NULL);
  run(&p, 7, NULL, found, threads);
  assert_memory_equal(p.y, found, count * sizeof(float));
  // a shorter signal's rows are the same
  problem shorter = p;
  shorter.rows = 1001;
  shorter.blocks = (shorter.rows + toom_block(p.t) - 1) / toom_block(p.t);
  memset(found, 0, count * sizeof(float));
  run(&shorter, 5, NULL, found, threads);
  assert_memory_equal(p.y, found, shorter.rows * shape.outputs * sizeof(float));
  pool_free(threads);
  free(found);
  problem_free(&p);
}

static void other_shapes_do_not_fit(void **state)
{
  (void)state;
  static const matrix_shape others[] = {
      {96, 96, 1, 1, 1}, {96, 96, 5, 1, 1}, {96, 96, 3, 1, 2}, {1, 96, 7, 1, 1}, {96, 4, 7, 1, 1}};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) assert_false(toom_fits(&others[i]));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(results_are_those_of_the_sum),
      cmocka_unit_test(pieces_and_threads_change_no_bit),
      cmocka_unit_test(other_shapes_do_not_fit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
