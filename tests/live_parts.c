// SPDX-License-Identifier: GPL-3.0-or-later
#include "live_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

mw_voice_model *live_model;
mw_voice *live_voice;
mw_voice *live_other_voice;

int live_open(void **state)
{
  (void)state;
  mw_error error;
  mw_status status = mw_voice_model_open(&live_model, NULL, NULL, 1, &error);
  if (status == MW_OK) status = mw_voice_open(&live_voice, live_model, "birch", NULL, &error);
  if (status == MW_OK) status = mw_voice_open(&live_other_voice, live_model, "cedar", NULL, &error);
  if (status != MW_OK) print_error("%s\n", error.text);
  return status == MW_OK ? 0 : -1;
}

int live_close(void **state)
{
  (void)state;
  mw_voice_close(live_voice);
  mw_voice_close(live_other_voice);
  mw_voice_model_close(live_model);
  return 0;
}

void live_set_mix(mw_live *l, float mix)
{
  mw_voice_controls c = MW_VOICE_CONTROLS;
  c.mix = mix;
  mw_live_set(l, &c);
}

mw_recording *live_record(char *path)
{
  mw_recording *r = NULL;
  mw_error error;
  int made = mkstemps(path, 4);
  assert_true(made >= 0);
  close(made);
  if (mw_recording_open(&r, path, LIVE_HZ, true, true, &error) != MW_OK) fail_msg("%s", error.text);
  return r;
}

mw_sound live_finish(mw_recording *r, const char *path, unsigned channel)
{
  mw_sound sound;
  mw_error error;
  if (mw_recording_finish(r, &error) != MW_OK) fail_msg("%s", error.text);
  if (mw_sound_read(&sound, path, channel, 0.0, &error) != MW_OK) fail_msg("%s", error.text);
  return sound;
}
