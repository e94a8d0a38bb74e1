// SPDX-License-Identifier: GPL-3.0-or-later
#include "partials.h"

#include <math.h>
#include <stdlib.h>

#include "arena.h"

#define PI 3.14159265358979323846
#define FAINT 7.0f // nepers below the frame's loudest: no tone
#define DROP 1.0f  // nepers that a tone falls within SIDE bins on either side
#define JUMP 1.0f  // bins that it may move within a hop
#define NOISE 0.5f // share of noise from which on none is followed

enum {
  SIDE = 3,
  LOBE = 2, // bins on either side that are of the tone
  BORN = 3  // frames until it has lasted
};

typedef struct {
  size_t bin;
  float place;  // in bins, between them
  double phase; // in the middle of the frame's window
  unsigned age; // frames
} partial;

struct partials {
  arena *memory;
  size_t bins;
  double turn; // radians that a tone turns by in a hop, per bin of its frequency
  partial *before;
  partial *now;
  size_t count_before;
};

mw_status partials_new(partials **made, size_t transform, size_t hop, mw_error *error)
{
  partials *p = calloc(1, sizeof *p);
  if (p == NULL || (p->memory = arena_new()) == NULL) {
    partials_free(p);
    return mw_fail_memory(error, "making a vocoder state");
  }
  p->bins = transform / 2 + 1;
  p->turn = 2.0 * PI * (double)hop / (double)transform;
  p->before = arena_take(p->memory, p->bins, sizeof *p->before);
  p->now = arena_take(p->memory, p->bins, sizeof *p->now);
  if (arena_failed(p->memory)) {
    partials_free(p);
    return mw_fail_memory(error, "making a vocoder state");
  }
  *made = p;
  return MW_OK;
}

void partials_free(partials *p)
{
  if (p == NULL) return;
  arena_free(p->memory);
  free(p);
}

void partials_reset(partials *p)
{
  p->count_before = 0;
}

// Where magnitudes a around bin k have their top: a parabola through three.
static float top(const float *a, size_t k)
{
  float offset = 0.5f * (a[k - 1] - a[k + 1]) / (a[k - 1] - 2.0f * a[k] + a[k + 1]);
  return (float)k + fmaxf(-0.5f, fminf(0.5f, offset));
}

// The tones of a frame, from low to high.
static size_t find(const partials *p, const float *a, partial *found)
{
  float loudest = a[0];
  for (size_t k = 1; k < p->bins; k++) loudest = fmaxf(loudest, a[k]);
  size_t count = 0;
  for (size_t k = SIDE; k + SIDE < p->bins; k++)
    if (a[k] > a[k - 1] && a[k] >= a[k + 1] && a[k] > loudest - FAINT &&
        a[k] - fmaxf(a[k - SIDE], a[k + SIDE]) >= DROP)
      found[count++] = (partial){.bin = k, .place = top(a, k)};
  return count;
}

// Goes on from the nearest of the tones before, or begins with the phase that its bin has.
static void join(const partials *p, partial *t, const float *phases)
{
  const partial *nearest = NULL;
  float least = JUMP;
  for (size_t i = 0; i < p->count_before; i++) {
    float apart = fabsf(p->before[i].place - t->place);
    if (apart >= least) continue;
    least = apart;
    nearest = &p->before[i];
  }
  t->age = nearest != NULL ? nearest->age + 1 : 1;
  if (t->age < BORN) {
    t->phase = (double)phases[t->bin] + PI * (double)t->bin;
    return;
  }
  t->phase = nearest->phase + p->turn * 0.5 * (double)(nearest->place + t->place);
  t->phase -= 2.0 * PI * floor(t->phase / (2.0 * PI));
}

// The bins of tone i's lobe, as far as its neighbours'; those of a Hann window alternate.
static void lead(const partials *p, size_t i, size_t count, float *phases)
{
  const partial *t = &p->now[i];
  size_t first = t->bin - LOBE;
  size_t last = t->bin + LOBE;
  if (i > 0 && (p->now[i - 1].bin + t->bin) / 2 >= first)
    first = (p->now[i - 1].bin + t->bin) / 2 + 1;
  if (i + 1 < count && (t->bin + p->now[i + 1].bin) / 2 < last)
    last = (t->bin + p->now[i + 1].bin) / 2;
  for (size_t k = first; k <= last; k++) phases[k] = (float)(t->phase - PI * (double)k);
}

void partials_follow(partials *p, const float *log_magnitudes, float noise, float *phases)
{
  size_t count = noise <= NOISE ? find(p, log_magnitudes, p->now) : 0;
  for (size_t i = 0; i < count; i++) join(p, &p->now[i], phases);
  for (size_t i = 0; i < count; i++)
    if (p->now[i].age >= BORN) lead(p, i, count, phases);
  partial *swap = p->before;
  p->before = p->now;
  p->now = swap;
  p->count_before = count;
}
