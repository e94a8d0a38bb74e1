// SPDX-License-Identifier: GPL-3.0-or-later
//
// meanwave models info FILE...              what is in files of weights
// meanwave models import FILES... -o NAME   one bundle of them
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "models.h"
#include "report.h"

static const option options[] = {
    {"output", 'o', OPTION_TEXT, "FILE", "import: the bundle to write", 0, 0},
    {"dtype", 0, OPTION_TEXT, "TYPE", "import: matrices as f32 (default), f16, bf16 or int8", 0, 0},
    {"name", 0, OPTION_TEXT, "TEXT", "import: its name for people", 0, 0},
    {"licence", 0, OPTION_TEXT, "TEXT", "import: the licence of the weights", 0, 0},
    {"yes", 'y', OPTION_FLAG, NULL, "import: replace an existing file", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

static int exit_code(mw_status status)
{
  bool model = status == MW_ERROR_FORMAT || status == MW_ERROR_MODEL || status == MW_ERROR_IO;
  return model ? EXIT_MODEL : EXIT_FAILED;
}

static void print_problem(void *context, const char *line)
{
  (void)context;
  report_note("%s", line);
}

static void print_entry(const char *key, const char *value)
{
  report_result("%s: %s", key, value);
}

static void print_summary(const mw_model_file *file, size_t bytes)
{
  static const char *const keys[] = {"family", "name",   "licence",      "config",
                                     "parts",  "source", "source_sha256"};
  const char *kind = mw_model_file_kind(file);
  report_result("%zu tensors, %.1f MB", mw_model_file_count(file), (double)bytes / 1e6);
  if (kind != NULL && mw_model_file_is_full_size(file)) report_result("network: %s", kind);
  if (kind != NULL && !mw_model_file_is_full_size(file))
    report_result("network: %s is nearest, of other sizes: %s", kind, mw_model_file_sizes(file));
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const char *value = mw_model_file_metadata(file, keys[i]);
    if (value != NULL) print_entry(keys[i], value);
  }
}

static int info(const char *path)
{
  mw_model_file *file = NULL;
  mw_tensor_info tensor;
  mw_error error;
  size_t bytes = 0;
  mw_status status = mw_model_file_open(&file, path, &error);
  if (status != MW_OK) {
    report_error("%s", error.text);
    return exit_code(status);
  }
  report_result("%s", path);
  for (size_t i = 0; mw_model_file_tensor(file, i, &tensor); i++) {
    char shape[192] = "";
    size_t at = 0;
    for (unsigned d = 0; d < tensor.rank && at < sizeof shape; d++)
      at +=
          (size_t)snprintf(shape + at, sizeof shape - at, d > 0 ? ", %zu" : "%zu", tensor.shape[d]);
    report_result("  %-4s %-20s %s", tensor.type, shape, tensor.name);
    report_begin();
    report_text("name", tensor.name);
    report_text("dtype", tensor.type);
    report_sizes("shape", tensor.shape, tensor.rank);
    report_number("bytes", (double)tensor.bytes);
    report_end();
    bytes += tensor.bytes;
  }
  print_summary(file, bytes);
  size_t problems = mw_model_file_problems(file, print_problem, NULL);
  mw_model_file_close(file);
  return problems == 0 ? EXIT_GOOD : EXIT_MODEL;
}

bool models_read_type(const arguments *a, mw_weight_type *type)
{
  static const char *const names[] = {"f32", "f16", "bf16", "int8"};
  const char *text = arguments_text(a, "dtype", "f32");
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(text, names[i]) != 0) continue;
    *type = (mw_weight_type)i;
    return true;
  }
  report_error("--dtype is f32, f16, bf16 or int8");
  return false;
}

// Then what could not be read or written is the bundle.
static bool all_readable(const mw_model_import *wish)
{
  for (size_t i = 0; i < wish->count; i++)
    if (access(wish->paths[i], R_OK) != 0) return false;
  return true;
}

static int import(const arguments *a)
{
  mw_model_import wish = {
      .paths = a->files + 1,
      .count = a->file_count - 1,
      .output = arguments_text(a, "output", NULL),
      .name = arguments_text(a, "name", NULL),
      .licence = arguments_text(a, "licence", NULL),
      .overwrite = arguments_has(a, "yes"),
  };
  mw_error error;
  if (wish.output == NULL || wish.count == 0) {
    report_error("say what to import and where: meanwave models import FILES... -o NAME");
    return EXIT_USAGE;
  }
  if (!models_read_type(a, &wish.type)) return EXIT_USAGE;
  mw_status status = mw_models_import(&wish, &error);
  if (status != MW_OK) {
    report_error("%s", error.text);
    return status == MW_ERROR_IO && all_readable(&wish) ? EXIT_FAILED : exit_code(status);
  }
  report_note("wrote %s", wish.output);
  report_begin();
  report_text("output", wish.output);
  report_end();
  return EXIT_GOOD;
}

static int run(const arguments *a)
{
  if (a->file_count >= 2 && strcmp(a->files[0], "info") == 0) {
    int code = EXIT_GOOD;
    for (size_t i = 1; i < a->file_count; i++) {
      int one = info(a->files[i]);
      if (one != EXIT_GOOD) code = one;
    }
    return code;
  }
  if (a->file_count >= 1 && strcmp(a->files[0], "import") == 0) return import(a);
  report_error("say what to do: meanwave models info FILE..., or import FILES... -o NAME");
  return EXIT_USAGE;
}

const verb models_verb = {"models", "shows and imports model files",
                          "info FILE... | import FILES... -o NAME", options, run};
