// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is done to a finished sound: rate, fades, loudness.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "loudness.h"
#include "resample.h"
#include "wavfile.h"

double mw_sound_loudness(const mw_sound *s)
{
  return loudness_integrated(s->samples, s->frames, s->rate_hz);
}

static float peak_of(const mw_sound *s)
{
  float peak = 0.0f;
  for (size_t i = 0; i < s->frames; i++) peak = fmaxf(peak, fabsf(s->samples[i]));
  return peak;
}

double mw_sound_peak_db(const mw_sound *s)
{
  return 20.0 * log10(peak_of(s));
}

// A loop goes on beyond its ends: the resampler must hear that, not silence. As much of it is put
// before and behind as its filter reaches, and cut off again.
static mw_status resample_loop(mw_sound *made, const mw_sound *s, unsigned rate_hz, mw_error *error)
{
  enum { TENTHS = 10 };
  size_t before = s->rate_hz / TENTHS; // exact in any rate that is a multiple of 10 Hz
  sound wide = {.frames = s->frames + 2 * before, .rate_hz = s->rate_hz};
  wide.samples = malloc(wide.frames * sizeof(float));
  if (wide.samples == NULL) return mw_fail_memory(error, "resampling");
  size_t at = s->frames - before % s->frames;
  for (size_t i = 0; i < wide.frames; i++) wide.samples[i] = s->samples[(at + i) % s->frames];
  mw_status status = sound_resample(made, &wide, rate_hz, error);
  sound_free(&wide);
  if (status != MW_OK) return status;
  size_t skip = (size_t)llround((double)before * rate_hz / s->rate_hz);
  size_t wanted = (size_t)llround((double)s->frames * rate_hz / s->rate_hz);
  if (skip + wanted > made->frames) wanted = made->frames - skip;
  memmove(made->samples, made->samples + skip, wanted * sizeof(float));
  made->frames = wanted;
  return MW_OK;
}

static mw_status change_rate(mw_sound *s, const mw_sound_finish *how, mw_error *error)
{
  sound other = {0};
  if (how->rate_hz == 0 || how->rate_hz == s->rate_hz || s->frames == 0) return MW_OK;
  mw_status status = resample_check_rates(s->rate_hz, how->rate_hz, error);
  if (status != MW_OK) return status;
  status = how->loop ? resample_loop(&other, s, how->rate_hz, error)
                     : sound_resample(&other, s, how->rate_hz, error);
  if (status != MW_OK) {
    sound_free(&other);
    return status;
  }
  sound_free(s);
  *s = other;
  return MW_OK;
}

// Raised cosine; a fade longer than the sound is as long as it.
static void fade(mw_sound *s, double seconds, bool in)
{
  double frames = seconds * (double)s->rate_hz;
  size_t count = frames < (double)s->frames ? (size_t)frames : s->frames;
  for (size_t i = 0; i < count; i++) {
    double share = ((double)i + 0.5) / (double)count;
    float gain = (float)(0.5 - 0.5 * cos(acos(-1.0) * share));
    s->samples[in ? i : s->frames - 1 - i] *= gain;
  }
}

// Silence stays silence, and nothing goes beyond full scale.
static void set_level(mw_sound *s, const mw_sound_finish *how)
{
  double gain_db = 0.0;
  double peak_db = mw_sound_peak_db(s);
  double loudness = how->has_loudness ? mw_sound_loudness(s) : 0.0;
  if (!isfinite(peak_db) || !isfinite(loudness)) return;
  if (how->has_loudness) gain_db = how->loudness_lufs - loudness;
  double most_db = how->has_peak ? how->peak_db : 0.0;
  if ((how->has_peak && !how->has_loudness) || peak_db + gain_db > most_db)
    gain_db = most_db - peak_db;
  float gain = (float)pow(10.0, gain_db / 20.0);
  for (size_t i = 0; gain_db != 0.0 && i < s->frames; i++) s->samples[i] *= gain;
}

static mw_status check_level(const char *what, double value, mw_error *error)
{
  if (value >= -70.0 && value <= 0.0) return MW_OK;
  return mw_fail(error, MW_ERROR_ARGUMENT, "%s of %g: wanted -70 to 0", what, value);
}

mw_status mw_sound_finish_up(mw_sound *s, const mw_sound_finish *how, mw_error *error)
{
  mw_status status = MW_OK;
  if (!(how->fade_in_seconds >= 0.0 && how->fade_out_seconds >= 0.0))
    status = mw_fail(error, MW_ERROR_ARGUMENT, "a fade of less than nothing");
  if (status == MW_OK && how->has_loudness)
    status = check_level("a loudness", how->loudness_lufs, error);
  if (status == MW_OK && how->has_peak) status = check_level("a peak", how->peak_db, error);
  if (status == MW_OK) status = change_rate(s, how, error);
  if (status != MW_OK) return status;
  fade(s, how->fade_in_seconds, true);
  fade(s, how->fade_out_seconds, false);
  set_level(s, how);
  return MW_OK;
}
