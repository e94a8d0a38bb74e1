// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lines of "key = value"; a table says which keys there are, for what, and within which limits.
#include "preset.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES ((size_t)1 << 16)

typedef enum { KEY_TEXT, KEY_FLOAT, KEY_DOUBLE, KEY_UNSIGNED, KEY_SEED, KEY_SWITCH } key_type;
enum { FOR_VOICE = 1 << MW_PRESET_VOICE, FOR_SOUND = 1 << MW_PRESET_SOUND };
enum { FOR_BOTH = FOR_VOICE | FOR_SOUND };

typedef struct {
  const char *name;
  unsigned kinds;
  key_type type;
  size_t offset; // in mw_preset
  double least;  // of numbers
  double most;   // of texts: the field's size
} key;

#define TEXT(field) offsetof(mw_preset, field), 0, sizeof((mw_preset *)0)->field
#define NUMBER(field, least, most) offsetof(mw_preset, field), least, most

static const key keys[] = {
    {"about", FOR_BOTH, KEY_TEXT, TEXT(about)},
    {"group", FOR_BOTH, KEY_TEXT, TEXT(group)},
    {"model", FOR_BOTH, KEY_TEXT, TEXT(model)},
    {"voice", FOR_VOICE, KEY_TEXT, TEXT(voice)},
    {"pitch", FOR_VOICE, KEY_FLOAT, NUMBER(controls.pitch, -24, 24)},
    {"mix", FOR_VOICE, KEY_FLOAT, NUMBER(controls.mix, 0, 1)},
    {"gate", FOR_VOICE, KEY_FLOAT, NUMBER(controls.gate_db, MW_GATE_OFF, 0)},
    {"gain", FOR_VOICE, KEY_FLOAT, NUMBER(controls.gain_db, -60, 24)},
    {"prompt", FOR_SOUND, KEY_TEXT, TEXT(prompt)},
    {"negative", FOR_SOUND, KEY_TEXT, TEXT(negative)},
    {"seed", FOR_SOUND, KEY_SEED, NUMBER(seed, 0, 4294967295.0)},
    {"seconds", FOR_SOUND, KEY_DOUBLE, NUMBER(seconds, 0.1, 300)},
    {"steps", FOR_SOUND, KEY_UNSIGNED, NUMBER(steps, 1, 200)},
    {"loop", FOR_SOUND, KEY_SWITCH, NUMBER(loop, 0, 0)},
    {"loudness", FOR_SOUND, KEY_DOUBLE, NUMBER(loudness_lufs, -70, 0)},
};
enum { KEYS = sizeof keys / sizeof keys[0] };

typedef struct {
  mw_preset *preset;
  const char *path;
  unsigned line;
  unsigned kinds; // that the keys so far allow
  bool given[KEYS];
  locale_t plain; // numbers have a point whatever the user's language
  mw_error *error;
} reader;

static mw_status fail_line(const reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static mw_status fail_line(const reader *r, const char *format, ...)
{
  char what[256];
  va_list values;
  va_start(values, format);
  vsnprintf(what, sizeof what, format, values);
  va_end(values);
  return mw_fail(r->error, MW_ERROR_FORMAT, "%s, line %u: %s", r->path, r->line, what);
}

// Bytes of the UTF-8 character that starts here; 0 when there is none, or a control character
// other than tab.
static size_t character(const char *text, size_t length)
{
  const unsigned char *c = (const unsigned char *)text;
  if (c[0] < 0x80) return (c[0] >= 0x20 && c[0] != 0x7F) || c[0] == '\t' ? 1 : 0;
  size_t bytes = c[0] >= 0xC2 && c[0] < 0xE0 ? 2 : (c[0] & 0xF0) == 0xE0 ? 3 : 4;
  if (c[0] < 0xC2 || c[0] > 0xF4 || bytes > length) return 0;
  for (size_t i = 1; i < bytes; i++)
    if ((c[i] & 0xC0) != 0x80) return 0;
  // overlong forms, surrogates, beyond the last character
  if ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F) ||
      (c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] > 0x8F))
    return 0;
  return bytes;
}

static mw_status store_number(const reader *r, const key *k, const char *value)
{
  char *end;
  void *field = (char *)r->preset + k->offset;
  double number = strtod_l(value, &end, r->plain);
  bool whole = k->type == KEY_UNSIGNED || k->type == KEY_SEED;
  if (end == value || *end != '\0' || !(number >= k->least && number <= k->most) ||
      (whole && number != floor(number)))
    return fail_line(r, "%s wants a %snumber from %.10g to %.10g, not '%.40s'", k->name,
                     whole ? "whole " : "", k->least, k->most, value);
  if (k->type == KEY_FLOAT) *(float *)field = (float)number;
  if (k->type == KEY_DOUBLE) *(double *)field = number;
  if (k->type == KEY_UNSIGNED) *(unsigned *)field = (unsigned)number;
  if (k->type == KEY_SEED) *(uint64_t *)field = (uint64_t)number;
  return MW_OK;
}

static mw_status store(const reader *r, const key *k, const char *value)
{
  void *field = (char *)r->preset + k->offset;
  if (k->type == KEY_TEXT) {
    if (strlen(value) >= (size_t)k->most)
      return fail_line(r, "%s has more than %.0f bytes", k->name, k->most - 1);
    strcpy(field, value);
    return MW_OK;
  }
  if (k->type == KEY_SWITCH) {
    bool yes = strcmp(value, "yes") == 0;
    if (!yes && strcmp(value, "no") != 0) return fail_line(r, "%s is yes or no", k->name);
    *(bool *)field = yes;
    return MW_OK;
  }
  return store_number(r, k, value);
}

