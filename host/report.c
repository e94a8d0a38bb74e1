// SPDX-License-Identifier: GPL-3.0-or-later
#include "report.h"

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static struct {
  FILE *talk; // NULL: standard error
  bool json;
  bool quiet;
  bool verbose;
  bool first; // no field of the open object was written yet
} settings;

static FILE *talk(void)
{
  return settings.talk != NULL ? settings.talk : stderr;
}

int report_talk_fd(void)
{
  return fileno(talk());
}

void report_alone(void)
{
  if (settings.talk != NULL || settings.verbose) return;
  fflush(stderr);
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (kept >= 0) settings.talk = fdopen(kept, "w");
  if (nowhere >= 0 && settings.talk != NULL) {
    setvbuf(settings.talk, NULL, _IONBF, 0);
    dup2(nowhere, STDERR_FILENO);
  }
  if (nowhere >= 0) close(nowhere);
}

void report_setup(const arguments *a)
{
  settings.json = arguments_has(a, "json");
  settings.quiet = arguments_has(a, "quiet");
  settings.verbose = arguments_has(a, "verbose");
}

bool report_json(void)
{
  return settings.json;
}

bool report_quiet(void)
{
  return settings.quiet;
}

// What is printed may come from a file: a line stays one, and a terminal is told nothing by it.
static void print_line(FILE *out, const char *before, const char *format, va_list values)
    __attribute__((format(printf, 3, 0)));

static void print_line(FILE *out, const char *before, const char *format, va_list values)
{
  char line[8192];
  vsnprintf(line, sizeof line, format, values);
  for (char *c = line; *c != '\0'; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
  fprintf(out, "%s%s\n", before, line);
}

void report_error(const char *format, ...)
{
  va_list values;
  va_start(values, format);
  print_line(talk(), "meanwave: ", format, values);
  va_end(values);
}

int report_status(mw_status status, const mw_error *error)
{
  if (status == MW_OK) return EXIT_GOOD;
  report_error("%s", error->text);
  return status == MW_ERROR_MODEL ? EXIT_MODEL : EXIT_FAILED;
}

void report_note(const char *format, ...)
{
  if (settings.quiet) return;
  va_list values;
  va_start(values, format);
  print_line(talk(), "", format, values);
  va_end(values);
}

void report_result(const char *format, ...)
{
  if (settings.json) return;
  va_list values;
  va_start(values, format);
  print_line(stdout, "", format, values);
  va_end(values);
}

static void print_quoted(const char *text)
{
  putchar('"');
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\')
      printf("\\%c", c);
    else if (c < 0x20)
      printf("\\u%04x", c);
    else
      putchar(c);
  }
  putchar('"');
}

static void print_name(const char *name)
{
  if (!settings.first) putchar(',');
  settings.first = false;
  print_quoted(name);
  putchar(':');
}

void report_begin(void)
{
  settings.first = true;
  if (settings.json) putchar('{');
}

void report_text(const char *name, const char *value)
{
  if (!settings.json) return;
  print_name(name);
  print_quoted(value);
}

// JSON knows neither NaN nor infinity.
void report_number(const char *name, double value)
{
  if (!settings.json) return;
  print_name(name);
  if (isfinite(value))
    printf("%.10g", value);
  else
    fputs("null", stdout);
}

void report_sizes(const char *name, const size_t *values, size_t count)
{
  if (!settings.json) return;
  print_name(name);
  putchar('[');
  for (size_t i = 0; i < count; i++) printf(i > 0 ? ",%zu" : "%zu", values[i]);
  putchar(']');
}

void report_end(void)
{
  if (!settings.json) return;
  puts("}");
  fflush(stdout);
}

void report_progress(const char *what, double share, double seconds_so_far)
{
  enum { WIDTH = 30 };
  if (settings.quiet || !isatty(report_talk_fd())) return;
  if (share >= 1.0) {
    fprintf(talk(), "\r\033[K");
    return;
  }
  char bar[WIDTH + 1];
  int filled = share > 0.0 ? (int)(share * WIDTH) : 0;
  memset(bar, ' ', WIDTH);
  memset(bar, '#', (size_t)filled);
  bar[WIDTH] = '\0';
  double left = share > 0.0 ? seconds_so_far * (1.0 - share) / share : 0.0;
  fprintf(talk(), "\r%s [%s] %3.0f %% %4.0f s left\033[K", what, bar, share * 100.0, left);
  fflush(talk());
}
