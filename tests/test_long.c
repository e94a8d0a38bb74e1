// SPDX-License-Identifier: GPL-3.0-or-later
//
// A long live session on two clocks, with no device and no waiting: voices
// change every minute, own voice is heard in between, blocks are lost, the
// output stands still, the model changes, the device goes and comes back.
// Nothing drifts, nothing grows, nothing stops being a number.
// MEANWAVE_LONG_SECONDS: how long, in the session's time (default 130).
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "meanwave.h"

enum { IN_HZ = 44100, OUT_HZ = 48000, IN_BLOCK = 441, OUT_BLOCK = 256, PULSE = 64, VOICES = 2 };
enum { MINUTE = 60, BYPASS_BEGIN = 40, BYPASS_END = 48, MODEL_MINUTES = 4, DEVICE_MINUTES = 15 };
static const double DRIFT_PPM = 120.0;

typedef struct {
  mw_voice_model *models[2]; // of one step and two, taking turns
  mw_voice *voices[2][VOICES];
  unsigned model;
  unsigned voice;
  mw_live *live;
  double step; // of the input, in seconds of the true time
  double in_time;
  double out_time;
  long minute; // the last begun
  bool bypassed;
  float pulse_peak;
  double pulse_time;
  double least; // delays heard while bypassed
  double most;
  size_t pulses;
  double square; // of what is heard while it is not
  size_t frames;
  float loudest;
} session;

static void open_all(session *s)
{
  static const char *const names[VOICES] = {"birch", "cedar"};
  mw_error error;
  mw_status status = MW_OK;
  for (unsigned m = 0; m < 2; m++) {
    if (status == MW_OK) status = mw_voice_model_open(&s->models[m], NULL, NULL, m + 1, &error);
    for (unsigned v = 0; status == MW_OK && v < VOICES; v++)
      status = mw_voice_open(&s->voices[m][v], s->models[m], names[v], NULL, &error);
  }
  if (status != MW_OK) fail_msg("%s", error.text);
}

static void close_all(session *s)
{
  mw_live_free(s->live);
  for (unsigned m = 0; m < 2; m++) {
    for (unsigned v = 0; v < VOICES; v++) mw_voice_close(s->voices[m][v]);
    mw_voice_model_close(s->models[m]);
  }
}

// The device came, for the first time or again.
static void begin(session *s)
{
  mw_error error;
  mw_live_setup setup = {.model = s->models[s->model],
                         .voice = s->voices[s->model][s->voice],
                         .seed = 3,
                         .rate_hz = OUT_HZ,
                         .block_frames = OUT_BLOCK,
                         .in_rate_hz = IN_HZ,
                         .in_block_frames = IN_BLOCK};
  mw_live_free(s->live);
  s->live = NULL;
  if (mw_live_new(&s->live, &setup, &error) != MW_OK) fail_msg("%s", error.text);
}

// A bump 1 ms after every full second, on a voice-like sound that is gone while
// bypassed.
static void fill(const session *s, float *in)
{
  for (int i = 0; i < IN_BLOCK; i++) {
    double now = s->in_time + i * s->step;
    double angle = M_PI * (fmod(now, 1.0) - 0.001) * IN_HZ / PULSE;
    float bump = angle > 0.0 && angle < M_PI ? 0.5f * (float)(sin(angle) * sin(angle)) : 0.0f;
    double pitch = 120.0 + 20.0 * sin(2.0 * now);
    double hum = fmod(pitch * now, 1.0) - 0.5;
    float voice = (float)(0.3 * hum * fmax(0.0, sin(7.0 * now)));
    in[i] = s->bypassed ? bump : voice;
  }
}

static void hear(session *s, const float *out)
{
  for (int i = 0; i < OUT_BLOCK; i++) {
    double now = s->out_time + (double)i / OUT_HZ;
    assert_true(isfinite(out[i]));
    s->loudest = fmaxf(s->loudest, fabsf(out[i]));
    if (!s->bypassed) {
      s->square += (double)(out[i] * out[i]);
      s->frames++;
      continue;
    }
    // once the delay of before the bypass is over
    if (fmod(s->out_time, MINUTE) < BYPASS_BEGIN + 1.5) continue;
    if (out[i] > 0.3f && out[i] > s->pulse_peak) {
      s->pulse_peak = out[i];
      s->pulse_time = now;
    }
    if (s->pulse_peak == 0.0f || now < s->pulse_time + 0.1) continue;
    double delay = fmod(s->pulse_time - 0.001 - PULSE / 2.0 / IN_HZ, 1.0);
    s->pulse_peak = 0.0f;
    s->least = s->pulses == 0 ? delay : fmin(s->least, delay);
    s->most = s->pulses == 0 ? delay : fmax(s->most, delay);
    s->pulses++;
  }
}

