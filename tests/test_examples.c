// SPDX-License-Identifier: GPL-3.0-or-later
//
// A voice by example: what is added to a mel, against the same written down plainly; and examples
// on their way from a recording through a .voice file into a stream.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "convert_internal.h"
#include "data_path.h"
#include "npy.h"
#include "small_models.h"
#include "trap.h"
#include "voice.h"
#include "wavfile.h"

enum { WIDTH = 6, BINS = 24, KNOWN = 9, SAID = 12, ENVELOPE = EXAMPLES_ENVELOPE };
static float known[KNOWN][WIDTH];
static float envelopes[KNOWN][ENVELOPE];
static float said[SAID][WIDTH];
static float mel[SAID * EXAMPLES_FRAMES][BINS];

static small_folder folder;
static char recording[128];
static mw_voice_model *model;

static int open_all(void **state)
{
  (void)state;
  npy source;
  char bundle[128];
  mw_error error;
  if (!small_folder_make(&folder) ||
      !npy_open(&source, data_path("golden/meanvc/e2e_v1"), "source.npy"))
    return -1;
  snprintf(recording, sizeof recording, "%s/in.wav", folder.path);
  snprintf(bundle, sizeof bundle, "%s/own.safetensors", folder.path);
  sound s = {source.values, source.count, 16000};
  mw_status status = sound_write(&s, recording, true, &error);
  npy_free(&source);
  if (status == MW_OK) status = small_own_write(bundle, &error);
  if (status == MW_OK) status = mw_voice_model_open(&model, bundle, bundle, 1, &error);
  if (status != MW_OK) print_error("%s\n", error.text);
  return status == MW_OK ? 0 : -1;
}

static int close_all(void **state)
{
  (void)state;
  mw_voice_model_close(model);
  small_folder_remove(&folder);
  return 0;
}

static int fill(void **state)
{
  (void)state;
  for (int i = 0; i < KNOWN; i++) {
    for (int k = 0; k < WIDTH; k++) known[i][k] = (float)sin(1.3 * i * i + 0.7 * k + 0.2 * i * k);
    for (int k = 0; k < ENVELOPE; k++) envelopes[i][k] = 0.3f * (float)cos(0.9 * i + 1.1 * k);
  }
  for (int i = 0; i < SAID; i++)
    for (int k = 0; k < WIDTH; k++) said[i][k] = (float)cos(0.6 * i * i + 1.9 * k) + 0.5f;
  for (int i = 0; i < SAID * EXAMPLES_FRAMES; i++)
    for (int b = 0; b < BINS; b++) mel[i][b] = 0.4f * (float)sin(0.31 * i + 0.23 * b * b);
  return 0;
}

static double cosine(int k, int bin)
{
  return sqrt((k == 0 ? 1.0 : 2.0) / BINS) * cos(M_PI / BINS * (bin + 0.5) * k);
}

static void length_one(double *x)
{
  double square = 0.0;
  for (int k = 0; k < WIDTH; k++) square += x[k] * x[k];
  for (int k = 0; k < WIDTH; k++) x[k] /= sqrt(square) + 1e-3;
}

// The envelope that is wanted for content x, by the definition: the two nearest examples' mean.
static void look_up(const double *x, double unit[KNOWN][WIDTH], double *envelope)
{
  int best[2] = {-1, -1};
  double score[KNOWN];
  for (int i = 0; i < KNOWN; i++) {
    score[i] = 0.0;
    for (int k = 0; k < WIDTH; k++) score[i] += x[k] * unit[i][k];
  }
  for (int n = 0; n < 2; n++)
    for (int i = 0; i < KNOWN; i++)
      if (i != best[0] && (best[n] < 0 || score[i] > score[best[n]])) best[n] = i;
  for (int k = 0; k < ENVELOPE; k++)
    envelope[k] = (envelopes[best[0]][k] + envelopes[best[1]][k]) / 2.0;
}

