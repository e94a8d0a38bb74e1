// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every path this machine can run, against double precision and against the plain path, on random
// shapes with ragged edges.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cpu.h"
#include "random.h"

static random_stream noise;

static float *random_floats(size_t count)
{
  float *values = malloc((count + 16) * sizeof(float));
  assert_non_null(values);
  random_normal(&noise, values, count + 16);
  return values;
}

static size_t below(size_t limit)
{
  return random_next(&noise) % limit;
}

static void expect_near(const float *found, const float *wanted, size_t count, double tolerance,
                        const char *what)
{
  double largest = 1e-6;
  for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)wanted[i]));
  for (size_t i = 0; i < count; i++)
    if (!(fabs((double)found[i] - (double)wanted[i]) <= tolerance * largest))
      fail_msg("%s: value %zu is %.9g, wanted %.9g (largest %g)", what, i, (double)found[i],
               (double)wanted[i], largest);
}

static double exact_activation(activation act, double x)
{
  switch (act) {
  case ACTIVATION_NONE: return x;
  case ACTIVATION_RELU: return fmax(x, 0.0);
  case ACTIVATION_SILU: return x / (1.0 + exp(-x));
  case ACTIVATION_GELU_ERF: return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
  case ACTIVATION_GELU_TANH:
    return 0.5 * x * (1.0 + tanh(sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
  case ACTIVATION_SELU: return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
  case ACTIVATION_TANH: return tanh(x);
  case ACTIVATION_SIGMOID: return 1.0 / (1.0 + exp(-x));
  }
  return NAN;
}

typedef struct {
  matrix_shape shape;
  size_t rows;
  size_t x_rows;
  float *values;
  float *bias;
  float *x;
  float *extra; // [rows, outputs]: factor and residual
} problem;

static problem make_problem(size_t rows, size_t outputs, size_t inputs, size_t taps,
                            size_t dilation, size_t stride)
{
  problem p = {.shape = {outputs, inputs, taps, dilation, stride}, .rows = rows};
  p.x_rows = (rows - 1) * stride + (taps - 1) * dilation + 1;
  p.values = random_floats(outputs * inputs * taps);
  // sums of about 1, so that their error does not grow with the depth
  for (size_t i = 0; i < outputs * inputs * taps; i++) p.values[i] /= sqrtf((float)(inputs * taps));
  p.bias = random_floats(outputs);
  p.x = random_floats(p.x_rows * inputs);
  p.extra = random_floats(rows * outputs);
  return p;
}

static void free_problem(problem *p)
{
  free(p->values);
  free(p->bias);
  free(p->x);
  free(p->extra);
}

static void exact_result(const problem *p, activation act, float *y)
{
  const matrix_shape *s = &p->shape;
  for (size_t r = 0; r < p->rows; r++)
    for (size_t o = 0; o < s->outputs; o++) {
      double sum = p->bias[o];
      for (size_t i = 0; i < s->inputs; i++)
        for (size_t j = 0; j < s->taps; j++)
          sum += (double)p->values[(o * s->inputs + i) * s->taps + j] *
                 (double)p->x[(r * s->stride + j * s->dilation) * s->inputs + i];
      double extra = p->extra[r * s->outputs + o];
      y[r * s->outputs + o] =
          (float)(exact_activation(act, sum) * extra * (double)p->bias[o] + extra);
    }
}

// Float sums of a few hundred products differ from double by a few 1e-7 of the largest.
static void matrices_equal_double_precision(void **state)
{
  (void)state;
  for (int round = 0; round < 60; round++) {
    size_t taps = round % 3 == 0 ? 1 + below(11) : 1;
    problem p = make_problem(1 + below(90), 1 + below(150), 1 + below(round % 5 == 0 ? 600 : 90),
                             taps, 1 + below(5), 1 + below(2));
    activation act = (activation)(round % 8);
    size_t count = p.rows * p.shape.outputs;
    float *wanted = malloc(count * sizeof(float));
    float *found = malloc(count * sizeof(float));
    matrix *m = NULL;
    exact_result(&p, act, wanted);
    assert_int_equal(matrix_new(&m, &p.shape, MATRIX_F32, p.values, p.bias, NULL), MW_OK);
    epilogue after = {.act = act,
                      .factor = p.extra,
                      .factor_stride = p.shape.outputs,
                      .scale = p.bias,
                      .residual = p.extra,
                      .residual_stride = p.shape.outputs};
    for (size_t k = 0; cpu_path_at(k) != NULL; k++) {
      matrix_run_on(cpu_path_at(k), m, p.x, p.shape.inputs, p.rows, found, p.shape.outputs, &after,
                    NULL);
      expect_near(found, wanted, count, 3e-6, cpu_path_at(k)->name);
    }
    matrix_free(m);
    free(wanted);
    free(found);
    free_problem(&p);
  }
}

// Streaming equals whole-file only because of this.
static void a_row_does_not_depend_on_its_neighbours_or_threads(void **state)
{
  (void)state;
  pool *workers = pool_new(3);
  for (int round = 0; round < 40; round++) {
    problem p = make_problem(2 + below(120), 1 + below(200), 1 + below(700), 1 + below(3), 1, 1);
    matrix_dtype dtype = round % 2 == 0 ? MATRIX_F32 : MATRIX_INT8;
    size_t width = p.shape.outputs;
    float *whole = malloc(p.rows * width * sizeof(float));
    float *part = malloc(p.rows * width * sizeof(float));
    matrix *m = NULL;
    assert_int_equal(matrix_new(&m, &p.shape, dtype, p.values, p.bias, NULL), MW_OK);
    for (size_t k = 0; cpu_path_at(k) != NULL; k++) {
      const kernels_path *path = cpu_path_at(k);
      if (dtype == MATRIX_INT8 && path->tile_int8 == NULL) continue;
      matrix_run_on(path, m, p.x, p.shape.inputs, p.rows, whole, width, NULL, workers);
      for (size_t row = 0; row < p.rows;) {
        size_t rows = 1 + below(p.rows - row);
        matrix_run_on(path, m, p.x + row * p.shape.inputs, p.shape.inputs, rows, part + row * width,
                      width, NULL, NULL);
        row += rows;
      }
      assert_memory_equal(whole, part, p.rows * width * sizeof(float));
    }
    matrix_free(m);
    free(whole);
    free(part);
    free_problem(&p);
  }
  pool_free(workers);
}

// Eight-bit products against double precision: weights and inputs are off by up to half a step, a
// 127th of the largest of an output, or of a row's 128 inputs. All paths find the same whole
// numbers and add them as floats.
static void int8_matrices_err_as_their_rounding(void **state)
{
  (void)state;
  for (int round = 0; round < 40; round++) {
    size_t taps = round % 3 == 0 ? 1 + below(7) : 1;
    problem p = make_problem(1 + below(90), 1 + below(150), 1 + below(round % 5 == 0 ? 1200 : 90),
                             taps, 1 + below(3), 1 + below(2));
    size_t count = p.rows * p.shape.outputs;
    float *wanted = malloc(count * sizeof(float));
    float *found = malloc(count * sizeof(float));
    float *plain = malloc(count * sizeof(float));
    matrix *full = NULL;
    matrix *m = NULL;
    assert_int_equal(matrix_new(&full, &p.shape, MATRIX_F32, p.values, p.bias, NULL), MW_OK);
    assert_int_equal(matrix_new(&m, &p.shape, MATRIX_INT8, p.values, p.bias, NULL), MW_OK);
    if (p.shape.inputs >= 32 && p.shape.outputs >= 32)
      assert_true(matrix_bytes(m) < matrix_bytes(full) * 4 / 10);
    matrix_run_on(&kernels_plain, full, p.x, p.shape.inputs, p.rows, wanted, p.shape.outputs, NULL,
                  NULL);
    matrix_run_on(&kernels_plain, m, p.x, p.shape.inputs, p.rows, plain, p.shape.outputs, NULL,
                  NULL);
    expect_near(plain, wanted, count, 1.5e-2, "int8");
    for (size_t k = 1; cpu_path_at(k) != NULL; k++) {
      if (cpu_path_at(k)->tile_int8 == NULL) continue;
      matrix_run_on(cpu_path_at(k), m, p.x, p.shape.inputs, p.rows, found, p.shape.outputs, NULL,
                    NULL);
      expect_near(found, plain, count, 2e-6, cpu_path_at(k)->name);
    }
    matrix_free(full);
    matrix_free(m);
    free(wanted);
    free(found);
    free(plain);
    free_problem(&p);
  }
}

static void matrices_without_inputs_are_refused(void **state)
{
  (void)state;
  matrix *m = NULL;
  float value = 0.0f;
  assert_int_not_equal(
      matrix_new(&m, &(matrix_shape){4, 0, 1, 1, 1}, MATRIX_F32, &value, NULL, NULL), MW_OK);
  assert_int_not_equal(
      matrix_new(&m, &(matrix_shape){4, 1, 0, 1, 1}, MATRIX_F32, &value, NULL, NULL), MW_OK);
  assert_int_not_equal(
      matrix_new(&m, &(matrix_shape){SIZE_MAX / 8, 64, 1, 1, 1}, MATRIX_F32, &value, NULL, NULL),
      MW_OK);
}

static void attention_equals_double_precision(void **state)
{
  (void)state;
  for (int round = 0; round < 24; round++) {
    size_t heads = 1 + below(3);
    size_t size = 2 + below(70);
    size_t queries = 1 + below(40);
    size_t keys = 1 + below(150);
    size_t width = heads * size;
    float *q = random_floats(queries * width);
    float *k = random_floats(keys * width);
    float *v = random_floats(keys * width);
    float *bias = random_floats(heads * queries * keys);
    float *found = malloc(queries * width * sizeof(float));
    float *wanted = malloc(queries * width * sizeof(float));
    for (size_t i = 0; i < heads * queries * keys; i += 3)
      if (keys > 3 && i % keys != 1) bias[i] = -INFINITY;
    double scale = 1.0 / sqrt((double)size);
    for (size_t h = 0; h < heads; h++)
      for (size_t i = 0; i < queries; i++) {
        double total = 0.0;
        double sum[80] = {0.0};
        for (size_t j = 0; j < keys; j++) {
          double score = 0.0;
          for (size_t d = 0; d < size; d++)
            score += (double)q[i * width + h * size + d] * (double)k[j * width + h * size + d];
          double weight = exp(score * scale + (double)bias[(h * queries + i) * keys + j]);
          total += weight;
          for (size_t d = 0; d < size; d++) sum[d] += weight * (double)v[j * width + h * size + d];
        }
        for (size_t d = 0; d < size; d++)
          wanted[i * width + h * size + d] = (float)(sum[d] / total);
      }
    attention a = {.heads = heads,
                   .head_size = size,
                   .queries = queries,
                   .keys = keys,
                   .q = q,
                   .q_stride = width,
                   .k = k,
                   .k_stride = width,
                   .v = v,
                   .v_stride = width,
                   .scale = (float)scale,
                   .bias = bias,
                   .bias_head_stride = queries * keys,
                   .bias_query_stride = keys,
                   .out = found,
                   .out_stride = width};
    a.scratch = malloc(attention_scratch(queries, keys, size) * sizeof(float));
    for (size_t p = 0; cpu_path_at(p) != NULL; p++) {
      attention_run_on(cpu_path_at(p), &a, NULL);
      expect_near(found, wanted, queries * width, 3e-6, cpu_path_at(p)->name);
    }
    free(a.scratch);
    free(q);
    free(k);
    free(v);
    free(bias);
    free(found);
    free(wanted);
  }
}

static void activations_equal_double_precision(void **state)
{
  (void)state;
  enum { COUNT = 4001 };
  float *x = malloc(COUNT * sizeof(float));
  for (size_t p = 0; cpu_path_at(p) != NULL; p++) {
    for (activation act = ACTIVATION_NONE; act <= ACTIVATION_SIGMOID; act++) {
      for (int i = 0; i < COUNT; i++) x[i] = (float)(i - COUNT / 2) * 0.01f;
      cpu_path_at(p)->activate(act, x, COUNT);
      for (int i = 0; i < COUNT; i++) {
        double wanted = exact_activation(act, (double)((float)(i - COUNT / 2) * 0.01f));
        if (fabs((double)x[i] - wanted) > 4e-7 * fmax(1.0, fabs(wanted)))
          fail_msg("%s: activation %d at %g: %.9g, wanted %.9g", cpu_path_at(p)->name, (int)act,
                   (i - COUNT / 2) * 0.01, (double)x[i], wanted);
      }
    }
    float extreme[4] = {-1e30f, 1e30f, -200.0f, 200.0f};
    cpu_path_at(p)->activate(ACTIVATION_SILU, extreme, 4);
    assert_true(fabsf(extreme[0]) < 1e-6f && extreme[1] == 1e30f && extreme[3] == 200.0f);
  }
  free(x);
}

// The fast paths against the plain one: only the order of float sums differs.
static void row_kernels_equal_the_plain_path(void **state)
{
  (void)state;
  for (int round = 0; round < 30; round++) {
    size_t rows = 1 + below(9);
    size_t width = 1 + below(100);
    size_t taps = 1 + below(9);
    float *x = random_floats((rows + 2 * taps) * 2 * width);
    float *gain = random_floats(width);
    float *bias = random_floats(width);
    float *w = random_floats(taps * width);
    float *wanted = malloc(rows * width * sizeof(float));
    float *found = malloc(rows * width * sizeof(float));
    size_t bytes = rows * width * sizeof(float);
    for (size_t k = 1; cpu_path_at(k) != NULL; k++) {
      const kernels_path *p = cpu_path_at(k);
      kernels_plain.layer_norm(x, width, rows, width, gain, bias, 1e-5f, wanted, width);
      p->layer_norm(x, width, rows, width, gain, bias, 1e-5f, found, width);
      expect_near(found, wanted, rows * width, 2e-6, "layer_norm");
      kernels_plain.rms_norm(x, width, rows, width, gain, 1e-6f, wanted, width);
      p->rms_norm(x, width, rows, width, gain, 1e-6f, found, width);
      expect_near(found, wanted, rows * width, 2e-6, "rms_norm");
      kernels_plain.glu_rows(x, 2 * width, rows, width, wanted, width);
      p->glu_rows(x, 2 * width, rows, width, found, width);
      expect_near(found, wanted, rows * width, 1e-6, "glu_rows");
      kernels_plain.depthwise(w, bias, taps, 2, x, width, rows, width, wanted, width);
      p->depthwise(w, bias, taps, 2, x, width, rows, width, found, width);
      expect_near(found, wanted, rows * width, 1e-6, "depthwise");
      memcpy(wanted, x, bytes);
      memcpy(found, x, bytes);
      kernels_plain.softmax_rows(wanted, width, rows, width);
      p->softmax_rows(found, width, rows, width);
      expect_near(found, wanted, rows * width, 2e-6, "softmax_rows");
    }
    free(x);
    free(gain);
    free(bias);
    free(w);
    free(wanted);
    free(found);
  }
}

static void the_snake_is_the_same_whole_and_in_tiles(void **state)
{
  (void)state;
  static const float taps[12] = {0.0020289647f,  0.0093894657f,  -0.0255434588f, -0.0576573834f,
                                 0.1285725832f,  0.4432097941f,  0.4432097941f,  0.1285725832f,
                                 -0.0576573834f, -0.0255434588f, 0.0093894657f,  0.0020289647f};
  enum { LENGTH = 53, CHANNELS = 27 };
  float *x = random_floats(LENGTH * CHANNELS);
  float *wanted = malloc(LENGTH * CHANNELS * sizeof(float));
  float *found = malloc(LENGTH * CHANNELS * sizeof(float));
  float frequency[CHANNELS];
  float amplitude[CHANNELS];
  for (int c = 0; c < CHANNELS; c++) {
    frequency[c] = expf((float)c * 0.2f - 2.0f); // arguments up to about 100
    amplitude[c] = 1.0f / frequency[c];
  }
  snake_antialias s = {CHANNELS, frequency, amplitude, taps, taps};
  kernels_plain.snake(&s, x, CHANNELS, 0, LENGTH, LENGTH, wanted, CHANNELS);
  for (size_t k = 0; cpu_path_at(k) != NULL; k++) {
    for (size_t row = 0; row < LENGTH;) {
      size_t rows = 1 + below(LENGTH - row);
      cpu_path_at(k)->snake(&s, x + row * CHANNELS, CHANNELS, row, rows, LENGTH,
                            found + row * CHANNELS, CHANNELS);
      row += rows;
    }
    // float arguments of 100 hold an error of 4e-6 before the sine already
    expect_near(found, wanted, LENGTH * CHANNELS, 1e-5, cpu_path_at(k)->name);
  }
  // signals so short that every value meets an edge
  for (size_t length = 1; length < 9; length++) {
    kernels_plain.snake(&s, x, CHANNELS, 0, length, length, wanted, CHANNELS);
    for (size_t k = 1; cpu_path_at(k) != NULL; k++) {
      cpu_path_at(k)->snake(&s, x, CHANNELS, 0, length, length, found, CHANNELS);
      expect_near(found, wanted, length * CHANNELS, 1e-5, "short signal");
    }
  }
  free(x);
  free(wanted);
  free(found);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(matrices_equal_double_precision),
      cmocka_unit_test(a_row_does_not_depend_on_its_neighbours_or_threads),
      cmocka_unit_test(int8_matrices_err_as_their_rounding),
      cmocka_unit_test(matrices_without_inputs_are_refused),
      cmocka_unit_test(attention_equals_double_precision),
      cmocka_unit_test(activations_equal_double_precision),
      cmocka_unit_test(row_kernels_equal_the_plain_path),
      cmocka_unit_test(the_snake_is_the_same_whole_and_in_tiles),
  };
  random_seed(&noise, 1);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
