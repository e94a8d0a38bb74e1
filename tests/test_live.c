// SPDX-License-Identifier: GPL-3.0-or-later
//
// Live streams on the default model. Delays are told from the dry sound, which comes out as it went
// in, that much later.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "meanwave.h"
#include "trap.h"

enum { RATE = 48000, BLOCK = 480, SECOND = RATE };
static mw_voice_model *model;
static mw_voice *voice;
static mw_voice *other;

static void run(mw_live *l, const float *in, float *out, size_t frames)
{
  trap_set(true);
  mw_live_run(l, in, out, frames);
  trap_set(false);
  assert_null(trap_take());
}

// ----

static int open_all(void **state)
{
  (void)state;
  mw_error error;
  mw_status status = mw_voice_model_open(&model, NULL, NULL, 1, &error);
  if (status == MW_OK) status = mw_voice_open(&voice, model, "birch", NULL, &error);
  if (status == MW_OK) status = mw_voice_open(&other, model, "cedar", NULL, &error);
  if (status != MW_OK) print_error("%s\n", error.text);
  return status == MW_OK ? 0 : -1;
}

static int close_all(void **state)
{
  (void)state;
  mw_voice_close(voice);
  mw_voice_close(other);
  mw_voice_model_close(model);
  return 0;
}

static mw_live *make(size_t block, double compute_ms)
{
  mw_live *l = NULL;
  mw_error error;
  mw_live_setup setup = {.model = model,
                         .voice = voice,
                         .seed = 3,
                         .rate_hz = RATE,
                         .block_frames = block,
                         .compute_ms = compute_ms};
  if (mw_live_new(&l, &setup, &error) != MW_OK) fail_msg("%s", error.text);
  return l;
}

static void set_mix(mw_live *l, float mix)
{
  mw_voice_controls c = MW_VOICE_CONTROLS;
  c.mix = mix;
  mw_live_set(l, &c);
}

static float *chirp(size_t frames)
{
  float *x = malloc(frames * sizeof(float));
  for (size_t i = 0; i < frames; i++)
    x[i] = 0.3f * (float)sin(0.01 * (double)i + 1e-8 * (double)i * (double)i);
  return x;
}

static size_t next_block(unsigned *seed, size_t left)
{
  *seed = *seed * 1103515245u + 12345u;
  size_t count = (*seed >> 16) % BLOCK + 1;
  return count < left ? count : left;
}

static void it_is_the_stream_behind_its_spare(void **state)
{
  (void)state;
  size_t frames = 2 * SECOND;
  float *in = chirp(frames);
  float *whole = malloc(frames * sizeof(float));
  float *out = malloc(frames * sizeof(float));
  mw_stream *s = NULL;
  assert_int_equal(mw_stream_new(&s, model, voice, RATE, 3, NULL), MW_OK);
  mw_stream_set_gain(s, -3.0f);
  mw_stream_reset(s);
  mw_stream_run(s, in, whole, frames);
  mw_live *l = make(BLOCK, 0);
  mw_voice_controls softer = MW_VOICE_CONTROLS;
  softer.gain_db = -3.0f;
  mw_live_set(l, &softer);
  unsigned seed = 7;
  for (size_t at = 0; at < frames;) {
    size_t count = next_block(&seed, frames - at);
    mw_live_run(l, in + at, out + at, count);
    at += count;
  }
  size_t spare = mw_live_spare_frames(l);
  assert_int_equal(spare, BLOCK + RATE / 200 + RATE / 50);
  assert_int_equal(mw_live_delay_frames(l), mw_stream_delay_frames(s) + spare);
  for (size_t i = 0; i < spare; i++) assert_true(out[i] == 0.0f);
  assert_memory_equal(out + spare, whole, (frames - spare) * sizeof(float));
  float peak = 0.0f;
  for (size_t i = mw_live_delay_frames(l); i < frames; i++) peak = fmaxf(peak, fabsf(out[i]));
  assert_true(peak > 1e-4f);
  mw_live_free(l);
  mw_stream_free(s);
  free(in);
  free(whole);
  free(out);
}

