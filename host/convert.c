// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "meanwave.h"
#include "places.h"
#include "report.h"

static const option options[] = {
    {"voice", 'V', OPTION_TEXT, "VOICE", "the target: a voice of the model, or a recording of one",
     0, 0},
    {"output", 'o', OPTION_TEXT, "FILE", "where the result goes (.wav, .flac, .aiff, .ogg)", 0, 0},
    {"steps", 0, OPTION_WHOLE, "N", "mean-flow steps (default 1)", 1, 16},
    {"mix", 0, OPTION_NUMBER, "SHARE", "of the converted sound against the input (default 1)", 0,
     1},
    {"seed", 0, OPTION_WHOLE, "N", "noise to start from (default 42)", 0, 4294967295.0},
    {"model", 'm', OPTION_TEXT, "PATH", "a voice bundle, or a folder of published files", 0, 0},
    {"vocoder", 0, OPTION_TEXT, "FILE", "a vocoder bundle", 0, 0},
    {"yes", 'y', OPTION_FLAG, NULL, "overwrite", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

static int run(const arguments *a)
{
  mw_error error;
  char cache[4096];
  mw_voice_model *model = NULL;
  mw_voice *target = NULL;
  const char *voice = arguments_text(a, "voice", NULL);
  const char *output = arguments_text(a, "output", NULL);
  if (a->file_count != 1 || output == NULL || voice == NULL) {
    report_error("say what becomes what: meanwave convert --voice VOICE in.wav -o out.wav");
    return EXIT_USAGE;
  }
  mw_status status = places_open_voice_model(&model, a, &error);
  if (status == MW_OK) {
    status = mw_voice_open(&target, model, voice, mw_voice_cache(cache, sizeof cache), &error);
    mw_conversion how = {.model = model,
                         .voice = target,
                         .seed = (uint64_t)arguments_number(a, "seed", 42),
                         .mix = (float)arguments_number(a, "mix", 1.0)};
    if (status == MW_OK)
      status = mw_convert_file(&how, a->files[0], output, arguments_has(a, "yes"), &error);
    if (status == MW_OK) report_note("%s", output);
  }
  mw_voice_close(target);
  mw_voice_model_close(model);
  return report_status(status, &error);
}

const verb convert_verb = {"convert", "makes a recording sound like another voice", "FILE", options,
                           run};
