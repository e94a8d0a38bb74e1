// SPDX-License-Identifier: GPL-3.0-or-later
//
// The n-th allocation fails, for every n, while each kind of object is made and used: one line,
// without a crash and without a leak.
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include <lv2/atom/atom.h>
#include <lv2/core/lv2.h>
#include <lv2/state/state.h>
#include <lv2/urid/urid.h>
#include <lv2/worker/worker.h>

#include "data_path.h"
#include "failing_allocator.h"
#include "kernels.h"
#include "small_models.h"
#include "sound_folder.h"
#include "tone.h"
#include "voice.h"

#ifdef FAILING_ALLOCATOR

enum { RATE_HZ = 16000, FRAMES = RATE_HZ };

static small_folder folders[SMALL_MODELS];
static char sound_folder[TEMP_FOLDER_SIZE];
static char recording[128];
static char made[128]; // by each work anew
static char own[128];  // the default model, smaller
enum { MEANVC, MEANVC2, OWN, MODELS };
static mw_voice_model *models[MODELS];
static mw_voice *voices[MODELS];
static mw_voice_model *model; // one of them, and its voice
static mw_voice *voice;
static float tone[FRAMES];

static int prepare(void **state)
{
  (void)state;
  mw_error error;
  for (small_model m = 0; m < SMALL_MODELS; m++)
    if (!small_folder_make(&folders[m]) || !small_folder_add(&folders[m], m)) return -1;
  if (!small_folder_add_speaker(&folders[0])) return -1;
  sound_folder_make(sound_folder);
  tone_make(tone, FRAMES);
  snprintf(recording, sizeof recording, "%s/tone.wav", folders[0].path);
  snprintf(made, sizeof made, "%s/made", folders[0].path);
  const mw_sound sound = {tone, FRAMES, RATE_HZ};
  snprintf(own, sizeof own, "%s/own.mw", folders[0].path);
  mw_status status = mw_sound_save(&sound, recording, true, &error);
  if (status == MW_OK) status = small_own_write(own, &error);
  const char *const paths[] = {folders[SMALL_MEANVC].path, folders[SMALL_MEANVC2_120].path, own};
  for (int i = 0; status == MW_OK && i < MODELS; i++) {
    status = mw_voice_model_open(&models[i], paths[i], NULL, 1, &error);
    if (status == MW_OK) status = small_voice(&voices[i], models[i], &error);
  }
  if (status != MW_OK) print_error("%s\n", error.text);
  return status == MW_OK ? 0 : -1;
}

static void take(int which)
{
  model = models[which];
  voice = voices[which];
}

static int clear(void **state)
{
  (void)state;
  for (int i = 0; i < MODELS; i++) {
    mw_voice_close(voices[i]);
    mw_voice_model_close(models[i]);
  }
  for (small_model m = 0; m < SMALL_MODELS; m++) small_folder_remove(&folders[m]);
  sound_folder_remove(sound_folder);
  return 0;
}

// ---- Voice ----

static mw_status open_voice_model(const char *path, mw_error *error)
{
  mw_voice_model *m = NULL;
  mw_status status = mw_voice_model_open(&m, path, NULL, 0, error);
  mw_voice_model_close(m);
  return status;
}

static mw_status share_voice_model(const char *path, mw_error *error)
{
  mw_voice_model *m[2] = {NULL, NULL};
  mw_status status = mw_voice_model_share(&m[0], path, NULL, 1, error);
  if (status == MW_OK) status = mw_voice_model_share(&m[1], path, NULL, 1, error);
  mw_voice_model_give_back(m[0]);
  mw_voice_model_give_back(m[1]);
  return status;
}

// Small models are too narrow for it.
static mw_status matrix_of_whole_numbers(const char *what, mw_error *error)
{
  enum { OUTPUTS = 128, INPUTS = 256 };
  static float values[OUTPUTS * INPUTS];
  const matrix_shape shape = {OUTPUTS, INPUTS, 1, 1, 1};
  matrix *m = NULL;
  (void)what;
  for (size_t i = 0; i < OUTPUTS * INPUTS; i++) values[i] = sinf((float)i);
  mw_status status = matrix_new(&m, &shape, MATRIX_INT8, values, values, error);
  matrix_free(m);
  return status;
}

