// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sound to sound through MeanVC's real-time loop. Tolerances of chains of networks fed with their
// own output: 2e-3 for the mel, 5e-3 for the samples.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "golden.h"

typedef struct {
  weights *files[3];
  asr_encoder *encoder;
  flow_vc *decoder;
  vocos *vocoder;
  flow_vc_voice *voice;
  npy source;
  npy noise;
  npy speaker;
  npy prompt;
} setting;

static mw_status open_setting(golden_run *run, setting *s, mw_error *error)
{
  static const char *const names[3] = {"fastu2pp.pt", "model.safetensors", "vocos.pt"};
  size_t chunk = 0;
  mw_status status = MW_OK;
  json_size(json_get(json_get(run->config, "dit"), "chunk"), 1, 1000, &chunk);
  for (int i = 0; status == MW_OK && i < 3; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", run->folder, names[i]);
    status = weights_open(&s->files[i], path, error);
  }
  if (status != MW_OK) return status;
  weights_view encoder = weights_under(s->files[0], "encoder.");
  weights_view decoder = weights_under(s->files[1], "");
  weights_view vocoder = weights_under(s->files[2], "");
  status = asr_encoder_load(&s->encoder, &encoder, error);
  if (status == MW_OK) status = flow_vc_load(&s->decoder, &decoder, chunk, error);
  if (status == MW_OK) status = vocos_load(&s->vocoder, &vocoder, 0, error);
  if (status == MW_OK)
    status = flow_vc_voice_new(&s->voice, s->decoder, s->speaker.values, s->prompt.values,
                               s->prompt.shape[0], error);
  return status;
}

static void compare_loop(golden_run *run, const setting *s, size_t steps)
{
  char file[64];
  float times[8];
  size_t reset = 0;
  size_t block = flow_vc_chunk_frames(s->decoder) * flow_vc_mel(s->decoder);
  flow_vc_schedule *schedule = NULL;
  converter *c = NULL;
  mw_error error;
  json_size(json_get(run->config, "reset_before_chunk"), 1, 1000, &reset);
  flow_vc_published_times(times, steps);
  mw_status status = flow_vc_schedule_new(&schedule, s->decoder, times, steps, &error);
  converter_model model = {s->encoder, s->decoder, schedule, s->vocoder};
  if (status == MW_OK) status = converter_new(&c, &model, s->prompt.shape[0], reset, &error);
  if (status != MW_OK) {
    golden_fail(run, error.text);
    flow_vc_schedule_free(schedule);
    return;
  }
  float *samples = malloc((s->source.count + 8000) * sizeof(float));
  float *mel = malloc(s->noise.count * sizeof(float));
  size_t made = 0;
  size_t chunks = 0;
  for (size_t fed = 0; fed + converter_wanted(c) <= s->source.count; chunks++) {
    size_t wanted = converter_wanted(c);
    size_t count = converter_returned(c);
    converter_step(c, s->voice, s->source.values + fed, s->noise.values + chunks * block,
                   samples + made, mel + chunks * block);
    fed += wanted;
    made += count;
  }
  snprintf(file, sizeof file, "rt_wav_steps%zu.npy", steps);
  golden_compare(run, file, samples, made, 5e-3);
  free(samples);
  // the array holds what goes into the vocoder or what comes from the decoder: the same frames
  snprintf(file, sizeof file, "rt_mel_steps%zu.npy", steps);
  golden_compare(run, file, mel, chunks * block, 2e-3);
  free(mel);
  converter_free(c);
  flow_vc_schedule_free(schedule);
}

void golden_convert(golden_run *run)
{
  setting s = {0};
  mw_error error;
  if (golden_input(run, &s.source, "source.npy") && golden_input(run, &s.noise, "noise.npy") &&
      golden_input(run, &s.speaker, "spk.npy") && golden_input(run, &s.prompt, "prompt.npy")) {
    if (open_setting(run, &s, &error) == MW_OK) {
      compare_loop(run, &s, 1);
      compare_loop(run, &s, 2);
    } else {
      golden_fail(run, error.text);
    }
  }
  flow_vc_voice_free(s.voice);
  vocos_free(s.vocoder);
  flow_vc_free(s.decoder);
  asr_encoder_free(s.encoder);
  for (int i = 0; i < 3; i++) weights_close(s.files[i]);
  npy_free(&s.source);
  npy_free(&s.noise);
  npy_free(&s.speaker);
  npy_free(&s.prompt);
}
