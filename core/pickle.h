// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reads the pickles PyTorch writes (protocol 2 to 5, the operations it uses) into a tree. Nothing
// is executed: a class is a name, a call is remembered as what was called with what.
#ifndef MEANWAVE_PICKLE_H
#define MEANWAVE_PICKLE_H

#include "arena.h"
#include "status.h"

typedef enum {
  PICKLE_NONE,
  PICKLE_BOOL,
  PICKLE_INTEGER,
  PICKLE_FLOAT,
  PICKLE_STRING,
  PICKLE_LIST, // also sets
  PICKLE_TUPLE,
  PICKLE_DICT,       // items: key, value, key, value, ...
  PICKLE_GLOBAL,     // string: "module.name"
  PICKLE_CALL,       // items: callable, arguments; `state` set by BUILD
  PICKLE_PERSISTENT, // items: the id
  PICKLE_MARK,       // never in a result
} pickle_kind;

typedef struct pickle_value {
  pickle_kind kind;
  int64_t integer;    // PICKLE_INTEGER, PICKLE_BOOL
  double number;      // PICKLE_FLOAT
  const char *string; // NUL-terminated
  struct pickle_value **items;
  size_t count;
  size_t capacity;
  struct pickle_value *state;
  bool on_path; // free for a walker, to notice cycles
} pickle_value;

typedef struct {
  pickle_value *root;
  size_t size;               // bytes up to and with its end
  pickle_value **persistent; // every PICKLE_PERSISTENT, in the order of the stream
  size_t persistent_count;
} pickle_tree;

// `what` names the data in the error line. The tree lives in `memory`, of which it takes at
// most about 256 bytes for each byte read. Bytes behind the pickle are left alone.
mw_status pickle_read(pickle_tree *tree, const unsigned char *bytes, size_t size, const char *what,
                      arena *memory, mw_error *error);

#endif