static void voice_models(void **state)
{
  (void)state;
  for (small_model m = 0; m < SMALL_MODELS; m++) fail_each(open_voice_model, folders[m].path, 100);
  fail_each(open_voice_model, own, 100);
  fail_each(matrix_of_whole_numbers, "a matrix", 100);
  fail_each(share_voice_model, folders[0].path, 20);
}

static mw_status listen(const char *path, mw_error *error)
{
  mw_voice *v = NULL;
  mw_status status = mw_voice_make(&v, model, &path, 1, NULL, error);
  mw_voice_close(v);
  return status;
}

// A voice of the model, and one that was heard before.
static mw_status open_voices(const char *path, mw_error *error)
{
  mw_voice *v[2] = {NULL, NULL};
  mw_status status = mw_voice_open(&v[0], model, "birch", NULL, error);
  if (status == MW_OK) status = mw_voice_open(&v[1], model, path, folders[1].path, error);
  mw_voice_close(v[0]);
  mw_voice_close(v[1]);
  return status;
}

static mw_status save_and_read(const char *path, mw_error *error)
{
  mw_voice *v[2] = {NULL, NULL};
  mw_status status = mw_voice_save(voice, path, "small", "nobody", true, error);
  if (status == MW_OK) status = mw_voice_open(&v[0], model, path, NULL, error);
  if (status == MW_OK) status = mw_voice_mix(&v[1], model, voice, v[0], 0.5, error);
  mw_voice_close(v[0]);
  mw_voice_close(v[1]);
  return status;
}

static void voice_files(void **state)
{
  (void)state;
  char path[160];
  snprintf(path, sizeof path, "%s.voice", made);
  for (int i = 0; i < MODELS; i++) {
    take(i);
    fail_each(save_and_read, path, 100);
    if (i != MEANVC2) fail_each(listen, recording, 50); // with WavLM, and to the mel
  }
  fail_each(open_voices, recording, 100);
}

static const char as_published[] = "a stream as published";

static mw_status stream(const char *what, mw_error *error)
{
  float out[RATE_HZ / 4];
  bool published = what == as_published;
  mw_stream *s = NULL;
  mw_status status =
      (published ? mw_stream_new_published : mw_stream_new)(&s, model, voice, 44100, 1, error);
  if (status == MW_OK) mw_stream_run(s, tone, out, sizeof out / sizeof out[0]);
  if (status == MW_OK) status = mw_stream_fix_pitch(s, error);
  if (status == MW_OK) status = mw_stream_guess_ahead(s, error);
  mw_stream_free(s);
  return status;
}

static mw_status live(const char *path, mw_error *error)
{
  float out[480];
  mw_live *l = NULL;
  mw_recording *r = NULL;
  const mw_live_setup setup = {
      .model = model, .voice = voice, .rate_hz = 48000, .block_frames = 480};
  mw_status status = mw_live_new(&l, &setup, error);
  if (status == MW_OK) status = mw_recording_open(&r, path, 48000, true, true, error);
  if (status == MW_OK) mw_live_record(l, r);
  if (status == MW_OK) status = mw_live_start(l, error);
  if (status == MW_OK) mw_live_run(l, tone, out, 480);
  if (l != NULL) mw_live_stop(l);
  mw_status written = mw_recording_finish(r, status == MW_OK ? error : NULL);
  mw_live_free(l);
  return status != MW_OK ? status : written;
}

