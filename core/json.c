// SPDX-License-Identifier: GPL-3.0-or-later
#include "json.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "whole_file.h"

enum { DEPTH_LIMIT = 64, NUMBER_LENGTH_LIMIT = 64, FILE_LIMIT = 64 << 20 };

struct json {
  arena *memory;
  json_node *root;
};

typedef struct {
  arena *memory;
  const char *text;
  size_t length;
  size_t at;
  const char *wrong; // what was expected where it failed; NULL: memory
  locale_t plain;    // numbers have a point whatever the user's language
} reader;

static void skip_space(reader *r)
{
  while (r->at < r->length && strchr(" \t\r\n", r->text[r->at]) != NULL && r->text[r->at] != '\0')
    r->at++;
}

static bool expected(reader *r, const char *what)
{
  r->wrong = what;
  return false;
}

static bool take(reader *r, char c)
{
  skip_space(r);
  if (r->at >= r->length || r->text[r->at] != c) return false;
  r->at++;
  return true;
}

static int hex_digit(char c)
{
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static bool read_hex4(reader *r, unsigned *code)
{
  *code = 0;
  for (int i = 0; i < 4; i++) {
    int digit = r->at < r->length ? hex_digit(r->text[r->at]) : -1;
    if (digit < 0) return expected(r, "four hexadecimal digits");
    *code = *code * 16 + (unsigned)digit;
    r->at++;
  }
  return true;
}

static size_t put_utf8(char *out, unsigned code)
{
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3F));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = (char)(0xE0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3F));
    out[2] = (char)(0x80 | (code & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | code >> 18);
  out[1] = (char)(0x80 | (code >> 12 & 0x3F));
  out[2] = (char)(0x80 | (code >> 6 & 0x3F));
  out[3] = (char)(0x80 | (code & 0x3F));
  return 4;
}

// The escape behind a backslash; a lone surrogate becomes U+FFFD, so the result is always UTF-8.
static bool read_escape(reader *r, char *out, size_t *written)
{
  static const char letters[] = "\"\\/bfnrt";
  static const char meanings[] = "\"\\/\b\f\n\r\t";
  if (r->at >= r->length) return expected(r, "an escaped character");
  char c = r->text[r->at++];
  const char *found = c != '\0' ? strchr(letters, c) : NULL;
  if (found != NULL) {
    out[(*written)++] = meanings[found - letters];
    return true;
  }
  unsigned code;
  if (c != 'u') return expected(r, "a known escape");
  if (!read_hex4(r, &code)) return false;
  if (code >= 0xD800 && code < 0xDC00 && r->at + 6 <= r->length && r->text[r->at] == '\\' &&
      r->text[r->at + 1] == 'u') {
    size_t back = r->at;
    unsigned low;
    r->at += 2;
    if (!read_hex4(r, &low)) return false;
    if (low >= 0xDC00 && low < 0xE000)
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    else
      r->at = back;
  }
  if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;
  *written += put_utf8(out + *written, code);
  return true;
}

// An unescaped string is never longer than its source.
static bool read_string(reader *r, const char **string, size_t *length)
{
  if (!take(r, '"')) return expected(r, "a string");
  size_t end = r->at;
  while (end < r->length && r->text[end] != '"') end += r->text[end] == '\\' ? 2 : 1;
  if (end >= r->length) return expected(r, "the end of a string");
  char *out = arena_take(r->memory, end - r->at + 1, 1);
  if (out == NULL) return expected(r, NULL);
  size_t written = 0;
  while (r->text[r->at] != '"') {
    char c = r->text[r->at++];
    if (c != '\\')
      out[written++] = c;
    else if (!read_escape(r, out, &written))
      return false;
  }
  r->at++;
  *string = out;
  *length = written;
  return true;
}

static bool read_number(reader *r, double *number)
{
  char copy[NUMBER_LENGTH_LIMIT + 1];
  size_t length = 0;
  while (r->at + length < r->length && length < NUMBER_LENGTH_LIMIT &&
         r->text[r->at + length] != '\0' &&
         strchr("+-.0123456789eE", r->text[r->at + length]) != NULL) {
    copy[length] = r->text[r->at + length];
    length++;
  }
  copy[length] = '\0';
  char *end = copy;
  *number = strtod_l(copy, &end, r->plain);
  if (length == 0 || *end != '\0' || !isfinite(*number)) return expected(r, "a value");
  r->at += length;
  return true;
}

static bool read_word(reader *r, const char *word)
{
  size_t length = strlen(word);
  if (r->length - r->at < length || memcmp(r->text + r->at, word, length) != 0) return false;
  r->at += length;
  return true;
}