// All of it in doubles, a whole sound at a time.
static void apply_plainly(double out[SAID * EXAMPLES_FRAMES][BINS])
{
  double mean[WIDTH] = {0};
  double deviation[WIDTH] = {0};
  double unit[KNOWN][WIDTH];
  for (int k = 0; k < WIDTH; k++) {
    for (int i = 0; i < KNOWN; i++) mean[k] += (double)known[i][k] / KNOWN;
    for (int i = 0; i < KNOWN; i++) deviation[k] += pow(known[i][k] - mean[k], 2.0) / KNOWN;
    deviation[k] = sqrt(deviation[k]) + 1e-3;
    for (int i = 0; i < KNOWN; i++) unit[i][k] = (known[i][k] - mean[k]) / deviation[k];
  }
  for (int i = 0; i < KNOWN; i++) length_one(unit[i]);
  double before[ENVELOPE] = {0};
  for (int i = 0; i < SAID; i++) {
    double x[WIDTH];
    double wanted[ENVELOPE];
    for (int k = 0; k < WIDTH; k++) {
      mean[k] += (said[i][k] - mean[k]) / (51 + i);
      x[k] = (said[i][k] - mean[k]) / deviation[k];
    }
    length_one(x);
    look_up(x, unit, wanted);
    for (int k = 0; k < ENVELOPE; k++) {
      double own = 0.0;
      for (int b = 0; b < BINS; b++)
        own += cosine(k, b) * (mel[4 * i + 2][b] + mel[4 * i + 3][b]) / 2.0;
      wanted[k] = (k == 0 ? 0.3 : 0.6) * (wanted[k] - own);
    }
    for (int f = 0; f < 4; f++)
      for (int b = 0; b < BINS; b++) {
        double value = mel[4 * i + f][b];
        for (int k = 0; k < ENVELOPE; k++)
          value += cosine(k, b) * (before[k] + (f + 1) / 4.0 * (wanted[k] - before[k]));
        out[4 * i + f][b] = fmax(-1.0, fmin(1.0, value));
      }
    memcpy(before, wanted, sizeof before);
  }
}

static void the_mel_becomes_as_defined(void **state)
{
  (void)state;
  static double wanted[SAID * EXAMPLES_FRAMES][BINS];
  static float whole[SAID * EXAMPLES_FRAMES][BINS];
  static float cut[SAID * EXAMPLES_FRAMES][BINS];
  examples *e = NULL;
  examples_state *s = NULL;
  assert_int_equal(examples_new(&e, known[0], envelopes[0], KNOWN, WIDTH, NULL), MW_OK);
  assert_int_equal(examples_state_new(&s, WIDTH, BINS, NULL), MW_OK);
  apply_plainly(wanted);
  memcpy(whole, mel, sizeof mel);
  examples_apply(s, e, said[0], SAID, whole[0]);
  double moved = 0.0;
  for (int i = 0; i < SAID * EXAMPLES_FRAMES; i++)
    for (int b = 0; b < BINS; b++) {
      if (fabs(whole[i][b] - wanted[i][b]) > 1e-5)
        fail_msg("frame %d, bin %d: %g, wanted %g", i, b, (double)whole[i][b], wanted[i][b]);
      moved = fmax(moved, fabs(wanted[i][b] - mel[i][b]));
    }
  assert_true(moved > 0.1);
  // a frame at a time, after a reset, it is the same to the bit
  examples_reset(s);
  memcpy(cut, mel, sizeof mel);
  for (int i = 0; i < SAID; i++) examples_apply(s, e, said[i], 1, cut[i * EXAMPLES_FRAMES]);
  assert_memory_equal(whole, cut, sizeof whole);
  examples_state_free(s);
  examples_free(e);
}

