// SPDX-License-Identifier: GPL-3.0-or-later
//
// From a wish to samples:
//   prompt -> features -> flow_prompt           (two prompts: features are mixed)
//   seed -> noise [N, C]                        (two seeds: noise is turned from one to the other)
//   noise, or noise over an encoded sound -> normalised latent -> latent -> mel -> samples
// A loop is made longer than wanted, and its tail is faded into its beginning: what plays behind
// the end is what came before.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prompt.h"
#include "random.h"
#include "wavfile.h"

enum { VOCOS_TILE_FRAMES = 256, LOOP_STEP = SOUND_MODEL_HZ / 100 };
static const double longest_overlap_seconds = 1.0; // of a loop's tail over its beginning

// The share of the whole work that each stage is, estimated in multiply-adds.
typedef struct {
  double text;
  double steps;
  double coder;
  double vocoder;
} stage_costs;

typedef struct {
  const mw_sound_model *m;
  mw_sound_wish wish; // with nothing left to default
  size_t frames;      // wanted
  size_t overlap;     // of a loop
  size_t rows;        // N
  arena *memory;
  pool *pool;
  stage_costs costs; // sum 1
  double done;       // before the stage that runs
  flow_prompt prompt;
  flow_prompt negative;
  bool guided;
} job;

// ---- Progress ----

static mw_status cancelled(mw_error *error)
{
  return mw_fail(error, MW_ERROR_CANCELLED, "stopped");
}

// False: stop.
static bool tell(const job *j, double done)
{
  return j->wish.progress == NULL || j->wish.progress(j->wish.context, done);
}

static mw_status finish_stage(job *j, double cost, mw_error *error)
{
  j->done += cost;
  return tell(j, j->done) ? MW_OK : cancelled(error);
}

static bool tell_step(void *context, size_t done, size_t steps)
{
  const job *j = context;
  return tell(j, j->done + j->costs.steps * (double)done / (double)steps);
}

static bool tell_vocoder(void *context, double done)
{
  const job *j = context;
  return tell(j, j->done + j->costs.vocoder * done);
}

// Multiply-adds of the published system for 10 s, in thousand millions, scaled to these sizes.
static void estimate_costs(job *j)
{
  double seconds = (double)(j->frames + j->overlap) / SOUND_MODEL_HZ;
  double width = (double)flow_audio_get_config(j->m->flow)->width / 448.0;
  double calls = (double)j->wish.steps * (j->guided ? 2.0 : 1.0);
  bool small = j->m->words != NULL;
  stage_costs c = {.text = small ? 0.01 : 30.0,
                   .steps = calls * 3.0 * seconds * width * width,
                   .coder = (small ? 0.5 : 3.3) * seconds,
                   .vocoder = (small ? 0.1 : 57.0) * seconds};
  double sum = c.text + c.steps + c.coder + c.vocoder;
  j->costs = (stage_costs){c.text / sum, c.steps / sum, c.coder / sum, c.vocoder / sum};
}

// ---- The wish ----

static mw_status check_range(const char *what, double value, double least, double most,
                             mw_error *error)
{
  if (value >= least && value <= most) return MW_OK;
  return mw_fail(error, MW_ERROR_ARGUMENT, "%s of %g: wanted %g to %g", what, value, least, most);
}

static mw_status check_numbers(const job *j, mw_error *error)
{
  const mw_sound_wish *w = &j->wish;
  mw_status status =
      check_range("a length in seconds", w->seconds, MW_SOUND_SHORTEST, MW_SOUND_LONGEST, error);
  if (status == MW_OK)
    status = check_range("a number of steps", w->steps, 1, MW_SOUND_MOST_STEPS, error);
  if (status == MW_OK)
    status = check_range("a seed", (double)w->seed, 0, MW_SOUND_SEEDS - 1, error);
  if (status == MW_OK)
    status = check_range("a second seed", (double)w->morph_seed, 0, MW_SOUND_SEEDS - 1, error);
  if (status == MW_OK) status = check_range("a guidance", w->guidance, 0, 100, error);
  if (status == MW_OK) status = check_range("a morph", w->morph, 0, 1, error);
  if (status == MW_OK) status = check_range("a strength", w->strength, 0.001, 1, error);
  if (status != MW_OK || w->from == NULL) return status;
  if (!j->m->about.starts_from_sounds)
    return mw_fail(error, MW_ERROR_MODEL, "%s: it has no encoder to start from a sound with",
                   j->m->name);
  if (w->from->frames == 0 || w->from->samples == NULL)
    return mw_fail(error, MW_ERROR_ARGUMENT, "the sound to start from is empty");
  return MW_OK;
}

