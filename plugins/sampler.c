// SPDX-License-Identifier: GPL-3.0-or-later
//
// A voice reads its clip at a position that grows by `step` a frame. Between samples the value is a
// windowed sinc through its neighbours; for steps above 1 the sinc is wider, so that what would
// alias is not there. Kernels lie ready for steps up to 1, 2^(1/2), 2, ... 16, each in PHASES
// positions between two samples, with a straight line between neighbouring phases. At whole
// positions and steps up to 1 a value is the sample itself, to the bit.
//
// A loop is the clip less its end, over which the beginning fades in: position P + x is heard as
// end and beginning mixed, and goes on at x.
#include "sampler.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry.h"

enum {
  PHASE_BITS = 7,
  PHASES = 1 << PHASE_BITS,
  POSITION_BITS = 32, // of a position behind the point
  TAPS = 16,          // of the narrowest kernel
  WIDTHS = 9,
  ALL_TAPS = 16 + 24 + 32 + 48 + 64 + 96 + 128 + 184 + 256, // of a phase of each width
  SLOTS = 2 * SAMPLER_VOICES, // voices, and as many that fade out in a hurry
};
#define KAISER_BETA 7.0
#define SWAP_SECONDS 0.05f
#define STEAL_SECONDS 0.005f
#define SEAM_SECONDS 0.05

typedef float quad __attribute__((vector_size(16))); // what any processor multiplies at once

typedef struct {
  double most;  // the greatest step it is for
  size_t quads; // its taps, by four
  quad *values; // [PHASES + 1, quads]
} kernel;

typedef struct {
  const sampler_clip *clip; // NULL: free
  int key;
  int velocity;
  unsigned long age; // in notes
  bool held;         // by its key
  bool pedalled;     // by the pedal alone
  bool leaving;      // on its way out: not one of the voices any more
  int64_t position;  // in frames of the clip, with POSITION_BITS more
  float gain;        // of the velocity
  float level;       // of the envelope, 0 to 1
  float fall;        // of the level a frame; 0: it rises or stays
} slot;

// The same for all samplers of a process.
typedef struct {
  kernel kernels[WIDTHS];
  quad values[(PHASES + 1) * ALL_TAPS / 4];
} kernel_set;

struct sampler {
  double rate_hz;
  kernel_set *set;
  const sampler_clip *clip;
  slot slots[SLOTS];
  unsigned long notes;
  bool pedal;
  float bend;
};

// ---- Kernels ----

static double bessel(double x)
{
  double sum = 1.0;
  double term = 1.0;
  for (int k = 1; k < 40; k++) {
    term *= x * x / (4.0 * k * k);
    sum += term;
  }
  return sum;
}

// The kernel for steps up to `width`; between input positions its values add up to 1.
static void make_kernel(kernel *k, double width)
{
  size_t taps = 4 * k->quads;
  k->most = 1.0001 * width;
  double half = (double)taps / 2.0;
  for (size_t p = 0; p <= PHASES; p++) {
    double row[((size_t)1 << 9)];
    double sum = 0.0;
    for (size_t i = 0; i < taps; i++) {
      // tap half - 1 is the sample at or before the position
      double x = (double)i - (half - 1.0) - (double)p / PHASES;
      double at = x / width;
      double edge = x / half;
      double sinc = at == 0.0 ? 1.0 : at == rint(at) ? 0.0 : sin(M_PI * at) / (M_PI * at);
      row[i] = fabs(edge) >= 1.0 ? 0.0 : sinc * bessel(KAISER_BETA * sqrt(1.0 - edge * edge));
      sum += row[i];
    }
    for (size_t i = 0; i < taps; i++)
      k->values[p * k->quads + i / 4][i % 4] = (float)(row[i] / sum);
  }
}

static mw_status make_kernels(void **made, const registry_wish *wish, mw_error *error)
{
  (void)wish;
  kernel_set *set = malloc(sizeof *set);
  if (set == NULL) return mw_fail_memory(error, "making a sampler");
  quad *values = set->values;
  for (size_t w = 0; w < WIDTHS; w++) {
    double width = pow(2.0, (double)w / 2.0);
    set->kernels[w].quads = ((size_t)ceil(TAPS * width) + 7) / 8 * 2;
    set->kernels[w].values = values;
    values += (PHASES + 1) * set->kernels[w].quads;
    make_kernel(&set->kernels[w], width);
  }
  *made = set;
  return MW_OK;
}

static void free_kernels(void *set)
{
  free(set);
}

