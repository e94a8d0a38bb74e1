// SPDX-License-Identifier: GPL-3.0-or-later
#include "meters.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "report.h"

enum { WIDEST = 200, NARROWEST = 20, MOST_LINES = 24, LINE_SIZE = 4 * WIDEST + 64 };
#define FLOOR_DB -60.0
#define HOLD_SECONDS 1.5
#define SLOWEST_SECONDS 5.0

typedef struct {
  double level_db; // falls by 20 dB a second
  double hold_db;
  double held_until;
} meter;

// What is to be drawn: lines that end where the terminal does.
typedef struct {
  char lines[MOST_LINES][LINE_SIZE];
  int widths[MOST_LINES]; // columns
  int count;
  int columns;
} page;

static struct {
  bool wanted;
  bool open; // keys come one by one, and there is no cursor
  bool colour;
  struct termios before;
  meter in;
  meter out;
  double seconds; // of the last drawing
  double rtf;     // of about the last second, like the next three: a look may see no chunk
  double encoder_rtf;
  double decoder_rtf;
  double vocoder_rtf;
  double slowest_ms;
  double slowest_until;
  page drawn; // without lines: nothing to draw over
} screen;

double meters_db(float peak)
{
  return peak > 1e-5f ? 20.0 * log10((double)peak) : -99.0;
}

double meters_delay_ms(const meters_view *v)
{
  return v->device_ms + v->ring_ms + v->chunk_ms + v->look_ahead_ms;
}

// ---- the terminal ----

// A program in the background that touches its terminal is stopped.
static bool holds_terminal(void)
{
  return tcgetpgrp(STDIN_FILENO) == getpgrp();
}

bool meters_begin(void)
{
  if (!isatty(STDIN_FILENO) || !isatty(report_talk_fd())) return false;
  if (tcgetattr(STDIN_FILENO, &screen.before) != 0) return false;
  screen.wanted = true;
  screen.colour = getenv("NO_COLOR") == NULL || *getenv("NO_COLOR") == '\0';
  screen.in = screen.out = (meter){FLOOR_DB, FLOOR_DB, 0.0};
  return true;
}

static bool show(void)
{
  if (!screen.wanted || !holds_terminal()) screen.open = false;
  if (screen.open) return true;
  struct termios raw = screen.before;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  if (!screen.wanted || !holds_terminal() || tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0)
    return false;
  screen.open = true;
  screen.drawn.count = 0;
  (void)!write(report_talk_fd(), "\033[?25l", 6); // no cursor
  return true;
}

