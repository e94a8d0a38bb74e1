// SPDX-License-Identifier: GPL-3.0-or-later
//
// mel [frames, 80] -> conv_pre -> stages -> activation, conv_post, tanh -> samples. A stage
// up-samples and takes the mean of three blocks of its result; a block is three times
//   x + second(first(x)), each a periodic activation and a convolution (snake_conv).
// Widths of the published file: 1536, then 768, 384, 192, 96, 48, 24 at 4 to 256 rows a frame.
//
// A signal is done in tiles of a size that stays in the cache, depth first: a tile of a stage goes
// through all later ones before the next tile begins. What a layer needs of the past is kept from
// tile to tile and its end lags behind its input's, so nothing is computed twice, and memory does
// not grow with the length.
#include "bigvgan_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TILE_FLOATS = 3 << 18 }; // 3 MB: four such rooms stay in a last-level cache

// A layer's output. Rows begin..end - 1 of it are held: in a room while a tile is worked on, in
// `kept` from tile to tile.
typedef struct {
  size_t width;
  size_t begin;
  size_t end;
  float *rows; // row `begin`
  float *kept;
} track;

typedef struct {
  size_t length;    // rows, rate times those of the input
  size_t tile_rows; // of the input
  float *in_room;   // its rows before the first are zeros
  track in;
  track x;
  track *units[2]; // [blocks, units]: after the first and the second convolution
  size_t done;     // rows that have left the stage
  float *sum;      // of the blocks, the rows behind these
} stage_state;

typedef struct {
  const bigvgan *b;
  arena *memory;
  stage_state *stages;
  float *rooms[4]; // x, after the first convolution, after the second: two in turns
  float *scratch;
  track post;
  size_t samples_done;
  float *samples;
  pool *pool;
  bigvgan_progress *progress;
  void *context;
  double work;
  double work_done;
  bool cancelled;
} vocoding;

static float *row_of(const track *t, size_t row)
{
  return t->rows + (row - t->begin) * t->width;
}

static void track_open(track *t, float *room)
{
  memcpy(room, t->kept, (t->end - t->begin) * t->width * sizeof(float));
  t->rows = room;
}

// Keeps the rows from `from` on.
static void track_close(track *t, size_t from)
{
  if (from < t->begin) from = t->begin;
  memcpy(t->kept, row_of(t, from), (t->end - from) * t->width * sizeof(float));
  t->begin = from;
  t->rows = NULL;
}

static void track_append(track *t, const float *rows, size_t count)
{
  memcpy(row_of(t, t->end), rows, count * t->width * sizeof(float));
  t->end += count;
}

static size_t less(size_t a, size_t b)
{
  return a > b ? a - b : 0;
}

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
  return a > b ? a : b;
}

// How far a step can go when its input has come to `end`.
static size_t reachable(const snake_conv *c, size_t end, size_t length)
{
  size_t grid = snake_conv_grid(c);
  return end == length ? length : less(end, snake_conv_reach(c)) / grid * grid;
}

// Rows of `to` are made up to `end`.
static void extend(const vocoding *v, const snake_conv *c, const track *from, const track *residual,
                   size_t length, track *to, size_t end, activation after)
{
  if (end <= to->end) return;
  snake_conv_piece piece = {.x = from->rows,
                            .x_first = from->begin,
                            .first = to->end,
                            .rows = end - to->end,
                            .length = length,
                            .y = row_of(to, to->end),
                            .residual = residual != NULL ? row_of(residual, to->end) : NULL,
                            .after = after};
  snake_conv_run(c, &piece, v->scratch, v->pool);
  to->end = end;
}

static void probe(const vocoding *v, const char *kind, size_t index, const track *t, size_t first)
{
  char name[32];
  if (v->b->probe == NULL || t->end == first) return;
  snprintf(name, sizeof name, "%s%zu", kind, index);
  v->b->probe(v->b->probe_context, name, row_of(t, first), first, t->end - first, t->width);
}

// Another block of some rows is done; false: cancelled.
static bool advance(vocoding *v, double work)
{
  v->work_done += work;
  if (work > 0.0 && v->progress != NULL && !v->progress(v->context, v->work_done / v->work))
    v->cancelled = true;
  return !v->cancelled;
}

static double block_work(const amp_block *block)
{
  double work = 0.0;
  for (size_t m = 0; m < block->count; m++)
    work += snake_conv_work(block->units[m].first) + snake_conv_work(block->units[m].second);
  return work;
}

