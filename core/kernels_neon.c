// SPDX-License-Identifier: GPL-3.0-or-later
//
// The path of 64-bit Arm: vectors of 4.
#include "kernels_path.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

enum { LANES = 4 };
typedef float32x4_t vec;

static inline vec v_load(const float *p)
{
  return vld1q_f32(p);
}
static inline void v_store(float *p, vec a)
{
  vst1q_f32(p, a);
}
static inline vec v_set(float a)
{
  return vdupq_n_f32(a);
}
static inline vec v_fma(vec a, vec b, vec c)
{
  return vfmaq_f32(c, a, b);
}
static inline vec v_min(vec a, vec b)
{
  return vminq_f32(a, b);
}
static inline vec v_max(vec a, vec b)
{
  return vmaxq_f32(a, b);
}
static inline float v_sum(vec a)
{
  return vaddvq_f32(a);
}
static inline float v_largest(vec a)
{
  return vmaxvq_f32(a);
}
static inline float v_first(vec a)
{
  return vgetq_lane_f32(a, 0);
}
static inline vec v_round(vec a)
{
  return vrndnq_f32(a);
}

static inline vec v_load_part(const float *p, size_t n)
{
  float lanes[4] = {0.0f};
  memcpy(lanes, p, n * sizeof(float));
  return vld1q_f32(lanes);
}

static inline void v_store_part(float *p, size_t n, vec a)
{
  float lanes[4];
  vst1q_f32(lanes, a);
  memcpy(p, lanes, n * sizeof(float));
}

static inline vec v_where_less(vec a, vec b, vec then, vec otherwise)
{
  return vbslq_f32(vcltq_f32(a, b), then, otherwise);
}

static inline vec v_power_of_two(vec n)
{
  int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
  return vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23));
}

#include "kernels_vector.h"
#include "kernels_vector_toom.h"

#define TILE_NAME tile_4
#define TILE_VECTOR float32x4_t
#define TILE_LANES 4
#define TILE_LOAD vld1q_f32
#define TILE_STORE vst1q_f32
#define TILE_SET vdupq_n_f32
#define TILE_ZERO() vdupq_n_f32(0.0f)
#define TILE_FMA(a, b, c) vfmaq_f32(c, a, b)
#include "kernels_vector_tile.h"

// Thirty-two registers hold the sums of twelve rows of two vectors.
static void neon_tile(const tile_job *t)
{
  for (size_t column = 0; column < t->width; column += 8) {
    switch (t->rows) {
      TILE_ROWS_12(tile_4, 2)
    }
  }
}

const kernels_path kernels_neon = {
    .name = "neon",
    .tile_rows = 12,
    .tile = neon_tile,
    .finish = vector_finish,
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
