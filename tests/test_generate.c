// SPDX-License-Identifier: GPL-3.0-or-later
//
// Wishes and what becomes of them, on small checkpoints in the form of the published ones. That the
// sounds are those of the official code is a golden case.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "meanwave.h"
#include "sound_folder.h"

static char folder[TEMP_FOLDER_SIZE];
static mw_sound_model *model;

static int open_model(void **state)
{
  (void)state;
  mw_error error = {""};
  sound_folder_make(folder);
  if (mw_sound_model_open(&model, folder, NULL, &error) != MW_OK) fail_msg("%s", error.text);
  return 0;
}

static int close_model(void **state)
{
  (void)state;
  mw_sound_model_close(model);
  mw_sound_model_close(NULL);
  sound_folder_remove(folder);
  return 0;
}

static mw_sound generate(const mw_sound_wish *wish)
{
  mw_sound made;
  mw_error error = {""};
  if (mw_sound_generate(&made, model, wish, &error) != MW_OK) fail_msg("%s", error.text);
  return made;
}

static bool equal(const mw_sound *a, const mw_sound *b)
{
  return a->frames == b->frames && memcmp(a->samples, b->samples, a->frames * sizeof(float)) == 0;
}

// Whether two wishes give the same bits.
static bool same(const mw_sound_wish *a, const mw_sound_wish *b)
{
  mw_sound first = generate(a);
  mw_sound second = generate(b);
  bool result = equal(&first, &second);
  mw_sound_free(&first);
  mw_sound_free(&second);
  return result;
}

static const mw_sound_wish rain = {.prompt = "rain on a tin roof", .seed = 7, .seconds = 0.3};

static void a_model_tells_about_itself(void **state)
{
  (void)state;
  mw_sound_model_info about = mw_sound_model_about(model);
  assert_string_equal(about.name, "meanaudio_s_full");
  assert_int_equal(about.rate_hz, 16000);
  assert_int_equal(about.steps, 1);
  assert_true(about.guidance == 0.0);
  assert_true(about.starts_from_sounds);
}

static void the_same_wish_gives_the_same_bits(void **state)
{
  (void)state;
  mw_sound_wish other = rain;
  other.threads = 3;
  assert_true(same(&rain, &other));
  other.seed = 8;
  assert_false(same(&rain, &other));
  other = rain;
  other.steps = 2;
  assert_false(same(&rain, &other));
  other.steps = 1;
  assert_true(same(&rain, &other));
  other.prompt = "dog barks";
  assert_false(same(&rain, &other));
}

static void lengths_are_those_asked_for(void **state)
{
  (void)state;
  static const double seconds[] = {0.1, 0.25, 0.33333, 1.0};
  for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
    mw_sound_wish wish = rain;
    wish.seconds = seconds[i];
    mw_sound made = generate(&wish);
    assert_int_equal(made.frames, lround(seconds[i] * 16000));
    assert_int_equal(made.rate_hz, 16000);
    for (size_t k = 0; k < made.frames; k++) assert_true(fabsf(made.samples[k]) <= 1.0f);
    mw_sound_free(&made);
  }
}

static void guidance_needs_more_than_one(void **state)
{
  (void)state;
  mw_sound_wish other = rain;
  other.guidance = 1.0;
  other.negative = "dog";
  assert_true(same(&rain, &other));
  other.guidance = 3.0;
  assert_false(same(&rain, &other));
  mw_sound_wish empty = other;
  empty.negative = NULL;
  assert_false(same(&other, &empty));
  other.negative = "";
  assert_true(same(&other, &empty));
}

static void a_morph_goes_from_one_end_to_the_other(void **state)
{
  (void)state;
  mw_sound_wish morph = rain;
  mw_sound_wish end = rain;
  morph.morph_prompt = "dog barks";
  assert_true(same(&rain, &morph));
  morph.morph = 0.5;
  end.prompt = "dog barks";
  assert_false(same(&rain, &morph));
  assert_false(same(&end, &morph));
  // all of the way: equal but for the rounding of the pooled vector's length
  morph.morph = 1.0;
  mw_sound a = generate(&morph);
  mw_sound b = generate(&end);
  for (size_t i = 0; i < a.frames; i++) assert_true(fabsf(a.samples[i] - b.samples[i]) < 1e-4f);
  mw_sound_free(&a);
  mw_sound_free(&b);
  morph = rain;
  morph.has_morph_seed = true;
  morph.morph_seed = 99;
  assert_true(same(&rain, &morph));
  morph.morph = 0.5;
  assert_false(same(&rain, &morph));
}

