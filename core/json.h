// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON: headers of weight files, configurations, cases. A text becomes a tree of nodes in one
// block; nesting is limited, so hostile text costs at most memory in proportion to its length.
#ifndef MEANWAVE_JSON_H
#define MEANWAVE_JSON_H

#include <stdio.h>

#include "status.h"

typedef enum { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_type;

typedef struct json_node {
  json_type type;
  const char *key;               // of an object's member, unescaped; else NULL
  const char *string;            // JSON_STRING: unescaped UTF-8, NUL-terminated
  size_t length;                 // of `string` in bytes, or the number of children
  double number;                 // JSON_NUMBER; JSON_BOOL: 0 or 1
  const struct json_node *first; // child
  const struct json_node *next;  // sibling
} json_node;

typedef struct json json;

// Parses `length` bytes (copied). `what` names the text in the error line.
mw_status json_parse(json **parsed, const char *text, size_t length, const char *what,
                     mw_error *error);
mw_status json_open(json **parsed, const char *path, mw_error *error);
void json_free(json *j);
const json_node *json_root(const json *j);

// All accept NULL nodes, so that lookups can be chained: json_number_or(json_get(root, "dim"),
// 512).
const json_node *json_get(const json_node *object, const char *key); // NULL when absent
const char *json_string_or(const json_node *node, const char *fallback);
double json_number_or(const json_node *node, double fallback);
// A whole number in [least, most]; false when it is absent or anything else.
bool json_size(const json_node *node, size_t least, size_t most, size_t *value);

// Writes `text` as a string with its quotes; control characters and quotes escaped.
void json_write_text(FILE *file, const char *text);

#endif
