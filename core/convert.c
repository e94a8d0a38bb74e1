// SPDX-License-Identifier: GPL-3.0-or-later
//
// One chunk of n mel frames, in the order sound takes (first generation: n = 20, 200 ms, nothing
// ahead; second: n = 12 or 4, and 4 frames ahead):
//
//   samples   160 n new ones, behind those that the window had already
//   encoder   a window of n + ahead + 3 filterbank frames gives (n + ahead) / 4 content frames, of
//             which n / 4 become the past; those ahead come again in the next window
//   stretch   straight lines from the last content frame before: frame k lands on row 4 k + 3
//   pitch     where the decoder wants it: each row's, moved from the source's running mean to the
//             voice's
//   decoder   n mel frames in -1..1
//   examples  where the voice has some: a share of the envelopes that its recording has there
//   variance  where the decoder says how much too smooth it is: as far apart as recordings are
//   vocoder   (mel + 1) / 2, with the last frames before; joined by a cross-fade
#include "convert_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stretch.h"

// The running mean of the source's pitch begins as one frame of 150 Hz. MEAN_HEARD frames tell
// where a voice lies; from then on it moves so slowly that no melody follows it, as if MEAN_SETTLED
// were heard, and forgets what is more than MEAN_MOST voiced frames ago.
enum { MEAN_FIRST = 1, MEAN_HEARD = 16, MEAN_SETTLED = 200, MEAN_MOST = 1000 };
#define MEAN_FIRST_OCTAVES 7.2288187f

static mw_status check_fit(const converter_model *m, mw_error *error)
{
  if (flow_vc_chunk_frames(m->decoder) % STRETCH != 0 ||
      flow_vc_ahead_frames(m->decoder) % STRETCH != 0)
    return mw_fail(error, MW_ERROR_MODEL,
                   "a decoder's chunk of %zu + %zu frames is no whole number of content frames",
                   flow_vc_chunk_frames(m->decoder), flow_vc_ahead_frames(m->decoder));
  if (flow_vc_content(m->decoder) != asr_encoder_width(m->encoder) ||
      flow_vc_mel(m->decoder) != vocos_mel_bins(m->vocoder) ||
      asr_encoder_bins(m->encoder) != FBANK_BINS)
    return mw_fail(error, MW_ERROR_MODEL,
                   "encoder, decoder and vocoder do not belong together: %zu features, %zu wanted; "
                   "%zu mel bins, %zu wanted",
                   asr_encoder_width(m->encoder), flow_vc_content(m->decoder),
                   flow_vc_mel(m->decoder), vocos_mel_bins(m->vocoder));
  if (vocos_hop(m->vocoder) != FBANK_SHIFT)
    return mw_fail(error, MW_ERROR_MODEL,
                   "the vocoder makes %zu samples of a mel frame; the model's are %d apart",
                   vocos_hop(m->vocoder), FBANK_SHIFT);
  return MW_OK;
}

static mw_status make_states(converter *c, size_t longest_prompt_frames, mw_error *error)
{
  bool second = flow_vc_second_generation(c->m.decoder);
  size_t overlap = second ? 2 : 3; // of the published loops, like the fade
  size_t fade = (overlap - 1) * vocos_hop(c->m.vocoder);
  mw_status status = fbank_new(&c->analysis, error);
  if (status == MW_OK)
    status = asr_state_new(&c->encoder, c->m.encoder, (c->n + c->ahead) / STRETCH, second, error);
  if (status == MW_OK && flow_vc_wants_pitch(c->m.decoder))
    status = pitch_tracker_new(&c->pitch, error);
  if (status == MW_OK && c->pitch != NULL && !c->published)
    status = examples_state_new(&c->likeness, c->width, c->mel_bins, error);
  if (status == MW_OK && flow_vc_variance(c->m.decoder) != NULL)
    status = global_variance_state_new(&c->variance, flow_vc_variance(c->m.decoder), error);
  if (status == MW_OK)
    status =
        flow_vc_state_new(&c->decoder, c->m.decoder, c->m.schedule, longest_prompt_frames, error);
  if (status == MW_OK)
    status = vocos_stream_new(&c->vocoder, c->m.vocoder, c->n, overlap, fade, error);
  return status;
}

