// SPDX-License-Identifier: GPL-3.0-or-later
//
// The n-th allocation fails, for every n, while each kind of object is made and used: one line,
// without a crash and without a leak.
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include <lv2/core/lv2.h>
#include <lv2/urid/urid.h>

#include "data_path.h"
#include "failing_allocator.h"
#include "small_models.h"
#include "sound_folder.h"
#include "voice.h"

#ifdef FAILING_ALLOCATOR

enum { RATE_HZ = 16000, FRAMES = RATE_HZ };

static small_folder folders[SMALL_MODELS];
static char sound_folder[TEMP_FOLDER_SIZE];
static char recording[128];
static char made[128]; // by each work anew
static mw_voice_model *model;
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
  for (size_t i = 0; i < FRAMES; i++) tone[i] = 0.3f * sinf(0.05f * (float)i);
  snprintf(recording, sizeof recording, "%s/tone.wav", folders[0].path);
  snprintf(made, sizeof made, "%s/made", folders[0].path);
  const mw_sound sound = {tone, FRAMES, RATE_HZ};
  mw_status status = mw_sound_save(&sound, recording, true, &error);
  if (status == MW_OK) status = mw_voice_model_open(&model, folders[0].path, NULL, 1, &error);
  if (status == MW_OK) status = small_voice(&voice, model, &error);
  if (status != MW_OK) print_error("%s\n", error.text);
  return status == MW_OK ? 0 : -1;
}

static int clear(void **state)
{
  (void)state;
  mw_voice_close(voice);
  mw_voice_model_close(model);
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

static void voice_models(void **state)
{
  (void)state;
  char path[4096];
  for (small_model m = 0; m < SMALL_MODELS; m++) fail_each(open_voice_model, folders[m].path, 100);
  fail_each(share_voice_model, folders[0].path, 20);
  // the family of the default model has no small one
  assert_int_equal(mw_find_model(path, sizeof path, "voice.safetensors", NULL), MW_OK);
  fail_each(open_voice_model, path, 5);
}

static mw_status listen(const char *path, mw_error *error)
{
  mw_voice *v = NULL;
  mw_status status = mw_voice_make(&v, model, &path, 1, NULL, error);
  mw_voice_close(v);
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

static void voices(void **state)
{
  (void)state;
  char path[160];
  snprintf(path, sizeof path, "%s.voice", made);
  fail_each(listen, recording, 50);
  fail_each(save_and_read, path, 100);
}

static mw_status stream(const char *what, mw_error *error)
{
  (void)what;
  float out[RATE_HZ / 4];
  mw_stream *s = NULL;
  mw_status status = mw_stream_new(&s, model, voice, 44100, 1, error);
  if (status == MW_OK) mw_stream_run(s, tone, out, sizeof out / sizeof out[0]);
  if (status == MW_OK) status = mw_stream_fix_pitch(s, error);
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

static mw_status convert(const char *path, mw_error *error)
{
  mw_conversion how = {.model = model, .voice = voice, .seed = 1, .controls = MW_VOICE_CONTROLS};
  return mw_convert_file(&how, recording, path, true, error);
}

static void streams(void **state)
{
  (void)state;
  char path[160];
  fail_each(stream, "a stream", 100);
  snprintf(path, sizeof path, "%s.wav", made);
  fail_each(live, path, 100);
  fail_each(convert, path, 20);
}

// ---- Sound ----

static mw_status generate(mw_sound_model *m, mw_error *error)
{
  mw_sound sound = {0};
  const mw_sound_wish wish = {.prompt = "a dog barks", .seconds = 0.1, .threads = 2, .loop = true};
  mw_status status = mw_sound_generate(&sound, m, &wish, error);
  const mw_sound_finish how = {.rate_hz = 44100, .has_loudness = true, .loudness_lufs = -20.0};
  if (status == MW_OK) status = mw_sound_finish_up(&sound, &how, error);
  mw_sound_free(&sound);
  return status;
}

static mw_status sound_model(const char *path, mw_error *error)
{
  bool published = path == sound_folder;
  const char *vocoder = published ? NULL : data_path("golden/sound/vocoder.safetensors");
  mw_sound_model *m = NULL;
  mw_status status = mw_sound_model_open(&m, path, vocoder, error);
  if (status == MW_OK) status = generate(m, error);
  mw_sound_model_close(m);
  return status;
}

static void sound_models(void **state)
{
  (void)state;
  char path[4096];
  snprintf(path, sizeof path, "%s", data_path("golden/sound/sound.safetensors"));
  fail_each(sound_model, path, 50);
  fail_each(sound_model, sound_folder, 20);
}

static mw_status write_and_read(const char *path, mw_error *error)
{
  const mw_sound sound = {tone, FRAMES / 4, RATE_HZ};
  mw_sound again = {0};
  mw_status status = mw_sound_save(&sound, path, true, error);
  if (status == MW_OK) status = mw_sound_read(&again, path, 0, error);
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

// A host is told nothing but NULL.
static mw_status instantiate(const char *path, mw_error *error)
{
  static LV2_URID_Map map = {NULL, map_uri};
  static const LV2_Feature feature = {LV2_URID__map, &map};
  static const LV2_Feature *const features[] = {&feature, NULL};
  static void *library;
  static const char *opened;
  static const LV2_Descriptor *d;
  if (opened != path) {
    library = dlopen(path, RTLD_NOW);
    if (library == NULL) fail_msg("%s", dlerror());
    LV2_Descriptor_Function find = NULL;
    *(void **)&find = dlsym(library, "lv2_descriptor");
    d = find(0);
    opened = path;
  }
  LV2_Handle handle = d->instantiate(d, 48000.0, "", features);
  if (handle == NULL) return mw_fail(error, MW_ERROR_MEMORY, "no instance");
  d->cleanup(handle);
  return MW_OK;
}

static void plugins(void **state)
{
  (void)state;
  static char paths[2][4096];
  const char *places = getenv("LV2_PATH");
  if (places == NULL) fail_msg("LV2_PATH says where the plugins are");
  int length = (int)strcspn(places, ":");
  snprintf(paths[0], sizeof paths[0], "%.*s/meanwave-voice.lv2/voice.so", length, places);
  snprintf(paths[1], sizeof paths[1], "%.*s/meanwave-sound.lv2/sound.so", length, places);
  for (int i = 0; i < 2; i++) fail_each(instantiate, paths[i], 100);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(voice_models), cmocka_unit_test(voices),      cmocka_unit_test(streams),
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
