// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whole models of each family from a file with hostile tensors and configuration. The first byte
// chooses a small bundle, the rest are edits of six bytes each: operation, tensor, a byte and a
// number. What opens makes sound; without edits all do.
//
// A bundle lies in memory as a file; an input only writes its header and, behind the tensors, those
// that it changes.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "json.h"
#include "small_models.h"
#include "sound_folder.h"
#include "tone.h"
#include "weights_internal.h"

enum { VOICE_1, VOICE_2, SOUND, PUBLISHED_SOUND, VOCODER, OWN_VOICE, BASES };
enum { RATE_HZ = 16000, FRAMES = RATE_HZ / 2, MOST_TENSORS = 1024, MOST_EDITS = 16 };
enum { ELEMENT_LIMIT = 1 << 18, CONFIG_SIZE = 4096, EDIT_BYTES = 6, EDITS_ROOM = 2048 };
enum { RENAMES = 0xF0, NAME_SIZE = 256 }; // operations from there on

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
  size_t place; // of the source's bytes behind the header
} edited;

typedef struct {
  weights *tensors;
  const char *config;
  int file;
  char path[96];      // beside the files that belong to it
  size_t header_room; // the header's bytes, whatever is edited
  size_t end;         // of the tensors
} base;

static base bases[BASES];
static char folder[TEMP_FOLDER_SIZE]; // of MeanAudio's files
static char recording[96];
static char vocoder_path[4096];
static edited tensors[MOST_TENSORS];
static size_t tensor_count;
static char config[CONFIG_SIZE];

// ---- The bundles that are edited ----

static void expect(mw_status status, const mw_error *error)
{
  if (status == MW_OK) return;
  fprintf(stderr, "%s\n", error->text);
  abort();
}

static void import_golden(base *b, const char *const *files, size_t count)
{
  static char paths[5][4096];
  const char *given[5];
  char output[96];
  mw_error error = {""};
  for (size_t i = 0; i < count; i++) given[i] = fuzz_data(paths[i], sizeof paths[i], files[i]);
  snprintf(output, sizeof output, "%s/base.mw", folder);
  mw_model_import wish = {
      .paths = given, .count = count, .output = output, .type = MW_WEIGHTS_F32, .overwrite = true};
  expect(mw_models_import(&wish, &error), &error);
  expect(weights_open(&b->tensors, output, &error), &error);
}

static void make_own_voice(base *b)
{
  char output[96];
  mw_error error = {""};
  snprintf(output, sizeof output, "%s/own.mw", folder);
  expect(small_own_write(output, &error), &error);
  expect(weights_open(&b->tensors, output, &error), &error);
}

static void close_bases(void)
{
  for (int i = 0; i < BASES; i++) weights_close(bases[i].tensors);
  sound_folder_remove(folder);
}

static void make_recording(void)
{
  static float tone[RATE_HZ];
  const mw_sound s = {tone, sizeof tone / sizeof tone[0], RATE_HZ};
  mw_error error = {""};
  snprintf(recording, sizeof recording, "%s/tone.wav", folder);
  tone_make(tone, s.frames);
  expect(mw_sound_save(&s, recording, true, &error), &error);
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
  sound_folder_make(folder);
  atexit(close_bases);
  import_golden(&bases[VOICE_1], voice_1, 4);
  import_golden(&bases[VOICE_2], voice_2, 3);
  import_golden(&bases[SOUND], words, 1);
  import_golden(&bases[PUBLISHED_SOUND], sound, 5);
  import_golden(&bases[VOCODER], vocoder, 1);
  make_own_voice(&bases[OWN_VOICE]);
  fuzz_data(vocoder_path, sizeof vocoder_path, vocoder[0]);
  make_recording();
  for (int i = 0; i < BASES; i++) {
    base *b = &bases[i];
    b->config = weights_metadata(b->tensors, "config");
    b->file = memfd_create("model", 0);
    char target[32];
    if (b->file < 0) abort();
    snprintf(target, sizeof target, "/proc/self/fd/%d", b->file);
    snprintf(b->path, sizeof b->path, "%s/model-%d.mw", folder, i);
    if (symlink(target, b->path) != 0) abort();
  }
  // small files have not the names that tell the published ones' chunks
  bases[VOICE_1].config = "{\"decoder\":{\"chunk\":20,\"ahead\":0}}";
  bases[VOICE_2].config = "{\"decoder\":{\"chunk\":12,\"ahead\":4}}";
}

