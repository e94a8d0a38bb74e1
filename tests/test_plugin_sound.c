// SPDX-License-Identifier: GPL-3.0-or-later
//
// Meanwave Sound in a strict host, with a small model in the published form.
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

#include "lv2_cost.h"
#include "lv2_sound.h"
#include "meanwave.h"
#include "sound_folder.h"

// What the core makes of the words, at the host's rate.
static mw_sound made_by_core(const char *prompt, uint64_t seed, double seconds)
{
  mw_sound_model *opened = NULL;
  mw_sound sound = {0};
  mw_error error;
  const mw_sound_wish wish = {.prompt = prompt, .seed = seed, .seconds = seconds};
  const mw_sound_finish finish = {.rate_hz = RATE};
  if (mw_sound_model_open(&opened, sound_model, NULL, &error) != MW_OK ||
      mw_sound_generate(&sound, opened, &wish, &error) != MW_OK ||
      mw_sound_finish_up(&sound, &finish, &error) != MW_OK)
    fail_msg("%s", error.text);
  mw_sound_model_close(opened);
  return sound;
}

static void every_subset_of_features_runs(void **state)
{
  (void)state;
  static const unsigned rates[3] = {44100, 48000, 96000};
  static const uint32_t blocks[6] = {1, 64, 688, 1024, 8192, 333};
  for (unsigned features = 0; features <= HOST_EVERYTHING; features++) {
    lv2_host *h = host_open(SOUND, rates[features % 3], features, LONGEST);
    host_activate(h);
    sound_run(h, out, 0, 1);
    host_send_midi(h, 0, NOTE_ON, 60, 100);
    sound_run(h, out, 9000, blocks[features % 6]);
    assert_true(sound_peak(out) == 0.0f);
    assert_int_equal(host_value(h, "status"), EMPTY);
    host_deactivate(h);
    host_close(h);
  }
}

static void words_become_a_sound_on_the_keys(void **state)
{
  (void)state;
  mw_sound wanted = made_by_core("rain on a tin roof", 7, 0.3);
  for (int with_worker = 0; with_worker < 2; with_worker++) {
    lv2_host *h = sound_open(with_worker ? HOST_EVERYTHING : 0);
    sound_run(h, out, 64, 64);
    size_t changes = host_changes(h);
    host_send_text(h, PROMPT_KEY, STRING, "rain on a tin roof");
    sound_run(h, out, 64, 64);
    assert_int_equal(host_changes(h), changes + 1); // the words,
    sound_settle(h);
    assert_int_equal(host_changes(h), changes + 2); // and the sound
    assert_int_equal(host_value(h, "status"), READY);
    assert_string_equal(host_told(h, PROMPT_KEY), "rain on a tin roof");
    assert_null(host_told(h, MESSAGE_KEY)); // it never changed; asked for by name it is told
    host_send_get(h, NULL);
    sound_run(h, out, 64, 64);
    assert_null(host_told(h, MESSAGE_KEY));
    host_send_get(h, MESSAGE_KEY);
    sound_run(h, out, 64, 64);
    assert_string_equal(host_told(h, MESSAGE_KEY), "");
    assert_true(fabsf(host_value(h, "clip_seconds") - 0.3f) < 0.001f);
    sound_play(h, 60, reference);
    assert_true(wanted.frames + 100 < FRAMES);
    for (size_t i = 0; i < 100; i++) assert_true(reference[0][i] == 0.0f);
    assert_memory_equal(reference[0] + 100, wanted.samples, wanted.frames * sizeof(float));
    assert_memory_equal(reference[1], reference[0], sizeof reference[0]);
    // the trigger plays the same, and so do blocks of any size
    host_set(h, "trigger", 1.0f);
    sound_run(h, out, FRAMES, 333);
    assert_memory_equal(out[0], wanted.samples, wanted.frames * sizeof(float));
    host_set(h, "trigger", 0.0f);
    sound_run(h, out, 960, 1);
    // an octave lower it lasts twice as long
    sound_play(h, 48, reference);
    assert_true(fabsf(reference[0][wanted.frames + wanted.frames / 2]) < 1.0f);
    float most = 0.0f;
    for (size_t i = wanted.frames + 500; i < FRAMES; i++)
      most = fmaxf(most, fabsf(reference[0][i]));
    assert_true(most > 0.0f);
    host_close(h);
  }
  mw_sound_free(&wanted);
}

