// SPDX-License-Identifier: GPL-3.0-or-later
//
//   in -> high-pass -> power -> louder than the threshold? -> delay line -> hold -> ramp -> gain
//
// The delay line is shorter than the sound's by the look-ahead: soft consonants in front of a
// vowel that trips the gate are let through.
#include "gate.h"

#include <math.h>
#include <stdlib.h>

#include "ring.h"

#define HIGH_PASS_HZ 80.0  // hum and an offset are no speech
#define LEVEL_SECONDS 0.01 // a pitch period
#define LOOK_AHEAD_SECONDS 0.08
#define HOLD_SECONDS 0.2 // closures of stops inside words are shorter
#define OPEN_SECONDS 0.01
#define CLOSE_SECONDS 0.15
#define HYSTERESIS 0.25f // in power: closes 6 dB below the threshold

struct gate {
  ring *louder;  // 1 or 0 for each input frame
  size_t length; // of the line
  float threshold_power;
  bool off;
  bool tripped;
  float last_in;
  float high;
  float high_keep;
  float power;
  float power_keep;
  size_t hold_frames;
  size_t hold; // left
  float open_step;
  float close_step;
  float openness; // 0 to 1, in straight lines
};

mw_status gate_new(gate **made, unsigned rate_hz, size_t delay_frames, mw_error *error)
{
  gate *g = calloc(1, sizeof *g);
  if (g == NULL) return mw_fail_memory(error, "making a gate");
  double rate = (double)rate_hz;
  size_t ahead = (size_t)(LOOK_AHEAD_SECONDS * rate);
  if (ahead > delay_frames) ahead = delay_frames;
  g->length = delay_frames - ahead;
  g->louder = ring_new(g->length + 1);
  if (g->louder == NULL) {
    gate_free(g);
    return mw_fail_memory(error, "making a gate");
  }
  g->high_keep = (float)exp(-2.0 * M_PI * HIGH_PASS_HZ / rate);
  g->power_keep = (float)exp(-1.0 / (LEVEL_SECONDS * rate));
  g->hold_frames = ahead + (size_t)(HOLD_SECONDS * rate);
  g->open_step = (float)(1.0 / (OPEN_SECONDS * rate));
  g->close_step = (float)(1.0 / (CLOSE_SECONDS * rate));
  g->off = true;
  gate_reset(g);
  *made = g;
  return MW_OK;
}

void gate_free(gate *g)
{
  if (g == NULL) return;
  ring_free(g->louder);
  free(g);
}

void gate_reset(gate *g)
{
  float before = g->off ? 1.0f : 0.0f;
  ring_reset(g->louder);
  for (size_t i = 0; i < g->length; i++) ring_write(g->louder, &before, 1);
  g->tripped = false;
  g->last_in = g->high = g->power = 0.0f;
  g->hold = 0;
  g->openness = before;
}

void gate_set(gate *g, float threshold_db)
{
  g->off = !(threshold_db > MW_GATE_OFF); // what is not a number is no threshold either
  g->threshold_power = powf(10.0f, 0.1f * threshold_db);
}

// Whether the gate is tripped after this frame.
static bool listen(gate *g, float in)
{
  static const float NOTHING = 1e-20f; // denormals are slow
  g->high = g->high_keep * (g->high + in - g->last_in);
  g->last_in = in;
  if (fabsf(g->high) < NOTHING) g->high = 0.0f;
  float square = g->high * g->high;
  g->power = square + g->power_keep * (g->power - square);
  if (g->power < NOTHING) g->power = 0.0f;
  g->tripped = g->power > g->threshold_power * (g->tripped ? HYSTERESIS : 1.0f);
  return g->off || g->tripped;
}

void gate_run(gate *g, const float *in, float *gains, size_t frames)
{
  for (size_t i = 0; i < frames; i++) {
    float louder = listen(g, in[i]) ? 1.0f : 0.0f;
    ring_write(g->louder, &louder, 1);
    ring_read(g->louder, &louder, 1);
    if (louder == 1.0f)
      g->hold = g->hold_frames;
    else if (g->hold > 0)
      g->hold--;
    if (g->hold > 0)
      g->openness = fminf(g->openness + g->open_step, 1.0f);
    else
      g->openness = fmaxf(g->openness - g->close_step, 0.0f);
    // no corner at either end
    gains[i] = g->openness * g->openness * (3.0f - 2.0f * g->openness);
  }
}