static mw_status take_memory(converter *c, mw_error *error)
{
  size_t rows = c->n + c->ahead;
  size_t window = rows > BLOCK_FRAMES ? rows : BLOCK_FRAMES;
  size_t waiting = rows + BLOCK_FRAMES;
  c->window = arena_floats(c->memory, BEFORE_SAMPLES + KEPT_SAMPLES + window * FBANK_SHIFT);
  c->fbank = arena_floats(c->memory, (window + 2 * REPEATED_FRAMES) * FBANK_BINS);
  c->features = arena_floats(c->memory, (1 + window / STRETCH) * c->width);
  c->content = arena_floats(c->memory, waiting * c->width);
  c->noise = arena_floats(c->memory, rows * c->mel_bins);
  c->mel = arena_floats(c->memory, c->n * c->mel_bins);
  c->told = arena_take(c->memory, c->n, sizeof *c->told);
  return arena_failed(c->memory) ? mw_fail_memory(error, "making a converter") : MW_OK;
}

mw_status converter_new(converter **made, const converter_model *model,
                        size_t longest_prompt_frames, size_t reset_chunks, bool published,
                        mw_error *error)
{
  mw_status status = check_fit(model, error);
  if (status != MW_OK) return status;
  converter *c = calloc(1, sizeof *c);
  if (c == NULL || (c->memory = arena_new()) == NULL) {
    converter_free(c);
    return mw_fail_memory(error, "making a converter");
  }
  c->m = *model;
  c->n = flow_vc_chunk_frames(model->decoder);
  c->ahead = flow_vc_ahead_frames(model->decoder);
  c->width = asr_encoder_width(model->encoder);
  c->mel_bins = flow_vc_mel(model->decoder);
  c->published = published && flow_vc_second_generation(model->decoder);
  c->reset_chunks = reset_chunks;
  if (c->published && BLOCK_FRAMES % (c->n + c->ahead) != 0)
    status = mw_fail(error, MW_ERROR_MODEL,
                     "the published loop takes chunks of 12 + 4 or 4 + 4 frames, not %zu + %zu",
                     c->n, c->ahead);
  if (status == MW_OK) status = make_states(c, longest_prompt_frames, error);
  if (status == MW_OK) status = take_memory(c, error);
  if (status != MW_OK) {
    converter_free(c);
    return status;
  }
  converter_reset(c, 0);
  *made = c;
  return MW_OK;
}

void converter_free(converter *c)
{
  if (c == NULL) return;
  fbank_free(c->analysis);
  asr_state_free(c->encoder);
  pitch_tracker_free(c->pitch);
  examples_state_free(c->likeness);
  global_variance_state_free(c->variance);
  flow_vc_state_free(c->decoder);
  vocos_stream_free(c->vocoder);
  arena_free(c->memory);
  free(c);
}

void converter_reset(converter *c, uint64_t seed)
{
  c->chunks = 0;
  c->frames = 0;
  random_seed(&c->random, seed);
  memset(c->window, 0, BEFORE_SAMPLES * sizeof(float));
  asr_reset(c->encoder);
  if (c->pitch != NULL) pitch_tracker_reset(c->pitch);
  c->pitch_mean = MEAN_FIRST_OCTAVES;
  c->pitch_weight = MEAN_FIRST;
  if (c->likeness != NULL) examples_reset(c->likeness);
  if (c->variance != NULL) global_variance_reset(c->variance);
  flow_vc_reset(c->decoder);
  vocos_stream_reset(c->vocoder);
  if (c->published) blocks_reset(c);
}

bool converter_guess_ahead(converter *c)
{
  if (c->published || c->ahead == 0) return false;
  c->guessed = STRETCH;
  return true;
}

bool converter_moves_pitch(const converter *c)
{
  return c->pitch != NULL;
}

void converter_set_pitch(converter *c, float semitones)
{
  c->semitones = semitones;
}

