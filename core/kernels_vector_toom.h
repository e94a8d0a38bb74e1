// SPDX-License-Identifier: GPL-3.0-or-later
//
// Evaluation of short convolutions (toom.c), for any instruction set: included by a path's file
// after kernels_vector.h. Sizes are constants where the functions are called, so everything
// unrolls.

// Four points 0, 1, -1 and infinity of four neighbouring evaluations.
INLINE void toom_outer_forward(vec made[4][TOOM_POINTS], size_t p, vec *out)
{
  out[0] = made[2][p] - made[0][p];
  out[1] = made[1][p] + made[2][p];
  out[2] = made[2][p] - made[1][p];
  out[3] = made[3][p] - made[1][p];
}

// matrix [n, n] times n vectors
INLINE void toom_times(const float *m, size_t rows, const size_t count, const vec *x, vec *y)
{
#pragma GCC unroll 8
  for (size_t p = 0; p < rows; p++) {
    vec sum = v_set(m[p * count]) * x[0];
#pragma GCC unroll 8
    for (size_t j = 1; j < count; j++) sum = v_fma(v_set(m[p * count + j]), x[j], sum);
    y[p] = sum;
  }
}

INLINE void toom_forward_with(const toom_forward_job *job, const size_t n, const size_t step,
                              const size_t tiles)
{
  const float *forward = job->scheme->forward;
  FOR_COLUMNS(c, lanes, job->columns)
  {
    vec made[4][TOOM_POINTS];
    float *to = job->values + c;
#pragma GCC unroll 4
    for (size_t tile = 0; tile < tiles; tile++) {
      vec x[TOOM_POINTS];
      const float *from = job->x + tile * step * job->x_stride + c;
#pragma GCC unroll 8
      for (size_t j = 0; j < n; j++) x[j] = v_get(from + j * job->x_stride, lanes);
      toom_times(forward, n, n, x, made[tile]);
    }
    for (size_t p = 0; p < n; p++) {
      vec out[4];
      if (tiles == 1) {
        v_put(to + p * job->point_stride, lanes, made[0][p]);
        continue;
      }
      toom_outer_forward(made, p, out);
#pragma GCC unroll 4
      for (size_t q = 0; q < 4; q++) v_put(to + (q * n + p) * job->point_stride, lanes, out[q]);
    }
  }
}

static void vector_toom_forward(const toom_forward_job *job)
{
  if (job->scheme->outer_points == 1)
    toom_forward_with(job, 8, 6, 1);
  else
    toom_forward_with(job, 7, 4, 4);
}

// Values of `pair` neighbouring vectors of weights at once, so that a coefficient is loaded once.
INLINE void toom_weights_at(const toom_scheme *s, const float *w, size_t count, float *values,
                            size_t lanes, const size_t pair, const size_t n, const size_t taps,
                            const size_t pieces, const size_t outer)
{
  vec made[3][TOOM_POINTS][2];
#pragma GCC unroll 3
  for (size_t piece = 0; piece < pieces; piece++) {
    vec x[4][2];
#pragma GCC unroll 4
    for (size_t j = 0; j < taps; j++)
#pragma GCC unroll 2
      for (size_t k = 0; k < pair; k++) {
        size_t tap = piece * taps + j;
        x[j][k] = tap < s->taps ? v_get(w + tap * count + k * LANES, lanes) : v_set(0.0f);
      }
#pragma GCC unroll 8
    for (size_t p = 0; p < n; p++)
#pragma GCC unroll 4
      for (size_t j = 0; j < taps; j++) {
        vec coefficient = v_set(s->inner_weights[p * taps + j]);
#pragma GCC unroll 2
        for (size_t k = 0; k < pair; k++)
          if (j == 0)
            made[piece][p][k] = coefficient * x[0][k];
          else
            made[piece][p][k] = v_fma(coefficient, x[j][k], made[piece][p][k]);
      }
  }
#pragma GCC unroll 4
  for (size_t q = 0; q < outer; q++) {
    vec coefficients[3];
#pragma GCC unroll 3
    for (size_t piece = 0; piece < pieces; piece++)
      coefficients[piece] = v_set(s->outer_weights[q * pieces + piece]);
    for (size_t p = 0; p < n; p++)
#pragma GCC unroll 2
      for (size_t k = 0; k < pair; k++) {
        vec sum = coefficients[0] * made[0][p][k];
#pragma GCC unroll 3
        for (size_t piece = 1; piece < pieces; piece++)
          sum = v_fma(coefficients[piece], made[piece][p][k], sum);
        v_put(values + (q * n + p) * count + k * LANES, lanes, sum);
      }
  }
}

INLINE void toom_weights_with(const toom_scheme *s, const float *w, size_t count, float *values,
                              const size_t n, const size_t taps, const size_t pieces,
                              const size_t outer)
{
  size_t c = 0;
  for (; c + 2 * LANES <= count; c += 2 * LANES)
    toom_weights_at(s, w + c, count, values + c, LANES, 2, n, taps, pieces, outer);
  for (size_t lanes; c < count; c += lanes) {
    lanes = count - c < LANES ? count - c : LANES;
    toom_weights_at(s, w + c, count, values + c, lanes, 1, n, taps, pieces, outer);
  }
}

static void vector_toom_weights(const toom_scheme *s, const float *w, size_t count, float *values)
{
  if (s->outer_points == 1)
    toom_weights_with(s, w, count, values, 8, 3, 1, 1);
  else if (s->outer_taps == 2)
    toom_weights_with(s, w, count, values, 7, 4, 2, 4);
  else
    toom_weights_with(s, w, count, values, 7, 4, 3, 4);
}

INLINE void toom_back_with(const toom_back_job *job, const size_t n, const size_t inner,
                           const size_t outer, const size_t outer_points)
{
  const toom_scheme *s = job->scheme;
  FOR_COLUMNS(c, lanes, job->columns)
  {
    vec made[4][6];
    vec bias = v_get(job->bias + c, lanes);
#pragma GCC unroll 4
    for (size_t q = 0; q < outer_points; q++) {
      vec x[TOOM_POINTS];
      const float *from = job->sums + q * n * job->point_stride + c;
#pragma GCC unroll 8
      for (size_t p = 0; p < n; p++) x[p] = v_get(from + p * job->point_stride, lanes);
      toom_times(s->inner_back, inner, n, x, made[q]);
    }
#pragma GCC unroll 3
    for (size_t a = 0; a < outer; a++)
#pragma GCC unroll 6
      for (size_t i = 0; i < inner; i++) {
        size_t row = a * inner + i;
        vec sum = v_set(s->outer_back[a * outer_points]) * made[0][i];
#pragma GCC unroll 4
        for (size_t q = 1; q < outer_points; q++)
          sum = v_fma(v_set(s->outer_back[a * outer_points + q]), made[q][i], sum);
        if (row >= job->rows) continue;
        sum = sum + bias;
        if (job->residual != NULL)
          sum = sum + v_get(job->residual + row * job->y_stride + c, lanes);
        v_put(job->y + row * job->y_stride + c, lanes, sum);
      }
  }
}

static void vector_toom_back(const toom_back_job *job)
{
  if (job->scheme->outer_points == 1)
    toom_back_with(job, 8, 6, 1, 1);
  else if (job->scheme->outer_rows == 3)
    toom_back_with(job, 7, 4, 3, 4);
  else
    toom_back_with(job, 7, 4, 2, 4);
}
