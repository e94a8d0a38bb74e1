// SPDX-License-Identifier: GPL-3.0-or-later
#include <portaudio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "meanwave.h"
#include "report.h"

static const verb *const verbs[] = {
    &bench_verb,  &convert_verb, &devices_verb, &generate_verb, &latency_verb, &live_verb,
    &models_verb, &presets_verb, &vocode_verb,  &voice_verb,    NULL,
};

static void print_overview(FILE *out)
{
  fprintf(out, "usage: meanwave VERB [options] [files]\n\n");
  for (size_t i = 0; verbs[i] != NULL; i++)
    fprintf(out, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
  fprintf(out, "\nmeanwave VERB --help tells more. --version, --man, --completion bash|zsh\n");
}

static void print_version(void)
{
  printf("meanwave %s (%s build, %s kernels)\n", MW_VERSION, MW_BUILD, mw_kernels_name());
  printf("libraries: %s; %s\n", Pa_GetVersionText(), mw_libraries());
  printf("licence: GPL-3.0-or-later\n");
}

static const verb *find_verb(const char *name)
{
  for (size_t i = 0; verbs[i] != NULL; i++)
    if (strcmp(name, verbs[i]->name) == 0) return verbs[i];
  return NULL;
}

static int run_general(int count, char **words)
{
  const verb *asked = count == 3 ? find_verb(words[2]) : NULL;
  if (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0 ||
      strcmp(words[1], "help") == 0) {
    if (asked != NULL)
      options_help(stdout, asked);
    else
      print_overview(stdout);
  } else if (strcmp(words[1], "--version") == 0) {
    print_version();
  } else if (strcmp(words[1], "--man") == 0) {
    options_man_page(stdout, verbs);
  } else if (strcmp(words[1], "--completion") == 0 && count > 2 && strcmp(words[2], "bash") == 0) {
    options_bash_completion(stdout, verbs);
  } else if (strcmp(words[1], "--completion") == 0 && count > 2 && strcmp(words[2], "zsh") == 0) {
    options_zsh_completion(stdout, verbs);
  } else {
    report_error("unknown %s '%s'; see meanwave --help", words[1][0] == '-' ? "option" : "verb",
                 words[1]);
    return EXIT_USAGE;
  }
  return EXIT_GOOD;
}

static int run_verb(const verb *v, int count, char **words)
{
  char line[512];
  arguments a;
  const char **files = calloc((size_t)count + 1, sizeof *files);
  if (files == NULL) {
    report_error("out of memory");
    return EXIT_FAILED;
  }
  int code = EXIT_GOOD;
  if (!options_parse(&a, v, count, words, files, line, sizeof line)) {
    report_error("%s", line);
    code = EXIT_USAGE;
  } else if (arguments_has(&a, "help")) {
    options_help(stdout, v);
  } else {
    report_setup(&a);
    code = v->run(&a);
  }
  free(files);
  return code;
}

// A mapped model file that became shorter: what was there cannot be read any more.
static void on_lost_memory(int number)
{
  static const char line[] = "meanwave: a model file was cut short while it was read; put it back "
                             "and start again\n";
  (void)number;
  ssize_t written = write(report_talk_fd(), line, sizeof line - 1);
  _exit(written == 0 ? EXIT_FAILED : EXIT_MODEL);
}

int main(int count, char **words)
{
  signal(SIGBUS, on_lost_memory);
  signal(SIGXFSZ, SIG_IGN); // a file that may not grow is a failed write like a full disk
  if (count < 2) {
    print_overview(stderr);
    return EXIT_USAGE;
  }
  const verb *v = find_verb(words[1]);
  return v != NULL ? run_verb(v, count - 2, words + 2) : run_general(count, words);
}
