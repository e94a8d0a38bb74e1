// SPDX-License-Identifier: GPL-3.0-or-later
#include "live_show.h"

#include "report.h"

void live_show_fill(meters_view *v, live_session *s, double seconds)
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
                     .notice = live_session_notice(s)};
  v->look.late = s->late_before;
  if (s->live == NULL) return; // the device is gone
  mw_live_look(s->live, &v->look);
  v->look.late += s->late_before;
  v->delay_frames = mw_live_delay_frames(s->live);
  double ms = 1000.0 / s->facts.out_hz;
  v->device_ms = 1000.0 * (s->facts.in_latency_s + s->facts.out_latency_s);
  v->ring_ms = ms * (double)mw_live_spare_frames(s->live);
  v->chunk_ms = 1000.0 * mw_voice_model_chunk_seconds(s->model);
  v->look_ahead_ms = ms * (double)v->delay_frames - v->ring_ms - v->chunk_ms;
}

static void say_view(const char *event, const meters_view *v)
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
  report_number("encoder_rtf", v->look.encoder_rtf);
  report_number("decoder_rtf", v->look.decoder_rtf);
  report_number("vocoder_rtf", v->look.vocoder_rtf);
  report_number("slowest_ms", v->look.worst_ms);
  report_number("late", (double)v->look.late);
  report_number("let_go_frames", (double)v->look.let_go_frames);
  report_number("xruns", (double)v->xruns);
  report_number("jumps", (double)v->look.jumps);
  report_number("drift_ppm", v->look.drift_ppm);
  report_number("delay_ms", meters_delay_ms(v));
  report_number("device_ms", v->device_ms);
  report_number("ring_ms", v->ring_ms);
  report_number("chunk_ms", v->chunk_ms);
  report_number("look_ahead_ms", v->look_ahead_ms);
  report_number("delay_frames", (double)v->delay_frames);
  report_number("real_time", v->look.real_time);
  report_end();
}

void live_show_meters(const meters_view *v)
{
  say_view("meters", v);
}

void live_show_event(const char *event)
{
  report_begin();
  report_text("event", event);
  report_end();
}

void live_show_begin(live_session *s)
{
  meters_view v;
  live_show_fill(&v, s, 0.0);
  report_note("%s: %s -> %s at %u Hz, delay %.0f ms", v.voice, v.in_name, v.out_name, v.rate_hz,
              meters_delay_ms(&v));
  say_view("begin", &v);
}

void live_show_end(live_session *s, double seconds)
{
  meters_view v;
  live_show_fill(&v, s, seconds);
  bool slow = s->live != NULL && s->backend != &audio_file && !v.look.real_time;
  report_note("%.1f s, %llu late, %llu xruns, delay %.0f ms%s", seconds,
              (unsigned long long)v.look.late, (unsigned long long)v.xruns, meters_delay_ms(&v),
              slow ? ", without real-time priority" : "");
  say_view("end", &v);
}
