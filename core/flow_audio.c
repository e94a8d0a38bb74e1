// SPDX-License-Identifier: GPL-3.0-or-later
//
// u(x, t, r) of a latent x [N, C] (C = 20), width D (S: 448, L: 896):
//   text   = unit(Linear(features [77, 1024]))        [77, D]
//   pooled = unit(Linear(feature [512]))              [D]
//   h      = unit7(selu(conv7(x)))                    [N, D]
//   c      = t_embed(t) + r_embed(r) + pooled         [D]
//   4 joint blocks: one attention over N latent rows and 77 text rows, weights for each side
//   8 fused blocks: attention over the N latent rows
//   u      = conv7(LN(h) (1 + scale(c)) + shift(c))   [N, C]
// unit(x) = W2 (silu(W1 x) * (W3 x)); blocks are modulated by shift, scale and gate made of c.
#include <math.h>
#include <string.h>

#include "flow_audio_internal.h"

static const float norm_epsilon = 1e-5f;
static const float head_epsilon = 1.1920929e-07f; // of float32, the default of the RMS norm

// Everything a call needs; conv_rows gives all of it zero rows around.
typedef struct {
  const flow_audio *f;
  size_t rows; // N
  size_t text_rows;
  float *h;     // [N, D]
  float *text;  // [L, D]
  float *c;     // [D]: silu of the condition
  float *norm;  // [N + L, D]
  float *qkv;   // [N + L, 3D]
  float *mixed; // [N + L, D], attention output; zero rows between latents and text are needed
  float *latent_mixed;  // [N, D]
  float *inner;         // [max(N, L), M]
  float *inner_gate;    // [max(N, L), M]
  float *modulation[2]; // [6D] of each side
  float *cosine;        // [max(N, L), head / 2]
  float *sine;
  float *scratch; // of attention and of convolutions
  pool *pool;
} call;

static void probe(const flow_audio *f, const char *name, const float *values, size_t count)
{
  if (f->probe != NULL) f->probe(f->probe_context, name, values, count);
}

void flow_audio_watch(flow_audio *f, flow_audio_probe *watcher, void *context)
{
  f->probe = watcher;
  f->probe_context = context;
}

static size_t larger(size_t a, size_t b)
{
  return a > b ? a : b;
}

// y = residual + scale * unit(x)
static void run_unit(const gated_unit *u, const float *x, size_t rows, float *inner, float *gate,
                     float *y, const epilogue *after, float *scratch, pool *p)
{
  epilogue gated = {.act = ACTIVATION_SILU, .factor = gate, .factor_stride = u->inner};
  conv_run(u->w3, x, rows, gate, NULL, scratch, p);
  conv_run(u->w1, x, rows, inner, &gated, scratch, p);
  conv_run(u->w2, inner, rows, y, after, scratch, p);
}

mw_status flow_audio_prompt(const flow_audio *f, const float *text, size_t rows,
                            const float *pooled, flow_prompt *made, arena *memory, pool *p,
                            mw_error *error)
{
  size_t d = f->config.width;
  made->rows = rows;
  made->text = arena_floats(memory, rows * d);
  made->pooled = arena_floats(memory, d);
  arena_mark mark = arena_set_mark(memory);
  float *x = conv_rows(memory, larger(rows, 1), d);
  float *scratch = arena_floats(memory, parts_scratch(&f->parts, larger(rows, 1), pool_threads(p)));
  size_t inner_width = larger(f->text_unit.inner, f->pooled_unit.inner);
  float *inner = conv_rows(memory, rows + 1, inner_width);
  float *gate = conv_rows(memory, rows + 1, inner_width);
  if (arena_failed(memory) || x == NULL || inner == NULL || gate == NULL)
    return mw_fail_memory(error, "reading a prompt");
  matrix_run(f->text_in, text, f->config.text_width, rows, x, d, NULL, p);
  run_unit(&f->text_unit, x, rows, inner, gate, made->text, NULL, scratch, p);
  matrix_run(f->pooled_in, pooled, f->config.pooled_width, 1, x, d, NULL, p);
  run_unit(&f->pooled_unit, x, 1, inner, gate, made->pooled, NULL, scratch, p);
  arena_release(memory, mark);
  probe(f, "text_input_proj", made->text, rows * d);
  probe(f, "text_cond_proj", made->pooled, d);
  return MW_OK;
}

