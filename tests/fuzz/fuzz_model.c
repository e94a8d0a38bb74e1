// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whole models of each family from a file with hostile tensors and configuration. The first byte
// chooses a small bundle, the rest are edits of six bytes each: operation, tensor, a byte and a
// number. What opens makes sound.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "json.h"
#include "small_models.h"
#include "sound_folder.h"
#include "weights_internal.h"

enum { VOICE_1, VOICE_2, SOUND, PUBLISHED_SOUND, VOCODER, BASES };
enum { RATE_HZ = 16000, FRAMES = RATE_HZ / 2, MOST_TENSORS = 1024, MOST_EDITS = 16 };
enum { ELEMENT_LIMIT = 1 << 18, CONFIG_SIZE = 4096, EDIT_BYTES = 6 };

typedef struct {
  const tensor *source;
  const char *name;
  tensor_dtype dtype;
  unsigned rank;
  size_t shape[TENSOR_RANK_LIMIT];
  bool dropped;
  bool poked; // element `at` is `value`
  size_t at;
  float value;
} edited;

static weights *bases[BASES];
static char folder[TEMP_FOLDER_SIZE]; // of MeanAudio's files, and of what is edited
static char recording[96];
static char vocoder_path[4096];
static edited tensors[MOST_TENSORS];
static size_t tensor_count;
static char config[CONFIG_SIZE];

// ---- The bundles that are edited ----

static void import(weights **made, const char *const *paths, size_t count)
{
  char output[96];
  mw_error error = {""};
  snprintf(output, sizeof output, "%s/base.mw", folder);
  mw_model_import wish = {
      .paths = paths, .count = count, .output = output, .type = MW_WEIGHTS_F32, .overwrite = true};
  if (mw_models_import(&wish, &error) != MW_OK || weights_open(made, output, &error) != MW_OK) {
    fprintf(stderr, "%s\n", error.text);
    abort();
  }
}

static void import_golden(weights **made, const char *const *files, size_t count)
{
  static char paths[5][4096];
  const char *given[5];
  for (size_t i = 0; i < count; i++) given[i] = fuzz_data(paths[i], sizeof paths[i], files[i]);
  import(made, given, count);
}

static void close_bases(void)
{
  for (int i = 0; i < BASES; i++) weights_close(bases[i]);
  sound_folder_remove(folder);
}

static void open_bases(void)
{
  static const char *const voice_1[] = {"golden/meanvc/e2e_v1/model.safetensors",
                                        "golden/meanvc/e2e_v1/fastu2pp.pt",
                                        "golden/meanvc/e2e_v1/vocos.pt", "golden/meanvc/sv/sv.pth"};
  static const char *const voice_2[] = {"golden/meanvc/e2e_v2_120ms/model.safetensors",
                                        "golden/meanvc/e2e_v2_120ms/fastu2pp.pt",
                                        "golden/meanvc/e2e_v2_120ms/vocos.pt"};
  static const char *const sound[] = {
      "golden/meanaudio/transformer/meanaudio_tiny.pth", "golden/meanaudio/vae_decoder/v1_tiny.pth",
      "golden/meanaudio/bigvgan/best_netG_tiny.pt", "golden/meanaudio/clap_text/clap_tiny.pt",
      "golden/meanaudio/t5_encoder/model.safetensors"};
  static const char *const words[] = {"golden/sound/sound.safetensors"};
  static const char *const vocoder[] = {"golden/sound/vocoder.safetensors"};
  static float tone[RATE_HZ + RATE_HZ / 4];
  sound_folder_make(folder);
  atexit(close_bases);
  import_golden(&bases[VOICE_1], voice_1, 4);
  import_golden(&bases[VOICE_2], voice_2, 3);
  import_golden(&bases[SOUND], words, 1);
  import_golden(&bases[PUBLISHED_SOUND], sound, 5);
  import_golden(&bases[VOCODER], vocoder, 1);
  fuzz_data(vocoder_path, sizeof vocoder_path, vocoder[0]);
  snprintf(recording, sizeof recording, "%s/tone.wav", folder);
  for (size_t i = 0; i < sizeof tone / sizeof tone[0]; i++)
    tone[i] = 0.3f * sinf(0.05f * (float)i + 3.0f * sinf(0.001f * (float)i));
  const mw_sound s = {tone, sizeof tone / sizeof tone[0], RATE_HZ};
  if (mw_sound_save(&s, recording, true, NULL) != MW_OK) abort();
}