sampler *sampler_new(double rate_hz)
{
  const registry_wish wish = {.open = make_kernels, .close = free_kernels};
  void *set;
  sampler *s = calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  if (registry_take(&set, &wish, NULL) != MW_OK) {
    free(s);
    return NULL;
  }
  s->set = set;
  s->rate_hz = rate_hz;
  return s;
}

void sampler_free(sampler *s)
{
  if (s == NULL) return;
  registry_give_back(s->set);
  free(s);
}

// ---- Notes ----

static void leave(sampler *s, slot *v, float seconds)
{
  v->leaving = true;
  v->held = v->pedalled = false;
  v->fall = fmaxf(v->fall, 1.0f / (seconds * (float)s->rate_hz));
}

// A free slot, or the one that is nearest to its end.
static slot *free_slot(sampler *s)
{
  slot *best = NULL;
  for (size_t i = 0; i < SLOTS; i++) {
    slot *v = &s->slots[i];
    if (v->clip == NULL) return v;
    if (v->leaving && (best == NULL || v->level < best->level)) best = v;
  }
  return best != NULL ? best : &s->slots[0];
}

// The oldest released voice, or the oldest of all, makes room.
static void make_room(sampler *s)
{
  slot *oldest = NULL;
  if (sampler_sounding(s) < SAMPLER_VOICES) return;
  for (size_t i = 0; i < SLOTS; i++) {
    slot *v = &s->slots[i];
    if (v->clip == NULL || v->leaving) continue;
    if (oldest == NULL || (!v->held && oldest->held) ||
        (v->held == oldest->held && v->age < oldest->age))
      oldest = v;
  }
  if (oldest != NULL) leave(s, oldest, STEAL_SECONDS);
}

static void start(sampler *s, int key, int velocity, float gain)
{
  make_room(s);
  slot *v = free_slot(s);
  *v = (slot){.clip = s->clip,
              .key = key,
              .velocity = velocity,
              .age = ++s->notes,
              .held = true,
              .gain = gain};
}

void sampler_set_clip(sampler *s, const sampler_clip *clip)
{
  slot held[SAMPLER_VOICES];
  size_t count = 0;
  s->clip = clip != NULL && clip->frames > 0 ? clip : NULL;
  for (size_t i = 0; i < SLOTS; i++) {
    slot *v = &s->slots[i];
    if (v->clip == NULL || v->clip == s->clip) continue;
    if (v->held && !v->leaving && count < SAMPLER_VOICES) held[count++] = *v;
    leave(s, v, SWAP_SECONDS);
  }
  for (size_t i = 0; s->clip != NULL && i < count; i++)
    start(s, held[i].key, held[i].velocity, held[i].gain);
}

bool sampler_uses(const sampler *s, const sampler_clip *clip)
{
  if (s->clip == clip) return true;
  for (size_t i = 0; i < SLOTS; i++)
    if (s->slots[i].clip == clip) return true;
  return false;
}

size_t sampler_sounding(const sampler *s)
{
  size_t count = 0;
  for (size_t i = 0; i < SLOTS; i++) count += s->slots[i].clip != NULL && !s->slots[i].leaving;
  return count;
}

void sampler_note_on(sampler *s, const sampler_sound *how, int key, int velocity)
{
  if (s->clip == NULL) return;
  float full = (float)velocity / 127.0f;
  start(s, key, velocity, 1.0f - how->velocity_share + how->velocity_share * full * full);
}

void sampler_note_off(sampler *s, int key)
{
  for (size_t i = 0; i < SLOTS; i++) {
    slot *v = &s->slots[i];
    if (v->clip == NULL || v->key != key || !v->held) continue;
    v->held = false;
    v->pedalled = s->pedal;
  }
}

void sampler_pedal(sampler *s, bool down)
{
  s->pedal = down;
  if (down) return;
  for (size_t i = 0; i < SLOTS; i++) s->slots[i].pedalled = false;
}

void sampler_bend(sampler *s, float semitones)
{
  s->bend = semitones;
}

void sampler_release_all(sampler *s)
{
  for (size_t i = 0; i < SLOTS; i++) s->slots[i].held = false;
  sampler_pedal(s, false);
}

void sampler_silence(sampler *s)
{
  for (size_t i = 0; i < SLOTS; i++)
    if (s->slots[i].clip != NULL) leave(s, &s->slots[i], STEAL_SECONDS);
}

void sampler_reset(sampler *s)
{
  memset(s->slots, 0, sizeof s->slots);
  s->pedal = false;
  s->bend = 0.0f;
}

// ---- Sound ----

static const kernel *kernel_for(const sampler *s, double step)
{
  const kernel *kernels = s->set->kernels;
  size_t width = 0;
  while (width + 1 < WIDTHS && step > kernels[width].most) width++;
  return &kernels[width];
}

