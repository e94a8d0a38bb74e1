// SPDX-License-Identifier: GPL-3.0-or-later
#include "inventory.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folders.h"

struct inventory {
  json *text;
  inventory_item *items;
  size_t count;
};

static const json_node *member(const inventory *known, const char *key)
{
  return json_get(json_root(known->text), key);
}

static const char *last_part(const char *name)
{
  const char *dot = strrchr(name, '.');
  return dot != NULL ? dot + 1 : name;
}

static bool holds(const json_node *list, const char *text)
{
  for (const json_node *i = list != NULL ? list->first : NULL; i != NULL; i = i->next)
    if (strcmp(json_string_or(i, ""), text) == 0) return true;
  return false;
}

static bool read_item(inventory_item *item, const json_node *shape)
{
  item->name = shape->key;
  item->count = 1;
  if (shape->type != JSON_ARRAY || shape->length > TENSOR_RANK_LIMIT) return false;
  for (const json_node *d = shape->first; d != NULL; d = d->next) {
    if (!json_size(d, 0, 1u << 30, &item->shape[item->rank])) return false;
    if (__builtin_mul_overflow(item->count, item->shape[item->rank++], &item->count)) return false;
  }
  return true;
}

mw_status inventory_open(inventory **opened, const char *path, mw_error *error)
{
  inventory *known = calloc(1, sizeof *known);
  if (known == NULL) return mw_fail_memory(error, "reading an inventory");
  mw_status status = json_open(&known->text, path, error);
  if (status != MW_OK) goto fail;
  const json_node *tensors = member(known, "tensors");
  const json_node *prefixes = member(known, "prefixes");
  status = MW_ERROR_FORMAT;
  if (tensors == NULL || tensors->type != JSON_OBJECT || prefixes == NULL ||
      prefixes->type != JSON_ARRAY || prefixes->length == 0) {
    mw_fail(error, status, "%s: not an inventory of tensors", path);
    goto fail;
  }
  known->items = calloc(tensors->length + 1, sizeof *known->items);
  if (known->items == NULL) {
    status = mw_fail_memory(error, "reading an inventory");
    goto fail;
  }
  for (const json_node *shape = tensors->first; shape != NULL; shape = shape->next) {
    inventory_item *item = &known->items[known->count++];
    if (!read_item(item, shape)) {
      mw_fail(error, status, "%s: broken shape of %s", path, shape->key);
      goto fail;
    }
    const char *last = last_part(item->name);
    item->dtype = holds(member(known, "integers"), item->name) ? TENSOR_I64 : TENSOR_F32;
    item->optional = holds(member(known, "optional"), last);
    item->constant = inventory_constant(known, item->name);
  }
  *opened = known;
  return MW_OK;
fail:
  inventory_free(known);
  return status;
}

void inventory_free(inventory *known)
{
  if (known == NULL) return;
  json_free(known->text);
  free(known->items);
  free(known);
}

// Where the inventories lie: told by the environment, in the source tree, or installed.
static bool find_folder(char *folder, size_t size)
{
  const char *models = getenv("MEANWAVE_MODELS");
  if (models != NULL) {
    snprintf(folder, size, "%s/official", models);
    if (access(folder, R_OK) == 0) return true;
  }
  if (source_folder(folder, size, "models/official")) return true;
  snprintf(folder, size, "%s/models/official", MW_DATA_DIR);
  return access(folder, R_OK) == 0;
}

mw_status inventory_named(inventory **opened, const char *kind, mw_error *error)
{
  char folder[4096];
  char path[4400];
  if (!find_folder(folder, sizeof folder))
    return mw_fail(error, MW_ERROR_IO,
                   "the folder models/official is not installed; set MEANWAVE_MODELS");
  snprintf(path, sizeof path, "%s/%.200s.json", folder, kind);
  return inventory_open(opened, path, error);
}

const char *inventory_kind(const inventory *known)
{
  return json_string_or(member(known, "kind"), "");
}

const char *inventory_family(const inventory *known)
{
  return json_string_or(member(known, "family"), "");
}

const char *inventory_part(const inventory *known)
{
  return json_string_or(member(known, "part"), "");
}

const char *inventory_prefix(const inventory *known)
{
  return json_string_or(member(known, "prefixes")->first, "");
}

const char *inventory_hash_prefix(const inventory *known)
{
  return json_string_or(member(known, "hash_prefix"), "");
}

size_t inventory_count(const inventory *known)
{
  return known->count;
}

const inventory_item *inventory_at(const inventory *known, size_t index)
{
  return index < known->count ? &known->items[index] : NULL;
}

const json_node *inventory_constant(const inventory *known, const char *name)
{
  return json_get(member(known, "constants"), last_part(name));
}