static void embed_time(const time_embedder *e, float s, size_t width, float *angles, float *hidden,
                       float *out)
{
  epilogue silu = {.act = ACTIVATION_SILU};
  size_t half = e->angles / 2;
  for (size_t j = 0; j < half; j++) {
    float frequency = (float)pow(10000.0, -(double)j / (double)half);
    angles[j] = cosf(s * frequency);
    angles[half + j] = sinf(s * frequency);
  }
  matrix_run(e->first, angles, e->angles, 1, hidden, width, &silu, NULL);
  matrix_run(e->second, hidden, width, 1, out, width, NULL, NULL);
}

// c = silu(t_embed(t) + r_embed(r) + pooled): only its silu is ever used.
static void make_condition(call *k, const flow_prompt *prompt, float t, float r)
{
  const flow_audio *f = k->f;
  size_t d = f->config.width;
  float *angles = k->inner; // wide enough: flow_audio_call
  float *hidden = k->qkv;
  float *embedded = k->qkv + d;
  embed_time(&f->t_embed, t, d, angles, hidden, embedded);
  probe(f, "t_embed", embedded, d);
  for (size_t i = 0; i < d; i++) k->c[i] = prompt->pooled[i] + embedded[i];
  if (f->config.mean_flow) {
    embed_time(&f->r_embed, r, d, angles, hidden, embedded);
    probe(f, "r_embed", embedded, d);
    for (size_t i = 0; i < d; i++) k->c[i] += embedded[i];
  }
  activate(ACTIVATION_SILU, k->c, d);
}

static void make_rotation(call *k, size_t rows)
{
  size_t half = k->f->config.head_size / 2;
  for (size_t i = 0; i < half; i++) {
    double frequency = pow(10000.0, -(double)i / (double)half);
    for (size_t row = 0; row < rows; row++) {
      k->cosine[row * half + i] = (float)cos((double)row * frequency);
      k->sine[row * half + i] = (float)sin((double)row * frequency);
    }
  }
}

// Shift, scale, gate, shift, scale, gate of one side; the scales become 1 + scale, a norm's gain.
static void modulate(const call *k, const matrix *m, float *out)
{
  size_t d = k->f->config.width;
  size_t width = matrix_get_shape(m)->outputs;
  matrix_run(m, k->c, d, 1, out, width, NULL, k->pool);
  for (size_t i = 0; i < d; i++) out[d + i] += 1.0f;
  for (size_t i = 0; width == 6 * d && i < d; i++) out[4 * d + i] += 1.0f;
}

// x [rows, D] -> q, k, v at row `at` of the sequence.
static void run_before(call *k, const flow_block *b, const float *x, size_t rows, size_t at,
                       float *modulation)
{
  const flow_audio_config *c = &k->f->config;
  size_t d = c->width;
  float *qkv = k->qkv + at * 3 * d;
  modulate(k, b->modulation, modulation);
  layer_norm(x, d, rows, d, modulation + d, modulation, norm_epsilon, k->norm, d);
  matrix_run(b->qkv, k->norm, d, rows, qkv, 3 * d, NULL, k->pool);
  for (size_t head = 0; head < c->heads; head++) {
    float *q = qkv + head * c->head_size;
    rms_norm(q, 3 * d, rows, c->head_size, b->q_gain, head_epsilon, q, 3 * d);
    rms_norm(q + d, 3 * d, rows, c->head_size, b->k_gain, head_epsilon, q + d, 3 * d);
  }
  rope_rotate(qkv, 3 * d, rows, c->heads, c->head_size, k->cosine, k->sine);
  rope_rotate(qkv + d, 3 * d, rows, c->heads, c->head_size, k->cosine, k->sine);
}