static size_t common_multiple(size_t a, size_t b)
{
  size_t m = a;
  while (m % b != 0) m += a;
  return m;
}

// Up to which row all blocks of a stage can go now. They all go there and no further, so that a
// row's sum is always taken in one order.
static size_t common_end(const vocoder_stage *stage, const stage_state *state)
{
  size_t common = state->length;
  size_t grid = 1;
  for (size_t k = 0; k < stage->block_count; k++) {
    const amp_block *block = &stage->blocks[k];
    size_t end = state->x.end;
    for (size_t m = 0; m < block->count; m++) {
      end = reachable(block->units[m].first, end, state->length);
      end = reachable(block->units[m].second, end, state->length);
    }
    grid = common_multiple(grid, snake_conv_grid(block->units[block->count - 1].second));
    common = smaller(common, end);
  }
  return common == state->length ? common : common / grid * grid;
}

// What block k makes of x, up to row `end`, is added to the sum. Returns the first row of x that is
// still needed.
static size_t run_block(vocoding *v, size_t s, size_t k, size_t end)
{
  const vocoder_stage *stage = &v->b->stages[s];
  stage_state *state = &v->stages[s];
  const amp_block *block = &stage->blocks[k];
  size_t length = state->length;
  size_t needed = 0;
  track *from = &state->x;
  for (size_t m = 0; m < block->count; m++) {
    const amp_unit *unit = &block->units[m];
    track *inner = &state->units[0][k * block->count + m];
    track *to = &state->units[1][k * block->count + m];
    track_open(inner, v->rooms[1]);
    track_open(to, v->rooms[2 + m % 2]);
    extend(v, unit->first, from, NULL, length, inner, reachable(unit->first, from->end, length),
           ACTIVATION_NONE);
    extend(v, unit->second, inner, from, length, to,
           m + 1 == block->count ? end : reachable(unit->second, inner->end, length),
           ACTIVATION_NONE);
    track_close(inner, less(to->end, snake_conv_reach(unit->second)));
    size_t from_needed = smaller(less(inner->end, snake_conv_reach(unit->first)), to->end);
    if (m == 0)
      needed = from_needed;
    else
      track_close(from, from_needed);
    from = to;
  }
  probe(v, "rb", s * stage->block_count + k, from, from->begin);
  size_t count = (from->end - from->begin) * from->width;
  for (size_t i = 0; i < count; i++) state->sum[i] = from->rows[i] + (k > 0 ? state->sum[i] : 0.0f);
  track_close(from, from->end);
  return needed;
}

static void make_samples(vocoding *v, const float *rows, size_t count)
{
  const bigvgan *b = v->b;
  const stage_state *state = &v->stages[b->stage_count - 1];
  track out = {.width = 1, .begin = v->samples_done, .end = v->samples_done};
  out.rows = v->samples + v->samples_done;
  track_open(&v->post, v->rooms[0]);
  track_append(&v->post, rows, count);
  extend(v, b->conv_post, &v->post, NULL, state->length, &out,
         reachable(b->conv_post, v->post.end, state->length), ACTIVATION_TANH);
  v->samples_done = out.end;
  track_close(&v->post, less(v->samples_done, snake_conv_reach(b->conv_post)));
}

// New rows of the up-sampler's output. Behind the signal's end there are zeros.
static void upsample(const vocoding *v, const vocoder_stage *stage, stage_state *state)
{
  track *in = &state->in;
  bool last = in->end * stage->rate == state->length;
  size_t after = transposed_after(stage->up);
  size_t first = state->x.end / stage->rate;
  size_t end = last ? in->end : less(in->end, after);
  if (last) memset(row_of(in, in->end), 0, after * in->width * sizeof(float));
  if (end <= first) return;
  transposed_run(stage->up, row_of(in, first), in->width, end - first,
                 row_of(&state->x, state->x.end), stage->width, v->pool);
  state->x.end = end * stage->rate;
}