void converter_set_examples(converter *c, const examples *e)
{
  if (c->likeness != NULL) c->examples = e;
}

// Samples of the encoder's window that are waited for.
static size_t window_samples(const converter *c)
{
  return KEPT_SAMPLES + (c->n + c->ahead - c->guessed) * FBANK_SHIFT;
}

size_t converter_wanted(const converter *c)
{
  if (c->published) return BLOCK_SAMPLES;
  return c->chunks == 0 ? window_samples(c) : c->n * FBANK_SHIFT;
}

size_t converter_returned(const converter *c)
{
  return c->published ? blocks_returned(c) : vocos_stream_next(c->vocoder);
}

size_t converter_chunks(const converter *c)
{
  return c->chunks;
}

size_t converter_most_wanted(const converter *c)
{
  return KEPT_SAMPLES + (c->n + c->ahead + BLOCK_FRAMES) * FBANK_SHIFT;
}

size_t converter_most_returned(const converter *c)
{
  return (c->n + c->ahead + BLOCK_FRAMES) * vocos_hop(c->m.vocoder);
}

// Just before q + 1 chunks are done, W + q C - 1 samples are in and R + (q - 1) C are out, where W
// and R are what the first one takes and returns and C is a chunk.
size_t converter_owed(const converter *c)
{
  if (c->published) return blocks_owed(c);
  size_t chunk = c->n * FBANK_SHIFT;
  return window_samples(c) + chunk - vocos_stream_first(c->vocoder) - 1;
}

size_t converter_shift(const converter *c)
{
  return c->published ? KEPT_SAMPLES + REPEATED_FRAMES * FBANK_SHIFT : 0;
}

void converter_set_mark(converter *c, void (*mark)(void *context, converter_stage done),
                        void *context)
{
  c->mark = mark;
  c->mark_context = context;
}

void converter_mark(const converter *c, converter_stage done)
{
  if (c->mark != NULL) c->mark(c->mark_context, done);
}

void converter_set_back(converter *c)
{
  size_t position = asr_position(c->encoder);
  size_t least = 2 * (c->n + c->ahead) / STRETCH; // of a cache filled with zeros
  if (flow_vc_second_generation(c->m.decoder)) {
    if (position < POSITION_LIMIT) return;
    position -= POSITION_LIMIT;
    asr_set_position(c->encoder, position > least ? position : least);
  } else if (c->chunks > 0 && c->chunks % c->reset_chunks == 0) {
    asr_set_position(c->encoder, c->n);
  }
}

// Row i is centred on the window's sample 160 i.
static pitch_value hear_pitch(converter *c, size_t row)
{
  return pitch_track(c->pitch, c->window + row * FBANK_SHIFT);
}

static void follow_mean(converter *c, pitch_value heard)
{
  c->pitch_weight = fminf(c->pitch_weight + heard.voicing, MEAN_MOST);
  if (c->pitch_weight >= MEAN_FIRST + MEAN_HEARD)
    c->pitch_weight = fmaxf(c->pitch_weight, MEAN_SETTLED);
  c->pitch_mean += heard.voicing / c->pitch_weight * (heard.octaves - c->pitch_mean);
}

static void add_pitch(converter *c, const flow_vc_voice *voice)
{
  float target = flow_vc_voice_pitch(voice);
  if (c->chunks == 0) c->semitones_told = c->semitones;
  float step = (c->semitones - c->semitones_told) / (float)c->n;
  for (size_t i = 0; c->chunks == 0 && i < PITCH_AHEAD; i++) hear_pitch(c, i);
  for (size_t i = 0; i < c->n; i++) {
    pitch_value heard = hear_pitch(c, i + PITCH_AHEAD);
    follow_mean(c, heard);
    float moved = isfinite(target) ? heard.octaves - c->pitch_mean + target : heard.octaves;
    float semitones = c->semitones_told + step * (float)(i + 1);
    c->told[i] = (pitch_value){moved + semitones / 12.0f, heard.voicing};
    flow_vc_add_pitch(c->m.decoder, c->told[i], c->content + i * c->width);
  }
  c->semitones_told = c->semitones;
}