// ---- Edits ----

static void take_base(const weights *base)
{
  const char *text = weights_metadata(base, "config");
  tensor_count = weights_count(base);
  if (tensor_count > MOST_TENSORS) abort();
  for (size_t i = 0; i < tensor_count; i++) {
    const tensor *t = weights_at(base, i);
    tensors[i] = (edited){.source = t, .name = t->name, .dtype = t->dtype, .rank = t->rank};
    memcpy(tensors[i].shape, t->shape, sizeof t->shape);
  }
  snprintf(config, sizeof config, "%s", text != NULL ? text : "{}");
}

static void edit(const uint8_t *e)
{
  static const float values[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 1e-30f, 0.0f, -1.0f};
  static const uint16_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 63, 80, 255, 256, 1024, 65535};
  edited *t = &tensors[((size_t)e[1] << 8 | e[2]) % tensor_count];
  edited *other = &tensors[((size_t)e[4] << 8 | e[5]) % tensor_count];
  size_t length = strlen(config);
  size_t dimension = t->rank > 0 ? e[3] % t->rank : 0;
  switch (e[0] % 9) {
  case 0: t->dropped = true; break;
  case 1: t->shape[dimension] = sizes[e[5] % 16]; break;
  case 2: t->shape[dimension] += (size_t)(e[5] % 5) - 2; break;
  case 3:
    if (t->rank > 0) t->rank--;
    break;
  case 4:
    if (t->rank < TENSOR_RANK_LIMIT) t->shape[t->rank++] = 1 + e[5] % 3;
    break;
  case 5: t->dtype = (tensor_dtype)(e[5] % (TENSOR_BOOL + 1)); break;
  case 6:
    t->poked = true;
    t->at = (size_t)e[4] << 8 | e[5];
    t->value = values[e[3] % 8];
    break;
  case 7: { // the tensor under another's name, with its shape
    const char *name = t->name;
    t->name = other->name;
    other->name = name;
    break;
  }
  case 8:
    if (length > 0) config[((size_t)e[1] << 8 | e[2]) % length] = (char)e[3];
    break;
  }
}

static size_t count_of(const edited *t)
{
  size_t count = 1;
  for (unsigned d = 0; d < t->rank; d++) {
    if (t->shape[d] > ELEMENT_LIMIT) return 0;
    count *= t->shape[d];
    if (count > ELEMENT_LIMIT) return 0;
  }
  return count;
}

// As many elements as the shape says, the source's over and over.
static void write_values(const edited *t, FILE *file)
{
  size_t count = count_of(t);
  size_t width = tensor_dtype_bytes(t->dtype);
  size_t bytes = t->source->count * tensor_dtype_bytes(t->source->dtype);
  char *copy = malloc(count * width + sizeof(float));
  if (copy == NULL) abort();
  for (size_t i = 0; i < count * width; i++)
    copy[i] = bytes > 0 ? ((const char *)t->source->data)[i % bytes] : 0;
  if (t->poked && count > 0 && t->dtype == TENSOR_F32)
    memcpy(copy + t->at % count * width, &t->value, sizeof(float));
  fwrite(copy, width, count, file);
  free(copy);
}

