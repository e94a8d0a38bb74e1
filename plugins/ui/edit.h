// SPDX-License-Identifier: GPL-3.0-or-later
//
// A text being written: UTF-8, a caret, a selection, undo and redo. Knows nothing of windows.
#ifndef MEANWAVE_UI_EDIT_H
#define MEANWAVE_UI_EDIT_H

#include <stdbool.h>
#include <stddef.h>

enum { EDIT_SIZE = 4096, EDIT_UNDOS = 200 };

typedef struct {
  char *text;
  size_t caret;
} edit_past;

typedef struct {
  bool one_line;        // newlines become spaces
  char text[EDIT_SIZE]; // always UTF-8 with a NUL
  size_t length;
  size_t caret;
  size_t anchor; // where the selection began; the caret: there is none
  edit_past undos[EDIT_UNDOS];
  size_t undo_count;
  edit_past redos[EDIT_UNDOS];
  size_t redo_count;
  bool typing; // the next letter belongs to the undo step of the one before
} edit;

typedef enum { EDIT_LETTER, EDIT_WORD, EDIT_ALL } edit_unit;

void edit_init(edit *e, bool one_line);
void edit_free(edit *e); // what it holds

// All of the text, as one step that can be undone.
void edit_set(edit *e, const char *text);
// In the place of the selection. What is not UTF-8 or a control character is left out, and of what
// is too long the end. `typed`: letters in a row are one step.
void edit_insert(edit *e, const char *text, size_t length, bool typed);
// The selection, else what lies before (direction below 0) or behind the caret.
void edit_delete(edit *e, int direction, edit_unit unit);
// `extend`: the selection too.
void edit_move(edit *e, int direction, edit_unit unit, bool extend);
void edit_move_to(edit *e, size_t position, bool extend);
void edit_select_word(edit *e, size_t position);
bool edit_undo(edit *e); // false: there is nothing
bool edit_redo(edit *e);

size_t edit_selection_begin(const edit *e);
size_t edit_selection_end(const edit *e);

// Bytes of the UTF-8 letter that `text` begins with; 0 when it is none.
size_t edit_letter(const char *text, size_t length);
// The position of the letter before or behind, of any text.
size_t edit_before(const char *text, size_t position);
size_t edit_behind(const char *text, size_t length, size_t position);

#endif
