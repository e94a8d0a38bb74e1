// SPDX-License-Identifier: GPL-3.0-or-later
//
// meanwave generate: prompts to sound files.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "generate.h"
#include "meanwave.h"
#include "report.h"
#include "shared_options.h"
#include "sound_list.h"

static const option options[] = {
    {"prompt", 'p', OPTION_TEXT, "TEXT", "what is to be heard", 0, 0},
    {"preset", 'P', OPTION_TEXT, "NAME",
     "all of a preset, or of a .preset file; other options override it", 0, 0},
    {"output", 'o', OPTION_TEXT, "PLACE",
     "a file (.wav, .flac, .aiff, .ogg), a folder (DIR/) or - for standard output", 0, 0},
    {"seconds", 't', OPTION_NUMBER, "N", "length (default: the model's own)", MW_SOUND_SHORTEST,
     MW_SOUND_LONGEST},
    {"seed", 's', OPTION_WHOLE, "N", "noise to start from (default 42)", 0, MW_SOUND_SEEDS - 1},
    {"count", 'n', OPTION_WHOLE, "N", "variations, by consecutive seeds (default 1)", 1, 100000},
    {"steps", 0, OPTION_WHOLE, "N", "of the flow (default: the model's own, mostly 1)", 1,
     MW_SOUND_MOST_STEPS},
    {"negative", 0, OPTION_TEXT, "TEXT", "what is not to be heard, for models with guidance", 0, 0},
    {"guidance", 0, OPTION_NUMBER, "N",
     "how far from the negative prompt (default: the model's own; up to 1: not at all)", 0, 100},
    {"from", 0, OPTION_TEXT, "FILE", "a sound to start from, instead of noise alone", 0, 0},
    {"strength", 0, OPTION_NUMBER, "SHARE", "of noise in the sound to start from (default 0.6)",
     0.001, 1},
    {"morph-prompt", 0, OPTION_TEXT, "TEXT", "a second prompt, to go towards", 0, 0},
    {"morph-seed", 0, OPTION_WHOLE, "N", "a second seed, to go towards", 0, MW_SOUND_SEEDS - 1},
    {"morph", 0, OPTION_NUMBER, "SHARE", "of the way to the second prompt or seed (default 0.5)", 0,
     1},
    {"loop", 'l', OPTION_FLAG, NULL, "the end runs into the beginning without a seam", 0, 0},
    {"loudness", 0, OPTION_NUMBER, "LUFS", "sets the loudness (EBU R128), peaks below --peak", -70,
     0},
    {"peak", 0, OPTION_NUMBER, "DB",
     "sets the peak; the highest with --loudness (default -1); without both, at most 0", -70, 0},
    {"fade-in", 0, OPTION_NUMBER, "SECONDS", "of the beginning", 0, MW_SOUND_LONGEST},
    {"fade-out", 0, OPTION_NUMBER, "SECONDS", "of the end", 0, MW_SOUND_LONGEST},
    {"rate", 'r', OPTION_WHOLE, "HZ", "of the file (default: the model's own, 16000)", 1000,
     768000},
    {"format", 'f', OPTION_TEXT, "NAME", "wav, flac, aiff or ogg in a folder (default wav)", 0, 0},
    {"prompts", 0, OPTION_TEXT, "FILE", "prompts, one a line; - for standard input", 0, 0},
    {"shard", 0, OPTION_TEXT, "I/N", "makes only the I-th of N shares of all sounds", 0, 0},
    {"resume", 0, OPTION_FLAG, NULL, "leave out what an earlier run has made", 0, 0},
    {"jobs", 0, OPTION_WHOLE, "N", "sounds at once (default 1)", 1, 64},
    {"threads", 'j', OPTION_WHOLE, "N", "of each sound (default: one for each core)", 1, 64},
    {"model", 'm', OPTION_TEXT, "PATH",
     "a sound bundle, a folder of published files, or a transformer in one", 0, 0},
    {"vocoder", 0, OPTION_TEXT, "FILE", "a vocoder bundle, where the model is a bundle", 0, 0},
    {"yes", 'y', OPTION_FLAG, NULL, "overwrite", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

typedef struct {
  const mw_sound_model *model;
  const batch *b;
  const uint64_t *seeds; // [b->count]
  uint64_t first_seed;   // of all shares
  mw_sound_wish wish;
  mw_sound_finish finish;
  bool overwrite;
} order;

static mw_status generate_one(void *context, const batch_item *item,
                              bool (*progress)(void *, double), void *progress_context,
                              mw_error *error)
{
  const order *o = context;
  mw_sound_wish wish = o->wish;
  wish.prompt = item->input;
  wish.seed = o->seeds[item - o->b->items];
  // variations of a morph between seeds change both
  wish.morph_seed += wish.seed - o->first_seed;
  wish.progress = progress;
  wish.context = progress_context;
  return mw_sound_generate_file(o->model, &wish, &o->finish, item->output, o->overwrite, error);
}

// ---- The command line ----

static bool known_format(const char *format)
{
  static const char *const formats[] = {"wav", "flac", "aiff", "ogg"};
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
    if (strcmp(format, formats[i]) == 0) return true;
  return false;
}

static const char *prompt_of(const arguments *a, const mw_preset *p)
{
  return arguments_text(a, "prompt", p != NULL ? p->prompt : NULL);
}

static uint64_t first_seed(const arguments *a, const mw_preset *p)
{
  return (uint64_t)arguments_number(a, "seed", p != NULL ? (double)p->seed : 42);
}

// What is wrong with the command line, or NULL.
static const char *find_misuse(const arguments *a, const mw_preset *p, const char *output)
{
  double last = (double)first_seed(a, p) + arguments_number(a, "count", 1);
  bool has_prompts = arguments_has(a, "prompts");
  bool morphs = arguments_has(a, "morph-prompt") || arguments_has(a, "morph-seed");
  bool fades = arguments_has(a, "fade-in") || arguments_has(a, "fade-out");
  if (output == NULL || (has_prompts ? arguments_has(a, "prompt") : prompt_of(a, p) == NULL))
    return "say what is to be heard and where it goes: meanwave generate --prompt TEXT -o out.wav";
  if (!known_format(arguments_text(a, "format", "wav")))
    return "--format is wav, flac, aiff or ogg";
  if (last > MW_SOUND_SEEDS) return "--seed and --count go beyond the last seed, 4294967295";
  if (arguments_number(a, "morph-seed", 0) + arguments_number(a, "count", 1) > MW_SOUND_SEEDS)
    return "--morph-seed and --count go beyond the last seed, 4294967295";
  if (arguments_has(a, "morph") && !morphs)
    return "--morph wants something to go towards: --morph-prompt or --morph-seed";
  if (arguments_has(a, "strength") && !arguments_has(a, "from"))
    return "--strength is of the sound that --from names";
  if ((arguments_has(a, "loop") || (p != NULL && p->loop)) && fades)
    return "a loop has no ends to fade";
  if (strcmp(output, "-") == 0 && report_json())
    return "--json and the sound cannot both go to standard output";
  if (strcmp(output, "-") == 0 && isatty(STDOUT_FILENO))
    return "standard output is a terminal: name a file with -o, or send it through a pipe";
  return NULL;
}

static void read_wish(mw_sound_wish *w, const arguments *a, const mw_preset *p)
{
  bool has_negative = p != NULL && p->negative[0] != '\0';
  *w = (mw_sound_wish){
      .negative = arguments_text(a, "negative", has_negative ? p->negative : NULL),
      .guidance = arguments_number(a, "guidance", 0.0),
      .steps = (unsigned)arguments_number(a, "steps", p != NULL ? (double)p->steps : 0),
      .seconds = arguments_number(a, "seconds", p != NULL ? p->seconds : 0.0),
      .loop = arguments_has(a, "loop") || (p != NULL && p->loop),
      .threads = (unsigned)arguments_number(a, "threads", 0),
      .strength = arguments_number(a, "strength", 0.0),
      .morph_prompt = arguments_text(a, "morph-prompt", NULL),
      .has_morph_seed = arguments_has(a, "morph-seed"),
      .morph_seed = (uint64_t)arguments_number(a, "morph-seed", 0),
      .morph = arguments_number(a, "morph", 0.5),
  };
  if (w->morph_prompt == NULL && !w->has_morph_seed) w->morph = 0.0;
  // 0 means the model's own there, and none here
  if (arguments_has(a, "guidance") && w->guidance == 0.0) w->guidance = 1.0;
}

static void read_finish(mw_sound_finish *f, const arguments *a, const mw_preset *p)
{
  bool has_loudness = p != NULL && p->has_loudness;
  *f = (mw_sound_finish){
      .rate_hz = (unsigned)arguments_number(a, "rate", 0),
      .loop = arguments_has(a, "loop") || (p != NULL && p->loop),
      .fade_in_seconds = arguments_number(a, "fade-in", 0.0),
      .fade_out_seconds = arguments_number(a, "fade-out", 0.0),
      .has_loudness = arguments_has(a, "loudness") || has_loudness,
      .loudness_lufs = arguments_number(a, "loudness", has_loudness ? p->loudness_lufs : 0.0),
      .has_peak = arguments_has(a, "peak") || arguments_has(a, "loudness") || has_loudness,
      .peak_db = arguments_number(a, "peak", -1.0),
  };
}

// ---- What the model makes of it ----

// A word where a prompt is not read as it was written. `prompt` is quoted where there are many.
static void tell_prompt(const mw_prompt_info *info, const char *prompt, bool many)
{
  const char *before = many ? prompt : "the prompt";
  if (info->unknown > 0)
    report_note("%s: the model does not know %zu of its words ('%s'%s)", before, info->unknown,
                info->example, info->unknown > 1 ? ", ..." : "");
  if (info->wanted > info->used)
    report_note("%s: only the first %zu of %zu tokens are read", before, info->used, info->wanted);
}

static bool check_prompts(const order *o, const prompt_list *list)
{
  mw_error error;
  mw_prompt_info info;
  for (size_t i = 0; i < list->count; i++) {
    if (mw_sound_prompt(o->model, list->prompts[i], &info, &error) != MW_OK) {
      if (list->count > 1)
        report_error("prompt %zu: %s", i + 1, error.text);
      else
        report_error("%s", error.text);
      return false;
    }
    tell_prompt(&info, list->prompts[i], list->count > 1);
  }
  return true;
}

static void tell_settings(const order *o)
{
  mw_sound_model_info about = mw_sound_model_about(o->model);
  double guidance = o->wish.guidance != 0.0 ? o->wish.guidance : about.guidance;
  double times = o->wish.seconds / about.trained_seconds;
  if (o->wish.negative != NULL && guidance <= 1.0)
    report_note("%s has its guidance built in: --negative has no say without --guidance",
                about.name);
  if (o->wish.seconds > 0.0 && (times < 0.5 || times > 2.0))
    report_note("%s was trained on sounds of %g s: far from it they may be less good", about.name,
                about.trained_seconds);
}

static int generate_all(batch *b, order *o, const prompt_list *list, const arguments *a,
                        const char *model_path)
{
  mw_error error;
  mw_sound from = {0};
  mw_sound_model *model = NULL;
  int code = EXIT_GOOD;
  mw_status status = mw_sound_model_open(&model, arguments_text(a, "model", model_path),
                                         arguments_text(a, "vocoder", NULL), &error);
  if (status != MW_OK) {
    report_error("%s", error.text);
    return status == MW_ERROR_MEMORY ? EXIT_FAILED : EXIT_MODEL;
  }
  o->model = model;
  if (arguments_has(a, "from")) {
    // more than the longest sound takes, with a loop's overlap
    status =
        mw_sound_read(&from, arguments_text(a, "from", NULL), 0, MW_SOUND_LONGEST + 2.0, &error);
    o->wish.from = &from;
  }
  if (status != MW_OK) {
    code = report_status(status, &error);
  } else if (!check_prompts(o, list)) {
    code = EXIT_USAGE;
  } else {
    tell_settings(o);
    code = batch_run(b);
  }
  mw_sound_free(&from);
  mw_sound_model_close(model);
  return code;
}

static bool read_prompts(prompt_list *list, const arguments *a, const mw_preset *p, char *line,
                         size_t size)
{
  if (arguments_has(a, "prompts"))
    return prompt_list_read(list, arguments_text(a, "prompts", NULL), line, size);
  if (prompt_list_one(list, prompt_of(a, p))) return true;
  snprintf(line, size, "out of memory");
  return false;
}

int generate_sounds(const arguments *a, const mw_preset *preset)
{
  bool has_model = preset != NULL && preset->model[0] != '\0';
  char line[512];
  uint64_t *seeds = NULL;
  prompt_list prompts = {0};
  order o = {.overwrite = arguments_has(a, "yes")};
  const char *output = arguments_text(a, "output", NULL);
  const char *misuse = find_misuse(a, preset, output);
  if (misuse != NULL) {
    report_error("%s", misuse);
    return EXIT_USAGE;
  }
  batch b = {.jobs = (size_t)arguments_number(a, "jobs", 1),
             .skip_made = arguments_has(a, "resume"),
             .what = "generating",
             .work = generate_one,
             .context = &o};
  sound_list l = {.prompts = &prompts,
                  .seed = first_seed(a, preset),
                  .variations = (size_t)arguments_number(a, "count", 1),
                  .output = output,
                  .format = arguments_text(a, "format", "wav"),
                  .shard = 1,
                  .shards = 1};
  read_wish(&o.wish, a, preset);
  read_finish(&o.finish, a, preset);
  if (b.jobs > 1 && o.wish.threads == 0) // the processors are shared out
    o.wish.threads = b.jobs < batch_processors() ? batch_processors() / (unsigned)b.jobs : 1;
  int code = EXIT_USAGE;
  if (!sound_list_shard(&l, arguments_text(a, "shard", "1/1")))
    report_error("--shard wants the share and their number, as 1/8 to 8/8");
  else if (!read_prompts(&prompts, a, preset, line, sizeof line) ||
           !sound_list_fill(&l, &b, &seeds, line, sizeof line))
    report_error("%s", line);
  else {
    o.b = &b;
    o.seeds = seeds;
    o.first_seed = l.seed;
    code = generate_all(&b, &o, &prompts, a, has_model ? preset->model : NULL);
  }
  batch_free(&b);
  prompt_list_free(&prompts);
  free(seeds);
  return code;
}

static int run(const arguments *a)
{
  mw_preset room;
  const mw_preset *preset;
  if (a->file_count > 0) {
    report_error("a prompt goes behind --prompt, in quotes");
    return EXIT_USAGE;
  }
  int code = open_named_preset(&preset, &room, a, MW_PRESET_SOUND);
  return code == EXIT_GOOD ? generate_sounds(a, preset) : code;
}

const verb generate_verb = {"generate", "makes sounds from a line of text", "--prompt TEXT -o FILE",
                            options, run};
