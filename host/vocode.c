// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "meanwave.h"
#include "report.h"

static const option options[] = {
    {"output", 'o', OPTION_TEXT, "FILE", "where the result goes (.wav, .flac, .aiff, .ogg)", 0, 0},
    {"model", 'm', OPTION_TEXT, "FILE", "a vocoder: our bundle or vocos.pt", 0, 0},
    {"yes", 'y', OPTION_FLAG, NULL, "overwrite", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

// The default vocoder: $MEANWAVE_MODELS, the user's data, the system's.
static bool find_default(char *path, size_t size)
{
  static const char file[] = "vocoder.safetensors";
  const char *chosen = getenv("MEANWAVE_MODELS");
  const char *data = getenv("XDG_DATA_HOME");
  const char *home = getenv("HOME");
  if (chosen != NULL && snprintf(path, size, "%s/%s", chosen, file) < (int)size &&
      access(path, R_OK) == 0)
    return true;
  int length = data != NULL && data[0] == '/'
                   ? snprintf(path, size, "%s/meanwave/models/%s", data, file)
                   : snprintf(path, size, "%s/.local/share/meanwave/models/%s",
                              home != NULL ? home : "", file);
  if (length < (int)size && access(path, R_OK) == 0) return true;
  return snprintf(path, size, "%s/models/%s", MW_DATA_DIR, file) < (int)size &&
         access(path, R_OK) == 0;
}

static int run(const arguments *a)
{
  char path[4096];
  const char *model = arguments_text(a, "model", NULL);
  const char *output = arguments_text(a, "output", NULL);
  if (a->file_count != 1 || output == NULL) {
    report_error("say what goes where: meanwave vocode in.wav -o out.wav");
    return EXIT_USAGE;
  }
  if (model == NULL) {
    if (!find_default(path, sizeof path)) {
      report_error(
          "no vocoder.safetensors in $MEANWAVE_MODELS, the user's data or %s/models; name one "
          "with --model",
          MW_DATA_DIR);
      return EXIT_MODEL;
    }
    model = path;
  }
  mw_error error;
  mw_status status = mw_copy_synthesis(model, a->files[0], output, arguments_has(a, "yes"), &error);
  if (status != MW_OK) {
    report_error("%s", error.text);
    return status == MW_ERROR_MODEL ? EXIT_MODEL : EXIT_FAILED;
  }
  report_note("%s", output);
  return EXIT_GOOD;
}

const verb vocode_verb = {"vocode", "analyses a sound and makes it again with the vocoder alone",
                          "FILE", options, run};
