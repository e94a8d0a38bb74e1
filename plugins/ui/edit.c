// SPDX-License-Identifier: GPL-3.0-or-later
#include "edit.h"

#include <stdlib.h>
#include <string.h>

size_t edit_letter(const char *text, size_t length)
{
  const unsigned char *s = (const unsigned char *)text;
  static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
  size_t bytes = s[0] < 0x80 ? 1 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC2 ? 2 : 0;
  if (length == 0 || bytes == 0 || bytes > length || s[0] > 0xF4) return 0;
  unsigned code = bytes == 1 ? s[0] : s[0] & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; i++) {
    if ((s[i] & 0xC0) != 0x80) return 0;
    code = code << 6 | (s[i] & 0x3F);
  }
  bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < least[bytes] || code > 0x10FFFF || surrogate ? 0 : bytes;
}

size_t edit_before(const char *text, size_t position)
{
  if (position == 0) return 0;
  for (position--; position > 0 && ((unsigned char)text[position] & 0xC0) == 0x80;) position--;
  return position;
}

size_t edit_behind(const char *text, size_t length, size_t position)
{
  if (position >= length) return length;
  for (position++; position < length && ((unsigned char)text[position] & 0xC0) == 0x80;) position++;
  return position;
}

void edit_init(edit *e, bool one_line)
{
  memset(e, 0, sizeof *e);
  e->one_line = one_line;
}

static void forget(edit_past *pasts, size_t *count)
{
  while (*count > 0) free(pasts[--*count].text);
}

void edit_free(edit *e)
{
  forget(e->undos, &e->undo_count);
  forget(e->redos, &e->redo_count);
}

size_t edit_selection_begin(const edit *e)
{
  return e->caret < e->anchor ? e->caret : e->anchor;
}

size_t edit_selection_end(const edit *e)
{
  return e->caret > e->anchor ? e->caret : e->anchor;
}

// ---- History ----

// When memory is out there is one step less.
static void remember(const edit *e, edit_past *pasts, size_t *count)
{
  char *text = strdup(e->text);
  if (text == NULL) return;
  if (*count == EDIT_UNDOS) {
    free(pasts[0].text);
    memmove(pasts, pasts + 1, --*count * sizeof *pasts);
  }
  pasts[(*count)++] = (edit_past){text, e->caret};
}

static void begin_step(edit *e, bool typing)
{
  if (!typing || !e->typing) remember(e, e->undos, &e->undo_count);
  forget(e->redos, &e->redo_count);
  e->typing = typing;
}

static bool go_back(edit *e, edit_past *from, size_t *from_count, edit_past *to, size_t *to_count)
{
  if (*from_count == 0) return false;
  remember(e, to, to_count);
  edit_past past = from[--*from_count];
  e->length = strlen(past.text);
  memcpy(e->text, past.text, e->length + 1);
  e->caret = e->anchor = past.caret;
  e->typing = false;
  free(past.text);
  return true;
}

bool edit_undo(edit *e)
{
  return go_back(e, e->undos, &e->undo_count, e->redos, &e->redo_count);
}

bool edit_redo(edit *e)
{
  return go_back(e, e->redos, &e->redo_count, e->undos, &e->undo_count);
}

// ---- Changes ----

static void cut(edit *e, size_t begin, size_t end)
{
  memmove(e->text + begin, e->text + end, e->length - end + 1);
  e->length -= end - begin;
  e->caret = e->anchor = begin;
}

// What of the text may stand in this one; returns its bytes, in clean[EDIT_SIZE].
static size_t cleaned(const edit *e, const char *text, size_t length, char *clean)
{
  size_t used = 0;
  for (size_t i = 0; i < length;) {
    size_t bytes = edit_letter(text + i, length - i);
    unsigned char first = (unsigned char)text[i];
    bool control = bytes == 1 && (first < ' ' || first == 0x7F) && first != '\n' && first != '\t';
    if (bytes > 0 && used + bytes >= EDIT_SIZE) break;
    if (bytes > 0 && !control) {
      memcpy(clean + used, text + i, bytes);
      bool gap = first == '\t' || (e->one_line && first == '\n');
      if (bytes == 1 && gap) clean[used] = ' ';
      used += bytes;
    }
    i += bytes > 0 ? bytes : 1;
  }
  return used;
}

