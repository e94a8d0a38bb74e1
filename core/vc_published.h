// SPDX-License-Identifier: GPL-3.0-or-later
//
// The files that the authors publish, by their names: which make one model, and what their tensors
// do not tell. Both decoders of MeanVC 2 have the same shapes.
#ifndef MEANWAVE_VC_PUBLISHED_H
#define MEANWAVE_VC_PUBLISHED_H

#include "weights.h"

typedef struct {
  const char *decoder;
  const char *encoder;
  size_t chunk; // mel frames
  size_t ahead;
} vc_published;

#define VC_PUBLISHED_VOCODER "vocos.pt"
#define VC_PUBLISHED_SPEAKER "wavlm_large_finetune.pth"

// The model whose decoder a path names, or NULL; folders in front of the name do not count.
const vc_published *vc_published_named(const char *path);
// The one model whose decoder is in the folder; when there are several, the line names them.
mw_status vc_published_in(const vc_published **found, const char *folder, mw_error *error);
// The same of a bundle, told by the files it was made of; NULL when none of them is known.
const vc_published *vc_published_source(const weights *bundle);

// Opens a file of the folder; `tensor_name` tells what the container puts in front of the names.
mw_status vc_published_open(weights **file, const char *folder, const char *name,
                            const char *tensor_name, weights_view *view, mw_error *error);

#endif
