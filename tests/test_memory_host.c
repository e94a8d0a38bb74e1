// SPDX-License-Identifier: GPL-3.0-or-later
//
// The n-th allocation of the program fails, for every n, in each of its verbs that needs no device:
// it ends with a line that says so, without a crash and without a leak.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "commands.h"
#include "data_path.h"
#include "failing_allocator.h"
#include "meanwave.h"
#include "report.h"
#include "small_models.h"
#include "tone.h"

#ifdef FAILING_ALLOCATOR

enum { RATE_HZ = 16000, FRAMES = RATE_HZ, MOST_WORDS = 16, MOST_TEXT = 4096 };

static char folder[TEMP_FOLDER_SIZE];
static char sound_path[MOST_TEXT];
static char vocoder_path[MOST_TEXT];
static int said; // what the program prints

static int prepare(void **state)
{
  (void)state;
  static float tone[FRAMES];
  char path[128];
  mw_error error = {""};
  if (!temp_folder_make(folder)) return -1;
  setenv("XDG_CACHE_HOME", "/dev/null/none", 1); // recordings are listened to each time
  tone_make(tone, FRAMES);
  const mw_sound sound = {tone, FRAMES, RATE_HZ};
  mw_status status = MW_OK;
  for (int i = 0; status == MW_OK && i < 2; i++) {
    snprintf(path, sizeof path, "%s/in%d.wav", folder, i);
    status = mw_sound_save(&sound, path, true, &error);
  }
  snprintf(path, sizeof path, "%s/own.mw", folder);
  if (status == MW_OK) status = small_own_write(path, &error);
  if (status != MW_OK) print_error("%s\n", error.text);
  snprintf(path, sizeof path, "%s/prompts", folder);
  FILE *prompts = fopen(path, "w");
  if (status != MW_OK || prompts == NULL) return -1;
  fputs("a dog barks\na dog\n", prompts);
  fclose(prompts);
  snprintf(sound_path, sizeof sound_path, "%s", data_path("golden/sound/sound.safetensors"));
  snprintf(vocoder_path, sizeof vocoder_path, "%s", data_path("golden/sound/vocoder.safetensors"));
  snprintf(path, sizeof path, "%s/said", folder);
  said = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  return said >= 0 ? 0 : -1;
}

static int clear(void **state)
{
  (void)state;
  close(said);
  return temp_folder_remove(folder) ? 0 : -1;
}

// ----

// A command line of a verb; "%" stands for the folder, "@" for a sound model, "#" for its vocoder.
static const verb *verb_run;

static size_t take_words(char *text, size_t size, const char *line, char **words)
{
  size_t length = 0;
  size_t count = 0;
  for (const char *c = line; *c != '\0'; c++) {
    const char *put = *c == '%' ? folder : *c == '@' ? sound_path : *c == '#' ? vocoder_path : NULL;
    char one[2] = {*c == ' ' ? '\0' : *c, '\0'};
    if (put == NULL) put = one;
    size_t bytes = *c == ' ' ? 1 : strlen(put);
    assert_true(length + bytes < size);
    memcpy(text + length, put, bytes);
    length += bytes;
  }
  text[length] = '\0';
  for (size_t at = 0; at < length; at += strlen(text + at) + 1) {
    assert_true(count < MOST_WORDS);
    words[count++] = text + at;
  }
  return count;
}

// The lines that it printed, each with the program's name; none when anything else is among them.
static void read_lines(mw_error *error)
{
  static const char name[] = "meanwave: ";
  ssize_t length = pread(said, error->text, sizeof error->text - 1, 0);
  error->text[length > 0 ? length : 0] = '\0';
  for (char *line = error->text, *end; *line != '\0'; line = end + 1) {
    end = strchr(line, '\n');
    if (end == NULL || strncmp(line, name, sizeof name - 1) != 0) {
      print_error("%s", error->text);
      error->text[0] = '\0';
      return;
    }
  }
}

static mw_status run(const char *what, mw_error *error)
{
  char text[4 * MOST_TEXT];
  char *words[MOST_WORDS];
  const char *files[MOST_WORDS];
  char line[512] = "";
  arguments a;
  size_t count = take_words(text, sizeof text, what, words);
  if (!options_parse(&a, verb_run, (int)count, words, files, line, sizeof line))
    fail_msg("%s", line);
  int kept[2] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
  assert_int_equal(ftruncate(said, 0), 0);
  lseek(said, 0, SEEK_SET);
  fflush(stdout);
  dup2(said, STDOUT_FILENO);
  dup2(said, STDERR_FILENO);
  report_setup(&a);
  int code = verb_run->run(&a);
  fflush(stdout);
  for (int i = 0; i < 2; i++) {
    dup2(kept[i], i == 0 ? STDOUT_FILENO : STDERR_FILENO);
    close(kept[i]);
  }
  if (code == EXIT_GOOD) return MW_OK;
  read_lines(error);
  return MW_ERROR_MEMORY;
}

static void verbs_say_so(void **state)
{
  (void)state;
  static const struct {
    const verb *v;
    const char *line;
    long fineness;
  } cases[] = {
      {&convert_verb, "-q -m %/own.mw -V birch %/in0.wav %/in1.wav -o %/ -f flac -y", 20},
      {&convert_verb, "-q -m %/own.mw -V birch %/in0.wav -o -", 20},
      {&generate_verb, "-q -m @ --vocoder # -t 0.1 --prompts %/prompts -o %/ -y", 20},
      {&live_verb, "-q -m %/own.mw -V birch -i %/in0.wav -o %/out.wav -y", 50},
      {&live_verb, "-q -m %/own.mw -V %/in0.wav -i %/in1.wav -o %/out.wav -y", 20},
      {&voice_verb, "-q -m %/own.mw make %/in0.wav %/in1.wav -o %/made.voice -y", 20},
      {&voice_verb, "-q -m %/own.mw list", 50},
      {&models_verb, "-q info %/own.mw", 50},
      {&models_verb, "-q import # -o %/import.mw -y", 50},
      {&vocode_verb, "-q -m # %/in0.wav -o %/out.wav -y", 50},
      {&presets_verb, "-q list", 10},
      {&presets_verb, "-q show rain", 50},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    verb_run = cases[i].v;
    fail_each(run, cases[i].line, cases[i].fineness);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(verbs_say_so)};
  return cmocka_run_group_tests(tests, prepare, clear);
}

#else

int main(void)
{
  return skip_all();
}

#endif