static quad load(const float *x)
{
  quad four;
  memcpy(&four, x, sizeof four);
  return four;
}

// The samples weighed by what lies `share` of the way from row a to the next.
static inline float weigh(const float *samples, const quad *a, float share, size_t quads)
{
  const quad *b = a + quads;
  quad at_a = {0};
  quad at_b = {0};
  for (size_t i = 0; i < quads; i++) {
    quad x = load(samples + 4 * i);
    at_a += x * a[i];
    at_b += x * b[i];
  }
  at_a += share * (at_b - at_a);
  return (at_a[0] + at_a[2]) + (at_a[1] + at_a[3]);
}

// Likewise at an end of the clip, beyond which there is silence.
static float weigh_at_an_end(const sampler_clip *clip, int64_t first, const quad *a, float share,
                             size_t quads)
{
  float sum = 0.0f;
  for (size_t i = 0; i < 4 * quads; i++) {
    int64_t at = first + (int64_t)i;
    float weight = a[i / 4][i % 4];
    weight += share * (a[quads + i / 4][i % 4] - weight);
    if (at >= 0 && (size_t)at < clip->frames) sum += clip->samples[at] * weight;
  }
  return sum;
}

// Length of a loop's seam in frames: a tenth of a short clip.
static size_t seam_of(const sampler *s, const sampler_clip *clip)
{
  return (size_t)fmin(SEAM_SECONDS * s->rate_hz, (double)(clip->frames / 10));
}

static int64_t fixed(size_t frames)
{
  return (int64_t)frames << POSITION_BITS;
}

static inline float read_at(const kernel *k, const sampler_clip *clip, int64_t position)
{
  enum { SHARE_BITS = POSITION_BITS - PHASE_BITS };
  const float one = (float)((int64_t)1 << SHARE_BITS);
  int64_t row = (position >> SHARE_BITS) & (PHASES - 1);
  float share = (float)(int32_t)(position & (((int64_t)1 << SHARE_BITS) - 1)) / one;
  const quad *a = k->values + (size_t)row * k->quads;
  int64_t first = (position >> POSITION_BITS) - 2 * (int64_t)k->quads + 1;
  if (first >= 0 && (size_t)first + 4 * k->quads <= clip->frames)
    return weigh(clip->samples + first, a, share, k->quads);
  return weigh_at_an_end(clip, first, a, share, k->quads);
}

// The end of a loop, which is `seam` long: the beginning fades in over it.
static float seam_value(const kernel *k, const sampler_clip *clip, int64_t position, int64_t seam,
                        float value)
{
  int64_t since = position - (fixed(clip->frames) - seam);
  float share = (float)since / (float)seam;
  return value + share * (read_at(k, clip, since) - value);
}

static void run_slot(const sampler *s, slot *v, const sampler_sound *how, float *out, size_t frames)
{
  const sampler_clip *clip = v->clip;
  const double step = exp2(((double)v->key - how->root_key + s->bend) / 12.0);
  const int64_t advance = llrint(step * (double)fixed(1));
  const int64_t end = fixed(clip->frames);
  const int64_t seam = how->loop ? fixed(seam_of(s, clip)) : 0;
  const int64_t period = end - seam;
  const float rise = 1000.0f / (fmaxf(how->attack_ms, 0.0f) * (float)s->rate_hz + 1.0f);
  const float release = 1000.0f / (fmaxf(how->release_ms, 1.0f) * (float)s->rate_hz);
  const kernel *k = kernel_for(s, step);
  if (how->loop && !v->held && !v->pedalled && v->fall == 0.0f) v->fall = release;
  const float change = v->fall > 0.0f ? -v->fall : rise;
  const float gain = v->gain;
  int64_t position = v->position;
  float level = v->level;
  for (size_t i = 0; i < frames; i++) {
    level += change;
    if (level > 1.0f) level = 1.0f;
    if (level <= 0.0f || position >= end) {
      v->clip = NULL;
      return;
    }
    float value = read_at(k, clip, position);
    if (position > period) value = seam_value(k, clip, position, seam, value);
    out[i] += gain * level * value;
    position += advance;
    if (seam > 0 && position >= end) position = (position - period) % period;
  }
  v->position = position;
  v->level = level;
}

void sampler_run(sampler *s, const sampler_sound *how, float *out, size_t frames)
{
  memset(out, 0, frames * sizeof(float));
  for (size_t i = 0; i < SLOTS; i++)
    if (s->slots[i].clip != NULL) run_slot(s, &s->slots[i], how, out, frames);
}
