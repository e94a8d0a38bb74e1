// SPDX-License-Identifier: GPL-3.0-or-later
//
// A sound file or pipe through a stream: what a live listener would have heard, in time with the
// input. Block by block, so that neither length nor patience is a limit.
#include <math.h>
#include <string.h>

#include "sound_io.h"

enum { BLOCK_FRAMES = 1024 };

typedef struct {
  const mw_conversion *how;
  sound_reader *in;
  sound_writer *out;
  mw_stream *stream;
  size_t delay;
  uint64_t read; // frames
  uint64_t run;
} passage;

// One block through the stream; the first `delay` frames it gives are of before the beginning.
static mw_status pass(passage *p, const float *block, size_t count, mw_error *error)
{
  float heard[BLOCK_FRAMES];
  mw_stream_run(p->stream, block, heard, count);
  uint64_t skip = p->run < p->delay ? p->delay - p->run : 0;
  p->run += count;
  if (skip >= count) return MW_OK;
  return sound_writer_write(p->out, heard + skip, count - (size_t)skip, error);
}

static mw_status tell(const passage *p, double share, mw_error *error)
{
  if (p->how->progress == NULL || p->how->progress(p->how->context, share)) return MW_OK;
  return mw_fail(error, MW_ERROR_CANCELLED, "stopped");
}

static mw_status pass_all(passage *p, const char *in_path, mw_error *error)
{
  static const float silence[BLOCK_FRAMES];
  float block[BLOCK_FRAMES];
  double all = sound_reader_frames(p->in);
  mw_status status = MW_OK;
  for (size_t got = 1; status == MW_OK && got > 0;) {
    status = sound_reader_read(p->in, block, BLOCK_FRAMES, &got, error);
    p->read += got;
    if (status == MW_OK) status = pass(p, block, got, error);
    if (status == MW_OK) status = tell(p, all > 0 ? fmin((double)p->read / all, 1.0) : 0, error);
  }
  if (status == MW_OK && p->read == 0)
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: there is no sound in it", in_path);
  // as much silence behind the end brings out the last of it
  while (status == MW_OK && p->run < p->read + p->delay) {
    uint64_t left = p->read + p->delay - p->run;
    status = pass(p, silence, left < BLOCK_FRAMES ? (size_t)left : BLOCK_FRAMES, error);
  }
  return status;
}

mw_status mw_convert_file(const mw_conversion *how, const char *in_path, const char *out_path,
                          bool overwrite, mw_error *error)
{
  passage p = {.how = how};
  mw_status status = sound_reader_open(&p.in, in_path, how->channel, how->raw, error);
  if (status != MW_OK) return status;
  unsigned rate_hz = sound_reader_rate_hz(p.in);
  status = (how->published_loop ? mw_stream_new_published : mw_stream_new)(
      &p.stream, how->model, how->voice, rate_hz, how->seed, error);
  if (status == MW_OK && how->guess_ahead) status = mw_stream_guess_ahead(p.stream, error);
  if (status == MW_OK)
    status = sound_writer_open(&p.out, out_path, rate_hz, 1, how->raw, overwrite, error);
  if (status == MW_OK) {
    mw_stream_set(p.stream, &how->controls);
    mw_stream_reset(p.stream);
    p.delay = mw_stream_delay_frames(p.stream);
    status = pass_all(&p, in_path, error);
  }
  if (status == MW_OK)
    status = sound_writer_finish(p.out, error);
  else
    sound_writer_drop(p.out);
  mw_stream_free(p.stream);
  sound_reader_close(p.in);
  return status;
}
