// SPDX-License-Identifier: GPL-3.0-or-later
#include "virtual_mic.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// `pactl list short modules` with the owner of ours in the first column: "PID ID".
#define OURS                                                                                       \
  "pactl list short modules 2>/dev/null | "                                                        \
  "sed -n 's/^\\([0-9]*\\)\\t.*meanwave\\.pid=\\([0-9]*\\).*/\\2 \\1/p' | sort -k2,2nr"
// the last one made goes first
#define UNLOAD_OF "while read -r pid id; do [ \"$pid\" = %d ] && pactl unload-module \"$id\"; done"
// kept ones have the owner 0
#define UNLOAD_ORPHANS                                                                             \
  "while read -r pid id; do [ \"$pid\" = 0 ] || [ -d \"/proc/$pid\" ] || "                         \
  "pactl unload-module \"$id\"; done"

static struct {
  bool made;
  bool monitored;
  int owner;      // 0: kept
  int keeper_end; // closing it, or dying, wakes the keeper
  pid_t keeper;
} mic = {.keeper_end = -1};

static int shell(const char *command)
{
  int status = system(command);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The first line that `command` prints, "" for none.
static void first_line(const char *command, char *line, size_t size)
{
  line[0] = '\0';
  FILE *pipe = popen(command, "r");
  if (pipe == NULL) return;
  if (fgets(line, (int)size, pipe) != NULL) line[strcspn(line, "\n")] = '\0';
  pclose(pipe);
}

static mw_status fail(mw_error *error, const char *why)
{
  snprintf(error->text, sizeof error->text, "no virtual microphone: %s", why);
  return MW_ERROR_IO;
}

// The keeper outlives the program by a moment: it waits until nobody holds the other end.
static bool start_keeper(void)
{
  int ends[2];
  char command[1024];
  snprintf(command, sizeof command, "( " OURS " | " UNLOAD_OF " ) >/dev/null 2>&1", mic.owner);
  if (pipe(ends) != 0) return false;
  mic.keeper = fork();
  if (mic.keeper != 0) {
    close(ends[0]);
    mic.keeper_end = ends[1];
    return mic.keeper > 0;
  }
  char nothing;
  setsid(); // a Ctrl-C is for the program
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  close(ends[1]);
  while (read(ends[0], &nothing, 1) > 0) continue;
  execl("/bin/sh", "sh", "-c", command, (char *)NULL);
  _exit(1);
}

static bool load(const char *format, int owner)
{
  char command[1024];
  snprintf(command, sizeof command, format, owner);
  return shell(command) == 0;
}

static mw_status make(mw_error *error)
{
  bool good = load("pactl load-module module-null-sink sink_name=meanwave "
                   "sink_properties=\"'device.description=Meanwave meanwave.pid=%d'\" "
                   ">/dev/null 2>&1",
                   mic.owner) &&
              load("pactl load-module module-remap-source master=meanwave.monitor "
                   "source_name=meanwave_microphone "
                   "source_properties=\"'device.description=Meanwave-Microphone "
                   "meanwave.pid=%d'\" >/dev/null 2>&1",
                   mic.owner);
  return good ? MW_OK : fail(error, "the sound server did not make it");
}

mw_status virtual_mic_begin(bool keep, mw_error *error)
{
  char line[256];
  if (shell("command -v pactl >/dev/null 2>&1") != 0)
    return fail(error, "pactl is missing; install pulseaudio-utils");
  if (shell("pactl info >/dev/null 2>&1") != 0)
    return fail(error, "no PulseAudio or PipeWire server answers; with JACK connect the ports");
  shell("( " OURS " | " UNLOAD_ORPHANS " ) >/dev/null 2>&1");
  first_line(OURS, line, sizeof line);
  bool kept = strncmp(line, "0 ", 2) == 0;
  if (line[0] != '\0' && !kept) return fail(error, "another meanwave has one; end it first");
  mic.owner = keep || kept ? 0 : (int)getpid();
  // a monitor bears the process even when the microphone is kept
  if (mic.owner != 0 && !start_keeper()) return fail(error, "the system gave no process");
  mic.made = true;
  setenv("PULSE_SINK", "meanwave", 1);
  mw_status status = kept ? MW_OK : make(error);
  if (status != MW_OK) virtual_mic_end();
  return status;
}

mw_status virtual_mic_restore(mw_error *error)
{
  char line[256];
  if (!mic.made) return MW_OK;
  if (shell("pactl info >/dev/null 2>&1") != 0) return fail(error, "no server answers");
  first_line(OURS, line, sizeof line);
  if (line[0] != '\0') return MW_OK;
  mic.monitored = false;
  return make(error);
}

void virtual_mic_take_output(void)
{
  char command[512];
  if (!mic.made) return;
  snprintf(command, sizeof command,
           "LC_ALL=C pactl list sink-inputs 2>/dev/null | "
           "awk '/^Sink Input #/ {id = substr($3, 2)} "
           "/application.process.id = \"%d\"/ {print id}' | "
           "while read -r id; do pactl move-sink-input \"$id\" meanwave; done >/dev/null 2>&1",
           (int)getpid());
  shell(command);
}

void virtual_mic_monitor(bool heard)
{
  char command[1024];
  if (!mic.made || heard == mic.monitored) return;
  mic.monitored = heard;
  if (heard)
    snprintf(command, sizeof command,
             "pactl load-module module-loopback source=meanwave.monitor latency_msec=20 "
             "sink_input_properties=\"'media.name=Meanwave-monitor meanwave.pid=%d'\" "
             ">/dev/null 2>&1",
             (int)getpid());
  else
    snprintf(command, sizeof command,
             "pactl list short modules 2>/dev/null | "
             "sed -n 's/^\\([0-9]*\\)\\tmodule-loopback\\t.*meanwave\\.pid=%d.*/\\1/p' | "
             "while read -r id; do pactl unload-module \"$id\"; done >/dev/null 2>&1",
             (int)getpid());
  shell(command);
}

void virtual_mic_end(void)
{
  if (!mic.made) return;
  virtual_mic_monitor(false);
  mic.made = false;
  if (mic.keeper_end < 0) return;
  close(mic.keeper_end);
  mic.keeper_end = -1;
  waitpid(mic.keeper, NULL, 0);
}
