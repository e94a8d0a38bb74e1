// SPDX-License-Identifier: GPL-3.0-or-later
//
// The path of processors with AVX2, FMA and F16C: vectors of 8.
#include "kernels_x86.h"

#include <immintrin.h>
#include <math.h>

enum { LANES = 8 };
typedef __m256 vec;

static inline __m256i first_lanes(size_t n)
{
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}

static inline vec v_load(const float *p)
{
  return _mm256_loadu_ps(p);
}
static inline void v_store(float *p, vec a)
{
  _mm256_storeu_ps(p, a);
}
static inline vec v_set(float a)
{
  return _mm256_set1_ps(a);
}
static inline vec v_fma(vec a, vec b, vec c)
{
  return _mm256_fmadd_ps(a, b, c);
}
static inline vec v_min(vec a, vec b)
{
  return _mm256_min_ps(a, b);
}
static inline vec v_max(vec a, vec b)
{
  return _mm256_max_ps(a, b);
}
static inline float v_first(vec a)
{
  return _mm256_cvtss_f32(a);
}

static inline float v_sum(vec a)
{
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

static inline float v_largest(vec a)
{
  __m128 most = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  most = _mm_max_ps(most, _mm_movehl_ps(most, most));
  return _mm_cvtss_f32(_mm_max_ss(most, _mm_movehdup_ps(most)));
}

static inline vec v_load_part(const float *p, size_t n)
{
  return _mm256_maskload_ps(p, first_lanes(n));
}

static inline void v_store_part(float *p, size_t n, vec a)
{
  _mm256_maskstore_ps(p, first_lanes(n), a);
}

static inline vec v_round(vec a)
{
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vec v_where_less(vec a, vec b, vec then, vec otherwise)
{
  return _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

static inline vec v_power_of_two(vec n)
{
  __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}

#include "kernels_vector.h"
#include "kernels_vector_toom.h"

#define TILE_NAME tile_8
#define TILE_VECTOR __m256
#define TILE_LANES 8
#define TILE_LOAD _mm256_loadu_ps
#define TILE_STORE _mm256_storeu_ps
#define TILE_SET _mm256_set1_ps
#define TILE_ZERO _mm256_setzero_ps
#define TILE_FMA _mm256_fmadd_ps
#include "kernels_vector_tile.h"

static void tile_columns_8(const tile_job *t, size_t column)
{
  switch (t->rows) {
    TILE_ROWS_6(tile_8, 1)
  }
}

static void tile_columns_16(const tile_job *t, size_t column)
{
  switch (t->rows) {
    TILE_ROWS_6(tile_8, 2)
  }
}

// Sixteen registers hold the sums of six rows of two vectors.
static void avx2_tile(const tile_job *t)
{
  size_t column = 0;
  for (; column + 16 <= t->width; column += 16) tile_columns_16(t, column);
  if (column < t->width) tile_columns_8(t, column);
}

const kernels_path kernels_avx2 = {
    .name = "avx2",
    .tile_rows = 6,
    .tile = avx2_tile,
    .finish = vector_finish,
    .quantise = avx2_quantise,
    .int8_rows = AVX2_INT8_ROWS,
    .tile_int8 = avx2_tile_int8,
    .exponentials = vector_exponentials,
    .activate = vector_activate,
    .depthwise = vector_depthwise,
    .layer_norm = vector_layer_norm,
    .rms_norm = vector_rms_norm,
    .softmax_rows = vector_softmax_rows,
    .glu_rows = vector_glu_rows,
    .snake = vector_snake,
    .toom_forward = vector_toom_forward,
    .toom_weights = vector_toom_weights,
    .toom_back = vector_toom_back,
    .multiply_adds = vector_multiply_adds,
};
