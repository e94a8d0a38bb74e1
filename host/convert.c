// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "meanwave.h"
#include "places.h"
#include "report.h"

static const option options[] = {
    {"voice", 'V', OPTION_TEXT, "VOICE", "the target: a voice of the model, or a recording of one",
     0, 0},
    {"output", 'o', OPTION_TEXT, "FILE", "where the result goes (.wav, .flac, .aiff, .ogg)", 0, 0},
    {"list", 'l', OPTION_FLAG, NULL, "list the voices of the model", 0, 0},
    {"steps", 0, OPTION_WHOLE, "N", "mean-flow steps (default 1)", 1, 16},
    {"seed", 0, OPTION_WHOLE, "N", "noise to start from (default 42)", 0, 4294967295.0},
    {"model", 'm', OPTION_TEXT, "PATH", "a voice bundle, or a folder of published files", 0, 0},
    {"vocoder", 0, OPTION_TEXT, "FILE", "a vocoder bundle", 0, 0},
    {"yes", 'y', OPTION_FLAG, NULL, "overwrite", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

static void print_voice(void *context, const char *name)
{
  (void)context;
  report_result("%s", name);
  report_begin();
  report_text("voice", name);
  report_end();
}

static int finish(mw_status status, const mw_error *error)
{
  if (status == MW_OK) return EXIT_GOOD;
  report_error("%s", error->text);
  return status == MW_ERROR_MODEL ? EXIT_MODEL : EXIT_FAILED;
}

static int run(const arguments *a)
{
  char model_path[4096];
  char vocoder_path[4096];
  mw_error error;
  mw_conversion how = {.model_path = arguments_text(a, "model", NULL),
                       .vocoder_path = arguments_text(a, "vocoder", NULL),
                       .voice = arguments_text(a, "voice", NULL),
                       .steps = (unsigned)arguments_number(a, "steps", 1),
                       .seed = (uint64_t)arguments_number(a, "seed", 42)};
  const char *output = arguments_text(a, "output", NULL);
  bool list = arguments_has(a, "list");
  if (!list && (a->file_count != 1 || output == NULL || how.voice == NULL)) {
    report_error("say what becomes what: meanwave convert --voice VOICE in.wav -o out.wav");
    return EXIT_USAGE;
  }
  if (how.model_path == NULL) {
    if (!places_find_model(model_path, sizeof model_path, "voice.safetensors")) return EXIT_MODEL;
    how.model_path = model_path;
  }
  if (list) return finish(mw_list_voices(how.model_path, print_voice, NULL, &error), &error);
  if (how.vocoder_path == NULL) {
    if (!places_find_model(vocoder_path, sizeof vocoder_path, "vocoder.safetensors"))
      return EXIT_MODEL;
    how.vocoder_path = vocoder_path;
  }
  mw_status status = mw_convert_file(&how, a->files[0], output, arguments_has(a, "yes"), &error);
  if (status == MW_OK) report_note("%s", output);
  return finish(status, &error);
}

const verb convert_verb = {"convert", "makes a recording sound like another voice", "FILE", options,
                           run};