// Controls move at their frame however the thread is timed.
static void play(mw_live *l, const float *in, float *out, size_t frames, useconds_t pause)
{
  for (size_t at = 0; at < frames; at += BLOCK) {
    set_mix(l, at >= SECOND / 2 && at < SECOND ? 0.25f : 1.0f);
    mw_live_set_bypass(l, at >= 2 * SECOND);
    if (pause > 0)
      run(l, in + at, out + at, BLOCK);
    else
      mw_live_run(l, in + at, out + at, BLOCK);
    if (pause > 0) usleep(pause);
  }
}

static void a_thread_in_time_changes_no_bit(void **state)
{
  (void)state;
  size_t frames = 6 * SECOND;
  float *in = chirp(frames);
  float *alone = malloc(frames * sizeof(float));
  float *threaded = malloc(frames * sizeof(float));
  mw_live *l = make(BLOCK, 3000.0);
  mw_live_view view;
  play(l, in, alone, frames, 0);
  mw_live_reset(l);
  assert_int_equal(mw_live_start(l, NULL), MW_OK);
  play(l, in, threaded, frames, trap_works() ? 1000 : 10000); // sanitizers take their time
  mw_live_look(l, &view);
  assert_int_equal(view.late, 0);
  assert_true(view.rtf > 0.0 && view.worst_ms > 0.0);
  // the stages are most of it, and no more than it
  double stages = view.encoder_rtf + view.decoder_rtf + view.vocoder_rtf;
  assert_true(view.encoder_rtf > 0.0 && view.decoder_rtf > 0.0 && view.vocoder_rtf > 0.0);
  assert_true(stages > 0.5 * view.rtf && stages <= view.rtf);
  assert_memory_equal(alone, threaded, frames * sizeof(float));
  // bypassed: the input itself
  size_t delay = mw_live_delay_frames(l);
  for (size_t i = frames - SECOND / 2; i < frames; i++) assert_true(threaded[i] == in[i - delay]);
  mw_live_stop(l);
  mw_live_free(l);
  free(in);
  free(alone);
  free(threaded);
}

// A recording side by side; its path's XXXXXX are filled in.
static mw_recording *record(char *path)
{
  mw_recording *r = NULL;
  mw_error error;
  int made = mkstemps(path, 4);
  assert_true(made >= 0);
  close(made);
  if (mw_recording_open(&r, path, RATE, true, true, &error) != MW_OK) fail_msg("%s", error.text);
  return r;
}

// Channel 1 is what came in, 2 what was heard; `r` NULL: finished before.
static mw_sound finish(mw_recording *r, const char *path, unsigned channel)
{
  mw_sound sound;
  mw_error error;
  if (mw_recording_finish(r, &error) != MW_OK) fail_msg("%s", error.text);
  if (mw_sound_read(&sound, path, channel, 0.0, &error) != MW_OK) fail_msg("%s", error.text);
  return sound;
}

// Blocks as they come, until the thread has caught up and the sound is there again.
static void run_until_in_time(mw_live *l, float *in, float *out, size_t *at, size_t end)
{
  size_t delay = mw_live_delay_frames(l);
  size_t good = 0;
  for (; good < BLOCK; *at += 64) {
    assert_true(*at + 64 < end);
    run(l, in + *at, out + *at, 64);
    for (size_t i = *at; i < *at + 64; i++)
      good = i >= delay && out[i] == in[i - delay] && in[i - delay] != 0.0f ? good + 1 : 0;
    usleep(1500);
  }
}

