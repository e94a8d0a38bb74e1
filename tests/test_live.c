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

#include "live_parts.h"
#include "trap.h"

enum { RATE = LIVE_HZ, BLOCK = 480, SECOND = RATE };

static void run(mw_live *l, const float *in, float *out, size_t frames)
{
  trap_set(true);
  mw_live_run(l, in, out, frames);
  trap_set(false);
  assert_null(trap_take());
}

static mw_live *make(size_t block, double compute_ms)
{
  mw_live *l = NULL;
  mw_error error;
  mw_live_setup setup = {.model = live_model,
                         .voice = live_voice,
                         .seed = 3,
                         .rate_hz = RATE,
                         .block_frames = block,
                         .compute_ms = compute_ms};
  if (mw_live_new(&l, &setup, &error) != MW_OK) fail_msg("%s", error.text);
  return l;
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
  assert_int_equal(mw_stream_new(&s, live_model, live_voice, RATE, 3, NULL), MW_OK);
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
    live_set_mix(l, at >= SECOND / 2 && at < SECOND ? 0.25f : 1.0f);
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
  mw_recording *r = live_record(path);
  mw_live_record(l, r);
  live_set_mix(l, 0.0f);
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
  mw_sound came_in = live_finish(r, path, 1);
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
  live_set_mix(l, 0.0f);
  size_t ended = 0;
  for (size_t at = 0; at < frames; at += BLOCK) {
    if (at == SECOND) mw_live_set_voice(l, live_other_voice);
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
  live_set_mix(l, 1.0f);
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
  };
  return cmocka_run_group_tests(tests, live_open, live_close);
}