// Two clocks, and a model that changes.
static mw_status live_change(const char *what, mw_error *error)
{
  (void)what;
  mw_live *l = NULL;
  const mw_live_setup setup = {.model = model,
                               .voice = voice,
                               .rate_hz = 48000,
                               .block_frames = 480,
                               .in_rate_hz = 44100,
                               .in_block_frames = 441,
                               .fixed_pitch = true};
  mw_status status = mw_live_new(&l, &setup, error);
  if (status == MW_OK) status = mw_live_set_model(l, model, voice, error);
  if (l != NULL) mw_live_settle(l);
  mw_live_free(l);
  return status;
}

static mw_status convert(const char *path, mw_error *error)
{
  mw_conversion how = {.model = model, .voice = voice, .seed = 1, .controls = MW_VOICE_CONTROLS};
  return mw_convert_file(&how, recording, path, true, error);
}

static void streams(void **state)
{
  (void)state;
  char path[160];
  for (int i = 0; i < MODELS; i++) {
    take(i);
    fail_each(stream, "a stream", 100);
    fail_each(live_change, "a live session", 100);
  }
  take(MEANVC2);
  fail_each(stream, as_published, 100);
  snprintf(path, sizeof path, "%s.wav", made);
  take(MEANVC);
  fail_each(live, path, 100);
  fail_each(convert, path, 20);
}

// ---- Sound ----

static mw_status generate(mw_sound_model *m, mw_error *error)
{
  mw_sound sound = {0};
  const mw_sound_wish wish = {.prompt = "a dog barks", .seconds = 0.1, .threads = 2, .loop = true};
  mw_status status = mw_sound_generate(&sound, m, &wish, error);
  const mw_sound_finish how = {
      .rate_hz = 44100, .loop = true, .has_loudness = true, .loudness_lufs = -20.0};
  if (status == MW_OK) status = mw_sound_finish_up(&sound, &how, error);
  mw_sound_free(&sound);
  return status;
}

static const char *vocoder_of(const char *path)
{
  return path == sound_folder ? NULL : data_path("golden/sound/vocoder.safetensors");
}

static mw_status sound_model(const char *path, mw_error *error)
{
  mw_sound_model *m = NULL;
  mw_status status = mw_sound_model_open(&m, path, vocoder_of(path), error);
  if (status == MW_OK) status = generate(m, error);
  mw_sound_model_close(m);
  return status;
}

static mw_status share_sound_model(const char *path, mw_error *error)
{
  mw_sound_model *m[2] = {NULL, NULL};
  mw_status status = mw_sound_model_share(&m[0], path, vocoder_of(path), error);
  if (status == MW_OK) status = mw_sound_model_share(&m[1], path, vocoder_of(path), error);
  mw_sound_model_give_back(m[0]);
  mw_sound_model_give_back(m[1]);
  return status;
}

static mw_sound_model *words; // open meanwhile

// From a sound to between two prompts and seeds, away from a third, into a file.
static mw_status generate_file(const char *path, mw_error *error)
{
  const mw_sound from = {tone, FRAMES / 4, RATE_HZ};
  const mw_sound_wish wish = {.prompt = "a dog barks",
                              .negative = "barks",
                              .guidance = 2.0,
                              .seconds = 0.2,
                              .steps = 2,
                              .threads = 1,
                              .from = &from,
                              .morph_prompt = "a dog",
                              .has_morph_seed = true,
                              .morph_seed = 2,
                              .morph = 0.5};
  const mw_sound_finish how = {.rate_hz = 48000, .fade_out_seconds = 0.05};
  return mw_sound_generate_file(words, &wish, &how, path, true, error);
}

static mw_status look_at_prompt(const char *prompt, mw_error *error)
{
  mw_prompt_info info;
  return mw_sound_prompt(words, prompt, &info, error);
}

static mw_status vocode(const char *path, mw_error *error)
{
  return mw_copy_synthesis(data_path("golden/sound/vocoder.safetensors"), recording, path, true,
                           error);
}