static void a_sound_can_be_the_beginning(void **state)
{
  (void)state;
  mw_sound from = {.samples = calloc(8820, sizeof(float)), .frames = 8820, .rate_hz = 44100};
  for (size_t i = 0; i < from.frames; i++) from.samples[i] = 0.5f * sinf(0.03f * (float)i);
  mw_sound_wish wish = {.prompt = rain.prompt, .seed = 7, .from = &from};
  mw_sound made = generate(&wish);
  assert_int_equal(made.frames, 3200); // 8820 of 44100 Hz are 0.2 s
  mw_sound_free(&made);
  wish.strength = 1.0;
  mw_sound_wish without = {.prompt = rain.prompt, .seed = 7, .seconds = 0.2};
  assert_true(same(&wish, &without));
  wish.strength = 0.4;
  assert_false(same(&wish, &without));
  // padded, and cut
  wish.seconds = 0.4;
  made = generate(&wish);
  assert_int_equal(made.frames, 6400);
  mw_sound_free(&made);
  wish.seconds = 0.1;
  made = generate(&wish);
  assert_int_equal(made.frames, 1600);
  mw_sound_free(&made);
  free(from.samples);
}

// A loop of 0.8 s is made of one second: 0.2 s run from behind its end into its beginning.
static void a_loop_goes_on_where_it_ends(void **state)
{
  (void)state;
  mw_sound_wish wish = rain;
  wish.seconds = 1.0;
  mw_sound whole = generate(&wish);
  wish.seconds = 0.8;
  wish.loop = true;
  mw_sound loop = generate(&wish);
  assert_int_equal(loop.frames, 12800);
  assert_memory_equal(loop.samples + 3200, whole.samples + 3200, 9600 * sizeof(float));
  // the first sample of the loop is the one behind its last
  for (size_t i = 0; i < 3; i++)
    assert_true(fabsf(loop.samples[i] - whole.samples[12800 + i]) < 5e-3f);
  mw_sound_free(&whole);
  mw_sound_free(&loop);
}

typedef struct {
  size_t calls;
  size_t stop_at;
  double last;
} listener;

static bool listen(void *context, double done)
{
  listener *l = context;
  assert_true(done >= l->last && done <= 1.0 + 1e-9);
  l->last = done;
  return ++l->calls != l->stop_at;
}

static void progress_is_told_and_may_stop_the_work(void **state)
{
  (void)state;
  listener all = {0};
  mw_sound_wish wish = rain;
  wish.steps = 3;
  wish.progress = listen;
  wish.context = &all;
  mw_sound made = generate(&wish);
  mw_sound_free(&made);
  assert_true(all.calls >= 7);
  for (size_t at = 1; at <= all.calls; at++) {
    listener some = {.stop_at = at};
    mw_error error = {""};
    wish.context = &some;
    assert_int_equal(mw_sound_generate(&made, model, &wish, &error), MW_ERROR_CANCELLED);
    assert_null(made.samples);
    assert_int_equal(some.calls, at);
  }
}

static char huge[MW_PROMPT_BYTES + 2];