void edit_insert(edit *e, const char *text, size_t length, bool typed)
{
  char clean[EDIT_SIZE];
  size_t used = cleaned(e, text, length, clean);
  size_t begin = edit_selection_begin(e);
  size_t end = edit_selection_end(e);
  size_t room = EDIT_SIZE - 1 - (e->length - (end - begin));
  while (used > room) used = edit_before(clean, used);
  if (used == 0 && begin == end) return;
  begin_step(e, typed && begin == end);
  cut(e, begin, end);
  memmove(e->text + begin + used, e->text + begin, e->length - begin + 1);
  memcpy(e->text + begin, clean, used);
  e->length += used;
  e->caret = e->anchor = begin + used;
  // a word at a time
  if (typed && used > 0 && (clean[used - 1] == ' ' || clean[used - 1] == '\n')) e->typing = false;
}

void edit_set(edit *e, const char *text)
{
  if (strcmp(e->text, text) == 0) return;
  e->anchor = 0;
  e->caret = e->length;
  edit_insert(e, text, strlen(text), false);
}

static bool is_gap(const edit *e, size_t position)
{
  return strchr(" \n.,;:!?()\"", e->text[position]) != NULL;
}

static size_t moved(const edit *e, size_t at, int direction, edit_unit unit)
{
  if (unit == EDIT_ALL) return direction < 0 ? 0 : e->length;
  if (unit == EDIT_LETTER)
    return direction < 0 ? edit_before(e->text, at) : edit_behind(e->text, e->length, at);
  if (direction < 0) {
    while (at > 0 && is_gap(e, edit_before(e->text, at))) at = edit_before(e->text, at);
    while (at > 0 && !is_gap(e, edit_before(e->text, at))) at = edit_before(e->text, at);
  } else {
    while (at < e->length && is_gap(e, at)) at = edit_behind(e->text, e->length, at);
    while (at < e->length && !is_gap(e, at)) at = edit_behind(e->text, e->length, at);
  }
  return at;
}

void edit_delete(edit *e, int direction, edit_unit unit)
{
  size_t begin = edit_selection_begin(e);
  size_t end = edit_selection_end(e);
  if (begin == end) {
    size_t other = moved(e, e->caret, direction, unit);
    begin = other < e->caret ? other : e->caret;
    end = other > e->caret ? other : e->caret;
  }
  if (begin == end) return;
  begin_step(e, false);
  cut(e, begin, end);
}

// ---- Moves ----

void edit_move_to(edit *e, size_t position, bool extend)
{
  e->caret = position < e->length ? position : e->length;
  if (!extend) e->anchor = e->caret;
  e->typing = false;
}

void edit_move(edit *e, int direction, edit_unit unit, bool extend)
{
  bool selected = e->caret != e->anchor;
  if (selected && !extend && unit == EDIT_LETTER) // to the side of the selection
    edit_move_to(e, direction < 0 ? edit_selection_begin(e) : edit_selection_end(e), false);
  else
    edit_move_to(e, moved(e, e->caret, direction, unit), extend);
}

void edit_select_word(edit *e, size_t position)
{
  size_t begin = position < e->length ? position : e->length;
  size_t end = begin;
  while (begin > 0 && !is_gap(e, edit_before(e->text, begin))) begin = edit_before(e->text, begin);
  while (end < e->length && !is_gap(e, end)) end = edit_behind(e->text, e->length, end);
  edit_move_to(e, begin, false);
  edit_move_to(e, end, true);
}