// ---- Edits ----

static void take_base(const base *b)
{
  size_t place = 0;
  tensor_count = weights_count(b->tensors);
  if (tensor_count > MOST_TENSORS) abort();
  for (size_t i = 0; i < tensor_count; i++) {
    const tensor *t = weights_at(b->tensors, i);
    tensors[i] =
        (edited){.source = t, .name = t->name, .dtype = t->dtype, .rank = t->rank, .place = place};
    memcpy(tensors[i].shape, t->shape, sizeof t->shape);
    place += t->count * tensor_dtype_bytes(t->dtype);
  }
  snprintf(config, sizeof config, "%s", b->config != NULL ? b->config : "{}");
}

// Another layer's kind of name: what it belongs to is there twice or on the wrong side.
static void rename_part(edited *t, size_t choice)
{
  static const char *const parts[][2] = {{"downsample.conv1", "upsample.conv"},
                                         {"upsample.conv", "downsample.conv1"},
                                         {"encoder.", "decoder."},
                                         {"decoder.", "encoder."}};
  static char names[MOST_EDITS][NAME_SIZE];
  static size_t next;
  const char *const *part = parts[choice % (sizeof parts / sizeof parts[0])];
  const char *found = strstr(t->name, part[0]);
  char *name = names[next++ % MOST_EDITS];
  if (found == NULL) return;
  snprintf(name, NAME_SIZE, "%.*s%s%s", (int)(found - t->name), t->name, part[1],
           found + strlen(part[0]));
  t->name = name;
}

static void edit(const uint8_t *e)
{
  static const float values[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 1e-30f, 0.0f, -1.0f};
  static const uint16_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 63, 80, 255, 256, 1024, 65535};
  edited *t = &tensors[((size_t)e[1] << 8 | e[2]) % tensor_count];
  edited *other = &tensors[((size_t)e[4] << 8 | e[5]) % tensor_count];
  size_t length = strlen(config);
  size_t dimension = t->rank > 0 ? e[3] % t->rank : 0;
  if (e[0] >= RENAMES) {
    rename_part(t, e[3]);
    return;
  }
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

static size_t bytes_of(const edited *t)
{
  return count_of(t) * tensor_dtype_bytes(t->dtype);
}

// Its bytes are not those of its source.
static bool is_changed(const edited *t)
{
  return t->poked || bytes_of(t) != t->source->count * tensor_dtype_bytes(t->source->dtype);
}

static void write_at(const base *b, const void *bytes, size_t size, size_t at)
{
  if (pwrite(b->file, bytes, size, (off_t)at) != (ssize_t)size) abort();
}

// As many elements as the shape says, the source's over and over.
static void write_values(const base *b, const edited *t, size_t at)
{
  size_t wanted = bytes_of(t);
  size_t there = t->source->count * tensor_dtype_bytes(t->source->dtype);
  char *copy = calloc(wanted + sizeof(float), 1);
  if (copy == NULL) abort();
  for (size_t done = 0; there > 0 && done < wanted; done += there)
    memcpy(copy + done, t->source->data, wanted - done < there ? wanted - done : there);
  if (t->poked && wanted > 0 && t->dtype == TENSOR_F32)
    memcpy(copy + t->at % count_of(t) * sizeof(float), &t->value, sizeof(float));
  write_at(b, copy, wanted, at);
  free(copy);
}

// Where the tensors lie, of the header; what is changed is written behind the others.
static void write_header(base *b, FILE *text)
{
  size_t end = b->end;
  fputs("{\"__metadata__\":{\"format\":\"meanwave-bundle-1\",\"config\":", text);
  json_write_text(text, config);
  fputs("}", text);
  for (size_t i = 0; i < tensor_count; i++) {
    const edited *t = &tensors[i];
    size_t at = is_changed(t) ? end : t->place;
    if (t->dropped) continue;
    fputs(",", text);
    json_write_text(text, t->name);
    fprintf(text, ":{\"dtype\":\"%s\",\"shape\":[", tensor_dtype_name(t->dtype));
    for (unsigned d = 0; d < t->rank; d++) fprintf(text, "%s%zu", d > 0 ? "," : "", t->shape[d]);
    fprintf(text, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes_of(t));
    if (!is_changed(t)) continue;
    write_values(b, t, 8 + b->header_room + end);
    end += bytes_of(t);
  }
  fputs("}", text);
}

