// SPDX-License-Identifier: GPL-3.0-or-later
//
// Decoder, z [N, 20] -> mel [2N, 80]; encoder the other way round (width 384 in the official file):
//   conv_in                20 -> 1536
//   middle                 block, attention over all rows (one head), block
//   level 2                3 blocks of 1536
//   level 1                3 blocks of 768, each row twice, conv
//   level 0                3 blocks of 384
//   conv_out(act)          384 -> 80, times data_std, plus data_mean
// All convolutions are of 3 rows but shortcuts, attention and down-sampling; there are no biases.
#include "latent_coder_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const float clip_at = 256.0f;

// Signals of one call; each room holds the widest one with a row before and after it.
typedef struct {
  const latent_coder *c;
  size_t rows;
  float *x;     // [rows, width]
  float *inner; // first row of rooms[0] and rooms[1], rows of zeros around: what convolutions read
  float *rooms[2];
  float *scratch; // of convolutions
  pool *pool;
} signal;

static void probe(const signal *s, const char *name, size_t width)
{
  if (s->c->probe != NULL) s->c->probe(s->c->probe_context, name, s->x, s->rows, width);
}

void latent_coder_watch(latent_coder *c, latent_coder_probe *watcher, void *context)
{
  c->probe = watcher;
  c->probe_context = context;
}

const latent_coder_config *latent_coder_get_config(const latent_coder *c)
{
  return &c->config;
}

// Rows of `width` in a room, between two rows of zeros.
static float *framed(float *room, size_t rows, size_t width)
{
  memset(room, 0, width * sizeof(float));
  memset(room + (rows + 1) * width, 0, width * sizeof(float));
  return room + width;
}

// x / (1e-4 + |x| / sqrt(width)), four chains of sums.
static void normalise_row(float *x, size_t width)
{
  float squares[4] = {0.0f};
  size_t i = 0;
  for (; i + 4 <= width; i += 4)
    for (size_t k = 0; k < 4; k++) squares[k] += x[i + k] * x[i + k];
  for (; i < width; i++) squares[0] += x[i] * x[i];
  float sum = squares[0] + squares[1] + (squares[2] + squares[3]);
  float inverse = 1.0f / ((float)MAGNITUDE_EPSILON + sqrtf(sum / (float)width));
  for (i = 0; i < width; i++) x[i] *= inverse;
}

static void scale_all(float *x, size_t count, float factor)
{
  for (size_t i = 0; i < count; i++) x[i] *= factor;
}

static void clip(float *x, size_t count)
{
  for (size_t i = 0; i < count; i++) x[i] = x[i] > clip_at ? clip_at : x[i];
  for (size_t i = 0; i < count; i++) x[i] = x[i] < -clip_at ? -clip_at : x[i];
}

// Reads the zero row before and after.
static void run_conv(const signal *s, const conv *c, const float *x, float *y,
                     const epilogue *after)
{
  conv_run(c, x, s->rows, y, after, s->scratch, s->pool);
}

static void run_linear(const signal *s, const matrix *m, const float *x, float *y)
{
  const matrix_shape *shape = matrix_get_shape(m);
  matrix_run(m, x, shape->inputs, s->rows, y, shape->outputs, NULL, s->pool);
}

static void run_block(signal *s, const residual_block *b)
{
  size_t rows = s->rows;
  float *h = framed(s->rooms[0], rows, b->inside);
  float *g = framed(s->rooms[1], rows, b->outside);
  epilogue silu = {.act = ACTIVATION_SILU};
  epilogue add = {.residual = s->x, .residual_stride = b->outside};
  for (size_t i = 0; i < rows; i++) normalise_row(s->x + i * b->inside, b->inside);
  memcpy(h, s->x, rows * b->inside * sizeof(float));
  activate(ACTIVATION_SILU, h, rows * b->inside);
  run_conv(s, b->conv1, h, g, &silu);
  if (b->shortcut != NULL) {
    run_linear(s, b->shortcut, s->x, h);
    add.residual = h;
  } else {
    scale_all(s->x, rows * b->inside, (float)MAGNITUDE_KEEP);
  }
  run_conv(s, b->conv2, g, s->x, &add);
}

static bool run_attention(signal *s, const coder_half *half, arena *memory)
{
  size_t width = half->middle[0].outside;
  size_t stride = 3 * width;
  arena_mark mark = arena_set_mark(memory);
  float *qkv = arena_floats(memory, s->rows * stride);
  float *scratch = arena_floats(memory, attention_scratch(s->rows, s->rows, width));
  if (arena_failed(memory)) return false;
  float *mixed = s->rooms[0];
  attention a = {.heads = 1,
                 .head_size = width,
                 .queries = s->rows,
                 .keys = s->rows,
                 .q = qkv,
                 .q_stride = stride,
                 .k = qkv + width,
                 .k_stride = stride,
                 .v = qkv + 2 * width,
                 .v_stride = stride,
                 .scale = 1.0f / sqrtf((float)width),
                 .out = mixed,
                 .out_stride = width,
                 .scratch = scratch};
  epilogue add = {.residual = s->x, .residual_stride = width};
  matrix_run(half->qkv, s->x, width, s->rows, qkv, stride, NULL, s->pool);
  for (size_t i = 0; i < 3 * s->rows; i++) normalise_row(qkv + i * width, width);
  attention_run(&a, s->pool);
  scale_all(s->x, s->rows * width, (float)MAGNITUDE_KEEP);
  matrix_run(half->proj_out, mixed, width, s->rows, s->x, width, &add, s->pool);
  arena_release(memory, mark);
  return true;
}