// The key that the trigger has struck is released, whatever the root key has become meanwhile.
static void a_trigger_releases_its_own_key(void **state)
{
  (void)state;
  lv2_host *h = sound_open(HOST_EVERYTHING);
  host_set(h, "loop", 1.0f);
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  sound_settle(h);
  host_set(h, "trigger", 1.0f);
  sound_run(h, out, 960, 64);
  host_set(h, "root_key", 72.0f);
  sound_run(h, out, 960, 64);
  host_set(h, "trigger", 0.0f);
  sound_run(h, out, FRAMES, 64);
  sound_run(h, out, FRAMES, 64);
  for (size_t i = 0; i < FRAMES; i++) assert_true(out[0][i] == 0.0f);
  host_close(h);
}

static void changes_generate_by_themselves_unless_told_not_to(void **state)
{
  (void)state;
  lv2_host *h = sound_open(HOST_EVERYTHING);
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  sound_settle(h);
  sound_play(h, 60, reference);
  host_set(h, "seed", 8.0f);
  sound_settle(h);
  sound_play(h, 60, out);
  assert_memory_not_equal(out[0], reference[0], sizeof out[0]);
  host_set(h, "auto_generate", 0.0f);
  host_set(h, "seed", 7.0f);
  sound_settle(h);
  sound_play(h, 60, out);
  assert_memory_not_equal(out[0], reference[0], sizeof out[0]);
  host_set(h, "generate", 1.0f);
  sound_run(h, out, 64, 64);
  host_set(h, "generate", 0.0f);
  sound_settle(h);
  sound_play(h, 60, out);
  assert_memory_equal(out[0], reference[0], sizeof out[0]);
  host_close(h);
}

static void a_cancelled_generation_leaves_the_sound(void **state)
{
  (void)state;
  lv2_host *h = sound_open(HOST_EVERYTHING);
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  sound_settle(h);
  sound_play(h, 60, reference);
  host_set(h, "seconds", 60.0f); // long enough to be caught at it
  host_set(h, "steps", 50.0f);
  for (int i = 0; i < 1000 && host_value(h, "status") != BUSY; i++) sound_run(h, out, 64, 64);
  assert_int_equal(host_value(h, "status"), BUSY);
  float progress = host_value(h, "progress");
  assert_true(progress >= 0.0f && progress <= 100.0f);
  host_set(h, "cancel", 1.0f);
  sound_run(h, out, 64, 64);
  assert_int_equal(host_value(h, "status"), READY);
  assert_true(host_value(h, "progress") == 0.0f);
  host_set(h, "cancel", 0.0f);
  sound_settle(h);
  sound_play(h, 60, out);
  assert_memory_equal(out[0], reference[0], sizeof out[0]);
  // and an instance may go while it generates
  host_set(h, "generate", 1.0f);
  sound_run(h, out, 64, 64);
  assert_int_equal(host_value(h, "status"), BUSY);
  host_close(h);
}

static void the_state_holds_the_sound_itself(void **state)
{
  (void)state;
  char session[128];
  snprintf(session, sizeof session, "%s/session", sound_home);
  lv2_host *h = sound_open(HOST_EVERYTHING);
  host_table *empty = host_table_of("urn:nobody:knows", STRING, "");
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  sound_settle(h);
  sound_play(h, 60, reference);
  LilvState *saved = host_save(h, session);
  host_table *plain = host_save_plain(h);
  assert_string_equal(host_table_text(plain, CLIP_KEY), "");
  host_close(h);
  for (int kind = 0; kind < 4; kind++) { // files and none, before activate and while it runs
    h = host_open(SOUND, RATE, kind == 1 ? 0 : HOST_EVERYTHING, LONGEST);
    if (kind >= 2) {
      host_activate(h);
      sound_run(h, out, 9600, 1024);
    }
    if (kind % 2)
      host_restore_plain(h, plain);
    else
      host_restore(h, saved);
    if (kind < 2) host_activate(h);
    for (int i = 0; i < 20; i++) {
      sound_run(h, out, 1000, 1000);
      assert_int_not_equal(host_value(h, "status"), BUSY); // nothing is generated again
    }
    assert_int_equal(host_value(h, "status"), READY);
    assert_string_equal(host_told(h, PROMPT_KEY), "dog barks");
    assert_string_not_equal(host_told(h, MODEL_KEY), ""); // lilv links to it from the session
    sound_play(h, 60, out);
    assert_memory_equal(out[0], reference[0], sizeof out[0]);
    assert_int_equal(host_changes(h), 0); // a session that is only opened is as it was
    // a state without a sound takes it away
    host_restore_plain(h, empty);
    sound_run(h, out, 9600, 1000);
    assert_int_equal(host_value(h, "status"), EMPTY);
    assert_string_equal(host_told(h, PROMPT_KEY), "");
    sound_play(h, 60, out);
    assert_true(sound_peak(out) == 0.0f);
    host_close(h);
  }
  // the file is lost: the same words make the same sound
  char command[256];
  snprintf(command, sizeof command, "find %s -name '*.wav' -delete", session);
  assert_int_equal(system(command), 0);
  h = host_open(SOUND, RATE, HOST_EVERYTHING, LONGEST);
  host_restore(h, saved);
  assert_string_not_equal(host_logged(h), "");
  host_activate(h);
  sound_settle(h);
  assert_int_equal(host_value(h, "status"), READY);
  sound_play(h, 60, out);
  assert_memory_equal(out[0], reference[0], sizeof out[0]);
  host_close(h);
  lilv_state_free(saved);
  host_table_free(plain);
  host_table_free(empty);
}