static void run_attention(call *k, size_t queries, size_t first_query, size_t keys, float *out)
{
  const flow_audio_config *c = &k->f->config;
  size_t d = c->width;
  attention a = {.heads = c->heads,
                 .head_size = c->head_size,
                 .queries = queries,
                 .keys = keys,
                 .q = k->qkv + first_query * 3 * d,
                 .q_stride = 3 * d,
                 .k = k->qkv + d,
                 .k_stride = 3 * d,
                 .v = k->qkv + 2 * d,
                 .v_stride = 3 * d,
                 .scale = 1.0f / sqrtf((float)c->head_size),
                 .out = out,
                 .out_stride = d,
                 .scratch = k->scratch};
  attention_run(&a, k->pool);
}

// x += gate1 * linear1(mixed); x += gate2 * unit(LN(x) * (1 + scale2) + shift2)
static void run_after(call *k, const flow_block *b, float *x, size_t rows, const float *mixed,
                      const float *modulation)
{
  size_t d = k->f->config.width;
  epilogue first = {.scale = modulation + 2 * d, .residual = x, .residual_stride = d};
  epilogue second = {.scale = modulation + 5 * d, .residual = x, .residual_stride = d};
  conv_run(b->linear1, mixed, rows, x, &first, k->scratch, k->pool);
  layer_norm(x, d, rows, d, modulation + 4 * d, modulation + 3 * d, norm_epsilon, k->norm, d);
  // `inner` was used with other widths: the zero rows around this one are made again
  float *inner = k->inner;
  size_t edge = 7 * b->ffn.inner;
  memset(inner - edge, 0, edge * sizeof(float));
  memset(inner + rows * b->ffn.inner, 0, edge * sizeof(float));
  // and the norm's end, after the longer of latents and text
  memset(k->norm + rows * d, 0, 7 * d * sizeof(float));
  run_unit(&b->ffn, k->norm, rows, inner, k->inner_gate, x, &second, k->scratch, k->pool);
}

static void run_joint(call *k, const flow_block *latent, const flow_block *text)
{
  size_t keys = k->rows + k->text_rows;
  run_before(k, latent, k->h, k->rows, 0, k->modulation[0]);
  run_before(k, text, k->text, k->text_rows, k->rows, k->modulation[1]);
  run_attention(k, k->rows, 0, keys, k->latent_mixed);
  if (text->linear1 != NULL) run_attention(k, k->text_rows, k->rows, keys, k->mixed);
  run_after(k, latent, k->h, k->rows, k->latent_mixed, k->modulation[0]);
  if (text->linear1 != NULL) run_after(k, text, k->text, k->text_rows, k->mixed, k->modulation[1]);
}

