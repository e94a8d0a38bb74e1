// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a chunk of voice conversion costs, stage by stage, on one thread: the loop that streams run,
// at the published sizes with weights by formula, or with the default model.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "bench_weights.h"
#include "random.h"
#include "voice.h"

enum { PROMPT_FRAMES = 500, FIRST_CHUNKS = 8, CHUNK_TIMES = STAGES + 1 };

static const struct {
  const char *name;
  const char *encoder;
  const char *decoder;
  size_t chunk;
  size_t ahead;
} sizes[] = {
    {"meanvc", "fastu2pp-v1", "meanvc", 20, 0},
    {"meanvc2-120", "fastu2pp-v2", "meanvc2", 12, 4},
    {"meanvc2-40", "fastu2pp-v2", "meanvc2", 4, 4},
};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

typedef struct {
  weights *files[3];
  asr_encoder *encoder;
  flow_vc *decoder;
  flow_vc_schedule *schedule;
  vocos *vocoder;
  flow_vc_voice *voice;
  mw_voice_model *model; // of "default", else NULL
  mw_voice *model_voice;
  converter *loop;
} pipeline;

static void pipeline_free(pipeline *p)
{
  converter_free(p->loop);
  mw_voice_close(p->model_voice);
  mw_voice_model_close(p->model);
  flow_vc_voice_free(p->voice);
  flow_vc_schedule_free(p->schedule);
  vocos_free(p->vocoder);
  flow_vc_free(p->decoder);
  asr_encoder_free(p->encoder);
  for (int i = 0; i < 3; i++) weights_close(p->files[i]);
}

static mw_status make_voice(pipeline *p, mw_error *error)
{
  random_stream random;
  size_t bins = flow_vc_mel(p->decoder);
  arena *memory = arena_new();
  if (memory == NULL) return mw_fail_memory(error, "measuring");
  float *prompt = arena_floats(memory, PROMPT_FRAMES * bins);
  float *speaker = arena_floats(memory, flow_vc_speaker(p->decoder));
  mw_status status = arena_failed(memory) ? mw_fail_memory(error, "measuring") : MW_OK;
  if (status == MW_OK) {
    random_seed(&random, 1);
    random_normal(&random, prompt, PROMPT_FRAMES * bins);
    random_normal(&random, speaker, flow_vc_speaker(p->decoder));
    status = flow_vc_voice_new(&p->voice, p->decoder, speaker, prompt, PROMPT_FRAMES, error);
  }
  arena_free(memory);
  return status;
}

static mw_status open_size(pipeline *p, int size, const mw_bench_voice_wish *wish, mw_error *error)
{
  const char *const kinds[3] = {sizes[size].encoder, sizes[size].decoder, "vocos-16k"};
  float times[17];
  weights_view views[3];
  mw_status status = MW_OK;
  for (int i = 0; status == MW_OK && i < 3; i++)
    status =
        bench_weights_open(&p->files[i], &views[i], kinds[i], FORMULA_MEANVC, wish->type, error);
  if (status == MW_OK) status = asr_encoder_load(&p->encoder, &views[0], error);
  if (status == MW_OK)
    status = flow_vc_load(&p->decoder, &views[1], sizes[size].chunk, sizes[size].ahead, error);
  if (status == MW_OK) status = vocos_load(&p->vocoder, &views[2], 0, error);
  if (status != MW_OK) return status;
  flow_vc_published_times(p->decoder, times, wish->steps);
  status = flow_vc_schedule_new(&p->schedule, p->decoder, times, wish->steps, error);
  if (status == MW_OK) status = make_voice(p, error);
  converter_model networks = {p->encoder, p->decoder, p->schedule, p->vocoder};
  if (status == MW_OK)
    status =
        converter_new(&p->loop, &networks, PROMPT_FRAMES, CONVERTER_RESET_CHUNKS, false, error);
  return status;
}

