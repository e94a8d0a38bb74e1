// SPDX-License-Identifier: GPL-3.0-or-later
//
// A whole sound file through a stream: what a live listener would have heard, in time with the
// input.
#include <stdlib.h>
#include <string.h>

#include "status.h"
#include "wavfile.h"

// `delay` frames of silence behind the end bring out the last of it; the first `delay` are dropped.
static mw_status run(const mw_conversion *how, const sound *in, sound *out, mw_error *error)
{
  enum { BLOCK_FRAMES = 4096 };
  static const float silence[BLOCK_FRAMES];
  float block[BLOCK_FRAMES];
  mw_stream *s = NULL;
  mw_status status = mw_stream_new(&s, how->model, how->voice, in->rate_hz, how->seed, error);
  if (status != MW_OK) return status;
  mw_stream_set_mix(s, how->mix);
  mw_stream_reset(s);
  size_t delay = mw_stream_delay_frames(s);
  *out = (sound){.frames = in->frames, .rate_hz = in->rate_hz};
  out->samples = malloc((in->frames + 1) * sizeof(float));
  if (out->samples == NULL) status = mw_fail_memory(error, "converting");
  for (size_t at = 0; status == MW_OK && at < in->frames + delay;) {
    bool tail = at >= in->frames;
    size_t left = tail ? in->frames + delay - at : in->frames - at;
    size_t count = left < BLOCK_FRAMES ? left : BLOCK_FRAMES;
    mw_stream_run(s, tail ? silence : in->samples + at, block, count);
    size_t skip = at < delay ? delay - at : 0;
    if (skip < count)
      memcpy(out->samples + at + skip - delay, block + skip, (count - skip) * sizeof(float));
    at += count;
  }
  mw_stream_free(s);
  return status;
}

mw_status mw_convert_file(const mw_conversion *how, const char *in_path, const char *out_path,
                          bool overwrite, mw_error *error)
{
  sound in = {0};
  sound out = {0};
  mw_status status = sound_read(&in, in_path, error);
  if (status == MW_OK) status = run(how, &in, &out, error);
  if (status == MW_OK) status = sound_write(&out, out_path, overwrite, error);
  sound_free(&in);
  sound_free(&out);
  return status;
}