static mw_status check_prompts(const job *j, mw_error *error)
{
  mw_prompt_info info;
  const mw_sound_wish *w = &j->wish;
  if (w->prompt == NULL) return mw_fail(error, MW_ERROR_ARGUMENT, "there is no prompt");
  mw_status status = mw_sound_prompt(j->m, w->prompt, &info, error);
  if (status == MW_OK && w->morph_prompt != NULL)
    status = mw_sound_prompt(j->m, w->morph_prompt, &info, error);
  if (status == MW_OK) status = prompt_check(w->negative, true, error);
  return status;
}

// Defaults in place, sizes known.
static mw_status read_wish(job *j, const mw_sound_wish *wish, mw_error *error)
{
  mw_sound_wish *w = &j->wish;
  *w = *wish;
  if (w->negative == NULL) w->negative = "";
  if (w->steps == 0) w->steps = j->m->about.steps;
  if (w->guidance == 0.0) w->guidance = j->m->about.guidance;
  if (w->strength == 0.0) w->strength = SOUND_USUAL_STRENGTH;
  if (w->seconds == 0.0)
    w->seconds = w->from != NULL && w->from->rate_hz > 0
                     ? (double)w->from->frames / (double)w->from->rate_hz
                     : j->m->about.trained_seconds;
  mw_status status = check_prompts(j, error);
  if (status == MW_OK) status = check_numbers(j, error);
  if (status != MW_OK) return status;
  j->frames = (size_t)lround(w->seconds * SOUND_MODEL_HZ);
  if (w->loop) {
    j->frames = (j->frames + LOOP_STEP / 2) / LOOP_STEP * LOOP_STEP;
    j->overlap = (size_t)(fmin(longest_overlap_seconds, w->seconds / 4.0) * SOUND_MODEL_HZ);
  }
  j->rows = (j->frames + j->overlap + j->m->latent_hop - 1) / j->m->latent_hop;
  // 1 u + 0 away: the conditional branch alone
  j->guided = w->guidance > 1.0;
  estimate_costs(j);
  return MW_OK;
}

// ---- Stages ----

static mw_status encode_prompt(job *j, const char *prompt, const char *other, flow_prompt *made,
                               mw_error *error)
{
  prompt_features f;
  prompt_features second;
  mw_status status = prompt_encode(j->m, prompt, &f, j->memory, j->pool, error);
  if (status == MW_OK && other != NULL) {
    status = prompt_encode(j->m, other, &second, j->memory, j->pool, error);
    if (status == MW_OK) prompt_morph(j->m, &f, &second, j->wish.morph);
  }
  if (status == MW_OK)
    status = flow_audio_prompt(j->m->flow, f.text, j->m->text_rows, f.pooled, made, j->memory,
                               j->pool, error);
  return status;
}

static mw_status encode_prompts(job *j, mw_error *error)
{
  bool morphs = j->wish.morph_prompt != NULL && j->wish.morph > 0.0;
  const char *other = morphs ? j->wish.morph_prompt : NULL;
  mw_status status = encode_prompt(j, j->wish.prompt, other, &j->prompt, error);
  if (status == MW_OK && j->guided)
    status = encode_prompt(j, j->wish.negative, NULL, &j->negative, error);
  return status == MW_OK ? finish_stage(j, j->costs.text, error) : status;
}