static void senseless_wishes_are_refused(void **state)
{
  (void)state;
  memset(huge, 'a', sizeof huge - 1);
  mw_sound nothing = {0};
  const struct {
    mw_sound_wish wish;
    const char *line;
  } cases[] = {
      {{.prompt = NULL}, "there is no prompt"},
      {{.prompt = ""}, "the prompt is empty"},
      {{.prompt = " \t\n \xE3\x80\x80"}, "the prompt is empty"},
      {{.prompt = huge}, "4097 bytes: wanted at most 4096"},
      {{.prompt = "rain \xFF"}, "not UTF-8: byte 0xFF at place 6"},
      {{.prompt = "\xC3"}, "not UTF-8: byte 0xC3 at place 1"},
      {{.prompt = "a\x07"}, "control character (U+0007) at byte 2"},
      {{.prompt = "a\x7F"}, "control character (U+007F)"},
      {{.prompt = "a\xC2\x9B"}, "control character (U+009B)"},
      {{.prompt = "a", .negative = "\x01"}, "control character"},
      {{.prompt = "a", .morph_prompt = ""}, "the prompt is empty"},
      {{.prompt = "a", .seconds = -1}, "a length in seconds of -1: wanted 0.1 to 300"},
      {{.prompt = "a", .seconds = 1e9}, "a length in seconds of 1e+09"},
      {{.prompt = "a", .seconds = NAN}, "a length in seconds of nan"},
      {{.prompt = "a", .steps = 201}, "a number of steps of 201: wanted 1 to 200"},
      {{.prompt = "a", .seed = 1ull << 32}, "a seed of 4.29497e+09"},
      {{.prompt = "a", .morph_seed = 1ull << 40}, "a second seed"},
      {{.prompt = "a", .guidance = -2}, "a guidance of -2"},
      {{.prompt = "a", .guidance = INFINITY}, "a guidance of inf"},
      {{.prompt = "a", .morph = 1.5}, "a morph of 1.5: wanted 0 to 1"},
      {{.prompt = "a", .morph = NAN}, "a morph of nan"},
      {{.prompt = "a", .strength = 2}, "a strength of 2"},
      {{.prompt = "a", .seconds = 1, .from = &nothing}, "the sound to start from is empty"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    mw_sound made;
    mw_error error = {""};
    mw_status status = mw_sound_generate(&made, model, &cases[i].wish, &error);
    if (status != MW_ERROR_ARGUMENT || strstr(error.text, cases[i].line) == NULL)
      fail_msg("case %zu: %s", i, error.text);
    assert_null(made.samples);
  }
}

static void unusual_prompts_are_prompts(void **state)
{
  (void)state;
  static const char *const prompts[] = {"\xF0\x9F\x98\x80", "\xE9\x9B\xA8", "<pad> </s>",
                                        "a\tb\nc",          "\xEF\xBF\xBD", "a\xE2\x80\x8B"};
  for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++) {
    mw_prompt_info info;
    mw_sound_wish wish = rain;
    wish.prompt = prompts[i];
    wish.seconds = 0.1;
    mw_sound made = generate(&wish);
    assert_int_equal(made.frames, 1600);
    mw_sound_free(&made);
    assert_int_equal(mw_sound_prompt(model, prompts[i], &info, NULL), MW_OK);
    assert_true(info.used >= 2 && info.used == info.wanted);
  }
  mw_prompt_info info;
  huge[MW_PROMPT_BYTES] = '\0';
  assert_int_equal(mw_sound_prompt(model, huge, &info, NULL), MW_OK);
  assert_true(info.wanted > info.used);
}

// A wish against a copy of the folder in which NAME is another file, or none.
static void expect_refused(const char *name, const char *file, const char *line)
{
  char other[TEMP_FOLDER_SIZE];
  mw_sound_model *opened = NULL;
  mw_error error = {""};
  sound_folder_make(other);
  sound_folder_replace(other, name, file);
  mw_status status = mw_sound_model_open(&opened, other, NULL, &error);
  sound_folder_remove(other);
  if (status == MW_OK || strstr(error.text, line) == NULL) fail_msg("%s: %s", name, error.text);
}

static void folders_that_are_not_whole_are_told(void **state)
{
  (void)state;
  static const char *const names[] = {
      "meanaudio_s_full.pth", "v1-16.pth",
      "best_netG.pt",         "model.safetensors",
      "spiece.model",         "vocab.json",
      "merges.txt",           "music_speech_audioset_epoch_15_esc_89.98.pt"};
  char line[128];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    snprintf(line, sizeof line, "there is no %s in it", names[i]);
    expect_refused(names[i], NULL, line);
  }
  // tokenizers of larger vocabularies, another network, no network at all
  expect_refused("spiece.model", "golden/meanaudio/tokenizers/spiece.model", "belong together");
  expect_refused("vocab.json", "golden/meanaudio/tokenizers/vocab.json", "belong together");
  expect_refused("v1-16.pth", "golden/meanaudio/transformer/meanaudio_tiny.pth", "has no tensor");
  expect_refused("best_netG.pt", "tokenizers_small/merges.txt", "is the download complete?");
  expect_refused("spiece.model", "tokenizers_small/vocab.json", "is the download complete?");
  mw_sound_model *opened = NULL;
  mw_error error = {""};
  assert_int_not_equal(mw_sound_model_open(&opened, "/nonexistent.pth", NULL, &error), MW_OK);
  assert_non_null(strstr(error.text, "/nonexistent.pth"));
}