static void change_model(session *s)
{
  mw_error error;
  s->model = 1 - s->model;
  if (mw_live_set_model(s->live, s->models[s->model], s->voices[s->model][s->voice], &error) !=
      MW_OK)
    fail_msg("%s", error.text);
}

// What happens when a minute begins.
static void begin_minute(session *s)
{
  s->voice = (s->voice + 1) % VOICES;
  mw_live_settle(s->live);
  mw_live_set_voice(s->live, s->voices[s->model][s->voice]);
  if (s->minute % DEVICE_MINUTES == DEVICE_MINUTES - 1) {
    begin(s);
    s->in_time = s->out_time = s->out_time + 3.0; // so long it was away
  } else if (s->minute % MODEL_MINUTES == 1) {
    change_model(s);
  } else if (s->minute % 2 == 0) {
    s->in_time += 0.2; // lost
  } else {
    s->out_time += 0.3; // stood still
  }
}

static void control(session *s)
{
  long minute = (long)(s->out_time / MINUTE);
  double second = fmod(s->out_time, MINUTE);
  bool bypass = second >= BYPASS_BEGIN && second < BYPASS_END;
  mw_voice_controls c = MW_VOICE_CONTROLS;
  c.pitch = (float)((int)(s->out_time / 10.0) % 7 - 3);
  mw_live_set(s->live, &c);
  mw_live_set_bypass(s->live, bypass);
  s->bypassed = bypass;
  if (minute == s->minute) return;
  s->minute = minute;
  begin_minute(s);
}

static void play(session *s, double until)
{
  float in[IN_BLOCK];
  float out[OUT_BLOCK];
  while (s->out_time < until) {
    if (s->in_time + IN_BLOCK * s->step <= s->out_time) {
      fill(s, in);
      s->in_time += IN_BLOCK * s->step;
      mw_live_write(s->live, in, IN_BLOCK);
    } else {
      control(s);
      mw_live_read(s->live, out, OUT_BLOCK);
      hear(s, out);
      s->out_time += (double)OUT_BLOCK / OUT_HZ;
    }
  }
}

static double processor_seconds(void)
{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double resident_mb(void)
{
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
  if (file != NULL) fclose(file);
  return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static void nothing_drifts_grows_or_breaks(void **state)
{
  (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  skip(); // memory and time are not what they are without
#endif
  static session s;
  const char *given = getenv("MEANWAVE_LONG_SECONDS");
  double seconds = given != NULL ? atof(given) : 130.0;
  double half = seconds / 2.0;
  s.step = 1.0 / (IN_HZ * (1.0 + DRIFT_PPM * 1e-6));
  open_all(&s);
  begin(&s);
  play(&s, MINUTE + 10.0); // until everything has been used once
  mw_live_settle(s.live);
  size_t blocks = mallinfo2().uordblks;
  double resident = resident_mb();
  double begun = processor_seconds();
  play(&s, fmax(half, MINUTE + 20.0));
  double middle = processor_seconds();
  double middle_time = s.out_time;
  play(&s, seconds);
  double ended = processor_seconds();
  mw_live_settle(s.live);
  double expected = (double)mw_live_delay_frames(s.live) / OUT_HZ + (double)IN_BLOCK / IN_HZ;
  double loudness = sqrt(s.square / (double)s.frames);
  double more_mb = resident_mb() - resident;
  long more_bytes = (long)mallinfo2().uordblks - (long)blocks;
  if (given != NULL) {
    mw_live_view view;
    mw_live_look(s.live, &view);
    printf("%.0f s: delay %.1f to %.1f ms in %zu pulses (stated %.1f), drift "
           "%.0f ppm, RTF %.3f then "
           "%.3f, memory %+.2f MB resident, %+ld bytes allocated, loudest "
           "%.2f, RMS %.4f\n",
           s.out_time, 1e3 * s.least, 1e3 * s.most, s.pulses, 1e3 * expected, view.drift_ppm,
           (middle - begun) / (middle_time - MINUTE - 10.0),
           (ended - middle) / (s.out_time - middle_time), more_mb, more_bytes, (double)s.loudest,
           loudness);
  }
  assert_true(s.pulses >= (size_t)(seconds / MINUTE) * 4);
  // within the resampler's way around its stated delay
  if (!(s.least > expected - 0.012 && s.most < expected + 0.012))
    fail_msg("delay from %.4f to %.4f s, stated %.4f s", s.least, s.most, expected);
  assert_true(s.loudest < 2.0f && loudness > 1e-3);
  // the live object is a new one when the device comes back, of the same size
  assert_in_range(labs(more_bytes), 0, 1 << 16);
  assert_true(more_mb < 4.0);
  close_all(&s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_drifts_grows_or_breaks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
