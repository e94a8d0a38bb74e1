// SPDX-License-Identifier: GPL-3.0-or-later
//
// A live session on files while the system's clock jumps: to the bit what it is while the clock
// stands, whole, and with times that are those of the session.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands.h"
#include "json.h"
#include "jumping_clock.h"
#include "meanwave.h"
#include "report.h"
#include "temp_folder.h"
#include "tone.h"
#include "whole_file.h"

enum { RATE_HZ = 44100, FRAMES = 4 * RATE_HZ, LEAST_JUMP = 3000 };

static char folder[TEMP_FOLDER_SIZE];
static char recording[96];
static char said[96]; // what the last session printed

static int make_recording(void **state)
{
  (void)state;
  static float tone[FRAMES];
  if (!temp_folder_make(folder)) return -1;
  snprintf(recording, sizeof recording, "%s/in.wav", folder);
  snprintf(said, sizeof said, "%s/said", folder);
  tone_make(tone, FRAMES);
  const mw_sound sound = {tone, FRAMES, RATE_HZ};
  return mw_sound_save(&sound, recording, true, NULL) == MW_OK ? 0 : -1;
}

static int remove_folder(void **state)
{
  (void)state;
  return temp_folder_remove(folder) ? 0 : -1;
}

static void the_clock_jumps_and_the_other_does_not(void **state)
{
  (void)state;
  struct timespec steady[2];
  struct timespec precise;
  struct timeval day;
  time_t looks[4];
  clock_gettime(CLOCK_MONOTONIC, &steady[0]);
  looks[0] = time(NULL);
  clock_gettime(CLOCK_REALTIME, &precise);
  looks[1] = precise.tv_sec;
  gettimeofday(&day, NULL);
  looks[2] = day.tv_sec;
  timespec_get(&precise, TIME_UTC);
  looks[3] = precise.tv_sec;
  clock_gettime(CLOCK_MONOTONIC, &steady[1]);
  for (int i = 1; i < 4; i++) assert_true(labs((long)(looks[i] - looks[i - 1])) > LEAST_JUMP);
  assert_in_range(steady[1].tv_sec - steady[0].tv_sec, 0, LEAST_JUMP);
}

// The verb itself, in a process of its own: it catches signals and says its lines.
static void play(const char *path)
{
  enum { COUNT = 5, MOST = 128 };
  char words[COUNT][MOST] = {"--voice=birch", "--json", "--seconds=1000"};
  char *given[COUNT];
  const char *files[COUNT];
  char line[512];
  arguments a;
  int ended;
  snprintf(words[3], MOST, "--in=%s", recording);
  snprintf(words[4], MOST, "--out=%s", path);
  for (int i = 0; i < COUNT; i++) given[i] = words[i];
  if (!options_parse(&a, &live_verb, COUNT, given, files, line, sizeof line)) fail_msg("%s", line);
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (freopen(said, "w", stdout) == NULL) _exit(EXIT_FAILURE);
    report_setup(&a);
    int code = live_verb.run(&a);
    fflush(NULL);
    _exit(code);
  }
  assert_int_equal(waitpid(child, &ended, 0), child);
  assert_int_equal(ended, 0);
}

static char *read_all(const char *path, size_t *length)
{
  char *bytes = NULL;
  mw_error error;
  if (whole_file_read(&bytes, length, path, (size_t)1 << 24, &error) != MW_OK)
    fail_msg("%s", error.text);
  return bytes;
}

static void assert_number(const json_node *event, const char *name, double least, double most)
{
  double number = json_number_or(json_get(event, name), NAN);
  if (!(number >= least && number <= most)) fail_msg("%s is %g", name, number);
}

// Every line that it said, the last one of the end.
static void look_at_times(void)
{
  size_t length;
  char *text = read_all(said, &length);
  char last[16] = "";
  for (char *line = text, *next; *line != '\0'; line = next) {
    json *j = NULL;
    next = line + strcspn(line, "\n");
    assert_int_equal(json_parse(&j, line, (size_t)(next - line), "a line", NULL), MW_OK);
    const json_node *event = json_root(j);
    assert_number(event, "seconds", 0.0, LEAST_JUMP);
    assert_number(event, "rtf", 0.0, LEAST_JUMP);
    assert_number(event, "encoder_rtf", 0.0, LEAST_JUMP);
    assert_number(event, "decoder_rtf", 0.0, LEAST_JUMP);
    assert_number(event, "vocoder_rtf", 0.0, LEAST_JUMP);
    assert_number(event, "slowest_ms", 0.0, 1e3 * LEAST_JUMP);
    snprintf(last, sizeof last, "%s", json_string_or(json_get(event, "event"), ""));
    json_free(j);
    if (*next == '\n') next++;
  }
  assert_string_equal(last, "end");
  free(text);
}

static void a_session_does_not_notice(void **state)
{
  (void)state;
  char paths[2][96];
  char *heard[2];
  size_t lengths[2];
  for (int i = 0; i < 2; i++) {
    snprintf(paths[i], sizeof paths[i], "%s/%d.wav", folder, i);
    jumping_clock_hold(i == 0);
    play(paths[i]);
    look_at_times();
    heard[i] = read_all(paths[i], &lengths[i]);
  }
  assert_true(lengths[0] > FRAMES * sizeof(float));
  assert_int_equal(lengths[1], lengths[0]);
  assert_memory_equal(heard[1], heard[0], lengths[0]);
  free(heard[0]);
  free(heard[1]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_clock_jumps_and_the_other_does_not),
      cmocka_unit_test(a_session_does_not_notice),
  };
  return cmocka_run_group_tests(tests, make_recording, remove_folder);
}
