// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sound to sound through the real-time loops and the file script. Tolerances of chains of networks
// fed with their own output: 2e-3 for the mel, 5e-3 for the samples.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "golden.h"
#include "golden_whole.h"

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
  size_t ahead = 0;
  mw_status status = MW_OK;
  json_size(json_get(json_get(run->config, "dit"), "chunk"), 1, 1000, &chunk);
  json_size(json_get(json_get(run->config, "dit"), "block"), 1, 1000, &ahead);
  for (int i = 0; status == MW_OK && i < 3; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", run->folder, names[i]);
    status = weights_open(&s->files[i], path, error);
  }
  if (status != MW_OK) return status;
  weights_view encoder = weights_locate(s->files[0], "embed.out.0.weight");
  weights_view decoder = weights_under(s->files[1], "");
  weights_view vocoder = weights_under(s->files[2], "");
  status = asr_encoder_load(&s->encoder, &encoder, error);
  if (status == MW_OK) status = flow_vc_load(&s->decoder, &decoder, chunk, ahead, error);
  if (status == MW_OK) status = vocos_load(&s->vocoder, &vocoder, 0, error);
  if (status == MW_OK)
    status = flow_vc_voice_new(&s->voice, s->decoder, s->speaker.values, s->prompt.values,
                               s->prompt.shape[0], error);
  return status;
}

static mw_status make_schedule(flow_vc_schedule **made, const setting *s, size_t steps,
                               mw_error *error)
{
  float times[8];
  flow_vc_published_times(s->decoder, times, steps);
  return flow_vc_schedule_new(made, s->decoder, times, steps, error);
}

// The published loop over the source; the second generation's has an end of its own.
static void compare_loop(golden_run *run, const setting *s, size_t steps, const char *mel_file,
                         const char *wav_file)
{
  size_t reset = 50;
  size_t bins = flow_vc_mel(s->decoder);
  size_t chunk = flow_vc_chunk_frames(s->decoder);
  size_t draw = (chunk + flow_vc_ahead_frames(s->decoder)) * bins;
  flow_vc_schedule *schedule = NULL;
  converter *c = NULL;
  mw_error error;
  json_size(json_get(run->config, "reset_before_chunk"), 1, 1000, &reset);
  mw_status status = make_schedule(&schedule, s, steps, &error);
  converter_model model = {s->encoder, s->decoder, schedule, s->vocoder};
  if (status == MW_OK) status = converter_new(&c, &model, s->prompt.shape[0], reset, true, &error);
  if (status != MW_OK) {
    golden_fail(run, error.text);
    flow_vc_schedule_free(schedule);
    return;
  }
  float *samples = malloc((s->source.count + 8000) * sizeof(float));
  float *mel = malloc(s->noise.count * sizeof(float));
  size_t fed = 0;
  size_t made = 0;
  size_t chunks = 0;
  while (fed + converter_wanted(c) <= s->source.count) {
    size_t wanted = converter_wanted(c);
    size_t count = converter_returned(c);
    converter_step(c, s->voice, s->source.values + fed, s->noise.values + chunks * draw,
                   samples + made, mel + chunks * chunk * bins);
    fed += wanted;
    made += count;
    chunks = converter_chunks(c);
  }
  if (flow_vc_second_generation(s->decoder)) {
    made += converter_finish(c, s->voice, s->source.values + fed, s->source.count - fed,
                             s->noise.values + chunks * draw, samples + made,
                             mel + chunks * chunk * bins);
    chunks = converter_chunks(c);
  }
  golden_compare(run, wav_file, samples, made, 5e-3);
  // the array holds what goes into the vocoder or what comes from the decoder: the same frames
  golden_compare(run, mel_file, mel, chunks * chunk * bins, 2e-3);
  free(samples);
  free(mel);
  converter_free(c);
  flow_vc_schedule_free(schedule);
}

static void compare_whole(golden_run *run, const setting *s, size_t steps)
{
  char file[64];
  flow_vc_schedule *schedule = NULL;
  whole_sound w = {0};
  mw_error error;
  mw_status status = make_schedule(&schedule, s, steps, &error);
  converter_model model = {s->encoder, s->decoder, schedule, s->vocoder};
  if (status == MW_OK)
    status = convert_whole(&w, &model, s->voice, s->prompt.shape[0], s->source.values,
                           s->source.count, 0, s->noise.values, NULL, &error);
  if (status == MW_OK) {
    size_t values = w.frames * flow_vc_mel(s->decoder);
    golden_compare(run, "off_bnf_up.npy", w.content, w.frames * flow_vc_content(s->decoder), 1e-4);
    for (size_t i = 0; i < values; i++) w.mel[i] = (w.mel[i] + 1.0f) / 2.0f;
    snprintf(file, sizeof file, "off_mel_steps%zu.npy", steps);
    golden_compare(run, file, w.mel, values, 2e-3);
    snprintf(file, sizeof file, "off_wav_steps%zu.npy", steps);
    golden_compare(run, file, w.samples, w.count, 5e-3);
  } else {
    golden_fail(run, error.text);
  }
  whole_sound_free(&w);
  flow_vc_schedule_free(schedule);
}

static void close_setting(setting *s)
{
  flow_vc_voice_free(s->voice);
  vocos_free(s->vocoder);
  flow_vc_free(s->decoder);
  asr_encoder_free(s->encoder);
  for (int i = 0; i < 3; i++) weights_close(s->files[i]);
  npy_free(&s->source);
  npy_free(&s->noise);
  npy_free(&s->speaker);
  npy_free(&s->prompt);
}

static bool read_inputs(golden_run *run, setting *s)
{
  return golden_input(run, &s->source, "source.npy") && golden_input(run, &s->noise, "noise.npy") &&
         golden_input(run, &s->speaker, "spk.npy");
}

void golden_convert(golden_run *run)
{
  setting s = {0};
  mw_error error;
  if (read_inputs(run, &s) && golden_input(run, &s.prompt, "prompt.npy")) {
    if (open_setting(run, &s, &error) == MW_OK) {
      compare_loop(run, &s, 1, "rt_mel_steps1.npy", "rt_wav_steps1.npy");
      compare_loop(run, &s, 2, "rt_mel_steps2.npy", "rt_wav_steps2.npy");
      compare_whole(run, &s, 1);
      compare_whole(run, &s, 2);
    } else {
      golden_fail(run, error.text);
    }
  }
  close_setting(&s);
}

void golden_convert_second(golden_run *run)
{
  setting s = {0};
  mw_error error;
  if (read_inputs(run, &s)) {
    if (open_setting(run, &s, &error) == MW_OK)
      compare_loop(run, &s, 2, "mel.npy", "wav.npy");
    else
      golden_fail(run, error.text);
  }
  close_setting(&s);
}