static bool read_value(reader *r, json_node *node, unsigned depth);

static bool read_children(reader *r, json_node *parent, char close, unsigned depth)
{
  const json_node **link = &parent->first;
  if (take(r, close)) return true;
  for (;;) {
    json_node *child = arena_take(r->memory, 1, sizeof *child);
    if (child == NULL) return expected(r, NULL);
    if (close == '}') {
      size_t length;
      if (!read_string(r, &child->key, &length)) return false;
      if (!take(r, ':')) return expected(r, "':'");
    }
    if (!read_value(r, child, depth)) return false;
    *link = child;
    link = &child->next;
    parent->length++;
    if (take(r, close)) return true;
    if (!take(r, ',')) return expected(r, close == '}' ? "',' or '}'" : "',' or ']'");
  }
}

static bool read_value(reader *r, json_node *node, unsigned depth)
{
  if (depth >= DEPTH_LIMIT) return expected(r, "less nesting");
  skip_space(r);
  if (take(r, '{')) {
    node->type = JSON_OBJECT;
    return read_children(r, node, '}', depth + 1);
  }
  if (take(r, '[')) {
    node->type = JSON_ARRAY;
    return read_children(r, node, ']', depth + 1);
  }
  if (r->at < r->length && r->text[r->at] == '"') {
    node->type = JSON_STRING;
    return read_string(r, &node->string, &node->length);
  }
  if (read_word(r, "null")) {
    node->type = JSON_NULL;
    return true;
  }
  bool is_true = read_word(r, "true");
  if (is_true || read_word(r, "false")) {
    node->type = JSON_BOOL;
    node->number = is_true;
    return true;
  }
  node->type = JSON_NUMBER;
  return read_number(r, &node->number);
}

mw_status json_parse(json **parsed, const char *text, size_t length, const char *what,
                     mw_error *error)
{
  json *j = calloc(1, sizeof *j);
  if (j == NULL) return mw_fail_memory(error, "reading JSON");
  j->memory = arena_new();
  if (j->memory != NULL) j->root = arena_take(j->memory, 1, sizeof *j->root);
  if (j->root == NULL) {
    json_free(j);
    return mw_fail_memory(error, "reading JSON");
  }
  reader r = {.memory = j->memory, .text = text, .length = length};
  r.plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
  bool good = r.plain != (locale_t)0 && read_value(&r, j->root, 0);
  if (good) {
    skip_space(&r);
    if (r.at != length) good = expected(&r, "nothing more");
  }
  if (r.plain != (locale_t)0) freelocale(r.plain);
  if (good) {
    *parsed = j;
    return MW_OK;
  }
  json_free(j);
  if (r.wrong == NULL) return mw_fail_memory(error, "reading JSON");
  return mw_fail(error, MW_ERROR_FORMAT, "%s: broken JSON at byte %zu: expected %s", what, r.at,
                 r.wrong);
}

mw_status json_open(json **parsed, const char *path, mw_error *error)
{
  char *text = NULL;
  size_t length;
  mw_status status = whole_file_read(&text, &length, path, FILE_LIMIT, error);
  if (status == MW_OK) status = json_parse(parsed, text, length, path, error);
  free(text);
  return status;
}

void json_free(json *j)
{
  if (j == NULL) return;
  arena_free(j->memory);
  free(j);
}

const json_node *json_root(const json *j)
{
  return j->root;
}

const json_node *json_get(const json_node *object, const char *key)
{
  if (object == NULL || object->type != JSON_OBJECT) return NULL;
  for (const json_node *child = object->first; child != NULL; child = child->next)
    if (strcmp(child->key, key) == 0) return child;
  return NULL;
}

const char *json_string_or(const json_node *node, const char *fallback)
{
  return node != NULL && node->type == JSON_STRING ? node->string : fallback;
}

double json_number_or(const json_node *node, double fallback)
{
  return node != NULL && node->type == JSON_NUMBER ? node->number : fallback;
}

bool json_size(const json_node *node, size_t least, size_t most, size_t *value)
{
  if (node == NULL || node->type != JSON_NUMBER) return false;
  if (!(node->number >= (double)least && node->number <= (double)most)) return false;
  if (node->number != floor(node->number) || node->number > 9007199254740992.0) return false;
  *value = (size_t)node->number;
  return true;
}

void json_write_text(FILE *file, const char *text)
{
  fputc('"', file);
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\')
      fprintf(file, "\\%c", c);
    else if (c < 0x20)
      fprintf(file, "\\u%04x", c);
    else
      fputc(c, file);
  }
  fputc('"', file);
}
