// SPDX-License-Identifier: GPL-3.0-or-later
//
// The files that make a text-to-audio model: our bundle, or a folder of MeanAudio's published files
// by their names (docs/models.md). Immutable once opened.
#ifndef MEANWAVE_SOUND_MODEL_H
#define MEANWAVE_SOUND_MODEL_H

#include "bigvgan.h"
#include "bpe.h"
#include "clap_text.h"
#include "flow_audio.h"
#include "latent_coder.h"
#include "mel.h"
#include "pieces.h"
#include "text_encoder.h"
#include "vocos.h"
#include "word_encoder.h"

#define SOUND_USUAL_STRENGTH 0.6                        // of the noise over a sound to start from
enum { SOUND_MODEL_HZ = 16000, SOUND_TEXT_ROWS = 512 }; // most rows of a prompt

struct mw_sound_model {
  char name[128];
  weights *flow_file;  // of a bundle: all parts, but for the default model's vocoder
  weights *coder_file; // NULL where that has the part
  weights *text_file;
  weights *clap_file;
  weights *vocoder_file;
  flow_audio *flow;
  latent_coder *coder; // without its encoder
  // either
  word_encoder *words;
  vocos *vocos;
  // or
  pieces *pieces;
  bpe *bpe;
  text_encoder *text;
  clap_text *clap;
  bigvgan *bigvgan;

  mel_kind mel;        // of the autoencoder
  size_t text_rows;    // of a prompt's features
  size_t text_width;   // of such a row
  size_t pooled_width; // of the pooled feature
  size_t latent_hop;   // samples of a latent row
  mw_sound_model_info about;
};

// The file with the autoencoder in it.
const weights *sound_model_coder_file(const mw_sound_model *m);

#endif