void meters_hide(void)
{
  if (!screen.open) return;
  screen.open = false;
  if (!holds_terminal()) return;
  (void)!write(report_talk_fd(), "\033[?25h", 6);
  tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

void meters_end(void)
{
  meters_hide();
  screen.wanted = false;
}

void meters_show_again(void)
{
  screen.open = false;
}

void meters_leave(void)
{
  screen.drawn.count = 0;
}

int meters_key(void)
{
  unsigned char key;
  return screen.open && holds_terminal() && read(STDIN_FILENO, &key, 1) == 1 ? key : -1;
}

// ---- what moves ----

static void move(meter *m, double db, double now, double passed)
{
  double fallen = m->level_db - 20.0 * passed;
  m->level_db = fmax(FLOOR_DB, fmax(db, fallen));
  if (db < m->hold_db && now < m->held_until) return;
  m->hold_db = fmax(FLOOR_DB, db);
  m->held_until = now + HOLD_SECONDS;
}

// Over more than one look.
static void note_load(const meters_view *v, double passed)
{
  double weight = fmin(1.0, fmax(passed, 0.0));
  screen.rtf += weight * (v->look.rtf - screen.rtf);
  screen.encoder_rtf += weight * (v->look.encoder_rtf - screen.encoder_rtf);
  screen.decoder_rtf += weight * (v->look.decoder_rtf - screen.decoder_rtf);
  screen.vocoder_rtf += weight * (v->look.vocoder_rtf - screen.vocoder_rtf);
  if (v->look.worst_ms < screen.slowest_ms && v->seconds < screen.slowest_until) return;
  screen.slowest_ms = v->look.worst_ms;
  screen.slowest_until = v->seconds + SLOWEST_SECONDS;
}

// ---- the page ----

static void new_line(page *p)
{
  if (p->count == MOST_LINES) return;
  p->lines[p->count][0] = '\0';
  p->widths[p->count++] = 0;
}

// Puts `text` behind what stands in the line, on a new line where it does not fit, cut where even
// that is too short. A character is a column.
static void put(page *p, const char *between, const char *text)
{
  int width = 0;
  for (const char *c = text; *c != '\0'; c++) width += ((unsigned char)*c & 0xc0) != 0x80;
  int gap = (int)strlen(between);
  int used = p->widths[p->count - 1];
  if (used > 0 && used + gap + width >= p->columns) {
    new_line(p);
    used = 0;
  }
  char *line = p->lines[p->count - 1];
  size_t at = strlen(line);
  if (used > 0) at += (size_t)snprintf(line + at, LINE_SIZE - at, "%s", between);
  if (used > 0) used += gap;
  for (const char *c = text; *c != '\0' && at + 5 < LINE_SIZE; c++) {
    bool begins = ((unsigned char)*c & 0xc0) != 0x80;
    if (begins && used + 1 >= p->columns) break;
    used += begins;
    line[at++] = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c; // nothing a terminal obeys
  }
  line[at] = '\0';
  p->widths[p->count - 1] = used;
}

static void add(page *p, const char *between, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(page *p, const char *between, const char *format, ...)
{
  char text[LINE_SIZE];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  put(p, between, text);
}

static void add_words(page *p, const char *between, const char *text)
{
  char word[LINE_SIZE];
  while (*text != '\0') {
    const char *end = strstr(text, between);
    int length = end != NULL ? (int)(end - text) : (int)strlen(text);
    snprintf(word, sizeof word, "%.*s", length, text);
    put(p, between, word);
    text += length;
    if (end != NULL) text += strlen(between);
  }
}

static int place(double db, int width)
{
  double share = (db - FLOOR_DB) / -FLOOR_DB;
  return (int)lround(fmax(0.0, fmin(1.0, share)) * width);
}

// "in   [#######-----|---]  -12.3 dB"; the mark is the peak that is held.
static void add_meter(page *p, const char *name, const meter *m)
{
  char bar[WIDEST + 1];
  int width = p->columns - 17;
  if (width > 60) width = 60;
  int filled = place(m->level_db, width);
  int mark = place(m->hold_db, width) - 1;
  for (int i = 0; i < width; i++) bar[i] = i < filled ? '#' : '-';
  if (mark >= 0) bar[mark] = '|';
  bar[width] = '\0';
  const char *loud = screen.colour && m->hold_db > -1.0 ? "\033[31m" : "";
  new_line(p);
  snprintf(p->lines[p->count - 1], LINE_SIZE, "%-4s[%s%s%s] %6.1f dB", name, loud, bar,
           *loud != '\0' ? "\033[0m" : "", m->hold_db);
  p->widths[p->count - 1] = width + 16;
}

static void add_controls(page *p, const meters_view *v)
{
  new_line(p);
  add(p, "  ", "pitch %+.0f", v->controls.pitch);
  add(p, "  ", "mix %.2f", v->controls.mix);
  if (v->controls.gate_db <= MW_GATE_OFF)
    add(p, "  ", "gate off");
  else
    add(p, "  ", "gate %.0f dB %s", v->controls.gate_db,
        v->look.gate_gain > 0.5f ? "open" : "shut");
  add(p, "  ", "gain %+.0f dB", v->controls.gain_db);
  if (!v->monitor) add(p, "  ", "(not monitored)");
}

static void compose(page *p, const meters_view *v)
{
  new_line(p);
  add(p, "  ", "%s%s", v->voice, v->bypass ? " (bypassed)" : "");
  add(p, "  ", "%u Hz", v->rate_hz);
  add(p, "  ", "%s", v->in_name);
  add(p, " ", "-> %s", v->out_name);
  add_meter(p, "in", &screen.in);
  add_meter(p, "out", &screen.out);
  double rest = screen.rtf - screen.encoder_rtf - screen.decoder_rtf - screen.vocoder_rtf;
  new_line(p);
  add(p, " ", "RTF %.3f", screen.rtf);
  add(p, " ", "= encoder %.3f", screen.encoder_rtf);
  add(p, " ", "+ decoder %.3f", screen.decoder_rtf);
  add(p, " ", "+ vocoder %.3f", screen.vocoder_rtf);
  add(p, " ", "+ rest %.3f", fmax(rest, 0.0));
  new_line(p);
  add(p, "  ", "slowest %.1f ms", screen.slowest_ms);
  add(p, "  ", "late %llu", (unsigned long long)v->look.late);
  add(p, "  ", "xruns %llu", (unsigned long long)v->xruns);
  add(p, "  ", "drift %+.0f ppm", v->look.drift_ppm);
  new_line(p);
  add(p, " ", "delay %.0f ms", meters_delay_ms(v));
  add(p, " ", "= device %.0f", v->device_ms);
  add(p, " ", "+ ring %.0f", v->ring_ms);
  add(p, " ", "+ chunk %.0f", v->chunk_ms);
  add(p, " ", "+ look-ahead %.0f", v->look_ahead_ms);
  add_controls(p, v);
  new_line(p);
  if (v->notice[0] != '\0')
    add_words(p, " ", v->notice);
  else
    add_words(p, "  ", "b bypass  m monitor  p/P pitch  x/X mix  g/G gate  v voice  q quit");
}

// Lines that were as wide as the terminal take more of them when it is narrower now.
static int rows_of(const page *p, int columns)
{
  int rows = 0;
  for (int i = 0; i < p->count; i++)
    rows += p->widths[i] > columns ? (p->widths[i] + columns - 1) / columns : 1;
  return rows;
}

void meters_draw(const meters_view *v)
{
  static page next;
  static char text[MOST_LINES * (LINE_SIZE + 8) + 32];
  struct winsize size = {0};
  size_t at = 0;
  double passed = v->seconds - screen.seconds;
  screen.seconds = v->seconds;
  move(&screen.in, meters_db(v->look.in_peak), v->seconds, passed);
  move(&screen.out, meters_db(v->look.out_peak), v->seconds, passed);
  note_load(v, passed);
  if (!show()) return;
  bool known = ioctl(report_talk_fd(), TIOCGWINSZ, &size) == 0;
  int columns = known && size.ws_col > 0 ? size.ws_col : 80;
  next.count = 0;
  next.columns = columns > WIDEST ? WIDEST : columns < NARROWEST ? NARROWEST : columns;
  compose(&next, v);
  // what does not fit above the cursor's line could not be drawn over
  if (known && size.ws_row > 1 && next.count >= size.ws_row) next.count = size.ws_row - 1;
  int rows = rows_of(&screen.drawn, columns);
  if (rows > 0) at += (size_t)snprintf(text, sizeof text, "\033[%dA", rows);
  for (int i = 0; i < next.count; i++)
    at += (size_t)snprintf(text + at, sizeof text - at, "\r%s\033[K\n", next.lines[i]);
  at += (size_t)snprintf(text + at, sizeof text - at, "\033[J");
  screen.drawn = next;
  (void)!write(report_talk_fd(), text, at);
}