const tensor *inventory_find(const inventory *known, const inventory_item *item,
                             const weights_view *view)
{
  const tensor *found = weights_view_find(view, item->name);
  if (found != NULL) return found;
  const char *last = last_part(item->name);
  const char *other = json_string_or(json_get(member(known, "renamed"), last), NULL);
  char name[512];
  if (other == NULL) return NULL;
  snprintf(name, sizeof name, "%.*s%s", (int)(last - item->name), item->name, other);
  return weights_view_find(view, name);
}

static size_t count_present(const inventory *known, const weights_view *view)
{
  size_t present = 0;
  for (size_t i = 0; i < known->count; i++)
    present += inventory_find(known, &known->items[i], view) != NULL;
  return present;
}

weights_view inventory_view(const inventory *known, const weights *file)
{
  weights_view best = weights_under(file, inventory_prefix(known));
  size_t most = 0;
  for (const json_node *p = member(known, "prefixes")->first; p != NULL; p = p->next) {
    weights_view view = weights_under(file, json_string_or(p, ""));
    size_t present = count_present(known, &view);
    if (present <= most) continue;
    most = present;
    best = view;
  }
  return best;
}

void inventory_write_shape(char *text, size_t size, unsigned rank, const size_t *shape)
{
  size_t at = (size_t)snprintf(text, size, "[");
  for (unsigned d = 0; d < rank && at < size; d++)
    at += (size_t)snprintf(text + at, size - at, d > 0 ? ", %zu" : "%zu", shape[d]);
  if (at < size) snprintf(text + at, size - at, "]");
}

// Whether `name` (of the file) is an item, in any spelling, or may be there unread.
static bool is_known(const inventory *known, const weights_view *view, const tensor *t)
{
  size_t prefix = strlen(view->prefix);
  if (strncmp(t->name, view->prefix, prefix) != 0) return false;
  if (holds(member(known, "optional"), last_part(t->name))) return true;
  for (size_t i = 0; i < known->count; i++)
    if (inventory_find(known, &known->items[i], view) == t) return true;
  return false;
}

bool inventory_fits(const inventory_item *item, const tensor *t)
{
  if (t->rank != item->rank) return false;
  return memcmp(t->shape, item->shape, item->rank * sizeof(size_t)) == 0;
}

size_t inventory_compare(const inventory *known, const weights *file, inventory_say say,
                         void *context)
{
  weights_view view = inventory_view(known, file);
  size_t lines = 0;
  char line[1024];
  char wanted[192];
  char found[192];
  for (size_t i = 0; i < known->count; i++) {
    const inventory_item *item = &known->items[i];
    const tensor *t = inventory_find(known, item, &view);
    if (t == NULL ? item->optional : inventory_fits(item, t)) continue;
    inventory_write_shape(wanted, sizeof wanted, item->rank, item->shape);
    if (t != NULL) inventory_write_shape(found, sizeof found, t->rank, t->shape);
    snprintf(line, sizeof line,
             t != NULL ? "%.256s: tensor %s%.256s: wanted %s, found %s"
                       : "%.256s: tensor %s%.256s %s is missing",
             weights_path(file), view.prefix, item->name, wanted, found);
    lines++;
    if (say != NULL) say(context, line);
  }
  if (json_get(json_root(known->text), "others") != NULL &&
      json_get(json_root(known->text), "others")->number != 0)
    return lines;
  for (size_t i = 0; i < weights_count(file); i++) {
    const tensor *t = weights_at(file, i);
    if (is_known(known, &view, t)) continue;
    inventory_write_shape(found, sizeof found, t->rank, t->shape);
    snprintf(line, sizeof line, "%.256s: tensor %.256s %s is extra", weights_path(file), t->name,
             found);
    lines++;
    if (say != NULL) say(context, line);
  }
  return lines;
}

static int is_inventory(const struct dirent *entry)
{
  size_t length = strlen(entry->d_name);
  return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

mw_status inventory_visit(void (*visit)(void *context, inventory *known), void *context,
                          mw_error *error)
{
  char folder[4096];
  char path[4400];
  struct dirent **names = NULL;
  mw_status status = MW_OK;
  if (!find_folder(folder, sizeof folder)) return MW_OK;
  int count = scandir(folder, &names, is_inventory, alphasort);
  if (count < 0) return mw_fail(error, MW_ERROR_IO, "%s: %s", folder, strerror(errno));
  for (int i = 0; i < count; i++) {
    inventory *known;
    snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
    if (status == MW_OK && (status = inventory_open(&known, path, error)) == MW_OK)
      visit(context, known);
    free(names[i]);
  }
  free(names);
  return status;
}
