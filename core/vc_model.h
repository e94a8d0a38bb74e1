// SPDX-License-Identifier: GPL-3.0-or-later
//
// The files that make a MeanVC or MeanVC 2 model: our bundle, or a folder with the published files
// by their names (vc_published.h). Immutable once opened.
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
  weights *vocoder_file; // NULL when it is in the bundle
  char folder[4096];     // of published files; "" for a bundle
  asr_encoder *encoder;
  flow_vc *decoder;
  flow_vc_schedule *schedule;
  vocos *vocoder;
  char speaker_space[SHA256_TEXT]; // what its speaker embeddings mean: voices fit when it is equal
  char content_space[SHA256_TEXT]; // the same of what its encoder says: examples fit
  char (*voices)[64];              // names of the bundle's
  size_t voice_count;
};

// Whether recordings are heard with the published WavLM, so that voices fit all models that do.
bool vc_hears_with_wavlm(const mw_voice_model *m);

converter_model vc_model_networks(const mw_voice_model *m);

#endif
