// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdio.h>
#include <string.h>

#include "audio.h"
#include "commands.h"
#include "report.h"

static const option options[] = {
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

static const char *mark(const audio_info *info)
{
  if (info->default_in && info->default_out) return "default";
  return info->default_in ? "default in" : info->default_out ? "default out" : "";
}

static void print_device(void *context, const audio_info *info)
{
  char rates[128] = "";
  size_t sizes[AUDIO_RATE_COUNT];
  size_t count = 0;
  size_t *printed = context;
  for (; count < AUDIO_RATE_COUNT && info->rates[count] != 0; count++) {
    size_t at = strlen(rates);
    sizes[count] = info->rates[count];
    snprintf(rates + at, sizeof rates - at, "%s%g", at > 0 ? " " : "", info->rates[count] / 1000.0);
  }
  if (*printed == 0)
    report_result("%3s  %-5s %-32s %3s %3s  %-10s %-11s %s", "#", "api", "name", "in", "out",
                  "low ms", "", "kHz");
  ++*printed;
  report_result("%3d  %-5.*s %-32s %3u %3u  %4.0f %4.0f  %-11s %s", info->index,
                (int)strcspn(info->api, " "), info->api, info->name, info->in_channels,
                info->out_channels, info->in_latency_ms, info->out_latency_ms, mark(info),
                count > 0 ? rates : "busy");
  report_begin();
  report_number("index", info->index);
  report_text("api", info->api);
  report_text("name", info->name);
  report_number("in_channels", info->in_channels);
  report_number("out_channels", info->out_channels);
  report_number("default_hz", info->default_hz);
  report_sizes("rates_hz", sizes, count);
  report_number("in_latency_ms", info->in_latency_ms);
  report_number("out_latency_ms", info->out_latency_ms);
  report_number("default_in", info->default_in);
  report_number("default_out", info->default_out);
  report_end();
}

static int run(const arguments *a)
{
  mw_error error;
  size_t printed = 0;
  if (a->file_count > 0) {
    report_error("devices takes no '%s'; name a device with live --in or --out", a->files[0]);
    return EXIT_USAGE;
  }
  mw_status status = audio_portaudio.list(print_device, &printed, &error);
  if (status != MW_OK) return report_status(status, &error);
  if (printed == 0) report_note("no sound devices: is a sound server running?");
  return EXIT_GOOD;
}

const verb devices_verb = {"devices", "lists the sound devices", "", options, run};
