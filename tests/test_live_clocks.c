// SPDX-License-Identifier: GPL-3.0-or-later
//
// Live streams between two clocks, simulated: no thread, so the time of day plays no part. Delays
// are told from the dry sound, which comes out as it went in, that much later.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "live_parts.h"

enum { RATE = LIVE_HZ, SECOND = RATE };
enum { IN_HZ = 44100, IN_BLOCK = 441, OUT_BLOCK = 256, PULSE = 64 };

// A bump 1 ms after every full second of the time that is true for both.
static void fill_pulses(float *in, double time, double step)
{
  for (int i = 0; i < IN_BLOCK; i++) {
    double since = fmod(time + i * step, 1.0) - 0.001;
    double angle = M_PI * since * IN_HZ / PULSE;
    in[i] = angle > 0.0 && angle < M_PI ? 0.5f * (float)(sin(angle) * sin(angle)) : 0.0f;
  }
}

typedef struct {
  float peak;
  double peak_time;
  double least; // delays seen, in seconds
  double most;
  size_t count;
} pulses;

// Takes the loudest frame of every second's pulse as its time.
static void hear_pulses(pulses *p, const float *out, double time, double settled)
{
  for (int i = 0; i < OUT_BLOCK; i++) {
    double now = time + (double)i / RATE;
    if (out[i] > 0.3f && out[i] > p->peak) {
      p->peak = out[i];
      p->peak_time = now;
    }
    if (p->peak == 0.0f || now < p->peak_time + 0.1) continue;
    double delay = fmod(p->peak_time - 0.001 - PULSE / 2.0 / IN_HZ, 1.0);
    p->peak = 0.0f;
    if (now < settled) continue;
    p->least = p->count == 0 ? delay : fmin(p->least, delay);
    p->most = p->count == 0 ? delay : fmax(p->most, delay);
    p->count++;
  }
}

static mw_live *make_two_clocks(void)
{
  mw_live *l = NULL;
  mw_error error;
  mw_live_setup setup = {.model = live_model,
                         .voice = live_voice,
                         .seed = 3,
                         .rate_hz = RATE,
                         .block_frames = OUT_BLOCK,
                         .in_rate_hz = IN_HZ,
                         .in_block_frames = IN_BLOCK};
  if (mw_live_new(&l, &setup, &error) != MW_OK) fail_msg("%s", error.text);
  return l;
}

// The input's clock is fast by `ppm`. From 10 s on a little of the input is lost, then the output
// stands still for a while.
static void two_clocks(double ppm, double seconds, bool trouble)
{
  mw_live *l = make_two_clocks();
  mw_live_view view;
  live_set_mix(l, 0.0f);
  float in[IN_BLOCK];
  float out[OUT_BLOCK];
  double step = 1.0 / (IN_HZ * (1.0 + ppm * 1e-6));
  double in_time = 0.07; // the microphone starts later
  double out_time = 0.0;
  bool lost = !trouble;
  bool stood = !trouble;
  pulses heard = {0};
  while (out_time < seconds) {
    if (!lost && in_time > 10.0) {
      in_time += 0.2;
      lost = true;
    }
    if (!stood && out_time > 15.0) {
      out_time += 0.2;
      stood = true;
    }
    if (in_time + IN_BLOCK * step <= out_time) {
      fill_pulses(in, in_time, step);
      in_time += IN_BLOCK * step;
      assert_int_equal(mw_live_write(l, in, IN_BLOCK), IN_BLOCK);
    } else {
      mw_live_read(l, out, OUT_BLOCK);
      hear_pulses(&heard, out, out_time, trouble ? 20.0 : 25.0);
      out_time += (double)OUT_BLOCK / RATE;
    }
  }
  mw_live_look(l, &view);
  // a microphone's block is on its way for as long as it is
  double expected = (double)mw_live_delay_frames(l) / RATE + (double)IN_BLOCK / IN_HZ;
  assert_int_equal(view.late, 0);
  assert_true(heard.count > 5);
  if (!(fabs(heard.least - expected) < 0.012 && heard.most - heard.least < 0.012))
    fail_msg("delay from %.4f to %.4f s, stated %.4f s", heard.least, heard.most, expected);
  if (trouble)
    assert_true(view.jumps >= 2 && view.jumps < 8);
  else if (view.jumps > 1 || fabs(view.drift_ppm + ppm) > 30.0)
    fail_msg("drift %g, jumps %d", view.drift_ppm, (int)view.jumps);
  mw_live_free(l);
}

static void two_clocks_keep_their_delay(void **state)
{
  (void)state;
  two_clocks(150.0, 45.0, false);
}

static void lost_sound_is_made_up_for(void **state)
{
  (void)state;
  two_clocks(-150.0, 30.0, true);
}

// Pulses through two clocks that agree, in and out by turns.
typedef struct {
  double in_time;
  double out_time;
} clocks;