// `line` ends in NUL and has no space at either end.
static mw_status read_line(reader *r, char *line)
{
  char *value = strchr(line, '=');
  if (line[0] == '\0' || line[0] == '#') return MW_OK;
  if (value == NULL) return fail_line(r, "wanted 'key = value', not '%.40s'", line);
  char *end = value;
  while (end > line && (end[-1] == ' ' || end[-1] == '\t')) end--;
  *end = '\0';
  value++;
  value += strspn(value, " \t");
  for (size_t i = 0; i < KEYS; i++) {
    if (strcmp(line, keys[i].name) != 0) continue;
    if (r->given[i]) return fail_line(r, "%s is there twice", keys[i].name);
    if (value[0] == '\0') return fail_line(r, "%s has no value", keys[i].name);
    if ((r->kinds & keys[i].kinds) == 0)
      return fail_line(r, "%s is for a %s, and a line before is not", keys[i].name,
                       keys[i].kinds == FOR_VOICE ? "voice" : "sound");
    r->kinds &= keys[i].kinds;
    r->given[i] = true;
    return store(r, &keys[i], value);
  }
  return fail_line(r, "there is no key '%.40s'", line);
}

static mw_status read_lines(reader *r, const char *text, size_t length)
{
  char line[MW_PRESET_TEXT + 64];
  for (size_t at = 0; at < length;) {
    size_t size = 0;
    r->line++;
    while (at < length && text[at] != '\n') {
      size_t bytes = character(text + at, length - at);
      // a return before the line's end belongs to the end
      if (text[at] == '\r' && (at + 1 == length || text[at + 1] == '\n')) {
        at++;
        continue;
      }
      if (bytes == 0) return fail_line(r, "a character that is not UTF-8 text");
      if (size + bytes >= sizeof line) return fail_line(r, "the line is too long");
      memcpy(line + size, text + at, bytes);
      size += bytes;
      at += bytes;
    }
    at++;
    while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t')) size--;
    line[size] = '\0';
    mw_status status = read_line(r, line + strspn(line, " \t"));
    if (status != MW_OK) return status;
  }
  return MW_OK;
}

static bool was_given(const reader *r, const char *name)
{
  for (size_t i = 0; i < KEYS; i++)
    if (strcmp(keys[i].name, name) == 0) return r->given[i];
  return false;
}

// A path in a preset starts from the preset's folder; a name stays a name.
static mw_status resolve(const reader *r, char field[MW_PRESET_TEXT])
{
  char joined[MW_PRESET_TEXT];
  const char *slash = strrchr(r->path, '/');
  if (field[0] == '/' || strpbrk(field, "./") == NULL || slash == NULL) return MW_OK;
  if (snprintf(joined, sizeof joined, "%.*s/%s", (int)(slash - r->path), r->path, field) >=
      (int)sizeof joined)
    return mw_fail(r->error, MW_ERROR_FORMAT, "%s: a path in it is too long", r->path);
  strcpy(field, joined);
  return MW_OK;
}

static mw_status take_name(const reader *r)
{
  const char *slash = strrchr(r->path, '/');
  const char *name = slash != NULL ? slash + 1 : r->path;
  size_t length = strlen(name);
  size_t ending = strlen(PRESET_ENDING);
  if (length > ending && strcmp(name + length - ending, PRESET_ENDING) == 0) length -= ending;
  if (length >= sizeof r->preset->name)
    return mw_fail(r->error, MW_ERROR_FORMAT, "%s: the name is longer than %zu bytes", r->path,
                   sizeof r->preset->name - 1);
  memcpy(r->preset->name, name, length);
  r->preset->name[length] = '\0';
  return MW_OK;
}

mw_status preset_parse(mw_preset *preset, const char *text, size_t length, const char *path,
                       mw_error *error)
{
  static const char mark[] = "\xEF\xBB\xBF"; // some editors begin UTF-8 so
  reader r = {.preset = preset, .path = path, .kinds = FOR_BOTH, .error = error};
  *preset = (mw_preset){.controls = MW_VOICE_CONTROLS};
  mw_status status = take_name(&r);
  if (status != MW_OK) return status;
  r.plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
  if (r.plain == (locale_t)0) return mw_fail_memory(error, "reading a preset");
  size_t skip = length >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
  status = read_lines(&r, text + skip, length - skip);
  freelocale(r.plain);
  if (status == MW_OK && !was_given(&r, "voice") && !was_given(&r, "prompt"))
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: it has neither a voice nor a prompt", path);
  if (status != MW_OK) return status;
  preset->kind = was_given(&r, "voice") ? MW_PRESET_VOICE : MW_PRESET_SOUND;
  preset->has_loudness = was_given(&r, "loudness");
  status = resolve(&r, preset->voice);
  return status == MW_OK ? resolve(&r, preset->model) : status;
}

mw_status preset_read(mw_preset *preset, const char *path, mw_error *error)
{
  FILE *file = fopen(path, "rb");
  if (file == NULL) return mw_fail(error, MW_ERROR_IO, "%s: %s", path, strerror(errno));
  char *text = malloc(MOST_BYTES + 1);
  mw_status status = MW_OK;
  if (text == NULL) status = mw_fail_memory(error, "reading a preset");
  size_t length = status == MW_OK ? fread(text, 1, MOST_BYTES + 1, file) : 0;
  if (status == MW_OK && ferror(file))
    status = mw_fail(error, MW_ERROR_IO, "%s: %s", path, strerror(errno));
  if (status == MW_OK && length > MOST_BYTES)
    status = mw_fail(error, MW_ERROR_FORMAT, "%s: longer than a preset can be", path);
  if (status == MW_OK) status = preset_parse(preset, text, length, path, error);
  free(text);
  fclose(file);
  return status;
}
