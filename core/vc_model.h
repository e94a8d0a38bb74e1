// SPDX-License-Identifier: GPL-3.0-or-later
//
// The files that make a MeanVC model: our bundle, or a folder with the published files by their
// names (model_200ms.safetensors or meanvc_200ms.pt, fastu2++.pt, vocos.pt, and
// wavlm_large_finetune.pth for voices).
#ifndef MEANWAVE_VC_MODEL_H
#define MEANWAVE_VC_MODEL_H

#include "asr_encoder.h"
#include "flow_vc.h"
#include "vocos.h"

enum { VC_MODEL_HZ = 16000 };

typedef struct {
  weights *decoder_file; // of a bundle: encoder, decoder, speaker encoder and voices
  weights *encoder_file; // NULL in a bundle
  weights *vocoder_file;
  char folder[4096]; // of published files; "" for a bundle
  asr_encoder *encoder;
  flow_vc *decoder;
  flow_vc_schedule *schedule;
  vocos *vocoder;
  flow_vc_voice *voice;
  size_t prompt_frames;
} vc_model;

// Opens everything `how` names, the voice included. `m` is zero-initialised, and closed by the
// caller in any case.
mw_status vc_model_open(vc_model *m, const mw_conversion *how, mw_error *error);
void vc_model_close(vc_model *m);

#endif
