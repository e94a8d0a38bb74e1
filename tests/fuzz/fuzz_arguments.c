// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any bytes as a command line: the first chooses a verb, lines are its words. What is taken is
// within the limits of its option.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "fuzz.h"
#include "sound_raw.h"

enum { WORDS = 100 };

static const verb *const verbs[] = {
    &bench_verb, &convert_verb, &devices_verb, &generate_verb, &latency_verb,
    &live_verb,  &models_verb,  &presets_verb, &vocode_verb,   &voice_verb,
};

static void check_table(const arguments *a, const option *table)
{
  for (const option *o = table; o->name != NULL; o++) {
    if (!arguments_has(a, o->name)) continue;
    double number = arguments_number(a, o->name, NAN);
    bool is_number = o->kind == OPTION_WHOLE || o->kind == OPTION_NUMBER;
    if (arguments_text(a, o->name, NULL) == NULL ||
        (is_number && !(number >= o->least && number <= o->most)) ||
        (o->kind == OPTION_WHOLE && number != floor(number)))
      abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  char *words[WORDS];
  const char *files[WORDS];
  char line[200];
  mw_error error = {""};
  arguments a;
  int count = 0;
  if (size == 0) return 0;
  const verb *v = verbs[bytes[0] % (sizeof verbs / sizeof verbs[0])];
  char *text = malloc(size);
  if (text == NULL) abort();
  memcpy(text, bytes + 1, size - 1);
  text[size - 1] = '\0';
  for (char *word = text, *next; word != NULL && count < WORDS; word = next) {
    next = strchr(word, '\n');
    if (next != NULL) *next++ = '\0';
    words[count++] = word;
  }
  line[0] = '\0';
  bool taken = options_parse(&a, v, count, words, files, line, sizeof line);
  strcpy(error.text, line);
  if (fuzz_judge(taken ? MW_OK : MW_ERROR_ARGUMENT, &error)) {
    check_table(&a, v->options);
    check_table(&a, common_options);
    SF_INFO info;
    for (size_t i = 0; i < a.file_count; i++)
      if (sound_raw_read(&info, a.files[i], &error) == MW_OK &&
          (info.samplerate < 1 || info.channels < 1))
        abort();
  }
  free(text);
  return 0;
}
