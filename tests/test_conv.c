// SPDX-License-Identifier: GPL-3.0-or-later
//
// Convolutions that keep the length, against sums in double precision: of every kernel, as short as
// a row, with all that may happen to a result, and for every number of threads.
#include "conv.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "random.h"

enum { ROWS_MOST = 700 };

typedef struct {
  matrix_shape shape;
  conv *c;
  arena *memory;
  float *x; // [ROWS_MOST, inputs], zeros around
  float *w;
  float *bias;
  float *factor;   // [ROWS_MOST, outputs]
  float *scale;    // [outputs]
  float *residual; // [ROWS_MOST, outputs]
  float *y;
} problem;

static problem problem_new(size_t outputs, size_t inputs, size_t taps)
{
  problem p = {.shape = {outputs, inputs, taps, 1, 1}, .memory = arena_new()};
  random_stream random;
  size_t count = outputs * inputs * taps;
  p.x = conv_rows(p.memory, ROWS_MOST, inputs);
  p.w = arena_floats(p.memory, count);
  p.bias = arena_floats(p.memory, outputs);
  p.factor = arena_floats(p.memory, ROWS_MOST * outputs);
  p.scale = arena_floats(p.memory, outputs);
  p.residual = arena_floats(p.memory, ROWS_MOST * outputs);
  p.y = arena_floats(p.memory, ROWS_MOST * outputs);
  assert_false(arena_failed(p.memory));
  random_seed(&random, 5);
  random_normal(&random, p.w, count);
  for (size_t i = 0; i < count; i++) p.w[i] /= sqrtf((float)(inputs * taps));
  random_normal(&random, p.bias, outputs);
  random_normal(&random, p.factor, ROWS_MOST * outputs);
  random_normal(&random, p.scale, outputs);
  random_normal(&random, p.residual, ROWS_MOST * outputs);
  assert_int_equal(conv_new(&p.c, &p.shape, MATRIX_F32, p.w, p.bias, NULL), MW_OK);
  return p;
}

static void problem_free(problem *p)
{
  conv_free(p->c);
  arena_free(p->memory);
}

// A signal of `rows` rows: zeros behind them.
static void fill(problem *p, size_t rows)
{
  random_stream random;
  size_t inputs = p->shape.inputs;
  random_seed(&random, 6);
  random_normal(&random, p->x, rows * inputs);
  memset(p->x + rows * inputs, 0, (ROWS_MOST - rows) * inputs * sizeof(float));
}

static void run(problem *p, size_t rows, const epilogue *after, float *y, pool *threads)
{
  size_t count = conv_scratch(p->c, rows, pool_threads(threads));
  float *scratch = aligned_alloc(64, (count * sizeof(float) + 127) / 64 * 64);
  memset(scratch, 0xff, count * sizeof(float)); // no numbers
  conv_run(p->c, p->x, rows, y, after, scratch, threads);
  free(scratch);
}

static double exact(const problem *p, size_t row, size_t output)
{
  const matrix_shape *s = &p->shape;
  const float *x = p->x + row * s->inputs - s->taps / 2 * s->inputs;
  double sum = (double)p->bias[output];
  for (size_t j = 0; j < s->taps; j++)
    for (size_t i = 0; i < s->inputs; i++)
      sum += (double)x[j * s->inputs + i] * (double)p->w[(output * s->inputs + i) * s->taps + j];
  return sum;
}

static void results_are_those_of_the_sum(void **state)
{
  (void)state;
  static const size_t shapes[][3] = {{40, 48, 1},  {33, 64, 3}, {80, 33, 3},
                                     {130, 96, 3}, {40, 48, 5}, {48, 70, 7},
                                     {64, 40, 11}, {8, 64, 3},  {72, 130, 15}};
  static const size_t lengths[] = {1, 2, 5, 6, 7, 12, 13, 100, 300};
  for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
    problem p = problem_new(shapes[k][0], shapes[k][1], shapes[k][2]);
    size_t outputs = p.shape.outputs;
    for (size_t n = 0; n < sizeof lengths / sizeof lengths[0]; n++) {
      size_t rows = lengths[n];
      fill(&p, rows);
      run(&p, rows, NULL, p.y, NULL);
      for (size_t row = 0; row < rows; row += row + 9 < rows ? 7 : 1)
        for (size_t o = 0; o < outputs; o += 5) {
          double wanted = exact(&p, row, o);
          if (!(fabs((double)p.y[row * outputs + o] - wanted) < 1e-5)) // results are about 1
            fail_msg("%zu taps, %zu rows: row %zu, output %zu is %g, wanted %g", p.shape.taps, rows,
                     row, o, (double)p.y[row * outputs + o], wanted);
        }
    }
    problem_free(&p);
  }
}

static void what_happens_to_a_result_happens(void **state)
{
  (void)state;
  for (size_t taps = 3; taps <= 11; taps += 4) {
    problem p = problem_new(70, 48, taps);
    size_t outputs = p.shape.outputs;
    size_t rows = 91;
    fill(&p, rows);
    memcpy(p.y, p.residual, rows * outputs * sizeof(float)); // the residual is where results go
    epilogue after = {.act = ACTIVATION_SILU,
                      .factor = p.factor,
                      .factor_stride = outputs,
                      .scale = p.scale,
                      .residual = p.y,
                      .residual_stride = outputs};
    run(&p, rows, &after, p.y, NULL);
    for (size_t row = 0; row < rows; row++)
      for (size_t o = 0; o < outputs; o++) {
        size_t at = row * outputs + o;
        double sum = exact(&p, row, o);
        double wanted = (double)p.residual[at] +
                        (double)p.scale[o] * sum / (1.0 + exp(-sum)) * (double)p.factor[at];
        if (!(fabs((double)p.y[at] - wanted) < 3e-5)) // factors and scales are up to 4 each
          fail_msg("%zu taps: row %zu, output %zu is %g, wanted %g", taps, row, o, (double)p.y[at],
                   wanted);
      }
    problem_free(&p);
  }
}

static void threads_change_no_bit(void **state)
{
  (void)state;
  pool *threads = pool_new(3);
  for (size_t taps = 3; taps <= 11; taps += 4) {
    problem p = problem_new(96, 80, taps);
    size_t outputs = p.shape.outputs;
    float *found = arena_floats(p.memory, ROWS_MOST * outputs);
    fill(&p, ROWS_MOST);
    run(&p, ROWS_MOST, NULL, p.y, NULL);
    run(&p, ROWS_MOST, NULL, found, threads);
    assert_memory_equal(p.y, found, ROWS_MOST * outputs * sizeof(float));
    problem_free(&p);
  }
  pool_free(threads);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(results_are_those_of_the_sum),
      cmocka_unit_test(what_happens_to_a_result_happens),
      cmocka_unit_test(threads_change_no_bit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
