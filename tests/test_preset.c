// SPDX-License-Identifier: GPL-3.0-or-later
#include "preset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "temp_folder.h"

static mw_preset preset;
static mw_error error;

static mw_status parse(const char *text)
{
  return preset_parse(&preset, text, strlen(text), "folder/some name.preset", &error);
}

static void a_voice_is_read(void **state)
{
  (void)state;
  assert_int_equal(parse("\xEF\xBB\xBF# a comment\r\n"
                         "  about = Dunkel, r\xC3\xBChig # and this is no comment\r\n"
                         "\r\n"
                         "voice=cedar\n"
                         "pitch = -3.5\n\tmix =\t0.75 \ngate = -50\ngain = 2"),
                   MW_OK);
  assert_int_equal(preset.kind, MW_PRESET_VOICE);
  assert_string_equal(preset.name, "some name");
  assert_string_equal(preset.about, "Dunkel, r\xC3\xBChig # and this is no comment");
  assert_string_equal(preset.voice, "cedar");
  assert_string_equal(preset.model, "");
  assert_true(preset.controls.pitch == -3.5f && preset.controls.mix == 0.75f);
  assert_true(preset.controls.gate_db == -50.0f && preset.controls.gain_db == 2.0f);
}

static void a_sound_is_read(void **state)
{
  (void)state;
  assert_int_equal(parse("group = nature\nprompt = rain = on a roof\nnegative = wind\n"
                         "seed = 4294967295\nseconds = 2.5\nsteps = 4\nloop = yes\n"
                         "loudness = -23\n"),
                   MW_OK);
  assert_int_equal(preset.kind, MW_PRESET_SOUND);
  assert_string_equal(preset.group, "nature");
  assert_string_equal(preset.prompt, "rain = on a roof");
  assert_string_equal(preset.negative, "wind");
  assert_true(preset.seed == 4294967295u && preset.seconds == 2.5 && preset.steps == 4);
  assert_true(preset.loop && preset.has_loudness && preset.loudness_lufs == -23.0);
}

static void what_is_not_said_is_neutral(void **state)
{
  (void)state;
  assert_int_equal(parse("voice = a"), MW_OK);
  assert_true(preset.controls.mix == 1.0f && preset.controls.gate_db == MW_GATE_OFF);
  assert_int_equal(parse("prompt = a"), MW_OK);
  assert_true(preset.seconds == 0.0 && preset.steps == 0 && !preset.loop && !preset.has_loudness);
}

// Paths start from the preset's folder; names and absolute paths stay.
static void paths_are_resolved(void **state)
{
  (void)state;
  assert_int_equal(parse("voice = own.voice\nmodel = ../m/voice.safetensors\n"), MW_OK);
  assert_string_equal(preset.voice, "folder/own.voice");
  assert_string_equal(preset.model, "folder/../m/voice.safetensors");
  assert_int_equal(parse("voice = /own.voice\n"), MW_OK);
  assert_string_equal(preset.voice, "/own.voice");
}

static void hostile_text_is_refused_with_its_line(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    const char *says;
  } cases[] = {
      {"", "neither a voice nor a prompt"},
      {"about = x\n", "neither a voice nor a prompt"},
      {"voice = a\nvoice = b\n", "line 2: voice is there twice"},
      {"voice = a\n\nprompt = b\n", "line 3: prompt is for a sound"},
      {"prompt = a\npitch = 1\n", "line 2: pitch is for a voice"},
      {"voice = a\nvolume = 1\n", "line 2: there is no key 'volume'"},
      {"voice\n", "line 1: wanted 'key = value'"},
      {"voice =  \n", "line 1: voice has no value"},
      {"= a\n", "there is no key ''"},
      {"voice = a\npitch = 25\n", "pitch wants a number from -24 to 24"},
      {"voice = a\npitch = nan\n", "pitch wants"},
      {"voice = a\npitch = inf\n", "pitch wants"},
      {"voice = a\npitch = 1,5\n", "not '1,5'"},
      {"voice = a\nmix = 0.5x\n", "mix wants"},
      {"voice = a\ngate = 1e999\n", "gate wants"},
      {"prompt = a\nseed = 1.5\n", "whole number"},
      {"prompt = a\nseed = 4294967296\n", "seed wants"},
      {"prompt = a\nseed = -1\n", "seed wants"},
      {"prompt = a\nsteps = 0\n", "steps wants"},
      {"prompt = a\nseconds = 1e9\n", "seconds wants"},
      {"prompt = a\nloop = true\n", "loop is yes or no"},
      {"voice = a\xFF\n", "not UTF-8"},
      {"voice = \xC3\n", "not UTF-8"},
      {"voice = \xED\xA0\x80\n", "not UTF-8"},
      {"voice = \xC0\xAF\n", "not UTF-8"},
      {"voice = a\x1B[2J\n", "not UTF-8"},
      {"voice = a\rmix = 0\n", "not UTF-8"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(parse(cases[i].text), MW_ERROR_FORMAT);
    if (strstr(error.text, cases[i].says) == NULL)
      fail_msg("case %zu: '%s' lacks '%s'", i, error.text, cases[i].says);
  }
  // a zero in the text, which strlen would not see
  assert_int_equal(preset_parse(&preset, "voice = a\0b", 11, "x", &error), MW_ERROR_FORMAT);
}

static void long_things_are_refused(void **state)
{
  (void)state;
  size_t sizes[] = {MW_PRESET_TEXT - 1, MW_PRESET_TEXT, 60000};
  for (size_t i = 0; i < 3; i++) {
    char *text = malloc(sizes[i] + 32);
    size_t before = (size_t)sprintf(text, "prompt = ");
    memset(text + before, 'x', sizes[i]);
    mw_status status = preset_parse(&preset, text, before + sizes[i], "x", &error);
    assert_int_equal(status, i == 0 ? MW_OK : MW_ERROR_FORMAT);
    free(text);
  }
  char path[300];
  memset(path, 'n', sizeof path);
  path[299] = '\0';
  assert_int_equal(preset_parse(&preset, "voice = a", 9, path, &error), MW_ERROR_FORMAT);
}

