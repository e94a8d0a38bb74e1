// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_sound.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "sound_folder.h"

char sound_model[TEMP_FOLDER_SIZE];
char sound_home[TEMP_FOLDER_SIZE];
float out[2][FRAMES];
float reference[2][FRAMES];
static float rest[2][FRAMES]; // what nobody listens to

void sound_run(lv2_host *h, float (*to)[FRAMES], size_t frames, uint32_t block)
{
  for (size_t at = 0; at < frames; at += block) {
    uint32_t count = (uint32_t)(frames - at < block ? frames - at : block);
    host_run(h, NULL, (float *[]){to[0] + at, to[1] + at}, count, false);
    host_work(h);
  }
  assert_null(host_trapped());
}

void sound_settle(lv2_host *h)
{
  const struct timespec pause = {0, 5000000};
  sound_run(h, out, RATE / 3 + 2000, 1024);
  for (int i = 0; i < 4000 && host_value(h, "status") == BUSY; i++) {
    sound_run(h, out, 64, 64);
    nanosleep(&pause, NULL);
  }
  sound_run(h, out, 9600, 1024); // news come in, the old clip goes
  assert_int_not_equal(host_value(h, "status"), BUSY);
}

void sound_wait_for(lv2_host *h, const char *property, const char *words)
{
  const struct timespec pause = {0, 5000000};
  for (int i = 0; i < 4000; i++) {
    const char *told = host_told(h, property);
    if (told != NULL && strstr(told, words) != NULL) return;
    sound_run(h, out, 64, 64);
    nanosleep(&pause, NULL);
  }
  fail_msg("%s: not told '%s'", property, words);
}

lv2_host *sound_open(unsigned features)
{
  lv2_host *h = host_open(SOUND, RATE, features, LONGEST);
  host_set(h, "seconds", 0.3f);
  host_set(h, "seed", 7.0f);
  host_activate(h);
  sound_run(h, out, RATE / 3 + 2000, 1024); // past the calm of the beginning
  host_send_text(h, MODEL_KEY, PATH, sound_model);
  return h;
}

void sound_play(lv2_host *h, int key, float (*to)[FRAMES])
{
  host_send_midi(h, 100, NOTE_ON, (uint8_t)key, 127);
  sound_run(h, to, FRAMES, 1000);
  host_send_midi(h, 0, NOTE_OFF, (uint8_t)key, 0);
  sound_run(h, rest, 9600, 960);
}

float sound_peak(float (*x)[FRAMES])
{
  float most = 0.0f;
  for (size_t i = 0; i < FRAMES; i++) most = fmaxf(most, fabsf(x[0][i]));
  return most;
}

int sound_make_folders(void **state)
{
  (void)state;
  sound_folder_make(sound_model);
  return !temp_folder_make(sound_home) || setenv("HOME", sound_home, 1) != 0;
}

int sound_remove_folders(void **state)
{
  (void)state;
  sound_folder_remove(sound_model);
  return !temp_folder_remove(sound_home);
}
