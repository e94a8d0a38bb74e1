// SPDX-License-Identifier: GPL-3.0-or-later
//
// The public side of weight files: what is in one, and making bundles of official ones.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "inventory.h"
#include "json.h"
#include "sha256.h"
#include "weights_internal.h"

enum { IMPORT_LIMIT = 16, TEXT_LIMIT = 2048 };

struct mw_model_file {
  weights *file;
  inventory *known; // NULL: no network this program knows
  bool same_sizes;
  bool bundle;
  char sizes[512]; // what differs from the official ones
};

// Several networks in one file are told by its metadata, not by what one of them is like.
static bool holds_several(const weights *file, const inventory *known)
{
  const char *parts = weights_metadata(file, "parts");
  if (parts != NULL) return strchr(parts, ' ') != NULL;
  if (known == NULL) return false;
  weights_view view = inventory_view(known, file);
  for (size_t i = 0; i < weights_count(file); i++)
    if (strncmp(weights_at(file, i)->name, view.prefix, strlen(view.prefix)) != 0) return true;
  return false;
}

mw_status mw_model_file_open(mw_model_file **opened, const char *path, mw_error *error)
{
  mw_model_file *m = calloc(1, sizeof *m);
  if (m == NULL) return mw_fail_memory(error, "opening a model");
  mw_status status = weights_open(&m->file, path, error);
  if (status == MW_OK) {
    const char *format = weights_metadata(m->file, "format");
    m->bundle = format != NULL && strcmp(format, BUNDLE_FORMAT) == 0;
    status = inventory_identify(&m->known, &m->same_sizes, m->file, error);
    if (m->bundle && holds_several(m->file, m->known)) {
      inventory_free(m->known);
      m->known = NULL;
      m->same_sizes = false;
    }
    if (status == MW_OK && m->known != NULL)
      status = inventory_tell_sizes(m->known, m->file, m->sizes, sizeof m->sizes, error);
  }
  if (status != MW_OK) {
    mw_model_file_close(m);
    return status;
  }
  *opened = m;
  return MW_OK;
}

void mw_model_file_close(mw_model_file *m)
{
  if (m == NULL) return;
  inventory_free(m->known);
  weights_close(m->file);
  free(m);
}

size_t mw_model_file_count(const mw_model_file *m)
{
  return weights_count(m->file);
}

bool mw_model_file_tensor(const mw_model_file *m, size_t index, mw_tensor_info *info)
{
  const tensor *t = weights_at(m->file, index);
  if (t == NULL) return false;
  *info = (mw_tensor_info){.name = t->name,
                           .type = tensor_dtype_name(t->dtype),
                           .rank = t->rank,
                           .bytes = t->count * tensor_dtype_bytes(t->dtype)};
  memcpy(info->shape, t->shape, t->rank * sizeof t->shape[0]);
  return true;
}

const char *mw_model_file_kind(const mw_model_file *m)
{
  return m->known != NULL ? inventory_kind(m->known) : NULL;
}

bool mw_model_file_is_full_size(const mw_model_file *m)
{
  return m->same_sizes;
}

const char *mw_model_file_sizes(const mw_model_file *m)
{
  return m->sizes;
}

const char *mw_model_file_metadata(const mw_model_file *m, const char *key)
{
  return weights_metadata(m->file, key);
}

size_t mw_model_file_problems(const mw_model_file *m, mw_say say, void *context)
{
  // Networks of other sizes differ everywhere; a bundle of several holds more than one inventory.
  bool comparable = m->known != NULL && m->same_sizes;
  return comparable ? inventory_compare(m->known, m->file, say, context) : 0;
}

// ---- import ----

typedef struct {
  mw_model_file *files[IMPORT_LIMIT];
  bundle_part parts[IMPORT_LIMIT];
  char prefixes[IMPORT_LIMIT][64];
  size_t count;
  char family[64];
  char kinds[TEXT_LIMIT];
  char sources[TEXT_LIMIT];
  char hashes[TEXT_LIMIT];
  char *config; // as text
} import_state;

static void append(char *text, const char *separator, const char *more)
{
  size_t length = strlen(text);
  snprintf(text + length, TEXT_LIMIT - length, "%s%s", length > 0 ? separator : "", more);
}

static bool ends_in_json(const char *path)
{
  size_t length = strlen(path);
  return length > 5 && strcmp(path + length - 5, ".json") == 0;
}

static mw_status read_config(import_state *s, const char *path, mw_error *error)
{
  json *parsed = NULL;
  if (s->config != NULL)
    return mw_fail(error, MW_ERROR_ARGUMENT, "%s: a bundle has one configuration", path);
  mw_status status = json_open(&parsed, path, error);
  json_free(parsed);
  if (status != MW_OK) return status;
  FILE *file = fopen(path, "rb");
  size_t size = 0;
  FILE *text = file != NULL ? open_memstream(&s->config, &size) : NULL;
  if (text == NULL) {
    if (file != NULL) fclose(file);
    return mw_fail(error, MW_ERROR_IO, "%s: could not be read", path);
  }
  for (int c; (c = fgetc(file)) != EOF;) fputc(c, text);
  fclose(file);
  return fclose(text) == 0 ? MW_OK : mw_fail_memory(error, "reading a configuration");
}

