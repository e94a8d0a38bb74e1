// SPDX-License-Identifier: GPL-3.0-or-later
#include "meters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "report.h"

enum { WIDEST = 200, NARROWEST = 20, LINES = 7 };
#define FLOOR_DB -60.0
#define HOLD_SECONDS 1.5
#define SLOWEST_SECONDS 5.0

typedef struct {
  double level_db; // falls by 20 dB a second
  double hold_db;
  double held_until;
} meter;

static struct {
  bool open;
  bool colour;
  bool drawn;
  struct termios before;
  meter in;
  meter out;
  double seconds; // of the last drawing
  double rtf;     // of about the last second: a look may see no chunk
  double slowest_ms;
  double slowest_until;
} screen;

double meters_db(float peak)
{
  return peak > 1e-5f ? 20.0 * log10((double)peak) : -99.0;
}

double meters_delay_ms(const meters_view *v)
{
  return v->device_ms + v->ring_ms + v->chunk_ms + v->look_ahead_ms;
}

bool meters_begin(void)
{
  if (!isatty(STDIN_FILENO) || !isatty(report_talk_fd())) return false;
  if (tcgetattr(STDIN_FILENO, &screen.before) != 0) return false;
  struct termios raw = screen.before;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return false;
  screen.open = true;
  screen.drawn = false;
  screen.colour = getenv("NO_COLOR") == NULL || *getenv("NO_COLOR") == '\0';
  screen.in = screen.out = (meter){FLOOR_DB, FLOOR_DB, 0.0};
  (void)!write(report_talk_fd(), "\033[?25l", 6); // no cursor
  return true;
}

void meters_end(void)
{
  if (!screen.open) return;
  screen.open = false;
  (void)!write(report_talk_fd(), "\033[?25h", 6);
  tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

int meters_key(void)
{
  unsigned char key;
  return screen.open && read(STDIN_FILENO, &key, 1) == 1 ? key : -1;
}

static void move(meter *m, double db, double now, double passed)
{
  double fallen = m->level_db - 20.0 * passed;
  m->level_db = fmax(FLOOR_DB, fmax(db, fallen));
  if (db < m->hold_db && now < m->held_until) return;
  m->hold_db = fmax(FLOOR_DB, db);
  m->held_until = now + HOLD_SECONDS;
}

static int place(double db, int width)
{
  double share = (db - FLOOR_DB) / -FLOOR_DB;
  return (int)lround(fmax(0.0, fmin(1.0, share)) * width);
}

// Over more than one look.
static void note_load(const meters_view *v, double passed)
{
  double weight = fmin(1.0, fmax(passed, 0.0));
  screen.rtf += weight * (v->look.rtf - screen.rtf);
  if (v->look.worst_ms < screen.slowest_ms && v->seconds < screen.slowest_until) return;
  screen.slowest_ms = v->look.worst_ms;
  screen.slowest_until = v->seconds + SLOWEST_SECONDS;
}

// "in   [#######-----|---]  -12.3 dB"; the mark is the peak that is held.
static void draw_meter(char *line, size_t size, const char *name, const meter *m, int columns)
{
  char bar[WIDEST + 1];
  int width = columns - 20;
  if (width > 60) width = 60;
  if (width < 4) width = 4;
  int filled = place(m->level_db, width);
  int mark = place(m->hold_db, width) - 1;
  for (int i = 0; i < width; i++) bar[i] = i < filled ? '#' : '-';
  if (mark >= 0) bar[mark] = '|';
  bar[width] = '\0';
  const char *loud = screen.colour && m->hold_db > -1.0 ? "\033[31m" : "";
  snprintf(line, size, "%-4s[%s%s%s] %6.1f dB", name, loud, bar, *loud != '\0' ? "\033[0m" : "",
           m->hold_db);
}

// Without escapes a character is a column.
static void cut(char *line, int columns)
{
  int seen = 0;
  for (char *c = line; *c != '\0'; c++) {
    if (*c == '\033') {
      while (*c != '\0' && *c != 'm') c++;
      if (*c == '\0') return;
      continue;
    }
    if (++seen < columns) continue;
    *c = '\0';
    return;
  }
}

static void gate_text(char *text, size_t size, const meters_view *v)
{
  if (v->controls.gate_db <= MW_GATE_OFF)
    snprintf(text, size, "off");
  else
    snprintf(text, size, "%.0f dB %s", v->controls.gate_db,
             v->look.gate_gain > 0.5f ? "open" : "shut");
}

static void compose(char lines[LINES][512], const meters_view *v, int columns)
{
  char gate[32];
  gate_text(gate, sizeof gate, v);
  snprintf(lines[0], 512, "%s%s  %u Hz  %.60s -> %.60s", v->voice, v->bypass ? " (bypassed)" : "",
           v->rate_hz, v->in_name, v->out_name);
  draw_meter(lines[1], 512, "in", &screen.in, columns);
  draw_meter(lines[2], 512, "out", &screen.out, columns);
  snprintf(lines[3], 512, "RTF %.3f  slowest %.1f ms  late %llu  xruns %llu  drift %+.0f ppm",
           screen.rtf, screen.slowest_ms, (unsigned long long)v->look.late,
           (unsigned long long)v->xruns, v->look.drift_ppm);
  snprintf(lines[4], 512, "delay %.0f ms = device %.0f + ring %.0f + chunk %.0f + look-ahead %.0f",
           meters_delay_ms(v), v->device_ms, v->ring_ms, v->chunk_ms, v->look_ahead_ms);
  snprintf(lines[5], 512, "pitch %+.0f  mix %.2f  gate %s  gain %+.0f dB%s", v->controls.pitch,
           v->controls.mix, gate, v->controls.gain_db, v->monitor ? "" : "  (not monitored)");
  snprintf(lines[6], 512, "%s",
           v->notice[0] != '\0'
               ? v->notice
               : "b bypass  m monitor  p/P pitch  x/X mix  g/G gate  v voice  q quit");
}

void meters_leave(void)
{
  screen.drawn = false;
}

void meters_draw(const meters_view *v)
{
  if (!screen.open) return;
  struct winsize size = {0};
  int columns =
      ioctl(report_talk_fd(), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  if (columns > WIDEST) columns = WIDEST;
  if (columns < NARROWEST) columns = NARROWEST;
  double passed = v->seconds - screen.seconds;
  screen.seconds = v->seconds;
  move(&screen.in, meters_db(v->look.in_peak), v->seconds, passed);
  move(&screen.out, meters_db(v->look.out_peak), v->seconds, passed);
  note_load(v, passed);
  char lines[LINES][512];
  char text[LINES * 520 + 32] = "";
  size_t at = 0;
  compose(lines, v, columns);
  if (screen.drawn) at += (size_t)snprintf(text, sizeof text, "\033[%dA", LINES);
  for (int i = 0; i < LINES; i++) {
    cut(lines[i], columns);
    at += (size_t)snprintf(text + at, sizeof text - at, "\r%s\033[K\n", lines[i]);
  }
  screen.drawn = true;
  (void)!write(report_talk_fd(), text, at);
}