// Whatever the bytes: one line or a preset whose values are in their ranges.
static void bytes_at_random_never_harm(void **state)
{
  (void)state;
  static const char whole[] = "about = An old radio\nvoice = cedar\npitch = -3\nmix = 0.5\n"
                              "gate = -50\ngain = 3\n";
  char text[sizeof whole];
  uint32_t seed = 1;
  size_t read = 0;
  for (int round = 0; round < 20000; round++) {
    memcpy(text, whole, sizeof whole);
    size_t length = sizeof whole - 1;
    for (int k = 0; k < 3; k++) {
      seed = seed * 1664525u + 1013904223u;
      text[(seed >> 8) % length] = (char)(seed >> 24);
    }
    length -= (seed >> 4) % 3 == 0 ? (seed >> 16) % length : 0;
    error.text[0] = '\0';
    mw_status status = preset_parse(&preset, text, length, "x", &error);
    if (status != MW_OK) {
      assert_true(error.text[0] != '\0' && strchr(error.text, '\n') == NULL);
      continue;
    }
    read++;
    assert_true(fabsf(preset.controls.pitch) <= 24.0f);
    assert_true(preset.controls.mix >= 0.0f && preset.controls.mix <= 1.0f);
    assert_true(preset.controls.gate_db >= MW_GATE_OFF && preset.controls.gate_db <= 0.0f);
    assert_true(preset.controls.gain_db >= -60.0f && preset.controls.gain_db <= 24.0f);
  }
  assert_true(read > 100 && read < 19900);
}

static void write_text(const char *folder, const char *name, const char *text)
{
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

// A folder with the one in it where presets are looked for first, path [256].
static void make_chosen(char *folder, char *path)
{
  assert_true(temp_folder_make(folder));
  snprintf(path, 256, "%s/chosen", folder);
  mkdir(path, 0777);
  setenv("MEANWAVE_PRESETS", path, 1);
}

typedef struct {
  size_t good;
  size_t bad;
} count;

static void say(void *context, const char *path, const mw_preset *read, const char *problem)
{
  count *c = context;
  assert_true((read == NULL) == (problem != NULL));
  assert_non_null(strstr(path, ".preset"));
  *(read != NULL ? &c->good : &c->bad) += 1;
}

// The user's own come before the installed ones, chosen ones before both; folders below count.
static void places_have_an_order(void **state)
{
  (void)state;
  char folder[TEMP_FOLDER_SIZE];
  char path[256];
  char own[256];
  make_chosen(folder, path);
  write_text(path, "a.preset", "voice = chosen\n");
  write_text(path, "broken.preset", "voice\n");
  write_text(path, "no-preset.txt", "voice\n");
  snprintf(own, sizeof own, "%s/meanwave", folder);
  mkdir(own, 0777);
  strcat(own, "/presets");
  mkdir(own, 0777);
  strcat(own, "/deep");
  mkdir(own, 0777);
  setenv("XDG_DATA_HOME", folder, 1);
  setenv("XDG_DATA_DIRS", "/none", 1);
  write_text(own, "a.preset", "voice = own\n");
  write_text(own, "b.preset", "voice = own\n");
  assert_int_equal(mw_preset_open(&preset, "a", &error), MW_OK);
  assert_string_equal(preset.voice, "chosen");
  assert_int_equal(mw_preset_open(&preset, "b", &error), MW_OK);
  assert_string_equal(preset.voice, "own");
  assert_int_equal(mw_preset_open(&preset, "c", &error), MW_ERROR_ARGUMENT);
  assert_non_null(strstr(error.text, "meanwave presets list"));
  assert_int_equal(mw_preset_open(&preset, "broken", &error), MW_ERROR_FORMAT);
  assert_int_equal(mw_preset_open(&preset, "./none.preset", &error), MW_ERROR_IO);
  count c = {0, 0};
  assert_int_equal(mw_presets_list(say, &c, &error), MW_OK);
  assert_true(c.good >= 2 && c.bad == 1);
  assert_true(temp_folder_remove(folder));
}

static void append(void *context, const char *path, const mw_preset *read, const char *problem)
{
  (void)problem;
  if (read == NULL || strstr(path, "/chosen/") == NULL) return;
  char *names = context;
  strcat(strcat(names, " "), read->name);
}

// A preset stands before those whose names go on behind its own.
static void a_folder_is_listed_by_names(void **state)
{
  (void)state;
  char folder[TEMP_FOLDER_SIZE];
  char path[256];
  char names[64] = "";
  make_chosen(folder, path);
  write_text(path, "dog.preset", "voice = v\n");
  write_text(path, "dog-angry.preset", "voice = v\n");
  write_text(path, "cat.preset", "voice = v\n");
  assert_int_equal(mw_presets_list(append, names, &error), MW_OK);
  assert_string_equal(names, " cat dog dog-angry");
  assert_true(temp_folder_remove(folder));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_voice_is_read),
      cmocka_unit_test(a_sound_is_read),
      cmocka_unit_test(what_is_not_said_is_neutral),
      cmocka_unit_test(paths_are_resolved),
      cmocka_unit_test(hostile_text_is_refused_with_its_line),
      cmocka_unit_test(long_things_are_refused),
      cmocka_unit_test(bytes_at_random_never_harm),
      cmocka_unit_test(places_have_an_order),
      cmocka_unit_test(a_folder_is_listed_by_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