static void sound_models(void **state)
{
  (void)state;
  char path[4096];
  char output[160];
  mw_error error;
  snprintf(path, sizeof path, "%s", data_path("golden/sound/sound.safetensors"));
  snprintf(output, sizeof output, "%s.wav", made);
  fail_each(sound_model, path, 50);
  fail_each(sound_model, sound_folder, 20);
  fail_each(share_sound_model, path, 20);
  if (mw_sound_model_open(&words, path, vocoder_of(path), &error) != MW_OK)
    fail_msg("%s", error.text);
  fail_each(generate_file, output, 50);
  fail_each(look_at_prompt, "a dog barks", 100);
  mw_sound_model_close(words);
  fail_each(vocode, output, 50);
}

static mw_status write_and_read(const char *path, mw_error *error)
{
  const mw_sound sound = {tone, FRAMES / 4, RATE_HZ};
  mw_sound again = {0};
  mw_status status = mw_sound_save(&sound, path, true, error);
  if (status == MW_OK) status = mw_sound_read(&again, path, 0, 0.0, error);
  mw_sound_free(&again);
  return status;
}

static void sound_files(void **state)
{
  (void)state;
  static const char *const endings[] = {".wav", ".flac", ".aiff", ".ogg"};
  char path[160];
  for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
    snprintf(path, sizeof path, "%s%s", made, endings[i]);
    fail_each(write_and_read, path, 100);
  }
}

// ---- Presets and plugins ----

static mw_status open_preset(const char *name, mw_error *error)
{
  mw_preset preset;
  return mw_preset_open(&preset, name, error);
}

static void count_one(void *context, const char *path, const mw_preset *preset, const char *problem)
{
  (void)path;
  (void)problem;
  *(size_t *)context += preset != NULL;
}

static mw_status list_presets(const char *what, mw_error *error)
{
  (void)what;
  size_t count = 0;
  return mw_presets_list(count_one, &count, error);
}

static void presets(void **state)
{
  (void)state;
  fail_each(open_preset, "rain", 100);
  fail_each(list_presets, "all presets", 20);
}

static LV2_URID map_uri(LV2_URID_Map_Handle handle, const char *uri)
{
  LV2_URID number = 1;
  (void)handle;
  for (; *uri != '\0'; uri++) number = number * 31 + (unsigned char)*uri;
  return number;
}

static bool work_asked_for;

static LV2_Worker_Status ask_for_work(LV2_Worker_Schedule_Handle handle, uint32_t size,
                                      const void *data)
{
  (void)handle;
  (void)size;
  (void)data;
  work_asked_for = true;
  return LV2_WORKER_SUCCESS;
}

static LV2_Worker_Status respond(LV2_Worker_Respond_Handle handle, uint32_t size, const void *data)
{
  (void)handle;
  (void)size;
  (void)data;
  return LV2_WORKER_SUCCESS;
}

typedef struct {
  const char *key;
  const char *type;
  const void *value;
  size_t size;
} kept;

// What is asked for lies in one of these.
static const void *retrieve(LV2_State_Handle handle, uint32_t key, size_t *size, uint32_t *type,
                            uint32_t *flags)
{
  for (const kept *k = handle; k->key != NULL; k++) {
    if (map_uri(NULL, k->key) != key) continue;
    *size = k->size;
    *type = map_uri(NULL, k->type);
    *flags = LV2_STATE_IS_POD;
    return k->value;
  }
  return NULL;
}

static LV2_State_Status store(LV2_State_Handle handle, uint32_t key, const void *value, size_t size,
                              uint32_t type, uint32_t flags)
{
  (void)handle;
  (void)key;
  (void)value;
  (void)size;
  (void)type;
  (void)flags;
  return LV2_STATE_SUCCESS;
}

// The plugin, and its state.
static const LV2_Descriptor *played;
static const kept *restored;

static const LV2_Descriptor *descriptor(const char *file)
{
  char path[4096];
  const char *places = getenv("LV2_PATH");
  if (places == NULL) fail_msg("LV2_PATH says where the plugins are");
  snprintf(path, sizeof path, "%.*s/%s", (int)strcspn(places, ":"), places, file);
  void *library = dlopen(path, RTLD_NOW);
  if (library == NULL) fail_msg("%s", dlerror());
  LV2_Descriptor_Function find = NULL;
  *(void **)&find = dlsym(library, "lv2_descriptor");
  return find(0);
}

