// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the official files hold: every tensor's name, type and shape, kept as small JSON files in
// models/official. With them a file is recognised by what is in it, and what it lacks is said line
// by line. The form of these JSON files:
//   kind, family, part   names: "meanaudio-s", "meanaudio", "flow"
//   files                the official file names
//   prefixes             what may stand before the names; the first is that of the official file
//   hash_prefix          what stands before the names in the formula of the golden values
//   others               true when the file may hold tensors nobody here needs
//   optional             last parts of names that may be absent (buffers that can be computed)
//   renamed              last part -> another spelling of it
//   constants            last part -> number, list or rule; tensors that training does not change
//   integers             names of the I64 tensors; all others are F32
//   tensors              name -> shape
#ifndef MEANWAVE_INVENTORY_H
#define MEANWAVE_INVENTORY_H

#include "json.h"
#include "weights.h"

typedef struct {
  const char *name;
  tensor_dtype dtype;
  unsigned rank;
  size_t shape[TENSOR_RANK_LIMIT];
  size_t count;
  bool optional;
  const json_node *constant; // NULL for trained tensors
} inventory_item;

typedef struct inventory inventory;

mw_status inventory_open(inventory **opened, const char *path, mw_error *error);
// models/official/KIND.json: in $MEANWAVE_MODELS, the source tree or where it is installed.
mw_status inventory_named(inventory **opened, const char *kind, mw_error *error);
void inventory_free(inventory *known);

const char *inventory_kind(const inventory *known);
const char *inventory_family(const inventory *known);
const char *inventory_part(const inventory *known);
const char *inventory_prefix(const inventory *known); // of the official file
const char *inventory_hash_prefix(const inventory *known);
size_t inventory_count(const inventory *known);
const inventory_item *inventory_at(const inventory *known, size_t index);

// What a tensor of this name always is (see constants above); NULL for trained ones.
const json_node *inventory_constant(const inventory *known, const char *name);

// The part of `file` in which most of the names stand, and the tensor of an item there under any of
// its spellings (NULL when absent).
weights_view inventory_view(const inventory *known, const weights *file);
const tensor *inventory_find(const inventory *known, const inventory_item *item,
                             const weights_view *view);

bool inventory_fits(const inventory_item *item, const tensor *t); // of its shape
void inventory_write_shape(char *text, size_t size, unsigned rank, const size_t *shape);

// Calls `say` (may be NULL) with one line for each tensor that is missing, mis-shaped or extra.
// Returns how many there are.
typedef void (*inventory_say)(void *context, const char *line);
size_t inventory_compare(const inventory *known, const weights *file, inventory_say say,
                         void *context);

// Calls `visit` with every inventory of this installation, by name, for it to keep or free.
mw_status inventory_visit(void (*visit)(void *context, inventory *known), void *context,
                          mw_error *error);

// ---- Which network is it? (inventory_identify.c) ----

// The inventory nearest to `file`, by names, then shapes, then how large it is all in all; or NULL
// when none names nine tenths of its tensors (or is named by them). `same_sizes`: all shapes fit,
// so that it is an official file or one trained in its form; otherwise a network of that family
// with other sizes.
mw_status inventory_identify(inventory **found, bool *same_sizes, const weights *file,
                             mw_error *error);

// Of a network of other sizes: the largest tensor that differs, as it is in the file and in every
// inventory of the same family and part: "x.weight is [320, 20, 7], meanaudio-l has [896, 20, 7],
// ...". Empty when nothing differs.
mw_status inventory_tell_sizes(const inventory *known, const weights *file, char *text, size_t size,
                               mw_error *error);

#endif