// Carla keeps in a state what nothing is stored over.
static void nothing_of_an_older_state_stays(void **state)
{
  (void)state;
  lv2_host *h = sound_open(HOST_EVERYTHING);
  host_table *new = host_table_of("urn:nobody:knows", STRING, "");
  for (int with_files = 0; with_files < 2; with_files++) {
    host_send_text(h, MODEL_KEY, PATH, sound_model);
    host_send_text(h, NEGATIVE_KEY, STRING, "rain");
    host_send_text(h, PROMPT_KEY, STRING, "dog barks");
    sound_settle(h);
    host_table *kept = host_save_plain(h);
    if (with_files) host_save_over(h, kept, sound_home);
    host_restore_plain(h, new);
    sound_settle(h);
    host_save_over(h, kept, with_files ? sound_home : "");
    host_restore_plain(h, kept);
    sound_settle(h);
    assert_int_equal(host_value(h, "status"), EMPTY);
    assert_string_equal(host_told(h, PROMPT_KEY), "");
    assert_string_equal(host_told(h, NEGATIVE_KEY), "");
    assert_string_equal(host_told(h, MODEL_KEY), "");
    assert_string_equal(host_logged(h), "");
    host_table_free(kept);
  }
  host_close(h);
  host_table_free(new);
}

// Carla has one folder for the files of all projects that lie beside each other.
static void states_with_one_folder_keep_their_sounds(void **state)
{
  (void)state;
  static const char *const prompts[2] = {"dog barks", "rain on a tin roof"};
  static float made[2][2][FRAMES];
  host_table *kept[2];
  lv2_host *h = sound_open(HOST_EVERYTHING);
  for (int i = 0; i < 2; i++) {
    kept[i] = host_table_of("urn:nobody:knows", STRING, "");
    host_save_over(h, kept[i], sound_home); // the first has no sound yet
    host_send_text(h, PROMPT_KEY, STRING, prompts[i]);
    sound_settle(h);
    sound_play(h, 60, made[i]);
    host_save_over(h, kept[i], sound_home);
  }
  assert_memory_not_equal(made[0], made[1], sizeof made[0]);
  for (int i = 0; i < 2; i++) {
    host_restore_plain(h, kept[i]);
    sound_settle(h);
    assert_string_equal(host_told(h, PROMPT_KEY), prompts[i]);
    sound_play(h, 60, out);
    assert_memory_equal(out, made[i], sizeof out);
    host_table_free(kept[i]);
  }
  host_close(h);
}

static void write_file(const char *path, const char *text)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void prompts_come_from_files(void **state)
{
  (void)state;
  char text[128];
  char preset[128];
  snprintf(text, sizeof text, "%s/words.txt", sound_home);
  snprintf(preset, sizeof preset, "%s/words.preset", sound_home);
  write_file(text, "rain on a tin roof\n\n");
  write_file(preset, "about = a dog\nprompt = dog barks\n");
  for (int with_worker = 0; with_worker < 2; with_worker++) {
    lv2_host *h = sound_open(with_worker ? HOST_EVERYTHING : 0);
    host_send_text(h, FILE_KEY, PATH, text);
    sound_wait_for(h, PROMPT_KEY, "rain");
    sound_settle(h);
    assert_string_equal(host_told(h, FILE_KEY), text);
    assert_string_equal(host_told(h, PROMPT_KEY), "rain on a tin roof");
    assert_int_equal(host_value(h, "status"), READY);
    host_send_text(h, FILE_KEY, PATH, preset);
    sound_wait_for(h, PROMPT_KEY, "dog");
    sound_settle(h);
    assert_string_equal(host_told(h, PROMPT_KEY), "dog barks");
    host_send_text(h, FILE_KEY, PATH, "/nowhere/at.all");
    sound_wait_for(h, MESSAGE_KEY, "/nowhere/at.all");
    sound_settle(h);
    assert_string_equal(host_told(h, FILE_KEY), "");
    assert_string_equal(host_told(h, PROMPT_KEY), "dog barks");
    assert_non_null(strstr(host_told(h, MESSAGE_KEY), "/nowhere/at.all"));
    host_close(h);
  }
}

