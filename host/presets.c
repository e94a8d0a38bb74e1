// SPDX-License-Identifier: GPL-3.0-or-later
//
// meanwave presets list                          what there is
// meanwave presets show NAME...                  what is in them
// meanwave presets render NAME -o PLACE          a sound
// meanwave presets render NAME FILE... -o PLACE  recordings in a voice
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "convert.h"
#include "generate.h"
#include "meanwave.h"
#include "report.h"

static const option options[] = {
    {"input", 'i', OPTION_FILE, "FILE", "render: a recording; the same as by position", 0, 0},
    {"output", 'o', OPTION_TEXT, "PLACE",
     "render: a file, a folder (DIR/) or - for standard output", 0, 0},
    {"recursive", 'r', OPTION_FLAG, NULL, "render: take the sound files of folders and below", 0,
     0},
    {"yes", 'y', OPTION_FLAG, NULL, "render: overwrite", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

static const char *kind_of(const mw_preset *p)
{
  return p->kind == MW_PRESET_VOICE ? "voice" : "sound";
}

// ---- the list, in the order of kinds, groups and names ----

typedef struct {
  mw_preset preset;
  char *path;
} listed;

typedef struct {
  listed *rows;
  size_t count;
  bool failed;
} listing;

static void collect(void *context, const char *path, const mw_preset *p, const char *problem)
{
  listing *l = context;
  if (p == NULL) {
    report_note("%s", problem);
    return;
  }
  listed *rows = realloc(l->rows, (l->count + 1) * sizeof *rows);
  if (rows != NULL) {
    l->rows = rows;
    rows[l->count].preset = *p;
    rows[l->count].path = strdup(path);
  }
  l->failed = l->failed || rows == NULL || rows[l->count].path == NULL;
  l->count += rows != NULL;
}

static int compare(const void *a, const void *b)
{
  const mw_preset *x = &((const listed *)a)->preset;
  const mw_preset *y = &((const listed *)b)->preset;
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  int groups = strcmp(x->group, y->group);
  return groups != 0 ? groups : strcmp(x->name, y->name);
}

static void say_row(const listed *row, const listed *before)
{
  const mw_preset *p = &row->preset;
  if (before == NULL || before->preset.kind != p->kind ||
      strcmp(before->preset.group, p->group) != 0)
    report_result("%ss%s%s", kind_of(p), p->group[0] != '\0' ? ": " : "", p->group);
  report_result("  %-20s %s", p->name, p->about);
  report_begin();
  report_text("kind", kind_of(p));
  report_text("name", p->name);
  report_text("group", p->group);
  report_text("about", p->about);
  report_text("path", row->path);
  report_end();
}

static int list_all(void)
{
  mw_error error;
  listing l = {0};
  mw_status status = mw_presets_list(collect, &l, &error);
  int code = report_status(status, &error);
  if (l.failed) {
    report_error("out of memory");
    code = EXIT_FAILED;
  }
  if (code == EXIT_GOOD && l.count > 0) {
    qsort(l.rows, l.count, sizeof *l.rows, compare);
    for (size_t i = 0; i < l.count; i++) say_row(&l.rows[i], i > 0 ? &l.rows[i - 1] : NULL);
  }
  for (size_t i = 0; i < l.count; i++) free(l.rows[i].path);
  free(l.rows);
  return code;
}

// ---- one of them ----

static void say_text(const char *key, const char *value)
{
  if (value[0] == '\0') return;
  report_result("%s = %s", key, value);
  report_text(key, value);
}

static void say_number(const char *key, double value)
{
  report_result(value == floor(value) ? "%s = %.0f" : "%s = %g", key, value);
  report_number(key, value);
}

// As it would stand in its file, every control included.
static void show(const mw_preset *p)
{
  report_result("# %s (%s)", p->name, kind_of(p));
  report_begin();
  report_text("kind", kind_of(p));
  report_text("name", p->name);
  say_text("group", p->group);
  say_text("about", p->about);
  say_text("model", p->model);
  if (p->kind == MW_PRESET_VOICE) {
    say_text("voice", p->voice);
    say_number("pitch", (double)p->controls.pitch);
    say_number("mix", (double)p->controls.mix);
    say_number("gate", (double)p->controls.gate_db);
    say_number("gain", (double)p->controls.gain_db);
  } else {
    say_text("prompt", p->prompt);
    say_text("negative", p->negative);
    say_number("seed", (double)p->seed);
    if (p->seconds > 0.0) say_number("seconds", p->seconds);
    if (p->steps > 0) say_number("steps", p->steps);
    say_text("loop", p->loop ? "yes" : "no");
    if (p->has_loudness) say_number("loudness", p->loudness_lufs);
  }
  report_end();
}

static int show_all(const arguments *a)
{
  mw_error error;
  mw_preset preset;
  int code = EXIT_GOOD;
  for (size_t i = 1; i < a->file_count; i++) {
    mw_status status = mw_preset_open(&preset, a->files[i], &error);
    if (status == MW_OK)
      show(&preset);
    else
      code = report_status(status, &error);
  }
  return code;
}

static int render(const arguments *a)
{
  mw_error error;
  mw_preset preset;
  mw_status status = mw_preset_open(&preset, a->files[1], &error);
  if (status != MW_OK) return report_status(status, &error);
  if (preset.kind == MW_PRESET_SOUND && a->file_count > 2) {
    report_error("'%s' is the preset of a sound and takes no recording", a->files[1]);
    return EXIT_USAGE;
  }
  if (preset.kind == MW_PRESET_SOUND) return generate_sounds(a, &preset);
  if (a->file_count == 2) {
    report_error("'%s' is the preset of a voice: say what it is to speak", a->files[1]);
    return EXIT_USAGE;
  }
  return convert_files(a, a->files + 2, a->file_count - 2, &preset);
}

static int run(const arguments *a)
{
  const char *action = a->file_count > 0 ? a->files[0] : "";
  if (strcmp(action, "list") == 0 && a->file_count == 1) return list_all();
  if (strcmp(action, "show") == 0 && a->file_count > 1) return show_all(a);
  if (strcmp(action, "render") == 0 && a->file_count > 1) return render(a);
  report_error(
      "say what to do: meanwave presets list, show NAME, or render NAME in.wav -o out.wav");
  return EXIT_USAGE;
}

const verb presets_verb = {"presets", "lists, shows and renders presets",
                           "list | show NAME... | render NAME [FILE...]", options, run};