static void lateness(size_t burst, bool lets_go)
{
  size_t frames = 12 * SECOND;
  float *in = chirp(frames);
  float *out = malloc(frames * sizeof(float));
  mw_live *l = make(64, 60.0);
  mw_live_view before;
  mw_live_view view;
  char path[] = "/tmp/meanwave-late-XXXXXX.wav";
  mw_recording *r = record(path);
  mw_live_record(l, r);
  set_mix(l, 0.0f);
  assert_int_equal(mw_live_start(l, NULL), MW_OK);
  size_t at = 0;
  run_until_in_time(l, in, out, &at, frames);
  mw_live_look(l, &before);
  trap_stall(true);
  for (size_t end = at + burst; at < end; at += 64) run(l, in + at, out + at, 64);
  trap_stall(false);
  run_until_in_time(l, in, out, &at, frames);
  mw_live_look(l, &view);
  if (trap_works()) assert_true(view.late > before.late);
  if (trap_works() && lets_go) assert_true(view.let_go_frames > 0);
  // the chirp moves by 0.02 a frame at most, and a fade takes 240 frames
  for (size_t i = 1; i < at; i++) assert_true(fabsf(out[i] - out[i - 1]) < 0.02f);
  // from silence or not, what is heard is in its place
  size_t delay = mw_live_delay_frames(l);
  for (size_t i = 0; i < at; i++)
    assert_true(i < delay ? out[i] == 0.0f : fabsf(out[i]) <= fabsf(in[i - delay]));
  mw_live_free(l);
  // in the recording, too, though not all of the input found room, nor was the last of it served
  mw_sound came_in = finish(r, path, 1);
  size_t served = at - delay - BLOCK;
  assert_int_equal(came_in.frames, at);
  assert_memory_equal(came_in.samples + served, in + served, BLOCK * sizeof(float));
  mw_sound_free(&came_in);
  unlink(path);
  free(in);
  free(out);
}

static void what_is_late_is_left_out(void **state)
{
  (void)state;
  lateness(SECOND / 4, false);
}

static void far_behind_it_starts_anew(void **state)
{
  (void)state;
  lateness(3 * SECOND, true);
}

static void voices_and_models_change_while_it_sounds(void **state)
{
  (void)state;
  size_t frames = 4 * SECOND;
  float *in = chirp(frames);
  float *out = malloc(frames * sizeof(float));
  mw_live *l = make(BLOCK, 0);
  mw_voice_model *second = NULL;
  mw_voice *second_voice = NULL;
  assert_int_equal(mw_voice_model_open(&second, NULL, NULL, 2, NULL), MW_OK);
  assert_int_equal(mw_voice_open(&second_voice, second, "cedar", NULL, NULL), MW_OK);
  set_mix(l, 0.0f);
  size_t ended = 0;
  for (size_t at = 0; at < frames; at += BLOCK) {
    if (at == SECOND) mw_live_set_voice(l, other);
    if (at == 3 * SECOND / 2)
      assert_int_equal(mw_live_set_model(l, second, second_voice, NULL), MW_OK);
    mw_live_run(l, in + at, out + at, BLOCK);
    if (at >= 3 * SECOND / 2 && ended == 0 && !mw_live_changing(l)) ended = at;
  }
  size_t delay = mw_live_delay_frames(l);
  size_t begun = 3 * SECOND / 2 + mw_live_spare_frames(l);
  assert_true(ended > begun && ended < 3 * SECOND);
  for (size_t i = delay; i < frames; i++) assert_true(fabsf(out[i] - in[i - delay]) < 1e-6f);
  mw_live_settle(l);

  // from its start on it is a stream of the second model
  mw_stream *fresh = NULL;
  assert_int_equal(mw_stream_new(&fresh, second, second_voice, RATE, 3, NULL), MW_OK);
  float *alone = malloc(SECOND * sizeof(float));
  size_t spare = mw_live_spare_frames(l);
  set_mix(l, 1.0f);
  mw_live_reset(l);
  mw_live_run(l, in, out, SECOND);
  mw_stream_run(fresh, in, alone, SECOND);
  assert_memory_equal(out + spare, alone, (SECOND - spare) * sizeof(float));
  mw_stream_free(fresh);
  free(alone);
  mw_live_free(l);
  mw_voice_close(second_voice);
  mw_voice_model_close(second);
  free(in);
  free(out);
}

