// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a chunk of voice conversion costs, stage by stage, on one thread: the published sizes with
// weights by formula, or a bundle.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "asr_encoder.h"
#include "fbank.h"
#include "flow_vc.h"
#include "formula.h"
#include "inventory.h"
#include "random.h"
#include "vocos.h"

enum { PROMPT_FRAMES = 500, CHUNK_FRAMES = 20, OVERLAP_FRAMES = 3, STAGES = 5 };

typedef struct {
  weights *files[3];
  asr_encoder *encoder;
  flow_vc *decoder;
  flow_vc_schedule *schedule;
  flow_vc_voice *voice;
  vocos *vocoder;
  fbank *analysis;
  asr_state *encoding;
  flow_vc_state *decoding;
  vocos_stream *speaking;
} pipeline;

static void pipeline_free(pipeline *p)
{
  vocos_stream_free(p->speaking);
  flow_vc_state_free(p->decoding);
  asr_state_free(p->encoding);
  fbank_free(p->analysis);
  flow_vc_voice_free(p->voice);
  flow_vc_schedule_free(p->schedule);
  vocos_free(p->vocoder);
  flow_vc_free(p->decoder);
  asr_encoder_free(p->encoder);
  for (int i = 0; i < 3; i++) weights_close(p->files[i]);
}

static mw_status open_formula(weights **file, weights_view *view, const char *kind, mw_error *error)
{
  inventory *known = NULL;
  mw_status status = inventory_named(&known, kind, error);
  if (status == MW_OK) status = weights_formula(file, known, FORMULA_MEANVC, NULL, error);
  if (status == MW_OK) *view = inventory_view(known, *file);
  inventory_free(known);
  return status;
}

static mw_status pipeline_open(pipeline *p, mw_error *error)
{
  weights_view encoder;
  weights_view decoder;
  weights_view vocoder;
  float times[2];
  mw_status status = open_formula(&p->files[0], &encoder, "fastu2pp-v1", error);
  if (status == MW_OK) status = open_formula(&p->files[1], &decoder, "meanvc", error);
  if (status == MW_OK) status = open_formula(&p->files[2], &vocoder, "vocos-16k", error);
  if (status == MW_OK) status = asr_encoder_load(&p->encoder, &encoder, error);
  if (status == MW_OK) status = flow_vc_load(&p->decoder, &decoder, CHUNK_FRAMES, 0, error);
  if (status == MW_OK) status = vocos_load(&p->vocoder, &vocoder, 0, error);
  if (status == MW_OK) flow_vc_published_times(p->decoder, times, 1);
  if (status == MW_OK) status = flow_vc_schedule_new(&p->schedule, p->decoder, times, 1, error);
  if (status == MW_OK) status = fbank_new(&p->analysis, error);
  if (status == MW_OK)
    status = asr_state_new(&p->encoding, p->encoder, CHUNK_FRAMES / 4, false, error);
  if (status == MW_OK)
    status = flow_vc_state_new(&p->decoding, p->decoder, p->schedule, PROMPT_FRAMES, error);
  if (status == MW_OK)
    status = vocos_stream_new(&p->speaking, p->vocoder, CHUNK_FRAMES, OVERLAP_FRAMES,
                              2 * vocos_hop(p->vocoder), error);
  return status;
}