// Between two noises the turn keeps the variance, where a straight line would lose some.
static mw_status make_noise(const job *j, float *x, size_t count, mw_error *error)
{
  random_stream random;
  random_seed(&random, j->wish.seed);
  random_normal(&random, x, count);
  if (!j->wish.has_morph_seed || j->wish.morph == 0.0) return MW_OK;
  arena_mark mark = arena_set_mark(j->memory);
  float *second = arena_floats(j->memory, count);
  if (second == NULL) return mw_fail_memory(error, "making noise");
  double angle = j->wish.morph * acos(-1.0) / 2.0;
  random_seed(&random, j->wish.morph_seed);
  random_normal(&random, second, count);
  for (size_t i = 0; i < count; i++) x[i] = (float)(cos(angle) * x[i] + sin(angle) * second[i]);
  arena_release(j->memory, mark);
  return MW_OK;
}

// The sound's latents, [N, C], normalised. Its encoder is read for this call only: it is large, and
// few sounds start from another.
static mw_status encode_sound(const job *j, float *x0, mw_error *error)
{
  const mw_sound_model *m = j->m;
  latent_coder *coder = NULL;
  mel *analysis = NULL;
  sound at_rate = {0};
  size_t bins = latent_coder_get_config(m->coder)->mel_bins;
  size_t wanted = j->rows * latent_coder_get_config(m->coder)->factor; // mel frames
  size_t samples = j->rows * m->latent_hop;
  size_t count = j->rows * flow_audio_get_config(m->flow)->latent_channels;
  mw_status status = sound_resample(&at_rate, j->wish.from, SOUND_MODEL_HZ, error);
  if (status != MW_OK) return status;
  status = mel_new(&analysis, m->mel, error);
  float *padded = arena_floats(j->memory, samples);
  size_t frames = status == MW_OK ? mel_frames(analysis, samples) : 0;
  size_t rows = frames > wanted ? frames : wanted;
  float *mels = arena_floats(j->memory, rows * bins);
  float *variance = arena_floats(j->memory, count);
  if (status == MW_OK && (arena_failed(j->memory) || frames == 0))
    status = mw_fail_memory(error, "encoding a sound");
  if (status == MW_OK) status = weights_check(sound_model_coder_file(m), error);
  if (status == MW_OK) status = latent_coder_load(&coder, sound_model_coder_file(m), true, error);
  if (status == MW_OK) {
    size_t known = at_rate.frames < samples ? at_rate.frames : samples;
    memset(padded, 0, samples * sizeof(float));
    for (size_t i = 0; i < known; i++) padded[i] = fmaxf(-1.0f, fminf(1.0f, at_rate.samples[i]));
    mel_run(analysis, padded, samples, mels);
    for (size_t i = frames; i < wanted; i++)
      memcpy(mels + i * bins, mels + (frames - 1) * bins, bins * sizeof(float));
    status = latent_encode(coder, mels, wanted, x0, variance, j->memory, j->pool, error);
  }
  if (status == MW_OK) flow_audio_normalise(m->flow, x0, j->rows);
  weights_let_go(sound_model_coder_file(m));
  latent_coder_free(coder);
  mel_free(analysis);
  sound_free(&at_rate);
  return status;
}

static mw_status make_latents(job *j, float *x, mw_error *error)
{
  size_t count = j->rows * flow_audio_get_config(j->m->flow)->latent_channels;
  flow_sampling sampling = {.steps = j->wish.steps,
                            .start = 1.0f,
                            .guidance = j->guided ? (float)j->wish.guidance : 0.0f,
                            .prompt = &j->prompt,
                            .negative = j->guided ? &j->negative : NULL,
                            .step = tell_step,
                            .context = j};
  arena_mark mark = arena_set_mark(j->memory);
  mw_status status = make_noise(j, x, count, error);
  if (status == MW_OK && j->wish.from != NULL) {
    float *x0 = arena_floats(j->memory, count);
    status = x0 != NULL ? encode_sound(j, x0, error) : mw_fail_memory(error, "encoding a sound");
    float t = (float)j->wish.strength;
    for (size_t i = 0; status == MW_OK && i < count; i++) x[i] = (1.0f - t) * x0[i] + t * x[i];
    sampling.start = t;
  }
  arena_release(j->memory, mark);
  if (status == MW_OK)
    status = flow_audio_sample(j->m->flow, &sampling, x, j->rows, j->memory, j->pool, error);
  if (status == MW_OK) flow_audio_denormalise(j->m->flow, x, j->rows);
  return status == MW_OK ? finish_stage(j, j->costs.steps, error) : status;
}