static const char *base_name(const char *path)
{
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

static mw_status add_file(import_state *s, const char *path, mw_error *error)
{
  char hash[SHA256_TEXT];
  if (s->count == IMPORT_LIMIT)
    return mw_fail(error, MW_ERROR_ARGUMENT, "a bundle is made of at most %d files", IMPORT_LIMIT);
  mw_status status = mw_model_file_open(&s->files[s->count], path, error);
  if (status != MW_OK) return status;
  const mw_model_file *m = s->files[s->count];
  bundle_part *part = &s->parts[s->count];
  *part = (bundle_part){.file = m->file, .prefix = ""};
  s->count++;
  // Of an official file what networks use; a relative may have layers the official one lacks.
  part->known = m->known;
  part->all = m->bundle || !m->same_sizes;
  status = sha256_file(path, hash, error);
  append(s->sources, ", ", base_name(path));
  append(s->hashes, ", ", hash);
  return status;
}

static const char *part_name(const mw_model_file *m)
{
  return m->known != NULL ? inventory_part(m->known) : "";
}

// One file keeps its names; several are told apart by a prefix. The main network (the decoder of
// voices, the transformer of sounds) gives the family.
static mw_status name_parts(import_state *s, mw_error *error)
{
  for (size_t i = 0; i < s->count; i++) {
    const mw_model_file *m = s->files[i];
    const char *name = part_name(m);
    if (s->count > 1 && !m->bundle) {
      if (name[0] == '\0')
        return mw_fail(error, MW_ERROR_MODEL,
                       "%s: not a network this program knows; import it alone",
                       weights_path(m->file));
      for (size_t j = 0; j < i; j++)
        if (strcmp(part_name(s->files[j]), name) == 0)
          return mw_fail(error, MW_ERROR_MODEL, "%s and %s are both a %s",
                         weights_path(s->files[j]->file), weights_path(m->file), name);
      snprintf(s->prefixes[i], sizeof s->prefixes[i], "%s.", name);
      s->parts[i].prefix = s->prefixes[i];
    }
    const char *family = m->bundle ? weights_metadata(m->file, "family") : NULL;
    if (family == NULL) family = m->known != NULL ? inventory_family(m->known) : "unknown";
    bool leads = strcmp(name, "decoder") == 0 || strcmp(name, "flow") == 0;
    if (i == 0 || leads) snprintf(s->family, sizeof s->family, "%s", family);
    if (m->known == NULL) continue;
    char entry[192];
    snprintf(entry, sizeof entry, "%s=%s", name, inventory_kind(m->known));
    append(s->kinds, " ", entry);
  }
  return MW_OK;
}

static void first_line(void *context, const char *line)
{
  char *kept = context;
  if (kept[0] == '\0') snprintf(kept, sizeof((mw_error *)0)->text, "%s", line);
}

// Official files must be whole; what they lack would only show when they are run.
static mw_status check_whole(const import_state *s, mw_error *error)
{
  for (size_t i = 0; i < s->count; i++) {
    mw_error line = {""};
    size_t problems = mw_model_file_problems(s->files[i], first_line, line.text);
    if (problems > 0)
      return mw_fail(error, MW_ERROR_MODEL, "%s (%zu such lines; see models info)", line.text,
                     problems);
  }
  return MW_OK;
}

static const char *from_source(const import_state *s, const char *key, const char *fallback)
{
  for (size_t i = 0; i < s->count; i++) {
    const char *value = weights_metadata(s->files[i]->file, key);
    if (value != NULL && value[0] != '\0') return value;
  }
  return fallback;
}

mw_status mw_models_import(const mw_model_import *wish, mw_error *error)
{
  import_state *s = calloc(1, sizeof *s);
  mw_status status = MW_OK;
  if (s == NULL) return mw_fail_memory(error, "importing a model");
  for (size_t i = 0; status == MW_OK && i < wish->count; i++)
    status = ends_in_json(wish->paths[i]) ? read_config(s, wish->paths[i], error)
                                          : add_file(s, wish->paths[i], error);
  if (status == MW_OK && s->count == 0)
    status = mw_fail(error, MW_ERROR_ARGUMENT, "no file of weights was given");
  if (status == MW_OK) status = check_whole(s, error);
  if (status == MW_OK) status = name_parts(s, error);
  if (status == MW_OK) {
    const char *name = wish->name != NULL ? wish->name : from_source(s, "name", s->sources);
    const char *licence = wish->licence;
    if (licence == NULL) licence = from_source(s, "licence", from_source(s, "license", "unknown"));
    const bundle_entry entries[] = {
        {"family", s->family},
        {"name", name},
        {"licence", licence},
        {"config", s->config != NULL ? s->config : from_source(s, "config", "{}")},
        {"parts", s->kinds},
        {"source", s->sources},
        {"source_sha256", s->hashes},
    };
    status =
        bundle_write(wish->output, s->parts, s->count, entries, sizeof entries / sizeof entries[0],
                     bundle_dtype(wish->type), wish->overwrite, error);
  }
  for (size_t i = 0; i < IMPORT_LIMIT; i++) mw_model_file_close(s->files[i]);
  free(s->config);
  free(s);
  return status;
}