static void a_transformer_in_a_folder_can_be_named(void **state)
{
  (void)state;
  char path[128];
  mw_error error = {""};
  mw_sound_model *flux = NULL;
  mw_sound_model *again = NULL;
  sound_folder_replace(folder, "fluxaudio_s_full.pth",
                       "golden/meanaudio/flux_sampler/fluxaudio_tiny.pth");
  snprintf(path, sizeof path, "%s/fluxaudio_s_full.pth", folder);
  if (mw_sound_model_share(&flux, path, NULL, &error) != MW_OK) fail_msg("%s", error.text);
  assert_int_equal(mw_sound_model_share(&again, path, NULL, &error), MW_OK);
  assert_ptr_equal(flux, again);
  mw_sound_model_info about = mw_sound_model_about(flux);
  assert_string_equal(about.name, "fluxaudio_s_full");
  assert_int_equal(about.steps, 25);
  assert_true(about.guidance == 4.5);
  mw_sound_model_give_back(flux);
  mw_sound_model_give_back(again);
  mw_sound_model_give_back(NULL);
  unlink(path);
}

static void files_are_whole_or_not_there(void **state)
{
  (void)state;
  char path[128];
  mw_error error = {""};
  listener stopped = {.stop_at = 3};
  mw_sound_wish wish = rain;
  mw_sound read = {0};
  mw_sound_finish how = {.rate_hz = 48000, .has_peak = true, .peak_db = -3.0};
  snprintf(path, sizeof path, "%s/a.wav", folder);
  wish.progress = listen;
  wish.context = &stopped;
  assert_int_equal(mw_sound_generate_file(model, &wish, &how, path, false, &error),
                   MW_ERROR_CANCELLED);
  assert_int_not_equal(access(path, F_OK), 0);
  wish.progress = NULL;
  assert_int_equal(mw_sound_generate_file(model, &wish, &how, path, false, &error), MW_OK);
  assert_int_equal(mw_sound_generate_file(model, &wish, &how, path, false, &error), MW_ERROR_IO);
  assert_int_equal(mw_sound_generate_file(model, &wish, NULL, "/none/a.wav", false, &error),
                   MW_ERROR_IO);
  assert_int_equal(mw_sound_read(&read, path, 0, 0.0, &error), MW_OK);
  assert_int_equal(read.rate_hz, 48000);
  assert_int_equal(read.frames, 14400);
  assert_true(fabs(mw_sound_peak_db(&read) + 3.0) < 1e-4);
  mw_sound_free(&read);
  unlink(path);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_model_tells_about_itself),
      cmocka_unit_test(the_same_wish_gives_the_same_bits),
      cmocka_unit_test(lengths_are_those_asked_for),
      cmocka_unit_test(guidance_needs_more_than_one),
      cmocka_unit_test(a_morph_goes_from_one_end_to_the_other),
      cmocka_unit_test(a_sound_can_be_the_beginning),
      cmocka_unit_test(a_loop_goes_on_where_it_ends),
      cmocka_unit_test(progress_is_told_and_may_stop_the_work),
      cmocka_unit_test(senseless_wishes_are_refused),
      cmocka_unit_test(unusual_prompts_are_prompts),
      cmocka_unit_test(folders_that_are_not_whole_are_told),
      cmocka_unit_test(a_transformer_in_a_folder_can_be_named),
      cmocka_unit_test(files_are_whole_or_not_there),
  };
  return cmocka_run_group_tests(tests, open_model, close_model);
}
