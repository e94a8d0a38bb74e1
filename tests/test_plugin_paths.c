// SPDX-License-Identifier: GPL-3.0-or-later
//
// Paths of states and messages that name no file: pipes, which would be waited for, devices without
// an end, folders, and "-", which is the host's standard input or output. Each is refused with a
// line.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lv2_sound.h"
#include "meanwave.h"

#define VOICE "urn:meanwave:voice"
enum { NO_VOICE = 3 }; // of Voice's status port

static char pipe_path[128];
static char preset_path[128]; // a pipe too

static int make_pipes(void **state)
{
  if (sound_make_folders(state) != 0) return 1;
  snprintf(pipe_path, sizeof pipe_path, "%s/pipe", sound_home);
  snprintf(preset_path, sizeof preset_path, "%s/pipe.preset", sound_home);
  return mkfifo(pipe_path, 0600) != 0 || mkfifo(preset_path, 0600) != 0;
}

static void run(lv2_host *h)
{
  static const float silence[LONGEST];
  host_run(h, (const float *[]){silence}, (float *[]){out[0], out[1]}, 1024, false);
  host_work(h);
}

static void logged(const lv2_host *h, const char *path)
{
  const char *line = host_logged(h);
  if (strstr(line, path) == NULL || strstr(line, "not a file") == NULL)
    fail_msg("%s: logged '%s'", path, line);
}

// A plugin whose state holds that path; the alarm is set.
static lv2_host *restored(const char *uri, const char *key, const char *path)
{
  host_table *table = host_table_of(key, PATH, path);
  lv2_host *h = host_open(uri, RATE, HOST_EVERYTHING, LONGEST);
  alarm(30);
  host_restore_plain(h, table);
  host_table_free(table);
  host_activate(h);
  return h;
}

static void a_state_names_no_pipe(void **state)
{
  (void)state;
  const char *const paths[4] = {pipe_path, "/dev/zero", sound_home, "-"};
  for (size_t i = 0; i < 4; i++) {
    lv2_host *h = restored(SOUND, CLIP_KEY, paths[i]);
    sound_settle(h);
    alarm(0);
    assert_int_not_equal(host_value(h, "status"), READY);
    logged(h, paths[i]);
    host_close(h);
  }
}

// A file of a few kilobytes may hold hours of silence.
static void a_clip_is_no_longer_than_sounds_are(void **state)
{
  (void)state;
  enum { RATE_HZ = 1000 };
  char path[128];
  mw_error error;
  snprintf(path, sizeof path, "%s/clip.flac", sound_home);
  for (size_t i = 0; i < 2; i++) {
    size_t frames = (size_t)(MW_SOUND_LONGEST * RATE_HZ) + i;
    mw_sound sound = {calloc(frames, sizeof(float)), frames, RATE_HZ};
    assert_int_equal(mw_sound_save(&sound, path, true, &error), MW_OK);
    mw_sound_free(&sound);
    lv2_host *h = restored(SOUND, CLIP_KEY, path);
    sound_settle(h);
    alarm(0);
    if (i == 0) assert_int_equal(host_value(h, "status"), READY);
    if (i == 1) assert_int_not_equal(host_value(h, "status"), READY);
    if (i == 1) assert_non_null(strstr(host_logged(h), "longer than the 300 seconds"));
    host_close(h);
  }
  unlink(path);
}

static void a_voice_is_no_pipe(void **state)
{
  (void)state;
  const char *const paths[2] = {pipe_path, "/dev/zero"};
  for (size_t i = 0; i < 2; i++) {
    lv2_host *h = restored(VOICE, VOICE ":file", paths[i]);
    run(h);
    host_table_free(host_save_plain(h)); // which looks at the file again
    alarm(0);
    assert_int_equal(host_value(h, "status"), NO_VOICE);
    logged(h, paths[i]);
    host_close(h);
  }
}

static void a_prompt_file_is_no_pipe(void **state)
{
  (void)state;
  const char *const paths[4] = {pipe_path, preset_path, "/dev/zero", "-"};
  for (size_t i = 0; i < 4; i++) {
    lv2_host *h = sound_open(HOST_EVERYTHING);
    alarm(30);
    host_send_text(h, SOUND ":file", PATH, paths[i]);
    sound_wait_for(h, MESSAGE_KEY, "not a file");
    alarm(0);
    assert_non_null(strstr(host_told(h, MESSAGE_KEY), paths[i]));
    host_close(h);
  }
}

// The host's standard output goes into a file of its own, which stays empty.
static void a_clip_is_not_saved_to_standard_output(void **state)
{
  (void)state;
  char path[128];
  struct stat about;
  snprintf(path, sizeof path, "%s/said", sound_home);
  lv2_host *h = sound_open(HOST_EVERYTHING);
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  sound_settle(h);
  assert_int_equal(host_value(h, "status"), READY);
  fflush(stdout);
  int kept = dup(STDOUT_FILENO);
  int said = open(path, O_WRONLY | O_CREAT, 0600);
  dup2(said, STDOUT_FILENO);
  host_send_text(h, SAVE_KEY, PATH, "-");
  for (int i = 0; i < 20; i++) sound_run(h, out, 1024, 1024);
  dup2(kept, STDOUT_FILENO);
  close(kept);
  fstat(said, &about);
  close(said);
  assert_int_equal(about.st_size, 0);
  sound_wait_for(h, MESSAGE_KEY, "-: not a file");
  assert_string_equal(host_told(h, SAVE_KEY), "");
  host_close(h);
}

// Even where a file is named so.
static void a_recording_is_not_standard_input(void **state)
{
  (void)state;
  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  mw_error error;
  char here[4096];
  int ends[2];
  assert_int_equal(mw_voice_model_share(&model, NULL, NULL, 1, &error), MW_OK);
  assert_non_null(getcwd(here, sizeof here));
  assert_int_equal(chdir(sound_home), 0);
  close(open("-", O_WRONLY | O_CREAT, 0600));
  int kept = dup(STDIN_FILENO);
  assert_int_equal(pipe(ends), 0);
  dup2(ends[0], STDIN_FILENO);
  alarm(30);
  mw_status status = mw_voice_make(&voice, model, (const char *[]){"-"}, 1, NULL, &error);
  alarm(0);
  dup2(kept, STDIN_FILENO);
  close(kept);
  close(ends[0]);
  close(ends[1]);
  unlink("-");
  assert_int_equal(chdir(here), 0);
  mw_voice_model_give_back(model);
  assert_int_equal(status, MW_ERROR_IO);
  assert_string_equal(error.text, "-: not a file");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_state_names_no_pipe),
      cmocka_unit_test(a_clip_is_no_longer_than_sounds_are),
      cmocka_unit_test(a_voice_is_no_pipe),
      cmocka_unit_test(a_prompt_file_is_no_pipe),
      cmocka_unit_test(a_clip_is_not_saved_to_standard_output),
      cmocka_unit_test(a_recording_is_not_standard_input),
  };
  return cmocka_run_group_tests(tests, make_pipes, sound_remove_folders);
}