static bool run_middle(signal *s, const coder_half *half, arena *memory)
{
  size_t width = half->middle[0].outside;
  run_block(s, &half->middle[0]);
  probe(s, "mid_block_1", width);
  if (!run_attention(s, half, memory)) return false;
  probe(s, "mid_attn_1", width);
  run_block(s, &half->middle[1]);
  clip(s->x, s->rows * width);
  probe(s, "mid_block_2", width);
  return true;
}

static void upsample(signal *s, const coder_level *level)
{
  size_t width = level->width;
  float *h = framed(s->rooms[0], 2 * s->rows, width);
  for (size_t i = 0; i < 2 * s->rows; i++)
    memcpy(h + i * width, s->x + i / 2 * width, width * sizeof(float));
  s->rows *= 2;
  run_conv(s, level->upsample, h, s->x, NULL);
}

// A last row without a partner is dropped.
static void downsample(signal *s, const coder_level *level)
{
  size_t width = level->width;
  float *h = s->rooms[0];
  run_linear(s, level->before, s->x, h);
  s->rows /= 2;
  for (size_t i = 0; i < s->rows; i++)
    for (size_t c = 0; c < width; c++)
      h[i * width + c] = 0.5f * (h[2 * i * width + c] + h[(2 * i + 1) * width + c]);
  run_linear(s, level->after, h, s->x);
}

static void run_levels(signal *s, const coder_half *half, bool encoder)
{
  const char *side = encoder ? "down" : "up";
  for (size_t i = 0; i < half->level_count; i++) {
    const coder_level *level = &half->levels[i];
    size_t number = encoder ? i : half->level_count - 1 - i;
    char name[48];
    for (size_t b = 0; b < level->count; b++) {
      run_block(s, &level->blocks[b]);
      clip(s->x, s->rows * level->blocks[b].outside);
    }
    snprintf(name, sizeof name, "%s%zu_block%zu", side, number, level->count - 1);
    probe(s, name, level->width);
    if (level->upsample != NULL) {
      upsample(s, level);
      snprintf(name, sizeof name, "up%zu_upsample", number);
      probe(s, name, level->width);
    }
    if (level->before != NULL) {
      downsample(s, level);
      snprintf(name, sizeof name, "down%zu_downsample", number);
      probe(s, name, level->width);
    }
  }
}

// in [rows, inputs] -> s->x [s->rows, outputs]
static bool run_half(signal *s, const coder_half *half, bool encoder, const float *in, size_t rows,
                     arena *memory)
{
  size_t most = encoder ? rows : rows * half->factor;
  size_t widest = half->widest > half->inputs ? half->widest : half->inputs;
  if (half->outputs > widest) widest = half->outputs;
  if (most > SIZE_MAX / 16 || widest > SIZE_MAX / 16 / (most + 2)) return false;
  s->x = arena_floats(memory, most * widest);
  for (int i = 0; i < 2; i++) s->rooms[i] = arena_floats(memory, (most + 2) * widest);
  s->scratch = arena_floats(memory, parts_scratch(&s->c->parts, most, pool_threads(s->pool)));
  if (arena_failed(memory)) return false;
  s->rows = rows;
  float *h = framed(s->rooms[0], rows, half->inputs);
  memcpy(h, in, rows * half->inputs * sizeof(float));
  run_conv(s, half->conv_in, h, s->x, NULL);
  probe(s, "conv_in", conv_get_shape(half->conv_in)->outputs);
  if (!encoder && !run_middle(s, half, memory)) return false;
  run_levels(s, half, encoder);
  if (encoder && !run_middle(s, half, memory)) return false;
  size_t width = conv_get_shape(half->conv_out)->inputs;
  h = framed(s->rooms[0], s->rows, width);
  memcpy(h, s->x, s->rows * width * sizeof(float));
  activate(ACTIVATION_SILU, h, s->rows * width);
  run_conv(s, half->conv_out, h, s->x, NULL);
  return true;
}

mw_status latent_decode(const latent_coder *c, const float *z, size_t rows, float *mel,
                        arena *memory, pool *p, mw_error *error)
{
  signal s = {.c = c, .pool = p};
  size_t bins = c->config.mel_bins;
  arena_mark mark = arena_set_mark(memory);
  mw_status status = MW_OK;
  if (rows == 0) return MW_OK;
  if (run_half(&s, &c->decoder, false, z, rows, memory)) {
    probe(&s, "raw", bins);
    for (size_t i = 0; i < s.rows * bins; i++)
      mel[i] = s.x[i] * c->data_std[i % bins] + c->data_mean[i % bins];
  } else {
    status = mw_fail_memory(error, "decoding latents");
  }
  arena_release(memory, mark);
  return status;
}

mw_status latent_encode(const latent_coder *c, const float *mel, size_t frames, float *mean,
                        float *log_variance, arena *memory, pool *p, mw_error *error)
{
  signal s = {.c = c, .pool = p};
  size_t bins = c->config.mel_bins;
  size_t channels = c->config.latent_channels;
  arena_mark mark = arena_set_mark(memory);
  mw_status status = MW_OK;
  if (frames < c->config.factor) return MW_OK;
  float *scaled = arena_floats(memory, frames * bins);
  for (size_t i = 0; scaled != NULL && i < frames * bins; i++)
    scaled[i] = (mel[i] - c->data_mean[i % bins]) / c->data_std[i % bins];
  if (scaled != NULL && run_half(&s, &c->encoder, true, scaled, frames, memory)) {
    for (size_t i = 0; i < s.rows; i++) {
      const float *row = s.x + i * 2 * channels;
      memcpy(mean + i * channels, row, channels * sizeof(float));
      for (size_t k = 0; k < channels; k++)
        log_variance[i * channels + k] = fminf(fmaxf(row[channels + k], -30.0f), 20.0f);
    }
  } else {
    status = mw_fail_memory(error, "encoding mel frames");
  }
  arena_release(memory, mark);
  return status;
}
