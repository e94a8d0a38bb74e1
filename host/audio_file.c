// SPDX-License-Identifier: GPL-3.0-or-later
//
// A device made of files: the input is played as fast as it can be converted, the output is kept
// and written at the end. The same input gives the same output to the bit.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio.h"

struct audio {
  mw_sound in;
  mw_sound out;
  size_t block;
  bool overwrite;
  char path[4096];
  audio_calls calls;
  pthread_t thread;
  bool started;
  atomic_bool leave;
  atomic_bool ended;
};

static mw_status list_none(void (*each)(void *context, const audio_info *info), void *context,
                           mw_error *error)
{
  (void)each;
  (void)context;
  (void)error;
  return MW_OK;
}

static void close_files(audio *a)
{
  if (a == NULL) return;
  mw_sound_free(&a->in);
  mw_sound_free(&a->out);
  free(a);
}

static mw_status open_files(audio **opened, const audio_wish *wish, audio_facts *facts,
                            mw_error *error)
{
  audio *a = calloc(1, sizeof *a);
  if (a == NULL) {
    snprintf(error->text, sizeof error->text, "out of memory");
    return MW_ERROR_MEMORY;
  }
  mw_status status = mw_sound_read(&a->in, wish->in, wish->channel, 0.0, error);
  if (status != MW_OK) {
    close_files(a);
    return status;
  }
  a->block = wish->block_frames;
  a->overwrite = wish->overwrite;
  snprintf(a->path, sizeof a->path, "%s", wish->out);
  a->out.rate_hz = a->in.rate_hz;
  *facts = (audio_facts){
      .in_hz = a->in.rate_hz, .out_hz = a->in.rate_hz, .in_block = a->block, .out_block = a->block};
  snprintf(facts->in_name, sizeof facts->in_name, "%s", wish->in);
  snprintf(facts->out_name, sizeof facts->out_name, "%s", wish->out);
  *opened = a;
  return MW_OK;
}

static void *play(void *argument)
{
  audio *a = argument;
  size_t frames = a->in.frames + a->calls.tail_frames;
  while (a->out.frames < frames && !atomic_load(&a->leave)) {
    float *out = a->out.samples + a->out.frames; // the input lies there, silence behind it
    size_t left = frames - a->out.frames;
    size_t count = left < a->block ? left : a->block;
    a->calls.both(a->calls.context, out, out, count);
    a->out.frames += count;
  }
  atomic_store(&a->ended, true);
  return NULL;
}

static mw_status start_playing(audio *a, const audio_calls *calls, mw_error *error)
{
  a->calls = *calls;
  a->out.samples = calloc(a->in.frames + a->calls.tail_frames, sizeof(float));
  if (a->out.samples != NULL) {
    memcpy(a->out.samples, a->in.samples, a->in.frames * sizeof(float));
    a->started = pthread_create(&a->thread, NULL, play, a) == 0;
  }
  if (a->started) return MW_OK;
  snprintf(error->text, sizeof error->text, "out of memory while playing a file");
  return MW_ERROR_MEMORY;
}

static audio_state look(audio *a, uint64_t *xruns)
{
  *xruns = 0;
  return atomic_load(&a->ended) ? AUDIO_ENDED : AUDIO_RUNNING;
}

static mw_status stop_and_write(audio *a, mw_error *error)
{
  if (!a->started) return MW_OK;
  atomic_store(&a->leave, true);
  pthread_join(a->thread, NULL);
  a->started = false;
  return mw_sound_save(&a->out, a->path, a->overwrite, error);
}

const audio_backend audio_file = {list_none, open_files,     start_playing,
                                  look,      stop_and_write, close_files};
