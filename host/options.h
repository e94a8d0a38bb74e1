// SPDX-License-Identifier: GPL-3.0-or-later
//
// One table of verbs and options: it parses, it is the help text, the man page and the shell
// completions. A verb is a file of its own with its options and a function; main.c lists them.
#ifndef MEANWAVE_OPTIONS_H
#define MEANWAVE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
  EXIT_GOOD = 0,
  EXIT_FAILED = 1, // while working
  EXIT_USAGE = 2,
  EXIT_MODEL = 3,  // missing or not readable
  EXIT_DEVICE = 4, // no such audio device
};

// OPTION_FILE: its value is one more argument that is no option, in its place among them.
typedef enum { OPTION_FLAG, OPTION_TEXT, OPTION_FILE, OPTION_WHOLE, OPTION_NUMBER } option_kind;

typedef struct {
  const char *name; // long form without dashes; NULL ends a table
  char letter;      // short form or 0
  option_kind kind;
  const char *value; // stands for its value in the help, NULL for flags
  const char *help;  // one line
  double least;      // of numbers
  double most;
} option;

enum { OPTION_LIMIT = 64 };

// What a command line said.
typedef struct {
  const option *given[OPTION_LIMIT];
  const char *texts[OPTION_LIMIT];
  double numbers[OPTION_LIMIT];
  size_t given_count;
  const char **files; // arguments that are no options
  size_t file_count;
} arguments;

bool arguments_has(const arguments *a, const char *name);
const char *arguments_text(const arguments *a, const char *name, const char *fallback);
double arguments_number(const arguments *a, const char *name, double fallback);

typedef struct {
  const char *name;
  const char *summary; // one line, lower case
  const char *usage;   // its arguments: "FILE..." or ""
  const option *options;
  int (*run)(const arguments *a); // an exit code
} verb;

// Parses the words behind the verb. Long options take their value as --name=value or in the next
// word; "--" ends options; "-" is a file. False with one line in `line` on a wrong use. `files` has
// room for `count` words. Options every verb knows: common_options.
bool options_parse(arguments *a, const verb *v, int count, char **words, const char **files,
                   char *line, size_t line_size);

extern const option common_options[];

void options_help(FILE *out, const verb *v);
void options_man_page(FILE *out, const verb *const *verbs);
void options_bash_completion(FILE *out, const verb *const *verbs);
void options_zsh_completion(FILE *out, const verb *const *verbs);

#endif