// A folder whose model has guidance, as FluxAudio has.
static void make_guided(char guided[TEMP_FOLDER_SIZE])
{
  sound_folder_make(guided);
  sound_folder_replace(guided, "meanaudio_s_full.pth", NULL);
  sound_folder_replace(guided, "fluxaudio_s_full.pth",
                       "golden/meanaudio/flux_sampler/fluxaudio_tiny.pth");
}

static void a_negative_prompt_has_its_say_with_guidance(void **state)
{
  (void)state;
  char guided[TEMP_FOLDER_SIZE];
  make_guided(guided);
  lv2_host *h = sound_open(HOST_EVERYTHING);
  host_send_get(h, GUIDANCE_KEY);
  sound_run(h, out, 64, 64);
  assert_string_equal(host_told(h, GUIDANCE_KEY), "-1"); // not looked yet
  sound_wait_for(h, GUIDANCE_KEY, "0");
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  sound_settle(h);
  sound_play(h, 60, reference);
  host_send_text(h, NEGATIVE_KEY, STRING, "rain");
  sound_settle(h);
  sound_play(h, 60, out);
  assert_memory_equal(out[0], reference[0], sizeof out[0]); // a model without guidance

  host_send_text(h, MODEL_KEY, PATH, guided);
  sound_wait_for(h, GUIDANCE_KEY, "4.5");
  sound_settle(h);
  assert_int_equal(host_value(h, "status"), READY);
  sound_play(h, 60, reference);
  host_send_text(h, NEGATIVE_KEY, STRING, "");
  sound_settle(h);
  sound_play(h, 60, out);
  assert_memory_not_equal(out[0], reference[0], sizeof out[0]);
  // the state holds it
  host_table *without = host_save_plain(h);
  host_send_text(h, NEGATIVE_KEY, STRING, "rain");
  sound_settle(h);
  host_table *with = host_save_plain(h);
  assert_string_equal(host_table_text(without, NEGATIVE_KEY), "");
  assert_string_equal(host_table_text(with, NEGATIVE_KEY), "rain");
  host_restore_plain(h, without);
  sound_settle(h);
  assert_string_equal(host_told(h, NEGATIVE_KEY), "");
  host_restore_plain(h, with);
  sound_settle(h);
  assert_string_equal(host_told(h, NEGATIVE_KEY), "rain");
  host_set(h, "generate", 1.0f);
  sound_settle(h);
  sound_play(h, 60, out);
  assert_memory_equal(out[0], reference[0], sizeof out[0]);
  host_close(h);
  host_table_free(with);
  host_table_free(without);
  sound_folder_remove(guided);
}

static void the_clip_goes_to_a_file_and_shows_its_shape(void **state)
{
  (void)state;
  char path[128];
  mw_sound saved;
  mw_error error;
  snprintf(path, sizeof path, "%s/clip.wav", sound_home);
  mw_sound wanted = made_by_core("dog barks", 7, 0.3);
  for (int with_worker = 0; with_worker < 2; with_worker++) {
    lv2_host *h = sound_open(with_worker ? HOST_EVERYTHING : 0);
    host_send_text(h, SAVE_KEY, PATH, path);
    sound_wait_for(h, MESSAGE_KEY, "no sound");
    assert_string_equal(host_told(h, SAVE_KEY), "");
    assert_null(host_told_floats(h, WAVE_KEY, 512));
    host_send_get(h, WAVE_KEY);
    host_send_text(h, PROMPT_KEY, STRING, "dog barks");
    sound_settle(h);
    const float *shape = host_told_floats(h, WAVE_KEY, 512);
    assert_non_null(shape);
    float low = 0.0f;
    float high = 0.0f;
    for (size_t i = 0; i < 512; i += 2) {
      assert_true(shape[i] <= shape[i + 1]);
      low = fminf(low, shape[i]);
      high = fmaxf(high, shape[i + 1]);
    }
    assert_true(low < 0.0f && high > 0.0f && low >= -1.0f && high <= 1.0f);
    host_send_text(h, SAVE_KEY, PATH, path);
    sound_wait_for(h, SAVE_KEY, path);
    assert_int_equal(mw_sound_read(&saved, path, 0, 0.0, &error), MW_OK);
    assert_true(fabs((double)saved.frames / saved.rate_hz - (double)wanted.frames / RATE) < 0.01);
    mw_sound_free(&saved);
    // what is there is not written over, and the sound goes on
    host_send_text(h, SAVE_KEY, PATH, path);
    sound_wait_for(h, MESSAGE_KEY, "exists already: choose another name");
    assert_string_equal(host_told(h, SAVE_KEY), "");
    assert_int_equal(host_value(h, "status"), READY);
    host_close(h);
    unlink(path);
  }
  mw_sound_free(&wanted);
}