// mel [frames + 1, bins] -> samples [frames * hop]; the row behind the last is there to be written.
static mw_status run_vocoder(job *j, float *mels, size_t frames, float *samples, mw_error *error)
{
  const mw_sound_model *m = j->m;
  vocos_state *state = NULL;
  if (m->bigvgan != NULL)
    return bigvgan_run(m->bigvgan, mels, frames, samples, tell_vocoder, j, j->pool, error);
  // Vocos gives a hop less than it takes: the last frame is repeated. Its mel is of -1 to 1.
  memcpy(mels + frames * MEL_BINS, mels + (frames - 1) * MEL_BINS, MEL_BINS * sizeof(float));
  for (size_t i = 0; i < (frames + 1) * MEL_BINS; i++)
    mels[i] = (fmaxf(-1.0f, fminf(1.0f, mels[i])) + 1.0f) / 2.0f;
  mw_status status = vocos_state_new(&state, m->vocos, VOCOS_TILE_FRAMES, error);
  if (status == MW_OK) vocos_decode(state, mels, frames + 1, samples, j->pool);
  vocos_state_free(state);
  return status;
}

// What comes behind the loop's end fades out over its beginning; equal power, for the two parts
// have nothing in common.
static void join_loop(const job *j, float *samples)
{
  for (size_t i = 0; i < j->overlap; i++) {
    double share = ((double)i + 0.5) / (double)j->overlap;
    double angle = share * acos(-1.0) / 2.0;
    samples[i] = (float)(sin(angle) * samples[i] + cos(angle) * samples[j->frames + i]);
  }
}

static mw_status run_job(job *j, mw_sound *made, mw_error *error)
{
  const mw_sound_model *m = j->m;
  size_t channels = flow_audio_get_config(m->flow)->latent_channels;
  size_t frames = j->rows * latent_coder_get_config(m->coder)->factor;
  float *x = arena_floats(j->memory, j->rows * channels);
  float *mels = arena_floats(j->memory, (frames + 1) * MEL_BINS);
  made->samples = malloc((j->rows * m->latent_hop + 1) * sizeof(float));
  if (x == NULL || mels == NULL || made->samples == NULL)
    return mw_fail_memory(error, "generating a sound");
  mw_status status = tell(j, 0.0) ? encode_prompts(j, error) : cancelled(error);
  if (status == MW_OK) status = make_latents(j, x, error);
  if (status == MW_OK)
    status = latent_decode(m->coder, x, j->rows, mels, j->memory, j->pool, error);
  if (status == MW_OK) status = finish_stage(j, j->costs.coder, error);
  if (status == MW_OK) status = run_vocoder(j, mels, frames, made->samples, error);
  if (status != MW_OK) return status;
  join_loop(j, made->samples);
  made->frames = j->frames;
  made->rate_hz = SOUND_MODEL_HZ;
  // a broken checkpoint can make anything
  for (size_t i = 0; i < made->frames; i++)
    if (!isfinite(made->samples[i]))
      return mw_fail(error, MW_ERROR_MODEL,
                     "%s: it made something that is no sound; are its files whole?", m->name);
  return MW_OK;
}

mw_status mw_sound_generate(mw_sound *made, const mw_sound_model *model, const mw_sound_wish *wish,
                            mw_error *error)
{
  job j = {.m = model};
  *made = (mw_sound){0};
  mw_status status = read_wish(&j, wish, error);
  if (status != MW_OK) return status;
  j.memory = arena_new();
  j.pool = pool_new(wish->threads);
  if (j.memory == NULL || j.pool == NULL)
    status = mw_fail_memory(error, "generating a sound");
  else
    status = run_job(&j, made, error);
  if (status != MW_OK) mw_sound_free(made);
  pool_free(j.pool);
  arena_free(j.memory);
  return status;
}
