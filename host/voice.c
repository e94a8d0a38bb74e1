// SPDX-License-Identifier: GPL-3.0-or-later
//
// meanwave voice list | show | make | mix: voices as files of their own.
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "meanwave.h"
#include "report.h"
#include "shared_options.h"

static const option options[] = {
    {"output", 'o', OPTION_TEXT, "FILE", "the .voice file to write", 0, 0},
    {"name", 'n', OPTION_TEXT, "NAME", "what it is called (default: the file's name)", 0, 0},
    {"consent", 0, OPTION_TEXT, "NOTE", "who allowed the use of this voice, and how", 0, 0},
    {"share", 0, OPTION_NUMBER, "SHARE", "of the second voice in a mix (default 0.5)", 0, 1},
    VOICE_MODEL_OPTIONS,
    {"yes", 'y', OPTION_FLAG, NULL, "overwrite", 0, 0},
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

static bool has_voice(const mw_voice_model *model, const char *name, size_t length)
{
  const char *own;
  for (size_t i = 0; (own = mw_voice_model_voice(model, i)) != NULL; i++)
    if (strlen(own) == length && memcmp(own, name, length) == 0) return true;
  return false;
}

// A file where voices lie, by the name that --voice takes: with its ending, where that alone is a
// voice of the model.
static void list_file(void *context, const char *path)
{
  char found[4096];
  const char *file = strrchr(path, '/') + 1;
  int length = (int)(strlen(file) - strlen(".voice"));
  if (mw_find_voice(found, sizeof found, file, NULL) != MW_OK || strcmp(found, path) != 0)
    return; // a nearer one of that name is taken
  char name[256];
  snprintf(name, sizeof name, "%.*s%s", length, file,
           has_voice(context, file, (size_t)length) ? ".voice" : "");
  report_result("%s  (own: %s)", name, path);
  report_begin();
  report_text("voice", name);
  report_text("own", path);
  report_end();
}

static void list(mw_voice_model *model)
{
  const char *name;
  for (size_t i = 0; (name = mw_voice_model_voice(model, i)) != NULL; i++) {
    report_result("%s", name);
    report_begin();
    report_text("voice", name);
    report_end();
  }
  mw_voice_files_list(list_file, model);
}

static mw_status show(const mw_voice_model *model, const arguments *a, const char *cache,
                      mw_error *error)
{
  mw_status status = MW_OK;
  for (size_t i = 1; status == MW_OK && i < a->file_count; i++) {
    mw_voice *voice = NULL;
    status = mw_voice_open(&voice, model, a->files[i], cache, error);
    if (status != MW_OK) break;
    const char *consent = mw_voice_consent(voice);
    const char *source = mw_voice_source(voice);
    report_result("%s", a->files[i]);
    report_result("  name: %s", mw_voice_name(voice));
    report_result("  reference: %.1f s", mw_voice_seconds(voice));
    report_result("  consent: %s", consent[0] != '\0' ? consent : "nothing is noted");
    if (source[0] != '\0') report_result("  source: sha256 %s", source);
    report_begin();
    report_text("file", a->files[i]);
    report_text("name", mw_voice_name(voice));
    report_number("reference_s", mw_voice_seconds(voice));
    report_text("consent", consent);
    report_text("source_sha256", source);
    report_end();
    mw_voice_close(voice);
  }
  return status;
}

static mw_status mix(mw_voice **mixed, const mw_voice_model *model, const arguments *a,
                     const char *cache, mw_error *error)
{
  mw_voice *first = NULL;
  mw_voice *second = NULL;
  mw_status status = mw_voice_open(&first, model, a->files[1], cache, error);
  if (status == MW_OK) status = mw_voice_open(&second, model, a->files[2], cache, error);
  if (status == MW_OK)
    status = mw_voice_mix(mixed, model, first, second, arguments_number(a, "share", 0.5), error);
  mw_voice_close(first);
  mw_voice_close(second);
  return status;
}

static mw_status write_voice(const mw_voice *voice, const arguments *a, mw_error *error)
{
  const char *output = arguments_text(a, "output", NULL);
  const char *consent = arguments_text(a, "consent", NULL);
  const char *name = arguments_text(a, "name", mw_voice_name(voice));
  mw_status status = mw_voice_save(voice, output, name, consent, arguments_has(a, "yes"), error);
  if (status != MW_OK) return status;
  report_note("%s: '%s', %.1f s of reference", output, name, mw_voice_seconds(voice));
  report_begin();
  report_text("output", output);
  report_text("name", name);
  report_number("reference_s", mw_voice_seconds(voice));
  report_end();
  if (consent == NULL && mw_voice_consent(voice)[0] == '\0')
    report_note("a voice belongs to a person: note with --consent who allowed its use");
  return MW_OK;
}

static int run(const arguments *a)
{
  char cache[4096];
  mw_error error;
  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  const char *action = a->file_count > 0 ? a->files[0] : "";
  bool lists = strcmp(action, "list") == 0 && a->file_count == 1;
  bool shows = strcmp(action, "show") == 0 && a->file_count > 1;
  bool makes = strcmp(action, "make") == 0 && a->file_count > 1;
  bool mixes = strcmp(action, "mix") == 0 && a->file_count == 3;
  if (!lists && !shows && ((!makes && !mixes) || !arguments_has(a, "output"))) {
    report_error("say what to do: meanwave voice list, show VOICE, make a.wav b.wav -o name.voice, "
                 "or mix one.voice other.voice -o name.voice");
    return EXIT_USAGE;
  }
  mw_status status = open_voice_model(&model, a, NULL, &error);
  const char *kept = mw_voice_cache(cache, sizeof cache);
  if (status == MW_OK && lists) list(model);
  if (status == MW_OK && shows) status = show(model, a, kept, &error);
  if (status == MW_OK && makes)
    status = mw_voice_make(&voice, model, a->files + 1, a->file_count - 1, kept, &error);
  if (status == MW_OK && mixes) status = mix(&voice, model, a, kept, &error);
  if (status == MW_OK && (makes || mixes)) status = write_voice(voice, a, &error);
  mw_voice_close(voice);
  mw_voice_model_close(model);
  return report_status(status, &error);
}

const verb voice_verb = {"voice", "lists, shows, makes and mixes voices",
                         "list | show VOICE... | make FILE... | mix VOICE VOICE", options, run};