static mw_status open_default(pipeline *p, unsigned steps, mw_error *error)
{
  mw_status status = mw_voice_model_open(&p->model, NULL, NULL, steps, error);
  if (status != MW_OK) return status;
  const char *name = mw_voice_model_voice(p->model, 0);
  if (name == NULL) return mw_fail(error, MW_ERROR_MODEL, "the default model has no voice");
  status = mw_voice_open(&p->model_voice, p->model, name, NULL, error);
  converter_model networks = vc_model_networks(p->model);
  if (status == MW_OK)
    status = converter_new(&p->loop, &networks, VOICE_LONGEST_FRAMES, CONVERTER_RESET_CHUNKS, false,
                           error);
  return status;
}

static mw_status pipeline_open(pipeline *p, const mw_bench_voice_wish *wish, mw_error *error)
{
  if (wish->steps < 1 || wish->steps > 16)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%u steps: wanted 1 to 16", wish->steps);
  if (strcmp(wish->size, "default") == 0) return open_default(p, wish->steps, error);
  for (int i = 0; i < SIZES; i++)
    if (strcmp(sizes[i].name, wish->size) == 0) return open_size(p, i, wish, error);
  return mw_fail(error, MW_ERROR_ARGUMENT,
                 "no size '%s': meanvc, meanvc2-120, meanvc2-40 or default", wish->size);
}

static double now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

// Times of the chunk at hand, stage by stage.
typedef struct {
  double begun;
  double last;
  double stage[STAGES];
} stopwatch;

static void stop(void *context, converter_stage done)
{
  stopwatch *w = context;
  double now = now_ms();
  w->stage[done] = now - w->last;
  w->last = now;
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

// times [CHUNK_TIMES, count]
static void run_chunks(const pipeline *p, float *samples, float *out, double *times, size_t count)
{
  const flow_vc_voice *voice = p->model != NULL ? p->model_voice->folded : p->voice;
  random_stream random;
  stopwatch watch;
  random_seed(&random, 2);
  converter_set_mark(p->loop, stop, &watch);
  for (size_t i = 0; i < FIRST_CHUNKS + count; i++) {
    size_t wanted = converter_wanted(p->loop);
    random_normal(&random, samples, wanted);
    for (size_t k = 0; k < wanted; k++) samples[k] *= 0.1f;
    watch.begun = watch.last = now_ms();
    converter_step(p->loop, voice, samples, NULL, out, NULL);
    if (i < FIRST_CHUNKS) continue;
    for (size_t s = 0; s < STAGES; s++) times[s * count + i - FIRST_CHUNKS] = watch.stage[s];
    times[STAGES * count + i - FIRST_CHUNKS] = watch.last - watch.begun;
  }
}

mw_status mw_bench_voice(const mw_bench_voice_wish *wish,
                         void (*row)(void *context, const mw_bench_stage *row), void *context,
                         mw_error *error)
{
  static const char *const names[CHUNK_TIMES] = {"analysis", "encoder", "decoder", "vocoder",
                                                 "total"};
  pipeline p = {0};
  size_t count = wish->chunks > 0 ? wish->chunks : 1;
  arena *memory = NULL;
  mw_status status = pipeline_open(&p, wish, error);
  if (status == MW_OK && (memory = arena_new()) == NULL)
    status = mw_fail_memory(error, "measuring");
  if (status == MW_OK) {
    float *samples = arena_floats(memory, converter_most_wanted(p.loop));
    float *out = arena_floats(memory, converter_most_returned(p.loop));
    double *times = arena_take(memory, CHUNK_TIMES * count, sizeof *times);
    if (arena_failed(memory)) {
      status = mw_fail_memory(error, "measuring");
    } else {
      run_chunks(&p, samples, out, times, count);
      double chunk_ms = 1e3 * (double)converter_wanted(p.loop) / VC_MODEL_HZ;
      for (size_t s = 0; s < CHUNK_TIMES; s++)
        report_stage(names[s], times + s * count, count, chunk_ms, row, context);
    }
  }
  arena_free(memory);
  pipeline_free(&p);
  return status;
}