static void run_and_work(const LV2_Descriptor *d, LV2_Handle handle)
{
  enum { PORTS = 24, PORT_BYTES = 1 << 15, BLOCK = 64 };
  static union {
    LV2_Atom_Sequence events;
    float value[PORT_BYTES / sizeof(float)];
  } ports[PORTS];
  const LV2_Worker_Interface *worker = d->extension_data(LV2_WORKER__interface);
  memset(ports, 0, sizeof ports);
  ports[0].events.atom.size = sizeof(LV2_Atom_Sequence_Body);
  ports[0].events.atom.type = map_uri(NULL, LV2_ATOM__Sequence);
  for (uint32_t i = 0; i < PORTS; i++) d->connect_port(handle, i, &ports[i]);
  d->activate(handle);
  for (int i = 0; i < 4; i++) {
    ports[1].events.atom.size = PORT_BYTES - sizeof(LV2_Atom);
    work_asked_for = false;
    ports[4].value[0] = i < 2 ? 0.0f : 1.0f; // another voice; or nothing to be cancelled
    d->run(handle, BLOCK);
    if (work_asked_for) worker->work(handle, respond, NULL, 0, NULL);
  }
  if (d->deactivate != NULL) d->deactivate(handle);
}

// A host is told nothing but NULL, or that a state was not taken.
static mw_status play_plugin(const char *what, mw_error *error)
{
  (void)what;
  static LV2_URID_Map map = {NULL, map_uri};
  static LV2_Worker_Schedule schedule = {NULL, ask_for_work};
  static const LV2_Feature map_feature = {LV2_URID__map, &map};
  static const LV2_Feature work_feature = {LV2_WORKER__schedule, &schedule};
  static const LV2_Feature *const features[] = {&map_feature, &work_feature, NULL};
  const LV2_State_Interface *saved = played->extension_data(LV2_STATE__interface);
  LV2_Handle handle = played->instantiate(played, 48000.0, "", features);
  if (handle == NULL) return mw_fail(error, MW_ERROR_MEMORY, "no instance");
  LV2_State_Status status = saved->restore(handle, retrieve, (void *)restored, 0, features);
  run_and_work(played, handle);
  saved->save(handle, store, NULL, 0, features);
  played->cleanup(handle);
  return status == LV2_STATE_SUCCESS ? MW_OK : mw_fail(error, MW_ERROR_MEMORY, "no state");
}

static void plugins(void **state)
{
  (void)state;
  // a rate of 8 kHz, and samples behind it
  static const unsigned char clip[4 + 400] = {0x40, 0x1F};
  const kept sound_state[] = {{"urn:meanwave:sound:prompt", LV2_ATOM__String, "a dog barks", 12},
                              {"urn:meanwave:sound:clipBytes", LV2_ATOM__Chunk, clip, sizeof clip},
                              {NULL, NULL, NULL, 0}};
  const kept voice_state[] = {
      {"urn:meanwave:voice:model", LV2_ATOM__Path, own, strlen(own) + 1},
      {"urn:meanwave:voice:file", LV2_ATOM__Path, recording, strlen(recording) + 1},
      {NULL, NULL, NULL, 0}};
  played = descriptor("meanwave-sound.lv2/sound.so");
  restored = sound_state;
  fail_each(play_plugin, "sound", 100);
  played = descriptor("meanwave-voice.lv2/voice.so");
  restored = voice_state;
  fail_each(play_plugin, "voice", 30);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(voice_models), cmocka_unit_test(voice_files), cmocka_unit_test(streams),
      cmocka_unit_test(sound_models), cmocka_unit_test(sound_files), cmocka_unit_test(presets),
      cmocka_unit_test(plugins),
  };
  return cmocka_run_group_tests(tests, prepare, clear);
}

#else

int main(void)
{
  return skip_all();
}

#endif
