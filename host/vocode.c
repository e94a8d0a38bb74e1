// SPDX-License-Identifier: GPL-3.0-or-later
#include "commands.h"
#include "meanwave.h"
#include "report.h"

static const option options[] = {
    {"input", 'i', OPTION_FILE, "FILE", "what is vocoded; the same as by position", 0, 0},
    {"output", 'o', OPTION_TEXT, "FILE", "where the result goes (.wav, .flac, .aiff, .ogg)", 0, 0},
    {"model", 'm', OPTION_TEXT, "FILE", "a vocoder: our bundle or vocos.pt", 0, 0},
    {"yes", 'y', OPTION_FLAG, NULL, "overwrite", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

static int run(const arguments *a)
{
  char path[4096];
  mw_error error;
  mw_status status = MW_OK;
  const char *model = arguments_text(a, "model", NULL);
  const char *output = arguments_text(a, "output", NULL);
  if (a->file_count != 1 || output == NULL) {
    report_error("say what goes where: meanwave vocode in.wav -o out.wav");
    return EXIT_USAGE;
  }
  if (model == NULL) {
    status = mw_find_model(path, sizeof path, "vocoder.safetensors", &error);
    model = path;
  }
  if (status == MW_OK)
    status = mw_copy_synthesis(model, a->files[0], output, arguments_has(a, "yes"), &error);
  if (status == MW_OK) {
    report_note("%s", output);
    report_begin();
    report_text("input", a->files[0]);
    report_text("output", output);
    report_end();
  }
  return report_status(status, &error);
}

const verb vocode_verb = {"vocode", "analyses a sound and makes it again with the vocoder alone",
                          "FILE", options, run};
