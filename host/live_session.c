// SPDX-License-Identifier: GPL-3.0-or-later
#include "live_session.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "report.h"
#include "virtual_mic.h"

enum { NOTICE_LOOKS = 60, PIECE_FRAMES = 256 };

// ---- the device's threads ----

static void on_both(void *context, const float *in, float *out, size_t frames)
{
  live_session *s = context;
  mw_live_run(s->live, in, out, frames);
}

static void on_in(void *context, const float *in, size_t frames)
{
  live_session *s = context;
  mw_live_write(s->live, in, frames);
}

static void on_out(void *context, float *out, size_t frames)
{
  live_session *s = context;
  mw_live_read(s->live, out, frames);
}

// The next frames of the file, silence behind its end; at most PIECE_FRAMES.
static const float *play(live_session *s, size_t frames)
{
  static const float silence[PIECE_FRAMES];
  const float *from = s->played < s->file.frames ? s->file.samples + s->played : silence;
  s->played += frames;
  return from;
}

static size_t until_end(const live_session *s, size_t frames)
{
  size_t count = frames < PIECE_FRAMES ? frames : PIECE_FRAMES;
  size_t left = s->played < s->file.frames ? s->file.frames - s->played : PIECE_FRAMES;
  return count < left ? count : left;
}

static void note_end(live_session *s)
{
  double behind = (double)s->played - (double)s->file.frames;
  double delay = (double)mw_live_delay_frames(s->live) / s->facts.out_hz;
  if (behind > (delay + s->facts.out_latency_s + 0.1) * s->file.rate_hz)
    atomic_store(&s->played_all, true);
}

static void on_out_play(void *context, float *out, size_t frames)
{
  live_session *s = context;
  for (size_t count; frames > 0; out += count, frames -= count) {
    count = until_end(s, frames);
    mw_live_run(s->live, play(s, count), out, count);
  }
  note_end(s);
}

// The file's rate is not the device's: as many frames as belong to the time.
static void on_out_play_resampled(void *context, float *out, size_t frames)
{
  live_session *s = context;
  double due = s->play_part + (double)frames * s->file.rate_hz / s->facts.out_hz;
  size_t whole = (size_t)due;
  s->play_part = due - (double)whole;
  for (size_t count; whole > 0; whole -= count) {
    count = until_end(s, whole);
    mw_live_write(s->live, play(s, count), count);
  }
  mw_live_read(s->live, out, frames);
  note_end(s);
}

// ---- starting ----

static mw_status make_live(live_session *s, mw_error *error)
{
  bool player = s->plays_file && s->backend != &audio_file;
  bool resampled = player && s->file.rate_hz != s->facts.out_hz;
  mw_live_setup setup = {.model = s->model,
                         .voice = s->voice,
                         .seed = s->seed,
                         .rate_hz = s->facts.out_hz,
                         .block_frames = s->facts.out_block,
                         .compute_ms = s->compute_ms,
                         .fixed_pitch = s->fixed_pitch,
                         .guess_ahead = s->guess_ahead};
  if (s->facts.two_clocks) {
    setup.in_rate_hz = s->facts.in_hz;
    setup.in_block_frames = s->facts.in_block;
  } else if (resampled) {
    setup.in_rate_hz = s->file.rate_hz;
    setup.in_block_frames = s->facts.out_block * s->file.rate_hz / s->facts.out_hz + 1;
  }
  mw_status status = mw_live_new(&s->live, &setup, error);
  if (status != MW_OK) return status;
  mw_live_set(s->live, &s->controls);
  mw_live_set_bypass(s->live, s->bypass);
  mw_live_set_mute(s->live, !s->virtual_mic && !s->monitor);
  mw_live_record(s->live, s->recording);
  // files wait for nobody: what they need is computed in the call
  return s->backend == &audio_file ? MW_OK : mw_live_start(s->live, error);
}

static mw_status start_device(live_session *s, mw_error *error)
{
  bool player = s->plays_file && s->backend != &audio_file;
  bool resampled = player && s->file.rate_hz != s->facts.out_hz;
  audio_calls calls = {.both = on_both,
                       .in = on_in,
                       .out = on_out,
                       .context = s,
                       .tail_frames = mw_live_delay_frames(s->live)};
  if (player) {
    calls.out = resampled ? on_out_play_resampled : on_out_play;
    snprintf(s->facts.in_name, sizeof s->facts.in_name, "%s", s->wish.in);
    // what is written before the first read does not count; of a file all does
    float nothing;
    if (resampled) mw_live_read(s->live, &nothing, 0);
  }
  return s->backend->start(s->device, &calls, error);
}

static mw_status end_recording(live_session *s, mw_error *error)
{
  uint64_t lost = s->recording != NULL ? mw_recording_lost_frames(s->recording) : 0;
  if (lost > 0)
    report_note("the recording lacks %llu frames: the disk was too slow", (unsigned long long)lost);
  mw_status status = mw_recording_finish(s->recording, error);
  s->recording = NULL;
  return status;
}