static void pass_pulses(mw_live *l, clocks *c, double seconds)
{
  float in[IN_BLOCK];
  float out[OUT_BLOCK];
  size_t heard = 0;
  for (double end = c->out_time + seconds; c->out_time < end;) {
    if (c->in_time + (double)IN_BLOCK / IN_HZ <= c->out_time) {
      fill_pulses(in, c->in_time, 1.0 / IN_HZ);
      mw_live_write(l, in, IN_BLOCK);
      c->in_time += (double)IN_BLOCK / IN_HZ;
    } else {
      mw_live_read(l, out, OUT_BLOCK);
      c->out_time += (double)OUT_BLOCK / RATE;
      heard += OUT_BLOCK;
    }
    if (heard < RATE / 4) continue;
    heard = 0;
    usleep(60000); // the recording looks twenty times a second
  }
}

static size_t loudest(const float *x, size_t from)
{
  size_t at = from;
  for (size_t i = from; i < from + SECOND; i++)
    if (x[i] > x[at]) at = i;
  assert_true(x[at] > 0.3f);
  return at;
}

// At so many seconds of the recording, what is heard is what came in, `delay` frames later.
static void check_apart(const char *path, double seconds, size_t delay)
{
  mw_sound in = live_finish(NULL, path, 1);
  mw_sound out = live_finish(NULL, path, 2);
  size_t from = (size_t)(seconds * RATE);
  assert_true(in.frames == out.frames && in.frames >= from + 2 * SECOND);
  size_t came = loudest(in.samples, from);
  size_t heard = loudest(out.samples, came);
  if (labs((long)(heard - came) - (long)delay) > RATE / 200)
    fail_msg("at %.1f s apart by %zu frames, stated %zu", seconds, heard - came, delay);
  mw_sound_free(&in);
  mw_sound_free(&out);
}

static void a_recording_stays_in_step(void **state)
{
  (void)state;
  char path[] = "/tmp/meanwave-step-XXXXXX.wav";
  mw_live *l = make_two_clocks();
  mw_recording *r = live_record(path);
  clocks c = {.in_time = 0.07};
  mw_live_record(l, r);
  mw_live_set_bypass(l, true);
  pass_pulses(l, &c, 2.3);
  c.in_time += 0.3; // of the input are lost
  pass_pulses(l, &c, 4.0);
  c.out_time += 0.2; // so long the output stands still
  pass_pulses(l, &c, 4.5);
  size_t delay = mw_live_delay_frames(l);
  mw_live_free(l);
  assert_int_equal(mw_recording_lost_frames(r), 0);
  assert_int_equal(mw_recording_finish(r, NULL), MW_OK);
  check_apart(path, 0.4, delay);
  check_apart(path, 3.4, delay);
  check_apart(path, 8.4, delay);
  unlink(path);
}

// The device goes when more came in than was heard, and comes back.
static void a_recording_goes_on_in_step(void **state)
{
  (void)state;
  char path[] = "/tmp/meanwave-again-XXXXXX.wav";
  mw_recording *r = live_record(path);
  size_t delay = 0;
  float in[IN_BLOCK] = {0.0f};
  for (int turn = 0; turn < 2; turn++) {
    mw_live *l = make_two_clocks();
    clocks c = {.in_time = 0.07};
    mw_live_record(l, r);
    mw_live_set_bypass(l, true);
    pass_pulses(l, &c, 3.0);
    for (int i = 0; i < 20; i++) mw_live_write(l, in, IN_BLOCK);
    mw_live_read(l, in, 1);
    delay = mw_live_delay_frames(l);
    mw_live_free(l);
  }
  assert_int_equal(mw_recording_finish(r, NULL), MW_OK);
  check_apart(path, 3.4, delay);
  unlink(path);
}

static void input_without_room_is_counted_once(void **state)
{
  (void)state;
  float block[OUT_BLOCK + IN_BLOCK] = {0.0f};
  mw_live *l = make_two_clocks();
  mw_live_view view;
  // before the first read it does not count
  for (int i = 0; i < 1000; i++) assert_int_equal(mw_live_write(l, block, IN_BLOCK), IN_BLOCK);
  mw_live_read(l, block, 0);
  while (mw_live_write(l, block, IN_BLOCK) == IN_BLOCK) continue;
  assert_int_equal(mw_live_write(l, block, IN_BLOCK), 0);
  mw_live_look(l, &view);
  assert_int_equal(view.jumps, 1);
  mw_live_free(l);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_clocks_keep_their_delay),
      cmocka_unit_test(lost_sound_is_made_up_for),
      cmocka_unit_test(a_recording_stays_in_step),
      cmocka_unit_test(a_recording_goes_on_in_step),
      cmocka_unit_test(input_without_room_is_counted_once),
  };
  return cmocka_run_group_tests(tests, live_open, live_close);
}