static void what_fails_is_said(void **state)
{
  (void)state;
  lv2_host *h = sound_open(HOST_EVERYTHING);
  host_send_text(h, MODEL_KEY, PATH, "/nowhere/at/all");
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  sound_settle(h);
  assert_int_equal(host_value(h, "status"), NO_MODEL);
  assert_non_null(strstr(host_told(h, MESSAGE_KEY), "/nowhere/at/all"));
  assert_non_null(strstr(host_logged(h), "/nowhere/at/all"));
  host_send_text(h, MODEL_KEY, PATH, sound_model);
  host_send_text(h, PROMPT_KEY, STRING, "\001\002");
  sound_settle(h);
  assert_int_equal(host_value(h, "status"), FAILED);
  assert_string_not_equal(host_told(h, MESSAGE_KEY), "");
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  sound_settle(h);
  assert_int_equal(host_value(h, "status"), READY);
  assert_string_equal(host_told(h, MESSAGE_KEY), "");
  // types that are not the property's, sizes that are not MIDI's
  host_send_text(h, PROMPT_KEY, PATH, "/a/path");
  host_send_number(h, PROMPT_KEY, "http://lv2plug.in/ns/ext/atom#Float", 1.0);
  host_send_bytes(h, "http://lv2plug.in/ns/ext/midi#MidiEvent", "\360\1\2\3\4\367", 6);
  host_send_bytes(h, "http://lv2plug.in/ns/ext/midi#MidiEvent", "", 0);
  host_send_get(h, NULL);
  sound_settle(h);
  assert_string_equal(host_told(h, PROMPT_KEY), "dog barks");
  host_close(h);
}

static void the_audio_thread_costs_little(void **state)
{
  (void)state;
  lv2_host *h = sound_open(HOST_EVERYTHING);
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  host_set(h, "loop", 1.0f);
  sound_settle(h);
  cost_is_small(cost_percent(h, 0.0f, "no key"));
  host_send_midi(h, 0, NOTE_ON, 64, 100);
  cost_is_small(cost_percent(h, 0.0f, "a key"));
  for (int i = 0; i < 15; i++) host_send_midi(h, 0, NOTE_ON, (uint8_t)(40 + 2 * i), 100);
  cost_percent(h, 0.0f, "16 keys");
  host_close(h);
}

static void it_can_be_started_a_hundred_times(void **state)
{
  (void)state;
  lv2_host *h = sound_open(0);
  host_send_text(h, PROMPT_KEY, STRING, "dog barks");
  sound_settle(h);
  sound_play(h, 64, reference);
  for (int i = 0; i < 100; i++) {
    host_send_midi(h, 0, NOTE_ON, (uint8_t)(40 + i % 50), 100);
    sound_run(h, out, 500, 250);
    host_deactivate(h);
    host_activate(h);
  }
  sound_play(h, 64, out);
  assert_memory_equal(out[0], reference[0], sizeof out[0]);
  host_close(h);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_subset_of_features_runs),
      cmocka_unit_test(words_become_a_sound_on_the_keys),
      cmocka_unit_test(a_trigger_releases_its_own_key),
      cmocka_unit_test(changes_generate_by_themselves_unless_told_not_to),
      cmocka_unit_test(a_cancelled_generation_leaves_the_sound),
      cmocka_unit_test(the_state_holds_the_sound_itself),
      cmocka_unit_test(nothing_of_an_older_state_stays),
      cmocka_unit_test(states_with_one_folder_keep_their_sounds),
      cmocka_unit_test(prompts_come_from_files),
      cmocka_unit_test(a_negative_prompt_has_its_say_with_guidance),
      cmocka_unit_test(the_clip_goes_to_a_file_and_shows_its_shape),
      cmocka_unit_test(what_fails_is_said),
      cmocka_unit_test(the_audio_thread_costs_little),
      cmocka_unit_test(it_can_be_started_a_hundred_times),
  };
  return cmocka_run_group_tests(tests, sound_make_folders, sound_remove_folders);
}