// A recording goes on when the device comes back, as long as its rate is the same.
static mw_status open_device(live_session *s, mw_error *error)
{
  unsigned rate_before = s->facts.out_hz;
  mw_status status = s->backend->open(&s->device, &s->wish, &s->facts, error);
  if (status != MW_OK || s->recording == NULL || s->facts.out_hz == rate_before) return status;
  report_note("the device came back with another rate: the recording ends here");
  s->record_path = NULL; // it is whole, no other takes its place
  return end_recording(s, error);
}

static void drop_device(live_session *s)
{
  mw_error ignored;
  if (s->device != NULL) s->backend->stop(s->device, &ignored);
  s->backend->close(s->device);
  mw_live_free(s->live);
  s->device = NULL;
  s->live = NULL;
}

static mw_status open_and_start(live_session *s, mw_error *error)
{
  mw_status status = open_device(s, error);
  if (status == MW_OK && s->record_path != NULL && s->recording == NULL) {
    status = mw_recording_open(&s->recording, s->record_path, s->facts.out_hz, s->side_by_side,
                               s->wish.overwrite, error);
    if (status == MW_ERROR_ARGUMENT) status = MW_ERROR_IO; // of a file, not of the device
  }
  if (status == MW_OK) status = make_live(s, error);
  if (status == MW_OK) status = start_device(s, error);
  return status;
}

mw_status live_session_start(live_session *s, mw_error *error)
{
  return open_and_start(s, error);
}

audio_state live_session_look(live_session *s)
{
  uint64_t xruns = 0;
  audio_state state = s->backend->look(s->device, &xruns);
  s->xruns = s->xruns_before + xruns;
  return atomic_load(&s->played_all) ? AUDIO_ENDED : state;
}

void live_session_silence(live_session *s)
{
  mw_live_view last = {0};
  if (s->live != NULL) mw_live_look(s->live, &last);
  s->late_before += last.late;
  s->xruns_before = s->xruns;
  drop_device(s);
}

mw_status live_session_resume(live_session *s, mw_error *error)
{
  mw_status status = open_and_start(s, error);
  if (status != MW_OK) drop_device(s);
  return status;
}

mw_status live_session_stop(live_session *s, mw_error *error)
{
  mw_status status = MW_OK;
  if (s->live != NULL && s->device != NULL) {
    mw_live_set_mute(s->live, true);
    const struct timespec fade = {.tv_nsec = 60000000};
    if (s->backend != &audio_file) nanosleep(&fade, NULL);
    status = s->backend->stop(s->device, error);
    mw_live_stop(s->live); // its thread records, too
  }
  mw_status recorded = end_recording(s, status == MW_OK ? error : NULL);
  return status != MW_OK ? status : recorded;
}

void live_session_free(live_session *s)
{
  drop_device(s);
  mw_recording_finish(s->recording, NULL);
  mw_sound_free(&s->file);
  mw_voice_close(s->voice);
  mw_voice_model_close(s->model);
}

// ---- changes ----

static void notice(live_session *s, const char *line)
{
  snprintf(s->notice, sizeof s->notice, "%s", line);
  s->notice_looks = NOTICE_LOOKS;
}

const char *live_session_notice(live_session *s)
{
  return s->notice_looks > 0 && s->notice_looks-- > 0 ? s->notice : "";
}

void live_session_bypass(live_session *s, bool bypass)
{
  s->bypass = bypass;
  mw_live_set_bypass(s->live, bypass);
}

void live_session_monitor(live_session *s, bool heard)
{
  s->monitor = heard;
  if (s->virtual_mic)
    virtual_mic_monitor(heard);
  else
    mw_live_set_mute(s->live, !heard);
}

// Of the model's voices the one behind `name`, the first behind the last and any other; NULL when
// there are none.
static const char *voice_behind(const mw_voice_model *model, const char *name)
{
  const char *voice;
  for (size_t i = 0; (voice = mw_voice_model_voice(model, i)) != NULL; i++) {
    const char *next = mw_voice_model_voice(model, i + 1);
    if (next != NULL && strcmp(voice, name) == 0) return next;
  }
  return mw_voice_model_voice(model, 0);
}

void live_session_next_voice(live_session *s)
{
  mw_error error;
  mw_voice *next = NULL;
  const char *name = voice_behind(s->model, mw_voice_name(s->voice));
  if (name == NULL) {
    notice(s, "this model has no voices of its own");
    return;
  }
  if (mw_voice_open(&next, s->model, name, NULL, &error) != MW_OK) {
    notice(s, error.text);
    return;
  }
  mw_live_set_voice(s->live, next);
  mw_voice_close(s->voice);
  s->voice = next;
}