static void one_example_and_no_numbers_are_borne(void **state)
{
  (void)state;
  float nothing[WIDTH];
  float frames[EXAMPLES_FRAMES][BINS] = {0};
  examples *e = NULL;
  examples_state *s = NULL;
  mw_error error;
  assert_int_equal(examples_new(&e, known[0], envelopes[0], 1, WIDTH, NULL), MW_OK);
  assert_int_equal(examples_state_new(&s, WIDTH, BINS, NULL), MW_OK);
  for (int k = 0; k < WIDTH; k++) nothing[k] = NAN;
  examples_apply(s, e, nothing, 1, frames[0]);
  for (int b = 0; b < BINS; b++) assert_true(isfinite(frames[EXAMPLES_FRAMES - 1][b]));
  examples_state_free(s);
  examples_free(e);
  assert_int_equal(examples_new(&e, known[0], envelopes[0], 0, WIDTH, &error), MW_ERROR_FORMAT);
  assert_non_null(strstr(error.text, "0 examples: wanted 1 to 1500"));
  assert_int_equal(examples_new(&e, known[0], envelopes[0], EXAMPLES_MOST + 1, WIDTH, &error),
                   MW_ERROR_FORMAT);
}

static void a_converter_understands_what_it_converts(void **state)
{
  (void)state;
  mw_voice *v = NULL;
  converter *one = NULL;
  converter *other = NULL;
  converter_model networks = vc_model_networks(model);
  assert_int_equal(mw_voice_open(&v, model, recording, NULL, NULL), MW_OK);
  assert_int_equal(converter_new(&one, &networks, 1, 50, false, NULL), MW_OK);
  assert_int_equal(converter_new(&other, &networks, v->prompt_frames, 50, false, NULL), MW_OK);
  size_t frames = converter_content_frames(one);
  float *in = calloc(converter_most_wanted(one), sizeof(float));
  float *out = calloc(converter_most_returned(one), sizeof(float));
  float *content = calloc(frames * v->content, sizeof(float));
  for (int chunk = 0; chunk < 5; chunk++) {
    size_t wanted = converter_wanted(one);
    assert_int_equal(converter_wanted(other), wanted);
    for (size_t i = 0; i < wanted; i++) in[i] = 0.2f * (float)sin(0.05 * (double)(i + 7 * i % 31));
    converter_understand(one, in, content);
    converter_step(other, v->folded, in, NULL, out, NULL);
    assert_memory_equal(content, other->features + v->content, frames * v->content * sizeof(float));
  }
  free(in);
  free(out);
  free(content);
  converter_free(one);
  converter_free(other);
  mw_voice_close(v);
}

// What a stream makes of the recording itself in a voice.
static float *convert(const mw_voice *v, size_t *frames)
{
  sound s;
  mw_stream *stream = NULL;
  assert_int_equal(sound_read(&s, recording, 0.0, NULL), MW_OK);
  float *out = malloc(s.frames * sizeof(float));
  assert_int_equal(mw_stream_new(&stream, model, v, s.rate_hz, 3, NULL), MW_OK);
  trap_set(true);
  mw_stream_run(stream, s.samples, out, s.frames);
  trap_set(false);
  assert_null(trap_take());
  mw_stream_free(stream);
  *frames = s.frames;
  sound_free(&s);
  return out;
}

