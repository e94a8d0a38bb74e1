// SPDX-License-Identifier: GPL-3.0-or-later
//
// The path of processors with AVX-512 (F, BW, DQ, VL): vectors of 16, and of 8 for narrow panels.
#include "kernels_x86.h"

#include <immintrin.h>
#include <math.h>

enum { LANES = 16 };
typedef __m512 vec;

static inline __mmask16 first_lanes(size_t n)
{
  return (__mmask16)((1u << n) - 1);
}

static inline vec v_load(const float *p)
{
  return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, vec a)
{
  _mm512_storeu_ps(p, a);
}
static inline vec v_set(float a)
{
  return _mm512_set1_ps(a);
}
static inline vec v_fma(vec a, vec b, vec c)
{
  return _mm512_fmadd_ps(a, b, c);
}
static inline vec v_min(vec a, vec b)
{
  return _mm512_min_ps(a, b);
}
static inline vec v_max(vec a, vec b)
{
  return _mm512_max_ps(a, b);
}
static inline float v_sum(vec a)
{
  return _mm512_reduce_add_ps(a);
}
static inline float v_largest(vec a)
{
  return _mm512_reduce_max_ps(a);
}
static inline float v_first(vec a)
{
  return _mm512_cvtss_f32(a);
}

static inline vec v_load_part(const float *p, size_t n)
{
  return _mm512_maskz_loadu_ps(first_lanes(n), p);
}

static inline void v_store_part(float *p, size_t n, vec a)
{
  _mm512_mask_storeu_ps(p, first_lanes(n), a);
}

static inline vec v_round(vec a)
{
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vec v_where_less(vec a, vec b, vec then, vec otherwise)
{
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), otherwise, then);
}

static inline vec v_power_of_two(vec n)
{
  __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
}

#include "kernels_vector.h"
#include "kernels_vector_toom.h"

#define TILE_NAME tile_16
#define TILE_VECTOR __m512
#define TILE_LANES 16
#define TILE_LOAD _mm512_loadu_ps
#define TILE_STORE _mm512_storeu_ps
#define TILE_SET _mm512_set1_ps
#define TILE_ZERO _mm512_setzero_ps
#define TILE_FMA _mm512_fmadd_ps
#include "kernels_vector_tile.h"
#undef TILE_NAME
#undef TILE_VECTOR
#undef TILE_LANES
#undef TILE_LOAD
#undef TILE_STORE
#undef TILE_SET
#undef TILE_ZERO
#undef TILE_FMA

#define TILE_NAME tile_8
#define TILE_VECTOR __m256
#define TILE_LANES 8
#define TILE_LOAD _mm256_loadu_ps
#define TILE_STORE _mm256_storeu_ps
#define TILE_SET _mm256_set1_ps
#define TILE_ZERO _mm256_setzero_ps
#define TILE_FMA _mm256_fmadd_ps
#include "kernels_vector_tile.h"

static void tile_width_8(const tile_job *t)
{
  const size_t column = 0;
  switch (t->rows) {
    TILE_ROWS_12(tile_8, 1)
  }
}

static void tile_width_16(const tile_job *t)
{
  const size_t column = 0;
  switch (t->rows) {
    TILE_ROWS_12(tile_16, 1)
  }
}

static void tile_width_24(const tile_job *t)
{
  const size_t column = 0;
  switch (t->rows) {
    TILE_ROWS_6(tile_8, 3)
  }
}

static void tile_width_32(const tile_job *t)
{
  const size_t column = 0;
  switch (t->rows) {
    TILE_ROWS_12(tile_16, 2)
  }
}

static void tile_width_48(const tile_job *t)
{
  const size_t column = 0;
  switch (t->rows) {
    TILE_ROWS_6(tile_16, 3)
  }
}

// Three vectors a row leave registers for six rows at a time.
static void avx512_tile(const tile_job *job)
{
  tile_job t = *job;
  void (*tile)(const tile_job *) = t.width == 8    ? tile_width_8
                                   : t.width == 16 ? tile_width_16
                                   : t.width == 24 ? tile_width_24
                                   : t.width == 32 ? tile_width_32
                                                   : tile_width_48;
  if (t.width % 24 == 0 && t.rows > 6) {
    t.rows = (job->rows + 1) / 2;
    tile(&t);
    t.x += t.rows * t.x_stride;
    t.sum += t.rows * t.sum_stride;
    t.rows = job->rows - t.rows;
  }
  tile(&t);
}

// What both paths of this file share.
#define AVX512_MEMBERS                                                                             \
  .tile_rows = 12, .tile = avx512_tile, .finish = vector_finish,                                   \
  .exponentials = vector_exponentials, .activate = vector_activate, .depthwise = vector_depthwise, \
  .layer_norm = vector_layer_norm, .rms_norm = vector_rms_norm,                                    \
  .softmax_rows = vector_softmax_rows, .glu_rows = vector_glu_rows, .snake = vector_snake,         \
  .toom_forward = vector_toom_forward, .toom_weights = vector_toom_weights,                        \
  .toom_back = vector_toom_back, .multiply_adds = vector_multiply_adds

const kernels_path kernels_avx512 = {
    .name = "avx512",
    .quantise = avx2_quantise,
    .int8_rows = AVX2_INT8_ROWS,
    .tile_int8 = avx2_tile_int8,
    AVX512_MEMBERS,
};

const kernels_path kernels_vnni = {
    .name = "avx512 vnni",
    .quantise = vnni_quantise,
    .int8_rows = VNNI_INT8_ROWS,
    .tile_int8 = vnni_tile_int8,
    AVX512_MEMBERS,
};
