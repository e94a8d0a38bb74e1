// SPDX-License-Identifier: GPL-3.0-or-later
#include <string.h>

#include "commands.h"
#include "models.h"
#include "report.h"

static const option options[] = {
    {"repeat", 0, OPTION_WHOLE, "N",
     "best of N timings a row (default 12; sound 1); chunks of a voice (default 300)", 1, 100000},
    {"size", 0, OPTION_TEXT, "NAME",
     "voice: meanvc (default), meanvc2-120, meanvc2-40 or default; sound: s (default), l or "
     "default",
     0, 0},
    {"dtype", 0, OPTION_TEXT, "TYPE",
     "weights of the published sizes: f32 (default), f16, bf16 or int8", 0, 0},
    {"steps", 0, OPTION_WHOLE, "N", "mean-flow steps of a voice (default 1)", 1, 16},
    {"seconds", 0, OPTION_NUMBER, "S", "of sound (default 10)", 0.1, 600},
    {"threads", 0, OPTION_WHOLE, "N", "of sound (default: one per core)", 1, 64},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

static void print_row(void *context, const mw_bench_row *row)
{
  (void)context;
  if (row->openblas_gflops > 0.0)
    report_result("%-10s %-28s %8.1f GFLOP/s %6.2f of peak   OpenBLAS %6.1f (x %.2f)", row->name,
                  row->shape, row->gflops, row->share_of_peak, row->openblas_gflops,
                  row->gflops / row->openblas_gflops);
  else
    report_result("%-10s %-28s %8.1f GFLOP/s %6.2f of peak", row->name, row->shape, row->gflops,
                  row->share_of_peak);
  report_begin();
  report_text("name", row->name);
  report_text("shape", row->shape);
  report_number("gflops", row->gflops);
  report_number("share_of_peak", row->share_of_peak);
  if (row->openblas_gflops > 0.0) report_number("openblas_gflops", row->openblas_gflops);
  report_end();
}

static mw_status run_kernels(const arguments *a, mw_weight_type type, mw_error *error)
{
  (void)type;
  return mw_bench_kernels((unsigned)arguments_number(a, "repeat", 12), print_row, NULL, error);
}

static void print_stage(void *context, const mw_bench_stage *stage)
{
  (void)context;
  report_result("%-10s RTF %.4f   median %7.3f ms   99.9 %% %7.3f ms", stage->name, stage->rtf,
                stage->median_ms, stage->p999_ms);
  report_begin();
  report_text("name", stage->name);
  report_number("rtf", stage->rtf);
  report_number("median_ms", stage->median_ms);
  report_number("p999_ms", stage->p999_ms);
  report_end();
}

static mw_status run_voice(const arguments *a, mw_weight_type type, mw_error *error)
{
  const mw_bench_voice_wish wish = {.size = arguments_text(a, "size", "meanvc"),
                                    .steps = (unsigned)arguments_number(a, "steps", 1),
                                    .chunks = (unsigned)arguments_number(a, "repeat", 300),
                                    .type = type};
  return mw_bench_voice(&wish, print_stage, NULL, error);
}

static void print_sound(void *context, const mw_bench_sound_row *row)
{
  (void)context;
  report_result(
      "%-12s %8.3f s   RTF %.4f   processor %8.3f s   peak %6.1f MB beyond the model's %.0f",
      row->name, row->seconds, row->rtf, row->cpu_seconds, row->peak_mb, row->model_mb);
  report_begin();
  report_text("name", row->name);
  report_number("seconds", row->seconds);
  report_number("rtf", row->rtf);
  report_number("cpu_seconds", row->cpu_seconds);
  report_number("peak_mb", row->peak_mb);
  report_number("model_mb", row->model_mb);
  report_end();
}

static mw_status run_sound(const arguments *a, mw_weight_type type, mw_error *error)
{
  mw_bench_sound_wish wish = {.size = arguments_text(a, "size", "s"),
                              .seconds = arguments_number(a, "seconds", 10.0),
                              .threads = (unsigned)arguments_number(a, "threads", 0),
                              .repeat = (unsigned)arguments_number(a, "repeat", 1),
                              .type = type};
  return mw_bench_sound(&wish, print_sound, NULL, error);
}

// What can be measured: a line for each.
static const struct {
  const char *name;
  mw_status (*run)(const arguments *a, mw_weight_type type, mw_error *error);
} benches[] = {
    {"kernels", run_kernels},
    {"sound", run_sound},
    {"voice", run_voice},
};

static int run(const arguments *a)
{
  mw_error error;
  mw_weight_type type;
  if (!models_read_type(a, &type)) return EXIT_USAGE;
  for (size_t i = 0; a->file_count == 1 && i < sizeof benches / sizeof benches[0]; i++) {
    if (strcmp(a->files[0], benches[i].name) != 0) continue;
    mw_status status = benches[i].run(a, type, &error);
    int code = report_status(status, &error);
    return status == MW_ERROR_ARGUMENT ? EXIT_USAGE : code;
  }
  report_error("say what to measure: meanwave bench kernels|sound|voice");
  return EXIT_USAGE;
}

const verb bench_verb = {"bench", "measures how fast this machine computes", "kernels|sound|voice",
                         options, run};