static void examples_go_through_files(void **state)
{
  (void)state;
  char path[160];
  size_t frames;
  mw_error error;
  mw_voice *heard = NULL;
  mw_voice *read = NULL;
  snprintf(path, sizeof path, "%s/heard.voice", folder.path);
  assert_int_equal(mw_voice_open(&heard, model, recording, NULL, &error), MW_OK);
  assert_non_null(heard->examples);
  size_t whole = heard->prompt_frames / EXAMPLES_FRAMES;
  assert_in_range(heard->example_count, whole - 6, whole); // the encoder looks ahead
  assert_int_equal(mw_voice_save(heard, path, "heard", NULL, true, &error), MW_OK);
  assert_int_equal(mw_voice_open(&read, model, path, NULL, &error), MW_OK);
  assert_int_equal(read->example_count, heard->example_count);
  assert_memory_equal(read->said, heard->said,
                      heard->example_count * heard->content * sizeof(float));
  assert_memory_equal(read->envelopes, heard->envelopes,
                      heard->example_count * EXAMPLES_ENVELOPE * sizeof(float));
  float *first = convert(heard, &frames);
  float *second = convert(read, &frames);
  assert_memory_equal(first, second, frames * sizeof(float));
  mw_voice_close(read);
  // of another encoder they mean nothing: the voice does without them, and sounds otherwise
  heard->content_space[0] ^= 1;
  assert_int_equal(mw_voice_save(heard, path, "heard", NULL, true, &error), MW_OK);
  heard->content_space[0] ^= 1;
  assert_int_equal(mw_voice_open(&read, model, path, NULL, &error), MW_OK);
  assert_int_equal(read->example_count, 0);
  assert_null(read->examples);
  free(second);
  second = convert(read, &frames);
  assert_true(memcmp(first, second, frames * sizeof(float)) != 0);
  free(first);
  free(second);
  mw_voice_close(read);
  // values that are no numbers are refused
  heard->envelopes[3] = NAN;
  assert_int_equal(mw_voice_save(heard, path, "heard", NULL, true, &error), MW_OK);
  assert_int_equal(mw_voice_open(&read, model, path, NULL, &error), MW_ERROR_FORMAT);
  assert_non_null(strstr(error.text, "not numbers"));
  mw_voice_close(heard);
}

static void several_recordings_add_up_and_mixes_have_none(void **state)
{
  (void)state;
  const char *recordings[2] = {recording, recording};
  mw_voice *one = NULL;
  mw_voice *two = NULL;
  mw_voice *mixed = NULL;
  mw_error error;
  assert_int_equal(mw_voice_open(&one, model, recording, NULL, &error), MW_OK);
  assert_int_equal(mw_voice_make(&two, model, recordings, 2, NULL, &error), MW_OK);
  assert_int_equal(two->example_count, 2 * one->example_count);
  assert_memory_equal(two->said + one->example_count * one->content, one->said,
                      one->example_count * one->content * sizeof(float));
  assert_int_equal(mw_voice_mix(&mixed, model, one, two, 0.5, &error), MW_OK);
  assert_null(mixed->examples);
  mw_voice_close(one);
  mw_voice_close(two);
  mw_voice_close(mixed);
}

// The first minute of it is heard.
static void a_long_recording_is_a_voice(void **state)
{
  (void)state;
  enum { SECONDS = 61, RATE_HZ = 16000 };
  char path[160];
  mw_voice *v = NULL;
  mw_error error = {""};
  sound s = {calloc(SECONDS * RATE_HZ, sizeof(float)), SECONDS * RATE_HZ, RATE_HZ};
  for (size_t i = 0; i < s.frames; i++) s.samples[i] = 0.3f * (float)sin(0.04 * (double)(i % 9973));
  snprintf(path, sizeof path, "%s/long.wav", folder.path);
  assert_int_equal(sound_write(&s, path, true, &error), MW_OK);
  if (mw_voice_open(&v, model, path, NULL, &error) != MW_OK) fail_msg("%s", error.text);
  assert_int_equal(v->prompt_frames, VOICE_LONGEST_FRAMES);
  assert_in_range(v->example_count, EXAMPLES_MOST - 6, EXAMPLES_MOST);
  mw_voice_close(v);
  sound_free(&s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(the_mel_becomes_as_defined, fill),
      cmocka_unit_test_setup(one_example_and_no_numbers_are_borne, fill),
      cmocka_unit_test(a_converter_understands_what_it_converts),
      cmocka_unit_test(examples_go_through_files),
      cmocka_unit_test(a_long_recording_is_a_voice),
      cmocka_unit_test(several_recordings_add_up_and_mixes_have_none),
  };
  return cmocka_run_group_tests(tests, open_all, close_all);
}
