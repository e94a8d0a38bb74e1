// SPDX-License-Identifier: GPL-3.0-or-later
//
// The files that make a MeanVC model: our bundle, or a folder with the published files by their
// names (model_200ms.safetensors or meanvc_200ms.pt, fastu2++.pt, vocos.pt, and
// wavlm_large_finetune.pth for voices). Immutable once opened.
#ifndef MEANWAVE_VC_MODEL_H
#define MEANWAVE_VC_MODEL_H

#include "asr_encoder.h"
#include "convert.h"
#include "flow_vc.h"
#include "sha256.h"
#include "vocos.h"

enum { VC_MODEL_HZ = 16000 };

struct mw_voice_model {
  weights *decoder_file; // of a bundle: encoder, decoder, speaker encoder and voices
  weights *encoder_file; // NULL in a bundle
  weights *vocoder_file;
  char folder[4096]; // of published files; "" for a bundle
  asr_encoder *encoder;
  flow_vc *decoder;
  flow_vc_schedule *schedule;
  vocos *vocoder;
  char speaker_space[SHA256_TEXT]; // what its speaker embeddings mean: voices fit when it is equal
  char (*voices)[64];              // names of the bundle's
  size_t voice_count;
};

// The first of `names` that is in the folder of published files; `tensor_name` tells what the
// container puts in front of the names.
mw_status vc_open_published(weights **file, const char *folder, const char *const *names,
                            const char *tensor_name, weights_view *view, mw_error *error);

converter_model vc_model_networks(const mw_voice_model *m);

#endif