static void write_edited(const char *path)
{
  char *header = NULL;
  size_t length = 0;
  size_t offset = 0;
  FILE *text = open_memstream(&header, &length);
  FILE *file = fopen(path, "wb");
  if (text == NULL || file == NULL) abort();
  fputs("{\"__metadata__\":{\"format\":\"meanwave-bundle-1\",\"config\":", text);
  json_write_text(text, config);
  fputs("}", text);
  for (size_t i = 0; i < tensor_count; i++) {
    const edited *t = &tensors[i];
    size_t bytes = count_of(t) * tensor_dtype_bytes(t->dtype);
    if (t->dropped) continue;
    fputs(",", text);
    json_write_text(text, t->name);
    fprintf(text, ":{\"dtype\":\"%s\",\"shape\":[", tensor_dtype_name(t->dtype));
    for (unsigned d = 0; d < t->rank; d++) fprintf(text, "%s%zu", d > 0 ? "," : "", t->shape[d]);
    fprintf(text, "],\"data_offsets\":[%zu,%zu]}", offset, offset + bytes);
    offset += bytes;
  }
  fputs("}", text);
  fclose(text);
  for (int i = 0; i < 8; i++) fputc((int)(length >> (8 * i) & 0xFF), file);
  fwrite(header, 1, length, file);
  free(header);
  for (size_t i = 0; i < tensor_count; i++)
    if (!tensors[i].dropped) write_values(&tensors[i], file);
  if (fclose(file) != 0) abort();
}

// ---- What opens makes sound ----

static mw_status convert(const mw_voice_model *model, const mw_voice *voice, mw_error *error)
{
  static float sound[FRAMES];
  mw_stream *s = NULL;
  mw_status status = mw_stream_new(&s, model, voice, RATE_HZ, 1, error);
  for (size_t i = 0; i < FRAMES; i++) sound[i] = 0.3f * sinf(0.05f * (float)i);
  if (status == MW_OK) mw_stream_run(s, sound, sound, FRAMES);
  for (size_t i = 0; status == MW_OK && i < FRAMES; i++)
    if (!isfinite(sound[i])) abort();
  mw_stream_free(s);
  return status;
}

static mw_status try_voice(const char *path, bool hears, mw_error *error)
{
  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  mw_status status = mw_voice_model_open(&model, path, NULL, 1, error);
  if (status == MW_OK) status = small_voice(&voice, model, error);
  if (status == MW_OK) status = convert(model, voice, error);
  mw_voice_close(voice);
  voice = NULL;
  if (status == MW_OK && hears) status = mw_voice_open(&voice, model, recording, NULL, error);
  mw_voice_close(voice);
  mw_voice_model_close(model);
  return status;
}

static mw_status try_sound(const char *path, const char *vocoder, mw_error *error)
{
  mw_sound_model *model = NULL;
  mw_sound made = {0};
  const mw_sound_wish wish = {.prompt = "a dog barks", .seconds = 0.1, .steps = 1, .threads = 1};
  mw_status status = mw_sound_model_open(&model, path, vocoder, error);
  if (status == MW_OK) status = mw_sound_generate(&made, model, &wish, error);
  mw_sound_free(&made);
  mw_sound_model_close(model);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  char path[96];
  char words[4096];
  mw_error error = {""};
  mw_status status = MW_OK;
  if (bases[VOCODER] == NULL) open_bases();
  if (size == 0) return 0;
  int base = bytes[0] % BASES;
  take_base(bases[base]);
  for (size_t at = 1, edits = 0; at + EDIT_BYTES <= size && edits < MOST_EDITS; edits++) {
    edit(bytes + at);
    at += EDIT_BYTES;
  }
  snprintf(path, sizeof path, "%s/edited.mw", folder);
  write_edited(path);
  switch (base) {
  case VOICE_1:
  case VOICE_2: status = try_voice(path, base == VOICE_1, &error); break;
  case SOUND: status = try_sound(path, vocoder_path, &error); break;
  case PUBLISHED_SOUND: status = try_sound(path, NULL, &error); break;
  default:
    status =
        try_sound(fuzz_data(words, sizeof words, "golden/sound/sound.safetensors"), path, &error);
  }
  fuzz_judge(status, &error);
  return 0;
}
