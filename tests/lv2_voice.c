// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_voice.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

char folder[TEMP_FOLDER_SIZE];
char models[1024];

int make_folder(void **state)
{
  (void)state;
  const char *given = getenv("MEANWAVE_MODELS");
  snprintf(models, sizeof models, "%s", given != NULL ? given : "models");
  setenv("MEANWAVE_MODELS", models, 1);
  unsetenv("XDG_DATA_HOME");
  unsetenv("XDG_CACHE_HOME");
  return !temp_folder_make(folder) || setenv("HOME", folder, 1) != 0;
}

int remove_folder(void **state)
{
  (void)state;
  return !temp_folder_remove(folder);
}

float *speech(size_t frames, unsigned rate_hz)
{
  float *x = malloc((frames + 1) * sizeof(float));
  for (size_t i = 0; i < frames; i++) {
    double t = (double)i / rate_hz;
    double buzz = 0.0;
    for (int k = 1; k < 20; k++) buzz += sin(2.0 * M_PI * 120.0 * k * t) / k;
    x[i] = (float)(0.2 * buzz * fmax(0.0, sin(2.0 * M_PI * 3.0 * t)));
  }
  return x;
}

void run_all(lv2_host *h, const float *in, float *out, size_t frames, uint32_t block, bool in_place)
{
  unsigned random = 1;
  for (size_t at = 0; at < frames;) {
    random = random * 1103515245u + 12345u;
    size_t count = block > 0 ? block : (random >> 16) % 3 == 0 ? 0 : (random >> 8) % (LONGEST + 1);
    if (count > frames - at) count = frames - at;
    host_run(h, (const float *[]){in + at}, (float *[]){out + at}, (uint32_t)count, in_place);
    host_work(h);
    at += count;
  }
}

lv2_host *open_freewheeling(const char *uri, float voice)
{
  lv2_host *h = host_open(uri, RATE, HOST_EVERYTHING, LONGEST);
  host_set(h, "freewheel", 1.0f);
  host_set(h, "voice", voice);
  host_activate(h);
  return h;
}

float *converted(const float *in, size_t frames, float voice)
{
  float *out = malloc((frames + 1) * sizeof(float));
  lv2_host *h = open_freewheeling(MONO, voice);
  run_all(h, in, out, frames, 1024, false);
  host_close(h);
  return out;
}

float peak_of(const float *x, size_t frames)
{
  float peak = 0.0f;
  for (size_t i = 0; i < frames; i++) peak = fmaxf(peak, fabsf(x[i]));
  return peak;
}

void sleep_frames(size_t frames)
{
  struct timespec wait = {0, (long)(frames * 1000000000ull / RATE)};
  nanosleep(&wait, NULL);
}

void settle(lv2_host *h)
{
  float silence[1024] = {0};
  for (int i = 0; i < 500; i++) {
    host_run(h, (const float *[]){silence, silence}, (float *[]){silence, silence}, 1024, false);
    memset(silence, 0, sizeof silence);
    host_work(h);
    if (host_value(h, "status") != LOADING) return;
    sleep_frames(480);
  }
  fail_msg("still loading");
}