static double now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int compare_times(const void *a, const void *b)
{
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

// The middle one, and the one that 999 of 1000 do not exceed.
static void report_stage(const char *name, double *times, size_t count, double chunk_ms,
                         void (*row)(void *, const mw_bench_stage *), void *context)
{
  double sum = 0.0;
  for (size_t i = 0; i < count; i++) sum += times[i];
  qsort(times, count, sizeof *times, compare_times);
  mw_bench_stage stage = {.name = name,
                          .rtf = sum / (double)count / chunk_ms,
                          .median_ms = times[count / 2],
                          .p999_ms = times[(count - 1) * 999 / 1000]};
  row(context, &stage);
}

typedef struct {
  float *samples;  // [window]
  float *fbank;    // [window frames, 80]
  float *features; // [content frames, width]
  float *content;  // [chunk, width]
  float *noise;    // [chunk, mel]
  float *mel;      // [chunk, mel]
  float *out;
} buffers;

static void run_chunk(pipeline *p, const buffers *b, size_t window, double *times, size_t count,
                      size_t index)
{
  size_t width = asr_encoder_width(p->encoder);
  size_t values = CHUNK_FRAMES * flow_vc_mel(p->decoder);
  double begun = now_ms();
  fbank_run(p->analysis, b->samples, window, b->fbank);
  double analysed = now_ms();
  asr_run(p->encoding, b->fbank, asr_window_frames(p->encoding), CHUNK_FRAMES / 4, b->features);
  for (size_t i = 0; i < CHUNK_FRAMES; i++)
    memcpy(b->content + i * width, b->features + i / 4 * width, width * sizeof(float));
  double encoded = now_ms();
  flow_vc_chunk(p->decoding, p->voice, b->content, b->noise, CHUNK_FRAMES, 0, b->mel);
  for (size_t i = 0; i < values; i++) b->mel[i] = (b->mel[i] + 1.0f) / 2.0f;
  double decoded = now_ms();
  vocos_stream_step(p->speaking, b->mel, b->out);
  double spoken = now_ms();
  times[index] = analysed - begun;
  times[count + index] = encoded - analysed;
  times[2 * count + index] = decoded - encoded;
  times[3 * count + index] = spoken - decoded;
  times[4 * count + index] = spoken - begun;
}

mw_status mw_bench_voice(unsigned chunks, void (*row)(void *context, const mw_bench_stage *row),
                         void *context, mw_error *error)
{
  static const char *const names[STAGES] = {"analysis", "encoder", "decoder", "vocoder", "total"};
  pipeline p = {0};
  random_stream random;
  arena *memory = arena_new();
  double *times = NULL;
  mw_status status = memory != NULL ? pipeline_open(&p, error) : mw_fail_memory(error, "measuring");
  if (status != MW_OK) goto done;
  size_t window = FBANK_FRAME + (asr_window_frames(p.encoding) - 1) * FBANK_SHIFT;
  size_t bins = flow_vc_mel(p.decoder);
  size_t width = asr_encoder_width(p.encoder);
  size_t count = chunks > 0 ? chunks : 1;
  float *prompt = arena_floats(memory, PROMPT_FRAMES * bins);
  float *speaker = arena_floats(memory, flow_vc_speaker(p.decoder) + 16);
  buffers b = {.samples = arena_floats(memory, window),
               .fbank = arena_floats(memory, asr_window_frames(p.encoding) * FBANK_BINS),
               .features = arena_floats(memory, CHUNK_FRAMES * width),
               .content = arena_floats(memory, CHUNK_FRAMES * width),
               .noise = arena_floats(memory, CHUNK_FRAMES * bins),
               .mel = arena_floats(memory, CHUNK_FRAMES * bins),
               .out = arena_floats(memory, (CHUNK_FRAMES + OVERLAP_FRAMES) * vocos_hop(p.vocoder))};
  times = calloc(STAGES * count, sizeof *times);
  if (arena_failed(memory) || times == NULL) {
    status = mw_fail_memory(error, "measuring");
    goto done;
  }
  random_seed(&random, 1);
  random_normal(&random, prompt, PROMPT_FRAMES * bins);
  random_normal(&random, speaker, flow_vc_speaker(p.decoder));
  random_normal(&random, b.samples, window);
  random_normal(&random, b.noise, CHUNK_FRAMES * bins);
  for (size_t i = 0; i < window; i++) b.samples[i] *= 0.1f;
  status = flow_vc_voice_new(&p.voice, p.decoder, speaker, prompt, PROMPT_FRAMES, error);
  if (status != MW_OK) goto done;
  // the first chunks have no history yet: they cost less and are not counted
  for (size_t i = 0; i < 8; i++) run_chunk(&p, &b, window, times, count, 0);
  for (size_t i = 0; i < count; i++) run_chunk(&p, &b, window, times, count, i);
  for (size_t s = 0; s < STAGES; s++)
    report_stage(names[s], times + s * count, count, CHUNK_FRAMES * 10.0, row, context);
done:
  free(times);
  arena_free(memory);
  pipeline_free(&p);
  return status;
}
