// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which network a file holds, told by its tensors' names and shapes.
#include "inventory.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  size_t wrong_names; // missing, or extra where nothing else may be
  size_t wrong_shapes;
  double growth; // how many times as many values, as a logarithm without its sign
  bool related;
} likeness;

static likeness measure(const inventory *known, const weights *file)
{
  weights_view view = inventory_view(known, file);
  likeness l = {0};
  size_t present = 0;
  size_t prefix = strlen(view.prefix);
  size_t under_prefix = 0;
  double values = 1.0;
  double wanted = 1.0;
  for (size_t i = 0; i < inventory_count(known); i++) {
    const inventory_item *item = inventory_at(known, i);
    const tensor *t = inventory_find(known, item, &view);
    present += t != NULL;
    l.wrong_names += t == NULL && !item->optional;
    l.wrong_shapes += t != NULL && !inventory_fits(item, t);
    if (t == NULL) continue;
    values += (double)t->count;
    wanted += (double)item->count;
  }
  l.growth = fabs(log(values / wanted));
  for (size_t i = 0; i < weights_count(file); i++)
    under_prefix += strncmp(weights_at(file, i)->name, view.prefix, prefix) == 0;
  l.related = present > 0 &&
              (10 * present >= 9 * inventory_count(known) || 10 * present >= 9 * under_prefix);
  if (under_prefix > present) l.wrong_names += under_prefix - present;
  return l;
}

static bool is_nearer(const likeness *a, const likeness *b)
{
  if (a->wrong_names != b->wrong_names) return a->wrong_names < b->wrong_names;
  if (a->wrong_shapes != b->wrong_shapes) return a->wrong_shapes < b->wrong_shapes;
  return a->growth < b->growth;
}

typedef struct {
  const weights *file;
  inventory *best;
  likeness how;
} search;

static void keep_nearer(void *context, inventory *known)
{
  search *s = context;
  likeness l = measure(known, s->file);
  if (!l.related || !is_nearer(&l, &s->how)) {
    inventory_free(known);
    return;
  }
  inventory_free(s->best);
  s->best = known;
  s->how = l;
}

mw_status inventory_identify(inventory **found, bool *same_sizes, const weights *file,
                             mw_error *error)
{
  search s = {.file = file, .how = {.wrong_names = SIZE_MAX}};
  mw_status status = inventory_visit(keep_nearer, &s, error);
  if (status != MW_OK) {
    inventory_free(s.best);
    s.best = NULL;
  }
  *found = s.best;
  *same_sizes = s.best != NULL && s.how.wrong_shapes == 0;
  return status;
}

typedef struct {
  const inventory *known;
  const char *name; // of the tensor told about
  char *text;
  size_t size;
} telling;

static void append(const telling *t, const char *text)
{
  size_t length = strlen(t->text);
  snprintf(t->text + length, t->size - length, "%s", text);
}

static void tell_official(void *context, inventory *known)
{
  const telling *t = context;
  char shape[192];
  bool same_part = strcmp(inventory_family(known), inventory_family(t->known)) == 0 &&
                   strcmp(inventory_part(known), inventory_part(t->known)) == 0;
  for (size_t i = 0; same_part && i < inventory_count(known); i++) {
    const inventory_item *item = inventory_at(known, i);
    if (strcmp(item->name, t->name) != 0) continue;
    inventory_write_shape(shape, sizeof shape, item->rank, item->shape);
    append(t, ", ");
    append(t, inventory_kind(known));
    append(t, " has ");
    append(t, shape);
  }
  inventory_free(known);
}

mw_status inventory_tell_sizes(const inventory *known, const weights *file, char *text, size_t size,
                               mw_error *error)
{
  weights_view view = inventory_view(known, file);
  telling t = {known, NULL, text, size};
  char shape[192];
  size_t largest = 0;
  text[0] = '\0';
  for (size_t i = 0; i < inventory_count(known); i++) {
    const inventory_item *item = inventory_at(known, i);
    const tensor *found = inventory_find(known, item, &view);
    if (found == NULL || inventory_fits(item, found) || item->count <= largest) continue;
    largest = item->count;
    inventory_write_shape(shape, sizeof shape, found->rank, found->shape);
    snprintf(text, size, "%s is %s", item->name, shape);
    t.name = item->name;
  }
  return t.name != NULL ? inventory_visit(tell_official, &t, error) : MW_OK;
}
