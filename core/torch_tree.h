// SPDX-License-Identifier: GPL-3.0-or-later
//
// The tree of a PyTorch file, whatever its container: a tensor is a call of _rebuild_tensor_v2 on a
// persistent storage id. Names are the path through dictionaries, lists and objects, joined with
// dots; a file that is one bare tensor calls it "tensor". The state of an optimizer is passed over.
#ifndef MEANWAVE_TORCH_TREE_H
#define MEANWAVE_TORCH_TREE_H

#include "pickle.h"
#include "weights_internal.h"

// The bytes of storage `key`; *data stays NULL when there is none.
typedef mw_status (*torch_storage)(void *context, const char *key, const unsigned char **data,
                                   size_t *bytes, mw_error *error);

// Adds every tensor of the tree to `w` and indexes it.
mw_status torch_tree_read(weights *w, const pickle_tree *tree, torch_storage find, void *context,
                          mw_error *error);

// ('storage', class, key, device, count); false when it is anything else.
bool torch_storage_id(const pickle_value *persistent, const char **key, tensor_dtype *dtype,
                      bool *known_dtype);

#endif
