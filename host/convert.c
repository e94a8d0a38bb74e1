// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "convert.h"
#include "gather.h"
#include "meanwave.h"
#include "report.h"
#include "shared_options.h"

static const option options[] = {
    TARGET_OPTIONS,
    {"input", 'i', OPTION_FILE, "FILE", "what is converted; the same as by position", 0, 0},
    {"output", 'o', OPTION_TEXT, "PLACE",
     "a file (.wav, .flac, .aiff, .ogg), a folder (DIR/) or - for standard output", 0, 0},
    CONTROL_OPTIONS,
    {"channel", 'c', OPTION_TEXT, "N|mix", "which channel is converted (default: the mean of all)",
     0, 0},
    {"recursive", 'r', OPTION_FLAG, NULL, "take the sound files of folders and below", 0, 0},
    {"format", 'f', OPTION_TEXT, "NAME",
     "wav, flac, aiff or ogg in an output folder (default: as the input)", 0, 0},
    {"jobs", 'j', OPTION_WHOLE, "N", "files at once (default: one for each processor)", 1, 64},
    {"resume", 0, OPTION_FLAG, NULL, "leave out what an earlier run has finished", 0, 0},
    {"raw", 0, OPTION_TEXT, "FORM",
     "what - stands for: s16le:RATE[:CHANNELS], also s24le, s32le, f32le", 0, 0},
    RUN_OPTIONS,
    GUESS_AHEAD_OPTION,
    {"published-loop", 0, OPTION_FLAG, NULL,
     "MeanVC 2: the authors' loop in blocks of 160 ms, to compare with their code", 0, 0},
    VOICE_MODEL_OPTIONS,
    {"yes", 'y', OPTION_FLAG, NULL, "overwrite", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

typedef struct {
  mw_conversion how;
  bool overwrite;
} order;

static mw_status convert_one(void *context, const batch_item *item,
                             bool (*progress)(void *, double), void *progress_context,
                             mw_error *error)
{
  const order *o = context;
  mw_conversion how = o->how;
  how.progress = progress;
  how.context = progress_context;
  return mw_convert_file(&how, item->input, item->output, o->overwrite, error);
}

// 0 for the mean of all; -1 for nonsense.
static int read_channel(const char *text)
{
  char *end;
  if (strcmp(text, "mix") == 0) return 0;
  long number = strtol(text, &end, 10);
  return end != text && *end == '\0' && number >= 1 && number <= 64 ? (int)number : -1;
}

// What is wrong with the command line, or NULL.
static const char *find_misuse(const arguments *a, size_t count, const char *output,
                               const char *voice)
{
  static const char *const formats[] = {"wav", "flac", "aiff", "ogg"};
  const char *format = arguments_text(a, "format", "wav");
  bool known = false;
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
    known = known || strcmp(format, formats[i]) == 0;
  if (count == 0 || output == NULL || voice == NULL)
    return "say what becomes what: meanwave convert --voice VOICE in.wav -o out.wav";
  if (!known) return "--format is wav, flac, aiff or ogg";
  if (read_channel(arguments_text(a, "channel", "mix")) < 0)
    return "--channel is mix, or a number from 1";
  if (strcmp(output, "-") == 0 && report_json())
    return "--json and the sound cannot both go to standard output";
  if (strcmp(output, "-") == 0 && isatty(STDOUT_FILENO))
    return "standard output is a terminal: name a file with -o, or send it through a pipe";
  if (arguments_has(a, "guess-ahead") && arguments_has(a, "published-loop"))
    return "--guess-ahead and --published-loop exclude each other";
  return NULL;
}

static int convert_all(batch *b, order *o, const arguments *a, const char *voice,
                       const mw_preset *preset)
{
  mw_error error;
  char cache[4096];
  mw_voice_model *model = NULL;
  mw_voice *target = NULL;
  int code = EXIT_GOOD;
  mw_status status = open_voice_model(&model, a, preset, &error);
  if (status == MW_OK)
    status = mw_voice_open(&target, model, voice, mw_voice_cache(cache, sizeof cache), &error);
  if (status == MW_OK) {
    o->how.model = model;
    o->how.voice = target;
    code = batch_run(b);
  } else {
    code = report_status(status, &error);
  }
  mw_voice_close(target);
  mw_voice_model_close(model);
  return code;
}

int convert_files(const arguments *a, const char *const *files, size_t count,
                  const mw_preset *preset)
{
  char line[512];
  bool piped = count == 1 && strcmp(files[0], "-") == 0;
  const char *output = arguments_text(a, "output", piped ? "-" : NULL);
  const char *voice = arguments_text(a, "voice", preset != NULL ? preset->voice : NULL);
  const char *misuse = find_misuse(a, count, output, voice);
  if (misuse != NULL) {
    report_error("%s", misuse);
    return EXIT_USAGE;
  }
  order o = {.overwrite = arguments_has(a, "yes")};
  o.how.seed = (uint64_t)arguments_number(a, "seed", 42);
  o.how.published_loop = arguments_has(a, "published-loop");
  o.how.guess_ahead = arguments_has(a, "guess-ahead");
  o.how.channel = (unsigned)read_channel(arguments_text(a, "channel", "mix"));
  o.how.raw = arguments_text(a, "raw", NULL);
  o.how.controls = preset != NULL ? preset->controls : MW_VOICE_CONTROLS;
  read_controls(&o.how.controls, a);
  batch b = {.jobs = (size_t)arguments_number(a, "jobs", batch_processors()),
             .skip_made = arguments_has(a, "resume"),
             .what = "converting",
             .work = convert_one,
             .context = &o};
  gathering g = {.inputs = files,
                 .count = count,
                 .output = output,
                 .format = arguments_text(a, "format", NULL),
                 .recursive = arguments_has(a, "recursive")};
  int code = EXIT_USAGE;
  if (gather(&b, &g, line, sizeof line))
    code = convert_all(&b, &o, a, voice, preset);
  else
    report_error("%s", line);
  batch_free(&b);
  return code;
}

static int run(const arguments *a)
{
  mw_preset room;
  const mw_preset *preset;
  int code = open_named_preset(&preset, &room, a, MW_PRESET_VOICE);
  return code == EXIT_GOOD ? convert_files(a, a->files, a->file_count, preset) : code;
}

const verb convert_verb = {"convert", "makes recordings sound like another voice", "FILE...",
                           options, run};
