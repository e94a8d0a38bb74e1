// SPDX-License-Identifier: GPL-3.0-or-later
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "convert.h"
#include "gather.h"
#include "meanwave.h"
#include "report.h"

static const option options[] = {
    {"voice", 'V', OPTION_TEXT, "VOICE",
     "the target: a voice of the model, a .voice file or a recording", 0, 0},
    {"preset", 'P', OPTION_TEXT, "NAME",
     "voice and controls of a preset, or of a .preset file; options go before it", 0, 0},
    {"output", 'o', OPTION_TEXT, "PLACE",
     "a file (.wav, .flac, .aiff, .ogg), a folder (DIR/) or - for standard output", 0, 0},
    {"pitch", 'p', OPTION_NUMBER, "SEMITONES", "moves the pitch of the result (default 0)", -24,
     24},
    {"mix", 0, OPTION_NUMBER, "SHARE", "of the converted sound against the input (default 1)", 0,
     1},
    {"gate", 'g', OPTION_NUMBER, "DB", "silence where the input is softer (default: off)", -120, 0},
    {"gain", 0, OPTION_NUMBER, "DB", "of the result (default 0)", -60, 24},
    {"channel", 'c', OPTION_TEXT, "N|mix", "which channel is converted (default: the mean of all)",
     0, 0},
    {"recursive", 'r', OPTION_FLAG, NULL, "take the sound files of folders and below", 0, 0},
    {"format", 'f', OPTION_TEXT, "NAME",
     "wav, flac, aiff or ogg in an output folder (default: as the input)", 0, 0},
    {"jobs", 'j', OPTION_WHOLE, "N", "files at once (default: one for each processor)", 1, 64},
    {"resume", 0, OPTION_FLAG, NULL, "leave out what an earlier run has finished", 0, 0},
    {"raw", 0, OPTION_TEXT, "FORM",
     "what - stands for: s16le:RATE[:CHANNELS], also s24le, s32le, f32le", 0, 0},
    {"steps", 0, OPTION_WHOLE, "N",
     "mean-flow steps (default: as published, 1 or with MeanVC 2 two)", 1, 16},
    {"published-loop", 0, OPTION_FLAG, NULL,
     "MeanVC 2: the authors' loop in blocks of 160 ms, to compare with their code", 0, 0},
    {"seed", 0, OPTION_WHOLE, "N", "noise to start from (default 42)", 0, 4294967295.0},
    {"model", 'm', OPTION_TEXT, "PATH",
     "a voice bundle, a folder of published files, or the decoder in one", 0, 0},
    {"vocoder", 0, OPTION_TEXT, "FILE", "a vocoder bundle", 0, 0},
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
  return NULL;
}

void convert_read_controls(mw_voice_controls *c, const arguments *a)
{
  c->pitch = (float)arguments_number(a, "pitch", c->pitch);
  c->mix = (float)arguments_number(a, "mix", c->mix);
  c->gate_db = (float)arguments_number(a, "gate", c->gate_db);
  c->gain_db = (float)arguments_number(a, "gain", c->gain_db);
}

// That this process may use.
static double count_processors(void)
{
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static int convert_all(batch *b, order *o, const arguments *a, const char *voice,
                       const char *model_path)
{
  mw_error error;
  char cache[4096];
  mw_voice_model *model = NULL;
  mw_voice *target = NULL;
  int code = EXIT_GOOD;
  mw_status status = mw_voice_model_open(&model, arguments_text(a, "model", model_path),
                                         arguments_text(a, "vocoder", NULL),
                                         (unsigned)arguments_number(a, "steps", 1), &error);
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
  bool has_model = preset != NULL && preset->model[0] != '\0';
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
  o.how.channel = (unsigned)read_channel(arguments_text(a, "channel", "mix"));
  o.how.raw = arguments_text(a, "raw", NULL);
  o.how.controls = preset != NULL ? preset->controls : MW_VOICE_CONTROLS;
  convert_read_controls(&o.how.controls, a);
  batch b = {.jobs = (size_t)arguments_number(a, "jobs", count_processors()),
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
    code = convert_all(&b, &o, a, voice, has_model ? preset->model : NULL);
  else
    report_error("%s", line);
  batch_free(&b);
  return code;
}

static int run(const arguments *a)
{
  mw_error error;
  mw_preset preset;
  const char *name = arguments_text(a, "preset", NULL);
  mw_status status = name != NULL ? mw_preset_open(&preset, name, &error) : MW_OK;
  if (status != MW_OK) return report_status(status, &error);
  if (name != NULL && preset.kind != MW_PRESET_VOICE) {
    report_error("'%s' is the preset of a sound, not of a voice", name);
    return EXIT_USAGE;
  }
  return convert_files(a, a->files, a->file_count, name != NULL ? &preset : NULL);
}

const verb convert_verb = {"convert", "makes recordings sound like another voice", "FILE...",
                           options, run};
