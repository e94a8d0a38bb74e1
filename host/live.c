// SPDX-License-Identifier: GPL-3.0-or-later
//
// meanwave live: a microphone as another voice, until it is told to stop.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "live_show.h"
#include "report.h"
#include "shared_options.h"
#include "virtual_mic.h"

enum { LOOKS_PER_SECOND = 20 };

static const option options[] = {
    {"in", 'i', OPTION_TEXT, "DEVICE", "the microphone, or a sound file that is played instead", 0,
     0},
    {"out", 'o', OPTION_TEXT, "DEVICE",
     "where it is heard; a sound file when --in is one: as fast as it goes", 0, 0},
    TARGET_OPTIONS,
    CONTROL_OPTIONS,
    {"fixed-pitch", 0, OPTION_FLAG, NULL, "no --pitch, for less delay with models not told a pitch",
     0, 0},
    GUESS_AHEAD_OPTION,
    {"virtual-mic", 0, OPTION_FLAG, NULL,
     "make a microphone \"Meanwave-Microphone\" for other programs and play into it", 0, 0},
    {"keep-mic", 0, OPTION_FLAG, NULL, "the same, and leave it there at the end", 0, 0},
    {"record", 0, OPTION_TEXT, "FILE", "write what is heard (.wav, .flac, .aiff, .ogg)", 0, 0},
    {"side-by-side", 0, OPTION_FLAG, NULL, "record the input too: left in, right out", 0, 0},
    DEVICE_OPTIONS,
    {"headroom", 0, OPTION_NUMBER, "MS", "a chunk may take before it is late (default 20)", 1,
     2000},
    {"seconds", 0, OPTION_NUMBER, "N", "stop by itself", 0, 1e9},
    {"headless", 0, OPTION_FLAG, NULL, "no view and no keys", 0, 0},
    RUN_OPTIONS,
    VOICE_MODEL_OPTIONS,
    {"yes", 'y', OPTION_FLAG, NULL, "overwrite", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

// ---- signals ----

static volatile sig_atomic_t asked_to_stop;
static volatile sig_atomic_t asked_to_pause;
static volatile sig_atomic_t continued;

static void on_stop(int number)
{
  if (asked_to_stop != 0) {
    meters_end();
    _exit(128 + number);
  }
  asked_to_stop = 1;
}

static void on_pause(int number)
{
  (void)number;
  asked_to_pause = 1;
}

static void on_continue(int number)
{
  (void)number;
  continued = 1;
}

static void catch_signal(int number, void (*handler)(int))
{
  struct sigaction action = {.sa_handler = handler};
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

// Unless whoever started this program wants the signal ignored: nohup, a shell without jobs.
static void catch_unless_ignored(int number, void (*handler)(int))
{
  struct sigaction before;
  if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
    catch_signal(number, handler);
}

static void catch_signals(void)
{
  catch_signal(SIGINT, on_stop);
  catch_signal(SIGTERM, on_stop);
  catch_signal(SIGQUIT, on_stop);
  catch_unless_ignored(SIGHUP, on_stop);
}

// Ctrl-Z: the terminal is as it was, and this program stops until it is told to go on.
static void stop_until_continued(void)
{
  asked_to_pause = 0;
  meters_hide();
  signal(SIGTSTP, SIG_DFL);
  raise(SIGTSTP);
  catch_signal(SIGTSTP, on_pause);
}

// ---- the command line ----

static bool is_file(const char *path)
{
  struct stat about;
  return path != NULL && stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

// A name that ends like a sound file.
static bool names_file(const char *path)
{
  static const char *const endings[] = {".wav", ".flac", ".aiff", ".aif", ".ogg"};
  const char *dot = path != NULL ? strrchr(path, '.') : NULL;
  for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof endings[0]; i++)
    if (strcasecmp(dot, endings[i]) == 0) return true;
  return false;
}

static const char *find_misuse(const arguments *a, const char *voice)
{
  const char *in = arguments_text(a, "in", NULL);
  const char *out = arguments_text(a, "out", NULL);
  bool mic = arguments_has(a, "virtual-mic") || arguments_has(a, "keep-mic");
  if (a->file_count > 0)
    return "live takes no files by position: --in FILE plays one, --record FILE writes one";
  if (voice == NULL) return "say whose voice: meanwave live --voice VOICE (meanwave voice list)";
  if (names_file(out) && !is_file(in) && !names_file(in))
    return "--out is a file only when --in is one; --record writes what is heard";
  if (mic && names_file(out)) return "a virtual microphone and --out FILE exclude each other";
  if (arguments_has(a, "side-by-side") && !arguments_has(a, "record"))
    return "--side-by-side goes with --record FILE";
  if (arguments_has(a, "fixed-pitch") && arguments_has(a, "pitch"))
    return "--fixed-pitch and --pitch exclude each other";
  if (names_file(out) && arguments_has(a, "record"))
    return "--out FILE is a recording already: leave out --record";
  return NULL;
}

static void read_wish(live_session *s, const arguments *a)
{
  const char *in = arguments_text(a, "in", NULL);
  const char *out = arguments_text(a, "out", NULL);
  s->plays_file = is_file(in) || names_file(in);
  s->backend = names_file(out) ? &audio_file : &audio_portaudio;
  s->wish = read_device_wish(a);
  s->wish.out_only = s->plays_file;
  s->wish.overwrite = arguments_has(a, "yes");
  s->fixed_pitch = arguments_has(a, "fixed-pitch");
  s->guess_ahead = arguments_has(a, "guess-ahead");
  s->compute_ms = arguments_number(a, "headroom", 0.0);
  s->seed = (uint64_t)arguments_number(a, "seed", 42);
  s->record_path = arguments_text(a, "record", NULL);
  s->side_by_side = arguments_has(a, "side-by-side");
  s->monitor = true;
}

// ---- keys ----

static float within(float value, float least, float most)
{
  return value < least ? least : value > most ? most : value;
}

static void step_gate(mw_voice_controls *c, float step)
{
  if (c->gate_db <= MW_GATE_OFF)
    c->gate_db = step > 0.0f ? -60.0f : MW_GATE_OFF;
  else
    c->gate_db = c->gate_db + step < -60.0f ? MW_GATE_OFF : within(c->gate_db + step, -60.0f, 0.0f);
}

static void press(live_session *s, int key)
{
  mw_voice_controls *c = &s->controls;
  switch (key) {
  case 'b': live_session_bypass(s, !s->bypass); return;
  case 'm': live_session_monitor(s, !s->monitor); return;
  case 'v': live_session_next_voice(s); return;
  case 'q': asked_to_stop = 1; return;
  case 'p': c->pitch = within(c->pitch - 1.0f, -24.0f, 24.0f); break;
  case 'P': c->pitch = within(c->pitch + 1.0f, -24.0f, 24.0f); break;
  case 'x': c->mix = within(c->mix - 0.1f, 0.0f, 1.0f); break;
  case 'X': c->mix = within(c->mix + 0.1f, 0.0f, 1.0f); break;
  case 'g': step_gate(c, -3.0f); break;
  case 'G': step_gate(c, 3.0f); break;
  default: return;
  }
  mw_live_set(s->live, c);
}

// ---- the run ----

static double now_seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void pause_for(double seconds)
{
  struct timespec rest = {.tv_sec = (time_t)seconds,
                          .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};
  nanosleep(&rest, NULL); // a signal ends it early, and well so
}

// Tries every second until the device is there or nobody wants it any more.
static mw_status wait_for_device(live_session *s, mw_error *error)
{
  double lost = now_seconds();
  while (!asked_to_stop) {
    pause_for(1.0);
    for (int key; (key = meters_key()) >= 0;)
      if (key == 'q') asked_to_stop = 1;
    if (asked_to_pause) stop_until_continued();
    if (asked_to_stop) break;
    mw_status status = virtual_mic_restore(error);
    if (status == MW_OK) status = live_session_resume(s, error);
    if (status == MW_OK) {
      virtual_mic_monitor(s->virtual_mic && s->monitor);
      report_note("the sound device is back after %.0f s", now_seconds() - lost);
      live_show_event("resumed");
      return MW_OK;
    }
    if (status != MW_ERROR_IO && status != MW_ERROR_ARGUMENT) return status;
  }
  return MW_OK;
}

static mw_status lose_device(live_session *s, mw_error *error)
{
  meters_leave();
  report_note("the sound device is gone; waiting for it (Ctrl-C ends)");
  live_show_event("lost");
  live_session_silence(s);
  return wait_for_device(s, error);
}

// The devices are given back too: nobody takes from them what comes meanwhile.
static mw_status pause_session(live_session *s, mw_error *error)
{
  if (s->backend == &audio_file) {
    stop_until_continued();
    return MW_OK;
  }
  live_show_event("paused");
  live_session_silence(s);
  stop_until_continued();
  mw_status status = live_session_resume(s, error);
  if (status == MW_OK) live_show_event("resumed");
  return status == MW_ERROR_IO || status == MW_ERROR_ARGUMENT ? lose_device(s, error) : status;
}

static mw_status run_until_told(live_session *s, double seconds, bool view, mw_error *error)
{
  meters_view v;
  double begin = now_seconds();
  double told = begin;
  audio_state state;
  catch_unless_ignored(SIGTSTP, on_pause);
  catch_signal(SIGCONT, on_continue);
  while ((state = live_session_look(s)) != AUDIO_ENDED && !asked_to_stop) {
    double now = now_seconds();
    if (seconds > 0.0 && now - begin >= seconds) break;
    if (state == AUDIO_LOST || asked_to_pause) {
      mw_status status = asked_to_pause ? pause_session(s, error) : lose_device(s, error);
      if (status != MW_OK || asked_to_stop) return status;
      continue;
    }
    if (continued) meters_show_again();
    continued = 0;
    for (int key; (key = meters_key()) >= 0;) press(s, key);
    if (view || (report_json() && now - told >= 1.0)) {
      live_show_fill(&v, s, now - begin);
      meters_draw(&v);
      if (report_json() && now - told >= 1.0) {
        told = now;
        live_show_meters(&v);
      }
    }
    pause_for(1.0 / LOOKS_PER_SECOND);
  }
  return MW_OK;
}

static int run_session(live_session *s, const arguments *a)
{
  mw_error error;
  mw_status status = live_session_start(s, &error);
  double begin = now_seconds();
  if (status != MW_OK) {
    int code = report_status(status, &error);
    return status == MW_ERROR_ARGUMENT ? EXIT_DEVICE : code;
  }
  virtual_mic_take_output();
  live_show_begin(s);
  bool view = !arguments_has(a, "headless") && !report_json() && !report_quiet() &&
              s->backend != &audio_file && meters_begin();
  status = run_until_told(s, arguments_number(a, "seconds", 0.0), view, &error);
  meters_end();
  if (status == MW_OK) live_show_end(s, now_seconds() - begin);
  mw_error at_end;
  mw_status ended = live_session_stop(s, &at_end);
  if (status == MW_OK) return report_status(ended, &at_end);
  return report_status(status, &error);
}

// The device that is a sound server, for a virtual microphone.
static void find_server(void *context, const audio_info *info)
{
  static const char *const servers[] = {"pulse", "pipewire"};
  const char **found = context;
  for (size_t i = 0; *found == NULL && i < 2; i++)
    if (info->out_channels > 0 && strcmp(info->name, servers[i]) == 0) *found = servers[i];
}

// The recording must be possible before anybody speaks.
static mw_status open_all(live_session *s, const arguments *a, const mw_preset *preset,
                          const char *voice, mw_error *error)
{
  char cache[4096];
  mw_status status = open_voice_model(&s->model, a, preset, error);
  if (status == MW_OK)
    status = mw_voice_open(&s->voice, s->model, voice, mw_voice_cache(cache, sizeof cache), error);
  if (status == MW_OK && s->plays_file && s->backend != &audio_file)
    status = mw_sound_read(&s->file, s->wish.in, arguments_has(a, "channel") ? s->wish.channel : 0,
                           0.0, error);
  if (s->backend == &audio_file && !arguments_has(a, "channel")) s->wish.channel = 0;
  if (s->plays_file && s->backend != &audio_file && !arguments_has(a, "rate"))
    s->wish.rate_hz = s->file.rate_hz;
  return status;
}

static int run_with(const arguments *a, const mw_preset *preset)
{
  mw_error error;
  live_session s = {0};
  const char *voice = arguments_text(a, "voice", preset != NULL ? preset->voice : NULL);
  const char *misuse = find_misuse(a, voice);
  if (misuse != NULL) {
    report_error("%s", misuse);
    return EXIT_USAGE;
  }
  read_wish(&s, a);
  s.controls = preset != NULL ? preset->controls : MW_VOICE_CONTROLS;
  read_controls(&s.controls, a);
  catch_signals();
  bool mic = arguments_has(a, "virtual-mic") || arguments_has(a, "keep-mic");
  mw_status status = mic ? virtual_mic_begin(arguments_has(a, "keep-mic"), &error) : MW_OK;
  if (mic) s.monitor = false;
  s.virtual_mic = mic;
  if (status == MW_OK && mic && s.wish.out == NULL)
    status = audio_portaudio.list(find_server, &s.wish.out, &error);
  if (status == MW_OK) status = open_all(&s, a, preset, voice, &error);
  int code = status == MW_OK ? run_session(&s, a) : report_status(status, &error);
  live_session_free(&s);
  if (mic) virtual_mic_end();
  return code;
}

static int run(const arguments *a)
{
  mw_preset room;
  const mw_preset *preset;
  int code = open_named_preset(&preset, &room, a, MW_PRESET_VOICE);
  return code == EXIT_GOOD ? run_with(a, preset) : code;
}

const verb live_verb = {"live", "speaks through a microphone with another voice", "", options, run};