// `rows` [count, inputs], the next ones of the stage's input, go through it and all later stages.
static void run_stage(vocoding *v, size_t s, const float *rows, size_t count)
{
  const vocoder_stage *stage = &v->b->stages[s];
  stage_state *state = &v->stages[s];
  size_t needed = SIZE_MAX;
  size_t before = transposed_before(stage->up);
  track_open(&state->in, state->in_room + before * stage->inputs);
  track_append(&state->in, rows, count);
  track_open(&state->x, v->rooms[0]);
  size_t x_end = state->x.end;
  upsample(v, stage, state);
  probe(v, "ups", s, &state->x, x_end);
  track_close(&state->in, less(state->x.end / stage->rate, before));
  size_t end = common_end(stage, state);
  size_t ready = end - state->done;
  for (size_t k = 0; k < stage->block_count; k++) {
    needed = smaller(needed, run_block(v, s, k, end));
    if (!advance(v, block_work(&stage->blocks[k]) * (double)ready)) return;
  }
  track_close(&state->x, needed);
  state->done = end;
  for (size_t i = 0; i < ready * stage->width; i++) state->sum[i] /= (float)stage->block_count;
  if (s + 1 == v->b->stage_count) {
    make_samples(v, state->sum, ready);
    return;
  }
  size_t tile = v->stages[s + 1].tile_rows;
  size_t tiles = (ready + tile - 1) / tile;
  for (size_t i = 0; i < tiles && !v->cancelled; i++) {
    size_t from = ready * i / tiles;
    run_stage(v, s + 1, state->sum + from * stage->width, ready * (i + 1) / tiles - from);
  }
}

// conv_pre of some frames, zeros around the whole.
static void run_frames(vocoding *v, const float *mel, size_t frames, size_t first, size_t count,
                       float *padded, float *out)
{
  const bigvgan *b = v->b;
  const matrix_shape *shape = matrix_get_shape(b->conv_pre);
  size_t padding = shape->taps / 2;
  for (size_t i = 0; i < count + 2 * padding; i++) {
    float *row = padded + i * b->mel_bins;
    size_t frame = first + i - padding; // wraps below zero
    if (frame < frames)
      memcpy(row, mel + frame * b->mel_bins, b->mel_bins * sizeof(float));
    else
      memset(row, 0, b->mel_bins * sizeof(float));
  }
  matrix_run(b->conv_pre, padded, b->mel_bins, count, out, shape->outputs, NULL, v->pool);
  if (b->probe != NULL) b->probe(b->probe_context, "conv_pre", out, first, count, shape->outputs);
  run_stage(v, 0, out, count);
}

// ---- Memory of a call ----

static void new_track(arena *memory, track *t, size_t width, size_t kept)
{
  *t = (track){.width = width, .kept = arena_floats(memory, kept * width)};
}

// How far a step's end may lag behind its input's.
static size_t lag_of(const snake_conv *c)
{
  return snake_conv_reach(c) + snake_conv_grid(c);
}

// How far the end of a stage may lag behind the up-sampler's.
static size_t stage_lag(const vocoder_stage *stage)
{
  size_t most = 0;
  size_t grid = 1;
  for (size_t k = 0; k < stage->block_count; k++) {
    const amp_block *block = &stage->blocks[k];
    size_t lag = 0;
    for (size_t m = 0; m < block->count; m++)
      lag += lag_of(block->units[m].first) + lag_of(block->units[m].second);
    grid = common_multiple(grid, snake_conv_grid(block->units[block->count - 1].second));
    most = larger(most, lag);
  }
  return most + grid;
}

// Tracks of a stage, with room for what a step reads before its end and what lies behind that end.
static void new_tracks(arena *memory, const vocoder_stage *stage, stage_state *state)
{
  size_t x_kept = 0;
  size_t units = 0;
  for (size_t k = 0; k < stage->block_count; k++) units = larger(units, stage->blocks[k].count);
  for (int i = 0; i < 2; i++)
    state->units[i] = arena_take(memory, stage->block_count * units, sizeof(track));
  for (size_t k = 0; k < stage->block_count && !arena_failed(memory); k++) {
    const amp_block *block = &stage->blocks[k];
    for (size_t m = 0; m < block->count; m++) {
      const amp_unit *unit = &block->units[m];
      // a block's last step waits for the other blocks
      size_t wait = m + 1 == block->count ? stage_lag(stage) : 0;
      size_t first = 2 * lag_of(unit->first) + lag_of(unit->second) + wait;
      size_t second = 2 * lag_of(unit->second) + wait;
      if (m == 0)
        x_kept = larger(x_kept, first);
      else
        new_track(memory, &state->units[1][k * block->count + m - 1], stage->width, first);
      new_track(memory, &state->units[0][k * block->count + m], stage->width, second);
    }
    new_track(memory, &state->units[1][k * block->count + block->count - 1], stage->width, 0);
  }
  new_track(memory, &state->x, stage->width, x_kept);
}

