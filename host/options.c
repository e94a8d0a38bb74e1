// SPDX-License-Identifier: GPL-3.0-or-later
#include "options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const option common_options[] = {
    {"help", 'h', OPTION_FLAG, NULL, "show this help", 0, 0},
    {"json", 0, OPTION_FLAG, NULL, "results as JSON, one object a line", 0, 0},
    {"quiet", 'q', OPTION_FLAG, NULL, "only results and errors", 0, 0},
    {"verbose", 'v', OPTION_FLAG, NULL, "more about what happens", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

static const option *find_in(const option *table, const char *name, size_t length)
{
  for (; table->name != NULL; table++)
    if (strlen(table->name) == length && memcmp(table->name, name, length) == 0) return table;
  return NULL;
}

static const option *find_long(const verb *v, const char *name, size_t length)
{
  const option *found = find_in(v->options, name, length);
  return found != NULL ? found : find_in(common_options, name, length);
}

static const option *find_short(const verb *v, char letter)
{
  for (const option *o = v->options; o->name != NULL; o++)
    if (o->letter == letter) return o;
  for (const option *o = common_options; o->name != NULL; o++)
    if (o->letter == letter) return o;
  return NULL;
}

static bool store_value(arguments *a, const option *o, const char *text, char *line, size_t size)
{
  double number = 0.0;
  if (o->kind == OPTION_FILE) {
    a->files[a->file_count++] = text;
    return true;
  }
  if (a->given_count == OPTION_LIMIT) {
    snprintf(line, size, "too many options");
    return false;
  }
  if (o->kind == OPTION_WHOLE || o->kind == OPTION_NUMBER) {
    char *end;
    number = strtod(text, &end);
    bool whole = o->kind == OPTION_NUMBER || number == floor(number);
    if (end == text || *end != '\0' || !whole || !(number >= o->least && number <= o->most)) {
      snprintf(line, size, "--%s wants a %snumber from %.10g to %.10g, not '%s'", o->name,
               o->kind == OPTION_WHOLE ? "whole " : "", o->least, o->most, text);
      return false;
    }
  }
  a->given[a->given_count] = o;
  a->texts[a->given_count] = text;
  a->numbers[a->given_count] = number;
  a->given_count++;
  return true;
}

// Parses the option in words[*at] (and its value, perhaps in the next word).
static bool parse_option(arguments *a, const verb *v, int count, char **words, int *at, char *line,
                         size_t size)
{
  const char *word = words[*at];
  bool is_long = word[1] == '-';
  const char *name = word + (is_long ? 2 : 1);
  size_t length = is_long ? strcspn(name, "=") : 1;
  const option *o = is_long ? find_long(v, name, length) : find_short(v, *name);
  const char *value = name[length] == '=' ? name + length + 1 : NULL;
  if (!is_long && value == NULL && name[1] != '\0') value = name + 1;
  if (o == NULL) {
    snprintf(line, size, "unknown option %.*s; see meanwave %s --help",
             (int)length + (is_long ? 2 : 1), word, v->name);
    return false;
  }
  if (o->kind == OPTION_FLAG) {
    if (value != NULL) {
      snprintf(line, size, "--%s takes no value", o->name);
      return false;
    }
    return store_value(a, o, "", line, size);
  }
  if (value == NULL && *at + 1 < count) value = words[++*at];
  if (value == NULL) {
    snprintf(line, size, "--%s wants a value: %s", o->name, o->value);
    return false;
  }
  return store_value(a, o, value, line, size);
}

bool options_parse(arguments *a, const verb *v, int count, char **words, const char **files,
                   char *line, size_t line_size)
{
  *a = (arguments){.files = files};
  bool options_end = false;
  for (int at = 0; at < count; at++) {
    const char *word = words[at];
    if (options_end || word[0] != '-' || word[1] == '\0') {
      files[a->file_count++] = word;
    } else if (strcmp(word, "--") == 0) {
      options_end = true;
    } else if (!parse_option(a, v, count, words, &at, line, line_size)) {
      return false;
    }
  }
  return true;
}

// The last one given counts.
static size_t find_given(const arguments *a, const char *name)
{
  for (size_t i = a->given_count; i-- > 0;)
    if (strcmp(a->given[i]->name, name) == 0) return i;
  return OPTION_LIMIT;
}

bool arguments_has(const arguments *a, const char *name)
{
  return find_given(a, name) != OPTION_LIMIT;
}

const char *arguments_text(const arguments *a, const char *name, const char *fallback)
{
  size_t i = find_given(a, name);
  return i != OPTION_LIMIT ? a->texts[i] : fallback;
}

double arguments_number(const arguments *a, const char *name, double fallback)
{
  size_t i = find_given(a, name);
  return i != OPTION_LIMIT ? a->numbers[i] : fallback;
}

// ---- the same table as text ----

static void help_options(FILE *out, const option *table)
{
  for (; table->name != NULL; table++) {
    char left[64];
    char letter[8] = "    ";
    if (table->letter != 0) snprintf(letter, sizeof letter, "-%c, ", table->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, table->name, table->value != NULL ? " " : "",
             table->value != NULL ? table->value : "");
    fprintf(out, "  %-28s %s\n", left, table->help);
  }
}

void options_help(FILE *out, const verb *v)
{
  fprintf(out, "usage: meanwave %s [options]%s%s\n%s\n\n", v->name, v->usage[0] != '\0' ? " " : "",
          v->usage, v->summary);
  help_options(out, v->options);
  help_options(out, common_options);
}

static void man_options(FILE *out, const option *table)
{
  for (; table->name != NULL; table++) {
    fprintf(out, ".TP\n");
    if (table->letter != 0) fprintf(out, "\\fB\\-%c\\fR, ", table->letter);
    fprintf(out, "\\fB\\-\\-%s\\fR", table->name);
    if (table->value != NULL) fprintf(out, " \\fI%s\\fR", table->value);
    fprintf(out, "\n%s\n", table->help);
  }
}

void options_man_page(FILE *out, const verb *const *verbs)
{
  fprintf(out, ".TH MEANWAVE 1\n.SH NAME\nmeanwave \\- voice conversion and text to audio\n"
               ".SH SYNOPSIS\n.B meanwave\n.I VERB\n[options] [files]\n.SH VERBS\n");
  for (; *verbs != NULL; verbs++) {
    fprintf(out, ".SS meanwave %s %s\n%s\n", (*verbs)->name, (*verbs)->usage, (*verbs)->summary);
    man_options(out, (*verbs)->options);
  }
  fprintf(out, ".SS Every verb\nThese options work everywhere.\n");
  man_options(out, common_options);
  fprintf(
      out,
      ".SH EXIT STATUS\n0 done, 1 failed while working, 2 wrong use, 3 a model is missing or not "
      "readable, 4 no such audio device\n");
}

// What a verb can be told to do, from its usage: the lower-case words in it ("list", "show").
static void print_actions(FILE *out, const verb *v)
{
  const char *between = "";
  for (const char *at = v->usage; *at != '\0'; at += strspn(at, " |")) {
    size_t length = strcspn(at, " |");
    if (strspn(at, "abcdefghijklmnopqrstuvwxyz") == length) {
      fprintf(out, "%s%.*s", between, (int)length, at);
      between = " ";
    }
    at += length;
  }
}

void options_bash_completion(FILE *out, const verb *const *verbs)
{
  fprintf(out, "_meanwave()\n{\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" options actions=\n"
               "  if [ \"$COMP_CWORD\" = 1 ]; then\n    COMPREPLY=($(compgen -W \"");
  for (size_t i = 0; verbs[i] != NULL; i++) fprintf(out, "%s%s", i > 0 ? " " : "", verbs[i]->name);
  fprintf(out, "\" -- \"$word\"))\n    return\n  fi\n  case \"${COMP_WORDS[1]}\" in\n");
  for (size_t i = 0; verbs[i] != NULL; i++) {
    fprintf(out, "  %s) options=\"", verbs[i]->name);
    for (const option *o = verbs[i]->options; o->name != NULL; o++) fprintf(out, "--%s ", o->name);
    for (const option *o = common_options; o->name != NULL; o++)
      fprintf(out, "--%s%s", o->name, o[1].name != NULL ? " " : "");
    fprintf(out, "\" actions=\"");
    print_actions(out, verbs[i]);
    fprintf(out, "\" ;;\n");
  }
  fprintf(out,
          "  esac\n  case \"$COMP_CWORD$word\" in\n"
          "  *-*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
          "  *) [ \"$COMP_CWORD\" != 2 ] || COMPREPLY=($(compgen -W \"$actions\" -- \"$word\"))\n"
          "    [ -n \"${COMPREPLY[*]}\" ] || mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
          "  esac\n}\n"
          "complete -o filenames -F _meanwave meanwave\n");
}

// Between single quotes, in square brackets.
static void print_zsh_text(FILE *out, const char *text)
{
  for (; *text != '\0'; text++) {
    if (*text == '\'')
      fputs("'\\''", out);
    else if (*text == '[' || *text == ']' || *text == '\\')
      fprintf(out, "\\%c", *text);
    else
      fputc(*text, out);
  }
}

void options_zsh_completion(FILE *out, const verb *const *verbs)
{
  fprintf(out, "#compdef meanwave\nlocal -a verbs=(");
  for (size_t i = 0; verbs[i] != NULL; i++)
    fprintf(out, "%s'%s:%s'", i > 0 ? " " : "", verbs[i]->name, verbs[i]->summary);
  fprintf(out, ")\nif (( CURRENT == 2 )); then\n  _describe verb verbs\n  return\nfi\n"
               "shift words\n(( CURRENT-- ))\ncase ${words[1]} in\n");
  for (size_t i = 0; verbs[i] != NULL; i++) {
    fprintf(out, "%s) _arguments", verbs[i]->name);
    const option *tables[2] = {verbs[i]->options, common_options};
    for (int t = 0; t < 2; t++)
      for (const option *o = tables[t]; o->name != NULL; o++) {
        fprintf(out, " '--%s[", o->name);
        print_zsh_text(out, o->help);
        fprintf(out, "]%s%s%s'", o->value != NULL ? ":" : "", o->value != NULL ? o->value : "",
                o->value != NULL ? ":_files" : "");
      }
    fprintf(out, " '1:what:{compadd -- ");
    print_actions(out, verbs[i]);
    fprintf(out, "; _files}' '*:file:_files' ;;\n");
  }
  fprintf(out, "esac\n");
}
