// SPDX-License-Identifier: GPL-3.0-or-later
//
// A whole sound file through the chunk loop.
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "vc_model.h"
#include "wavfile.h"

enum { RESET_CHUNKS = 50 };

// Silence behind the end flushes the loop: what comes out first belongs to the first sample.
static mw_status run(const vc_model *m, const sound *in, uint64_t seed, sound *out, mw_error *error)
{
  converter *c = NULL;
  converter_model networks = {m->encoder, m->decoder, m->schedule, m->vocoder};
  mw_status status = converter_new(&c, &networks, m->prompt_frames, RESET_CHUNKS, error);
  if (status != MW_OK) return status;
  size_t most = converter_wanted(c);
  float *block = malloc((most + 1) * sizeof(float));
  *out = (sound){.rate_hz = in->rate_hz};
  out->samples = malloc((in->frames + most + 1) * sizeof(float));
  if (block == NULL || out->samples == NULL) status = mw_fail_memory(error, "converting");
  converter_reset(c, seed);
  for (size_t fed = 0; status == MW_OK && out->frames < in->frames;) {
    size_t wanted = converter_wanted(c);
    size_t count = in->frames - fed < wanted ? in->frames - fed : wanted;
    memcpy(block, in->samples + fed, count * sizeof(float));
    memset(block + count, 0, (wanted - count) * sizeof(float));
    fed += count;
    size_t made = converter_returned(c);
    converter_step(c, m->voice, block, NULL, out->samples + out->frames, NULL);
    out->frames += made;
  }
  if (status == MW_OK) out->frames = in->frames;
  free(block);
  converter_free(c);
  return status;
}

mw_status mw_convert_file(const mw_conversion *how, const char *in_path, const char *out_path,
                          bool overwrite, mw_error *error)
{
  vc_model m = {0};
  sound in = {0};
  sound at_model_rate = {0};
  sound made = {0};
  sound out = {0};
  mw_status status = vc_model_open(&m, how, error);
  if (status == MW_OK) status = sound_read(&in, in_path, error);
  if (status == MW_OK) status = sound_resample(&at_model_rate, &in, VC_MODEL_HZ, error);
  if (status == MW_OK) status = run(&m, &at_model_rate, how->seed, &made, error);
  if (status == MW_OK) status = sound_resample(&out, &made, in.rate_hz, error);
  if (status == MW_OK) {
    // rates that do not divide may round to a frame more
    if (out.frames > in.frames) out.frames = in.frames;
    status = sound_write(&out, out_path, overwrite, error);
  }
  sound_free(&in);
  sound_free(&at_model_rate);
  sound_free(&made);
  sound_free(&out);
  vc_model_close(&m);
  return status;
}