static size_t stage_scratch(const vocoder_stage *stage, size_t rows, size_t threads)
{
  size_t most = 0;
  for (size_t k = 0; k < stage->block_count; k++)
    for (size_t m = 0; m < stage->blocks[k].count; m++) {
      const amp_unit *unit = &stage->blocks[k].units[m];
      most = larger(most, snake_conv_scratch(unit->first, rows, threads));
      most = larger(most, snake_conv_scratch(unit->second, rows, threads));
    }
  return most;
}

static bool take_memory(vocoding *v, size_t frames, size_t tile_floats)
{
  const bigvgan *b = v->b;
  arena *memory = v->memory;
  size_t threads = pool_threads(v->pool);
  size_t length = frames;
  size_t room = 0;
  size_t scratch = 0;
  size_t rows = 0;
  v->stages = arena_take(memory, b->stage_count, sizeof(stage_state));
  for (size_t s = 0; s < b->stage_count && !arena_failed(memory); s++) {
    const vocoder_stage *stage = &b->stages[s];
    stage_state *state = &v->stages[s];
    size_t edges = transposed_before(stage->up) + transposed_after(stage->up);
    length *= stage->rate;
    state->length = length;
    state->tile_rows = larger(tile_floats / stage->width / stage->rate, 1);
    new_tracks(memory, stage, state);
    rows = (smaller(state->tile_rows, length) + edges) * stage->rate + 4 * stage_lag(stage);
    room = larger(room, rows * stage->width);
    scratch = larger(scratch, stage_scratch(stage, rows, threads));
    new_track(memory, &state->in, stage->inputs, 2 * edges);
    state->in_room = arena_floats(memory, (state->tile_rows + 4 * edges) * stage->inputs);
    state->sum = arena_floats(memory, rows * stage->width);
    for (size_t k = 0; k < stage->block_count; k++)
      v->work += block_work(&stage->blocks[k]) * (double)length;
  }
  new_track(memory, &v->post, b->stages[b->stage_count - 1].width, 2 * lag_of(b->conv_post));
  scratch = larger(scratch, snake_conv_scratch(b->conv_post, rows, threads));
  for (int i = 0; i < 4; i++) v->rooms[i] = arena_floats(memory, room);
  v->scratch = arena_floats(memory, scratch);
  return !arena_failed(memory);
}

mw_status bigvgan_run_tiled(const bigvgan *b, size_t tile_floats, const float *mel, size_t frames,
                            float *samples, bigvgan_progress *progress, void *context, pool *p,
                            mw_error *error)
{
  vocoding v = {.b = b,
                .memory = arena_new(),
                .samples = samples,
                .pool = p,
                .progress = progress,
                .context = context};
  mw_status status = MW_OK;
  if (frames == 0) goto done;
  status = MW_ERROR_MEMORY;
  if (v.memory == NULL || frames > SIZE_MAX / 64 / b->hop || !take_memory(&v, frames, tile_floats))
    goto no_memory;
  const matrix_shape *shape = matrix_get_shape(b->conv_pre);
  size_t tile = v.stages[0].tile_rows;
  float *padded = arena_floats(v.memory, (tile + shape->taps) * b->mel_bins);
  float *out = arena_floats(v.memory, tile * shape->outputs);
  if (arena_failed(v.memory)) goto no_memory;
  size_t tiles = (frames + tile - 1) / tile;
  for (size_t i = 0; i < tiles && !v.cancelled; i++) {
    size_t first = frames * i / tiles;
    run_frames(&v, mel, frames, first, frames * (i + 1) / tiles - first, padded, out);
  }
  status = v.cancelled ? mw_fail(error, MW_ERROR_CANCELLED, "cancelled") : MW_OK;
  goto done;
no_memory:
  mw_fail_memory(error, "making samples");
done:
  arena_free(v.memory);
  return status;
}

mw_status bigvgan_run(const bigvgan *b, const float *mel, size_t frames, float *samples,
                      bigvgan_progress *progress, void *context, pool *p, mw_error *error)
{
  return bigvgan_run_tiled(b, TILE_FLOATS, mel, frames, samples, progress, context, p, error);
}
