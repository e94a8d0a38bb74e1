// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the audio thread may not do, and what a long time may not do: no memory is asked for and no
// lock taken after creation, a chunk costs the same late as early, and nothing drifts.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "convert_internal.h"
#include "small_models.h"
#include "trap.h"
#include "voice.h"

// ---- models ----

static small_set small;

static int open_all(void **state)
{
  (void)state;
  return small_set_open(&small) ? 0 : -1;
}

static int close_all(void **state)
{
  (void)state;
  small_set_close(&small);
  return 0;
}

static void the_trap_catches(void **state)
{
  (void)state;
  if (!trap_works()) skip();
  trap_set(true);
  void *volatile taken = malloc(100); // or the pair would be left out
  trap_set(false);
  free(taken);
  assert_string_equal(trap_take(), "malloc");
}

static void run_trapped(mw_stream *s, const mw_voice *voice, const float *in, float *out,
                        size_t frames, size_t piece)
{
  trap_set(true);
  for (size_t at = 0, turn = 0; at < frames; at += piece, turn++) {
    mw_stream_set_voice(s, voice);
    mw_stream_set_mix(s, turn % 3 == 0 ? 0.5f : 1.0f);
    mw_stream_set_gain(s, turn % 2 == 0 ? 0.0f : -3.0f);
    mw_stream_set_pitch(s, turn % 5 == 0 ? 3.0f : 0.0f);
    mw_stream_set_gate(s, turn % 7 == 0 ? -60.0f : MW_GATE_OFF);
    mw_stream_run(s, in + at, out + at, frames - at < piece ? frames - at : piece);
  }
  mw_stream_reset(s);
  trap_set(false);
  assert_null(trap_take());
}

static void streams_ask_for_nothing(void **state)
{
  (void)state;
  enum { FRAMES = 60000 };
  static const unsigned rates[3] = {16000, 44100, 96000};
  static float in[FRAMES];
  static float out[FRAMES];
  for (int i = 0; i < FRAMES; i++) in[i] = 0.3f * (float)sin(0.03 * i);
  in[7] = NAN;
  for (small_model m = 0; m < SMALL_MODELS; m++) {
    for (int r = 0; r < 3; r++) {
      mw_stream *s = NULL;
      mw_status status = (r == 1 ? mw_stream_new_published : mw_stream_new)(
          &s, small.models[m], small.voices[m], rates[r], 1, NULL);
      assert_int_equal(status, MW_OK);
      run_trapped(s, small.voices[m], in, out, FRAMES, r == 2 ? 4096 : 333);
      for (int i = 0; i < FRAMES; i++) assert_true(isfinite(out[i]));
      mw_stream_free(s);
    }
  }
}

// ---- a long time ----

// Minutes of a longer run, when somebody asks for one: a hundred take a while.
static size_t wanted_minutes(void)
{
  const char *text = getenv("MEANWAVE_TEST_MINUTES");
  return text != NULL ? strtoul(text, NULL, 10) : 0;
}

static double now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int compare_times(const void *a, const void *b)
{
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

// A tenth of the chunks is faster: what a chunk takes when nothing disturbs it.
static double undisturbed(double *times, size_t count)
{
  qsort(times, count, sizeof *times, compare_times);
  return times[count / 10];
}

// What repeats: the input after `input` chunks, the encoder's positions after `positions`, of which
// the first is a divisor. The networks of MeanVC 2 remember a second or so and no more; those of
// MeanVC hear themselves, so that only numbers in range can be asked of them.
typedef struct {
  size_t input;
  size_t positions;
  bool forgets;
} cycle;

static cycle find_cycle(const converter *c, small_model m)
{
  size_t step = c->n / STRETCH;
  size_t first = 2 * (c->n + c->ahead) / STRETCH;
  cycle found = {5, 50, false};
  if (m == SMALL_MEANVC) return found;
  found = (cycle){2, (POSITION_LIMIT - first + step - 1) / step, true};
  while (found.positions % found.input != 0) found.input++;
  return found;
}

// A loop that hears the same few chunks over and over with the same noise. When all counters have
// returned to where they were, every chunk must have the bits it had a cycle ago: what returns so
// once returns for ever.
static void run_long(small_model m)
{
  converter_model networks = vc_model_networks(small.models[m]);
  converter *c = NULL;
  assert_int_equal(converter_new(&c, &networks, 100, 50, false, NULL), MW_OK);
  const cycle turn = find_cycle(c, m);
  size_t samples = c->n * FBANK_SHIFT;
  size_t values = (c->n + c->ahead) * c->mel_bins;
  size_t chunks = wanted_minutes() * 60 * 100 / c->n;
  size_t least = turn.forgets ? 5 * turn.positions / 2 : 10 * turn.positions;
  if (chunks < least) chunks = least;
  size_t tenth = chunks / 10;
  size_t in_count = turn.input * samples + converter_most_wanted(c);
  float *in = malloc(in_count * sizeof(float));
  float *noise = malloc(values * sizeof(float));
  float *out = malloc(converter_most_returned(c) * sizeof(float));
  float *kept = malloc(turn.positions * samples * sizeof(float));
  double *times = malloc(chunks * sizeof *times);
  for (size_t i = 0; i < in_count; i++)
    in[i] = 0.3f * (float)sin(0.05 * (double)(i % (turn.input * samples)));
  for (size_t i = 0; i < values; i++) noise[i] = (float)sin(1.3 * (double)i);
  size_t furthest = 0;
  size_t drifted = 0;
  double loudest = 0.0;
  trap_set(true);
  for (size_t i = 0; i < chunks; i++) {
    double begun = now_ms();
    size_t made = converter_returned(c);
    converter_step(c, small.voices[m]->folded, in + i % turn.input * samples, noise, out, NULL);
    times[i] = now_ms() - begun;
    if (asr_position(c->encoder) > furthest) furthest = asr_position(c->encoder);
    for (size_t k = 0; k < made; k++)
      if (!(fabs((double)out[k]) <= loudest)) loudest = fabs((double)out[k]);
    if (i == 0) continue; // the first one returns less
    float *place = kept + i % turn.positions * samples;
    if (i > turn.positions + turn.positions / 10 &&
        memcmp(place, out, samples * sizeof(float)) != 0 && drifted == 0)
      drifted = i;
    memcpy(place, out, samples * sizeof(float));
  }
  trap_set(false);
  assert_null(trap_take());
  if (turn.forgets && drifted > 0) fail_msg("model %d: chunk %zu has drifted", (int)m, drifted);
  assert_true(isfinite(loudest) && loudest > 0.0 && loudest < 100.0);
  assert_true(furthest < POSITION_LIMIT + c->n + c->ahead);
  double early = undisturbed(times + tenth / 2, tenth);
  double late = undisturbed(times + chunks - tenth, tenth);
  print_message("%s: %zu chunks, one takes %.3f ms early and %.3f ms late\n", small_decoders[m],
                chunks, early, late);
  assert_true(late < 1.5 * early);
  free(in);
  free(noise);
  free(out);
  free(kept);
  free(times);
  converter_free(c);
}

static void a_long_time_changes_nothing(void **state)
{
  (void)state;
  for (small_model m = 0; m < SMALL_MODELS; m++) run_long(m);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_trap_catches),
      cmocka_unit_test(streams_ask_for_nothing),
      cmocka_unit_test(a_long_time_changes_nothing),
  };
  return cmocka_run_group_tests(tests, open_all, close_all);
}
