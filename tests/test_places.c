// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where models are looked for and in which order; one copy of a model in a process.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "meanwave.h"
#include "registry.h"
#include "temp_folder.h"

static char folder[TEMP_FOLDER_SIZE];

static void put(const char *name)
{
  char command[512];
  snprintf(command, sizeof command, "mkdir -p $(dirname %s/%s) && echo %s > %s/%s", folder, name,
           name, folder, name);
  assert_int_equal(system(command), 0);
}

static void set(const char *variable, const char *under)
{
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, under);
  setenv(variable, path, 1);
}

static void expect(const char *file, const char *where)
{
  char path[512];
  char wanted[512];
  mw_error error;
  if (mw_find_model(path, sizeof path, file, &error) != MW_OK) fail_msg("%s", error.text);
  snprintf(wanted, sizeof wanted, "%s/%s", folder, where);
  assert_string_equal(path, wanted);
}

static void nearer_places_come_first(void **state)
{
  (void)state;
  char path[512];
  mw_error error;
  set("HOME", "home");
  set("XDG_DATA_DIRS", "one:relative:/tmp/nowhere");
  unsetenv("XDG_DATA_HOME");
  unsetenv("MEANWAVE_MODELS");
  assert_int_equal(mw_find_model(path, sizeof path, "test.mw", &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "test.mw"));
  put("one/meanwave/models/test.mw");
  expect("test.mw", "one/meanwave/models/test.mw");
  put("home/.local/share/meanwave/models/test.mw");
  expect("test.mw", "home/.local/share/meanwave/models/test.mw");
  set("XDG_DATA_HOME", "data");
  put("data/meanwave/models/test.mw");
  expect("test.mw", "data/meanwave/models/test.mw");
  set("MEANWAVE_MODELS", "own");
  expect("test.mw", "data/meanwave/models/test.mw");
  put("own/test.mw");
  expect("test.mw", "own/test.mw");
  assert_int_equal(mw_find_model(path, 8, "test.mw", &error), MW_ERROR_MODEL); // no room
}

// Not told by the environment, this program finds those of the tree that it was built in.
static void the_source_tree_has_models(void **state)
{
  (void)state;
  char path[512];
  mw_error error;
  unsetenv("MEANWAVE_MODELS");
  if (mw_find_model(path, sizeof path, "voice.safetensors", &error) != MW_OK)
    fail_msg("%s", error.text);
  assert_non_null(strstr(path, "/models/voice.safetensors"));
  set("MEANWAVE_MODELS", "none");
  assert_int_equal(mw_find_model(path, sizeof path, "voice.safetensors", &error), MW_ERROR_MODEL);
}

static void add_name(void *context, const char *path)
{
  char *names = context;
  snprintf(names + strlen(names), 512 - strlen(names), "%s ", path + strlen(folder));
}

static void voice_files_are_listed(void **state)
{
  (void)state;
  char names[512] = "";
  set("XDG_DATA_HOME", "data");
  set("XDG_DATA_DIRS", "one");
  put("data/meanwave/voices/b.voice");
  put("data/meanwave/voices/a.voice");
  put("data/meanwave/voices/.voice");
  put("data/meanwave/voices/a.wav");
  put("one/meanwave/voices/c.voice");
  mw_voice_files_list(add_name, names);
  assert_string_equal(names, "/data/meanwave/voices/a.voice /data/meanwave/voices/b.voice "
                             "/one/meanwave/voices/c.voice ");
}

static void the_cache_is_where_xdg_says(void **state)
{
  (void)state;
  char path[512];
  setenv("XDG_CACHE_HOME", "relative is ignored", 1);
  setenv("HOME", "/h", 1);
  assert_string_equal(mw_voice_cache(path, sizeof path), "/h/.cache/meanwave/voices");
  setenv("XDG_CACHE_HOME", "/c", 1);
  assert_string_equal(mw_voice_cache(path, sizeof path), "/c/meanwave/voices");
  assert_null(mw_voice_cache(path, 8));
  unsetenv("XDG_CACHE_HOME");
  unsetenv("HOME");
  assert_null(mw_voice_cache(path, sizeof path));
}

static int opened;
static int closed;

static mw_status open_thing(void **object, const registry_wish *wish, mw_error *error)
{
  (void)error;
  if (wish->steps == 13) return MW_ERROR_FORMAT;
  opened++;
  *object = malloc(1);
  return MW_OK;
}

static void close_thing(void *object)
{
  closed++;
  free(object);
}

static void equal_wishes_share_one_object(void **state)
{
  (void)state;
  char path[512];
  char link[512];
  mw_error error;
  void *a;
  void *b;
  void *c;
  put("thing");
  put("link");
  snprintf(path, sizeof path, "%s/thing", folder);
  snprintf(link, sizeof link, "%s/link", folder);
  unlink(link);
  assert_int_equal(symlink(path, link), 0);
  registry_wish wish = {{path, NULL}, 1, open_thing, close_thing};
  assert_int_equal(registry_take(&a, &wish, &error), MW_OK);
  wish.files[0] = link; // the same file by another name
  assert_int_equal(registry_take(&b, &wish, &error), MW_OK);
  assert_ptr_equal(a, b);
  wish.steps = 2;
  assert_int_equal(registry_take(&c, &wish, &error), MW_OK);
  assert_ptr_not_equal(a, c);
  assert_int_equal(opened, 2);
  registry_give_back(a);
  assert_int_equal(closed, 0);
  registry_give_back(b);
  assert_int_equal(closed, 1);
  // changed on disk: another model
  assert_int_equal(registry_take(&a, &wish, &error), MW_OK);
  assert_ptr_equal(a, c);
  put("thing");
  assert_int_equal(truncate(path, 3), 0);
  assert_int_equal(registry_take(&b, &wish, &error), MW_OK);
  assert_ptr_not_equal(b, c);
  registry_give_back(a);
  registry_give_back(b);
  registry_give_back(c);
  registry_give_back(NULL);
  assert_int_equal(opened, closed);
  // what does not open is not kept
  wish.steps = 13;
  assert_int_equal(registry_take(&a, &wish, &error), MW_ERROR_FORMAT);
  wish.files[1] = "/nowhere/at/all";
  assert_int_equal(registry_take(&a, &wish, &error), MW_ERROR_MODEL);
  assert_non_null(strstr(error.text, "/nowhere/at/all"));
}

static void *take_and_give(void *argument)
{
  const registry_wish *wish = argument;
  for (int i = 0; i < 1000; i++) {
    void *object = NULL;
    if (registry_take(&object, wish, NULL) != MW_OK) return argument;
    registry_give_back(object);
  }
  return NULL;
}

static void threads_may_take_at_once(void **state)
{
  (void)state;
  char path[512];
  pthread_t other;
  void *result;
  snprintf(path, sizeof path, "%s/thing", folder);
  registry_wish wish = {{path, NULL}, 1, open_thing, close_thing};
  assert_int_equal(pthread_create(&other, NULL, take_and_give, &wish), 0);
  assert_null(take_and_give(&wish));
  pthread_join(other, &result);
  assert_null(result);
  assert_int_equal(opened, closed);
}

static int make_folder(void **state)
{
  (void)state;
  return !temp_folder_make(folder);
}

static int remove_folder(void **state)
{
  (void)state;
  return !temp_folder_remove(folder);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nearer_places_come_first),
      cmocka_unit_test(the_source_tree_has_models),
      cmocka_unit_test(voice_files_are_listed),
      cmocka_unit_test(the_cache_is_where_xdg_says),
      cmocka_unit_test(equal_wishes_share_one_object),
      cmocka_unit_test(threads_may_take_at_once),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