// The tensors of a base, once, behind room for any header.
static void write_base(base *b)
{
  char *header = NULL;
  size_t length = 0;
  FILE *text = open_memstream(&header, &length);
  if (text == NULL) abort();
  write_header(b, text);
  fclose(text);
  free(header);
  b->header_room = length + EDITS_ROOM;
  for (size_t i = 0; i < tensor_count; i++) {
    const edited *t = &tensors[i];
    write_at(b, t->source->data, bytes_of(t), 8 + b->header_room + t->place);
    b->end = t->place + bytes_of(t);
  }
}

static void write_edited(base *b)
{
  char *header = NULL;
  size_t length = 0;
  FILE *text = open_memstream(&header, &length);
  if (text == NULL || ftruncate(b->file, (off_t)(8 + b->header_room + b->end)) != 0) abort();
  write_header(b, text);
  if (fflush(text) != 0 || length > b->header_room) abort();
  fprintf(text, "%*s", (int)(b->header_room - length), "");
  fclose(text);
  const uint64_t size = length;
  write_at(b, &size, sizeof size, 0);
  write_at(b, header, length, sizeof size);
  free(header);
}

// ---- What opens makes sound ----

static mw_status convert(const mw_voice_model *model, const mw_voice *voice, mw_error *error)
{
  static float sound[FRAMES];
  mw_stream *s = NULL;
  mw_status status = mw_stream_new(&s, model, voice, RATE_HZ, 1, error);
  tone_make(sound, FRAMES);
  if (status == MW_OK) mw_stream_run(s, sound, sound, FRAMES);
  for (size_t i = 0; status == MW_OK && i < FRAMES; i++)
    if (!isfinite(sound[i])) abort();
  mw_stream_free(s);
  return status;
}

// With the model's own voice, where it has one.
static mw_status try_voice(const char *path, bool hears, mw_error *error)
{
  mw_voice_model *model = NULL;
  mw_voice *voice = NULL;
  mw_status status = mw_voice_model_open(&model, path, NULL, 1, error);
  const char *own = status == MW_OK ? mw_voice_model_voice(model, 0) : NULL;
  if (own != NULL)
    status = mw_voice_open(&voice, model, own, NULL, error);
  else if (status == MW_OK)
    status = small_voice(&voice, model, error);
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
  static float samples[FRAMES];
  const mw_sound from = {samples, FRAMES, RATE_HZ};
  mw_sound_wish wish = {.prompt = "a dog barks", .seconds = 0.1, .steps = 1, .threads = 1};
  mw_status status = mw_sound_model_open(&model, path, vocoder, error);
  if (status == MW_OK) status = mw_sound_generate(&made, model, &wish, error);
  mw_sound_free(&made);
  if (status == MW_OK && mw_sound_model_about(model).starts_from_sounds) {
    tone_make(samples, FRAMES);
    wish.from = &from;
    status = mw_sound_generate(&made, model, &wish, error);
    mw_sound_free(&made);
  }
  mw_sound_model_close(model);
  return status;
}

static mw_status try_base(int which, mw_error *error)
{
  static char words[4096];
  const char *path = bases[which].path;
  write_edited(&bases[which]);
  switch (which) {
  case VOICE_1:
  case OWN_VOICE: return try_voice(path, true, error);
  case VOICE_2: return try_voice(path, false, error);
  case SOUND: return try_sound(path, vocoder_path, error);
  case PUBLISHED_SOUND: return try_sound(path, NULL, error);
  default:
    return try_sound(fuzz_data(words, sizeof words, "golden/sound/sound.safetensors"), path, error);
  }
}

static void prepare(void)
{
  mw_error error = {""};
  open_bases();
  for (int i = 0; i < BASES; i++) {
    take_base(&bases[i]);
    write_base(&bases[i]);
    expect(try_base(i, &error), &error);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  mw_error error = {""};
  if (bases[0].tensors == NULL) prepare();
  if (size == 0) return 0;
  int which = bytes[0] % BASES;
  take_base(&bases[which]);
  for (size_t at = 1, edits = 0; at + EDIT_BYTES <= size && edits < MOST_EDITS; edits++) {
    edit(bytes + at);
    at += EDIT_BYTES;
  }
  fuzz_judge(try_base(which, &error), &error);
  return 0;
}
