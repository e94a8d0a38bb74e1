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
#include "convert.h"
#include "live_session.h"
#include "meters.h"
#include "report.h"
#include "virtual_mic.h"

enum { LOOKS_PER_SECOND = 20 };

static const option options[] = {
    {"in", 'i', OPTION_TEXT, "DEVICE", "the microphone, or a sound file that is played instead", 0,
     0},
    {"out", 'o', OPTION_TEXT, "DEVICE",
     "where it is heard; a sound file when --in is one: as fast as it goes", 0, 0},
    {"voice", 'V', OPTION_TEXT, "VOICE",
     "the target: a voice of the model, a .voice file or a recording", 0, 0},
    {"preset", 'P', OPTION_TEXT, "NAME", "voice and controls of a preset, or of a .preset file", 0,
     0},
    {"pitch", 'p', OPTION_NUMBER, "SEMITONES", "moves the pitch of the result (default 0)", -24,
     24},
    {"fixed-pitch", 0, OPTION_FLAG, NULL, "no --pitch, for less delay with models not told a pitch",
     0, 0},
    {"mix", 0, OPTION_NUMBER, "SHARE", "of the converted sound against the input (default 1)", 0,
     1},
    {"gate", 'g', OPTION_NUMBER, "DB", "silence where the input is softer (default: off)", -120, 0},
    {"gain", 0, OPTION_NUMBER, "DB", "of the result (default 0)", -60, 24},
    {"virtual-mic", 0, OPTION_FLAG, NULL,
     "make a microphone \"Meanwave\" for other programs and play into it", 0, 0},
    {"keep-mic", 0, OPTION_FLAG, NULL, "the same, and leave it there at the end", 0, 0},
    {"record", 0, OPTION_TEXT, "FILE", "write what is heard (.wav, .flac, .aiff, .ogg)", 0, 0},
    {"side-by-side", 0, OPTION_FLAG, NULL, "record the input too: left in, right out", 0, 0},
    {"channel", 'c', OPTION_WHOLE, "N", "of the input (default 1)", 1, 64},
    {"rate", 0, OPTION_WHOLE, "HZ", "to ask the devices for (default 48000)", 8000, 192000},
    {"block", 0, OPTION_WHOLE, "FRAMES", "that the devices hand over at once (default 256)", 16,
     8192},
    {"buffer", 0, OPTION_NUMBER, "MS", "in the device, each way (default 40; with JACK its own)", 1,
     1000},
    {"headroom", 0, OPTION_NUMBER, "MS", "a chunk may take before it is late (default 20)", 1,
     2000},
    {"seconds", 0, OPTION_NUMBER, "N", "stop by itself", 0, 1e9},
    {"headless", 0, OPTION_FLAG, NULL, "no view and no keys", 0, 0},
    {"steps", 0, OPTION_WHOLE, "N", "mean-flow steps (default 1)", 1, 16},
    {"seed", 0, OPTION_WHOLE, "N", "noise to start from (default 42)", 0, 4294967295.0},
    {"model", 'm', OPTION_TEXT, "PATH", "a voice bundle, or a folder of published files", 0, 0},
    {"vocoder", 0, OPTION_TEXT, "FILE", "a vocoder bundle", 0, 0},
    {"yes", 'y', OPTION_FLAG, NULL, "overwrite", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

// ---- signals ----

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int number)
{
  if (asked_to_stop != 0) {
    meters_end();
    _exit(128 + number);
  }
  asked_to_stop = 1;
}

static void catch_signals(void)
{
  struct sigaction action = {.sa_handler = on_signal};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
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
  s->wish = (audio_wish){.in = in,
                         .out = out,
                         .out_only = s->plays_file,
                         .channel = (unsigned)arguments_number(a, "channel", 1),
                         .rate_hz = (unsigned)arguments_number(a, "rate", 48000),
                         .block_frames = (size_t)arguments_number(a, "block", 256),
                         .buffer_ms = arguments_number(a, "buffer", 0.0),
                         .overwrite = arguments_has(a, "yes")};
  s->fixed_pitch = arguments_has(a, "fixed-pitch");
  s->compute_ms = arguments_number(a, "headroom", 0.0);
  s->seed = (uint64_t)arguments_number(a, "seed", 42);
  s->record_path = arguments_text(a, "record", NULL);
  s->side_by_side = arguments_has(a, "side-by-side");
  s->monitor = true;
}

// ---- what is shown ----

static void fill_view(meters_view *v, live_session *s, double seconds, const char *notice)
{
  *v = (meters_view){.voice = mw_voice_name(s->voice),
                     .in_name = s->facts.in_name,
                     .out_name = s->facts.out_name,
                     .seconds = seconds,
                     .xruns = s->xruns,
                     .rate_hz = s->facts.out_hz,
                     .controls = s->controls,
                     .bypass = s->bypass,
                     .monitor = s->monitor,
                     .notice = notice};
  mw_live_look(s->live, &v->look);
  double ms = 1000.0 / s->facts.out_hz;
  v->device_ms = 1000.0 * (s->facts.in_latency_s + s->facts.out_latency_s);
  v->ring_ms = ms * (double)mw_live_spare_frames(s->live);
  v->chunk_ms = 1000.0 * mw_voice_model_chunk_seconds(s->model);
  v->look_ahead_ms = ms * (double)mw_live_delay_frames(s->live) - v->ring_ms - v->chunk_ms;
}

static void say_view(const char *event, const meters_view *v, const live_session *s)
{
  report_begin();
  report_text("event", event);
  report_number("seconds", v->seconds);
  report_text("voice", v->voice);
  report_text("in", v->in_name);
  report_text("out", v->out_name);
  report_number("rate_hz", v->rate_hz);
  report_number("in_db", meters_db(v->look.in_peak));
  report_number("out_db", meters_db(v->look.out_peak));
  report_number("rtf", v->look.rtf);
  report_number("slowest_ms", v->look.worst_ms);
  report_number("late", (double)v->look.late);
  report_number("xruns", (double)v->xruns);
  report_number("jumps", (double)v->look.jumps);
  report_number("drift_ppm", v->look.drift_ppm);
  report_number("delay_ms", meters_delay_ms(v));
  report_number("device_ms", v->device_ms);
  report_number("ring_ms", v->ring_ms);
  report_number("chunk_ms", v->chunk_ms);
  report_number("look_ahead_ms", v->look_ahead_ms);
  report_number("delay_frames", (double)mw_live_delay_frames(s->live));
  report_number("real_time", v->look.real_time);
  report_end();
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

// The device is gone: tries every second until it is there again or nobody wants it any more.
static mw_status wait_for_device(live_session *s, mw_error *error)
{
  double lost = now_seconds();
  report_note("the sound device is gone; waiting for it (Ctrl-C ends)");
  report_begin();
  report_text("event", "lost");
  report_end();
  meters_leave();
  live_session_silence(s);
  while (!asked_to_stop) {
    pause_for(1.0);
    if (asked_to_stop) break;
    mw_status status = live_session_resume(s, error);
    if (status == MW_OK) {
      meters_leave();
      report_note("the sound device is back after %.0f s", now_seconds() - lost);
      report_begin();
      report_text("event", "resumed");
      report_end();
      return MW_OK;
    }
    if (status != MW_ERROR_IO && status != MW_ERROR_ARGUMENT) return status;
  }
  return MW_OK;
}

static mw_status run_until_told(live_session *s, double seconds, bool view, mw_error *error)
{
  meters_view v;
  double begin = now_seconds();
  double told = begin;
  audio_state state;
  while ((state = live_session_look(s)) != AUDIO_ENDED && !asked_to_stop) {
    double now = now_seconds();
    if (seconds > 0.0 && now - begin >= seconds) break;
    if (state == AUDIO_LOST) {
      mw_status status = wait_for_device(s, error);
      if (status != MW_OK || asked_to_stop) return status;
      continue;
    }
    for (int key; (key = meters_key()) >= 0;) press(s, key);
    if (view || (report_json() && now - told >= 1.0)) {
      fill_view(&v, s, now - begin, live_session_notice(s));
      meters_draw(&v);
      if (report_json() && now - told >= 1.0) {
        told = now;
        say_view("meters", &v, s);
      }
    }
    pause_for(1.0 / LOOKS_PER_SECOND);
  }
  return MW_OK;
}

static void say_begin(live_session *s)
{
  meters_view v;
  fill_view(&v, s, 0.0, "");
  report_note("%s: %s -> %s at %u Hz, delay %.0f ms", v.voice, v.in_name, v.out_name, v.rate_hz,
              meters_delay_ms(&v));
  say_view("begin", &v, s);
}

static void say_end(live_session *s, double seconds)
{
  meters_view v;
  fill_view(&v, s, seconds, "");
  report_note("%.1f s, %llu late, %llu xruns, delay %.0f ms%s", seconds,
              (unsigned long long)v.look.late, (unsigned long long)v.xruns, meters_delay_ms(&v),
              v.look.real_time || s->backend == &audio_file ? "" : ", without real-time priority");
  say_view("end", &v, s);
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
  say_begin(s);
  bool view = !arguments_has(a, "headless") && !report_json() && !report_quiet() &&
              s->backend != &audio_file && meters_begin();
  status = run_until_told(s, arguments_number(a, "seconds", 0.0), view, &error);
  meters_end();
  if (status == MW_OK) say_end(s, now_seconds() - begin);
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
  const char *model = preset != NULL && preset->model[0] != '\0' ? preset->model : NULL;
  mw_status status = mw_voice_model_open(&s->model, arguments_text(a, "model", model),
                                         arguments_text(a, "vocoder", NULL),
                                         (unsigned)arguments_number(a, "steps", 1), error);
  if (status == MW_OK)
    status = mw_voice_open(&s->voice, s->model, voice, mw_voice_cache(cache, sizeof cache), error);
  if (status == MW_OK && s->plays_file && s->backend != &audio_file)
    status = mw_sound_read(&s->file, s->wish.in, arguments_has(a, "channel") ? s->wish.channel : 0,
                           error);
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
  convert_read_controls(&s.controls, a);
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
  mw_error error;
  mw_preset preset;
  const char *name = arguments_text(a, "preset", NULL);
  mw_status status = name != NULL ? mw_preset_open(&preset, name, &error) : MW_OK;
  if (status != MW_OK) return report_status(status, &error);
  if (name != NULL && preset.kind != MW_PRESET_VOICE) {
    report_error("'%s' is the preset of a sound, not of a voice", name);
    return EXIT_USAGE;
  }
  return run_with(a, name != NULL ? &preset : NULL);
}

const verb live_verb = {"live", "speaks through a microphone with another voice", "", options, run};
