// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any bytes as JSON; every node of what parses is looked at, and a text written is read again.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "json.h"

static size_t visit(const json_node *node)
{
  size_t bytes = node->key != NULL ? strlen(node->key) : 0;
  if (node->type == JSON_STRING) {
    char *text = NULL;
    size_t length = 0;
    json *again = NULL;
    mw_error error = {""};
    if (node->string[node->length] != '\0') abort();
    FILE *file = open_memstream(&text, &length);
    json_write_text(file, node->string);
    fclose(file);
    if (json_parse(&again, text, length, "written", &error) != MW_OK ||
        strcmp(json_string_or(json_root(again), ""), node->string) != 0)
      abort();
    json_free(again);
    free(text);
    return bytes + node->length;
  }
  size_t count = 0;
  for (const json_node *child = node->first; child != NULL; child = child->next, count++)
    bytes += visit(child);
  if ((node->type == JSON_ARRAY || node->type == JSON_OBJECT) && count != node->length) abort();
  return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  json *j = NULL;
  mw_error error = {""};
  if (fuzz_judge(json_parse(&j, (const char *)bytes, size, "fuzz", &error), &error) &&
      visit(json_root(j)) > size * 3)
    abort();
  json_free(j);
  return 0;
}