// Input and output of a moment stand side by side, to the bit.
static void what_is_heard_is_recorded(void **state)
{
  (void)state;
  char path[] = "/tmp/meanwave-recording-XXXXXX.wav";
  int made = mkstemps(path, 4);
  assert_true(made >= 0);
  close(made);
  size_t frames = 2 * SECOND;
  float *in = chirp(frames);
  float *out = malloc(frames * sizeof(float));
  mw_recording *r = NULL;
  mw_sound channels[2];
  mw_error error;
  assert_int_equal(mw_recording_open(&r, path, RATE, true, false, &error), MW_ERROR_IO);
  assert_non_null(strstr(error.text, "exists already"));
  assert_int_equal(mw_recording_open(&r, path, RATE, true, true, &error), MW_OK);
  mw_live *l = make(BLOCK, 0);
  mw_live_record(l, r);
  for (size_t at = 0; at < frames; at += BLOCK) {
    mw_live_set_mute(l, at >= frames / 2);
    mw_live_run(l, in + at, out + at, BLOCK);
  }
  mw_live_free(l);
  assert_int_equal(mw_recording_lost_frames(r), 0);
  assert_int_equal(mw_recording_finish(r, &error), MW_OK);
  for (unsigned c = 0; c < 2; c++) {
    assert_int_equal(mw_sound_read(&channels[c], path, c + 1, 0.0, &error), MW_OK);
    assert_int_equal(channels[c].frames, frames);
    assert_memory_equal(channels[c].samples, c == 0 ? in : out, frames * sizeof(float));
    mw_sound_free(&channels[c]);
  }
  // muted: faded out in 5 ms, without a step
  for (size_t i = frames / 2 + RATE / 200; i < frames; i++) assert_true(out[i] == 0.0f);
  assert_true(out[frames / 2 + 10] != 0.0f);
  unlink(path);
  free(in);
  free(out);
}

static void it_starts_and_stops_a_hundred_times(void **state)
{
  (void)state;
  float block[BLOCK] = {0.1f};
  mw_live *l = make(BLOCK, 0);
  for (int i = 0; i < 100; i++) {
    mw_live_reset(l);
    mw_live_set_synchronous(l, false);
    assert_int_equal(mw_live_start(l, NULL), MW_OK);
    run(l, block, block, BLOCK);
    run(l, block, block, 0);
    mw_live_set_synchronous(l, i % 2 == 0);
    mw_live_run(l, block, block, BLOCK);
    mw_live_stop(l);
  }
  mw_live_free(l);
}

// ---- two clocks, simulated: no thread, so the time of day plays no part ----

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
  mw_live_setup setup = {.model = model,
                         .voice = voice,
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
  set_mix(l, 0.0f);
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
  mw_sound in = finish(NULL, path, 1);
  mw_sound out = finish(NULL, path, 2);
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
  mw_recording *r = record(path);
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
  mw_recording *r = record(path);
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
      cmocka_unit_test(it_is_the_stream_behind_its_spare),
      cmocka_unit_test(a_thread_in_time_changes_no_bit),
      cmocka_unit_test(what_is_late_is_left_out),
      cmocka_unit_test(far_behind_it_starts_anew),
      cmocka_unit_test(voices_and_models_change_while_it_sounds),
      cmocka_unit_test(what_is_heard_is_recorded),
      cmocka_unit_test(it_starts_and_stops_a_hundred_times),
      cmocka_unit_test(two_clocks_keep_their_delay),
      cmocka_unit_test(lost_sound_is_made_up_for),
      cmocka_unit_test(a_recording_stays_in_step),
      cmocka_unit_test(a_recording_goes_on_in_step),
      cmocka_unit_test(input_without_room_is_counted_once),
  };
  return cmocka_run_group_tests(tests, open_all, close_all);
}