size_t converter_speak(converter *c, const flow_vc_voice *voice, const float *content, size_t ahead,
                       const float *noise, float *out, float *mel)
{
  size_t count = c->n * c->mel_bins;
  size_t all = (c->n + c->ahead) * c->mel_bins;
  // what was ahead comes again with the noise it had
  size_t kept = c->chunks > 0 ? all - count : 0;
  float *before = c->mel; // free until the decoder runs
  memcpy(before, c->noise + count, kept * sizeof(float));
  if (noise != NULL)
    memcpy(c->noise, noise, all * sizeof(float));
  else
    random_normal(&c->random, c->noise, all);
  memcpy(c->noise, before, kept * sizeof(float));
  flow_vc_chunk(c->decoder, voice, content, c->noise, c->n, ahead, c->mel);
  if (c->examples != NULL)
    examples_apply(c->likeness, c->examples, c->features + c->width, c->n / STRETCH, c->mel);
  if (c->variance != NULL) {
    if (voice != c->spoken) global_variance_reset(c->variance);
    c->spoken = voice;
    global_variance_run(c->variance, c->mel, c->n);
  }
  if (mel != NULL) memcpy(mel, c->mel, count * sizeof(float));
  converter_mark(c, STAGE_DECODER);
  for (size_t i = 0; i < count; i++) c->mel[i] = (c->mel[i] + 1.0f) / 2.0f;
  c->chunks++;
  c->frames += c->n;
  size_t made = vocos_stream_step(c->vocoder, c->mel, c->pitch != NULL ? c->told : NULL, out);
  converter_mark(c, STAGE_VOCODER);
  return made;
}

size_t converter_content_frames(const converter *c)
{
  return c->n / STRETCH;
}

// The window goes on by `samples`; c->features has what is said in it, behind the frame before.
static void understand(converter *c, const float *samples)
{
  size_t wanted = converter_wanted(c);
  size_t window = window_samples(c);
  size_t frames = asr_window_frames(c->encoder);
  float *heard = c->window + BEFORE_SAMPLES;
  float *fresh = c->features + c->width;
  memcpy(heard + window - wanted, samples, wanted * sizeof(float));
  fbank_run(c->analysis, heard, window, c->fbank);
  for (size_t i = frames - c->guessed; i < frames; i++)
    memcpy(c->fbank + i * FBANK_BINS, c->fbank + (i - 1) * FBANK_BINS, FBANK_BINS * sizeof(float));
  converter_mark(c, STAGE_ANALYSIS);
  converter_set_back(c);
  asr_run(c->encoder, c->fbank, frames, c->n / STRETCH, fresh);
  // before the first chunk its first frame stands for the one before
  if (c->chunks == 0) memcpy(c->features, fresh, c->width * sizeof(float));
}

// The chunk that is done leaves the window.
static void pass(converter *c)
{
  size_t chunk = c->n * FBANK_SHIFT;
  memmove(c->window, c->window + chunk,
          (BEFORE_SAMPLES + window_samples(c) - chunk) * sizeof(float));
}

void converter_understand(converter *c, const float *samples, float *content)
{
  understand(c, samples);
  pass(c);
  c->chunks++;
  memcpy(content, c->features + c->width, c->n / STRETCH * c->width * sizeof(float));
}

void converter_step(converter *c, const flow_vc_voice *voice, const float *samples,
                    const float *noise, float *out, float *mel)
{
  if (c->published) {
    blocks_step(c, voice, samples, noise, out, mel);
    return;
  }
  size_t rows = c->n + c->ahead;
  understand(c, samples);
  stretch_rows(c->features, 1 + rows / STRETCH, c->width, 1, c->content, rows);
  memcpy(c->features, c->features + c->n / STRETCH * c->width, c->width * sizeof(float));
  if (c->pitch != NULL) add_pitch(c, voice);
  pass(c);
  converter_mark(c, STAGE_ENCODER);
  converter_speak(c, voice, c->content, c->ahead, noise, out, mel);
}