static bool take_memory(call *k, arena *memory)
{
  const flow_audio *f = k->f;
  size_t d = f->config.width;
  size_t longest = larger(k->rows, k->text_rows);
  size_t inner = larger(f->latent_unit.inner, larger(f->t_embed.angles, f->r_embed.angles));
  for (size_t i = 0; i < f->joint_count; i++)
    inner = larger(inner, larger(f->joint_latent[i].ffn.inner, f->joint_text[i].ffn.inner));
  for (size_t i = 0; i < f->fused_count; i++) inner = larger(inner, f->fused[i].ffn.inner);
  size_t keys = k->rows + k->text_rows;
  k->h = conv_rows(memory, k->rows, d);
  k->text = conv_rows(memory, k->text_rows, d);
  k->c = arena_floats(memory, d);
  k->norm = conv_rows(memory, longest, d);
  k->qkv = arena_floats(memory, keys * 3 * d);
  k->mixed = conv_rows(memory, k->text_rows, d);
  k->latent_mixed = conv_rows(memory, k->rows, d);
  k->inner = conv_rows(memory, longest, inner);
  k->inner_gate = conv_rows(memory, longest, inner);
  k->modulation[0] = arena_floats(memory, 6 * d);
  k->modulation[1] = arena_floats(memory, 6 * d);
  k->cosine = arena_floats(memory, longest * f->config.head_size / 2);
  k->sine = arena_floats(memory, longest * f->config.head_size / 2);
  size_t threads = pool_threads(k->pool);
  k->scratch =
      arena_floats(memory, larger(attention_scratch(longest, keys, f->config.head_size) * threads,
                                  parts_scratch(&f->parts, longest, threads)));
  return !arena_failed(memory) && k->h != NULL && k->text != NULL && k->norm != NULL &&
         k->mixed != NULL && k->latent_mixed != NULL && k->inner != NULL && k->inner_gate != NULL;
}

mw_status flow_audio_call(const flow_audio *f, const flow_prompt *prompt, const float *latent,
                          size_t rows, float t, float r, float *u, arena *memory, pool *p,
                          mw_error *error)
{
  size_t d = f->config.width;
  size_t channels = f->config.latent_channels;
  arena_mark mark = arena_set_mark(memory);
  call k = {.f = f, .rows = rows, .text_rows = prompt->rows, .pool = p};
  float *x = conv_rows(memory, rows, channels);
  if (rows == 0 || !take_memory(&k, memory) || x == NULL) {
    arena_release(memory, mark);
    return mw_fail_memory(error, "running the latent transformer");
  }
  memcpy(x, latent, rows * channels * sizeof(float));
  memcpy(k.text, prompt->text, prompt->rows * d * sizeof(float));
  make_rotation(&k, larger(rows, prompt->rows));
  make_condition(&k, prompt, t, r);
  epilogue selu = {.act = ACTIVATION_SELU};
  conv_run(f->latent_in, x, rows, k.norm, &selu, k.scratch, p);
  memset(k.norm + rows * d, 0, 7 * d * sizeof(float));
  memset(k.inner - 7 * f->latent_unit.inner, 0, 7 * f->latent_unit.inner * sizeof(float));
  memset(k.inner + rows * f->latent_unit.inner, 0, 7 * f->latent_unit.inner * sizeof(float));
  run_unit(&f->latent_unit, k.norm, rows, k.inner, k.inner_gate, k.h, NULL, k.scratch, p);
  probe(f, "audio_input_proj", k.h, rows * d);
  for (size_t i = 0; i < f->joint_count; i++) {
    run_joint(&k, &f->joint_latent[i], &f->joint_text[i]);
    if (i == 0) probe(f, "joint0_latent_out", k.h, rows * d);
    if (i == 0) probe(f, "joint0_text_out", k.text, prompt->rows * d);
  }
  probe(f, "joint_last_latent_out", k.h, rows * d);
  for (size_t i = 0; i < f->fused_count; i++) {
    run_before(&k, &f->fused[i], k.h, rows, 0, k.modulation[0]);
    run_attention(&k, rows, 0, rows, k.latent_mixed);
    run_after(&k, &f->fused[i], k.h, rows, k.latent_mixed, k.modulation[0]);
    if (i == 0) probe(f, "fused0_out", k.h, rows * d);
  }
  probe(f, "fused_last_out", k.h, rows * d);
  modulate(&k, f->final_modulation, k.modulation[0]);
  layer_norm(k.h, d, rows, d, k.modulation[0] + d, k.modulation[0], norm_epsilon, k.norm, d);
  memset(k.norm + rows * d, 0, 7 * d * sizeof(float));
  conv_run(f->final_conv, k.norm, rows, u, NULL, k.scratch, p);
  arena_release(memory, mark);
  return MW_OK;
}
