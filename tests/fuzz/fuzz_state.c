// SPDX-License-Identifier: GPL-3.0-or-later
//
// Any bytes as the state that a host restores into a plugin. The first byte chooses the plugin,
// then come records: key and type as numbers of `names`, length (two bytes, least first), value.
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lv2/atom/atom.h>
#include <lv2/core/lv2.h>
#include <lv2/state/state.h>
#include <lv2/urid/urid.h>

#include "fuzz.h"

enum { PLUGINS = 2, MOST_URIS = 128, PORTS = 24, PORT_BYTES = 1 << 15, FRAMES = 64, RUNS = 4 };

static const char *const files[PLUGINS] = {"meanwave-sound.lv2/sound.so",
                                           "meanwave-voice.lv2/voice.so"};

static const char *const names[] = {
    LV2_ATOM__Bool,
    LV2_ATOM__Chunk,
    LV2_ATOM__Path,
    LV2_ATOM__String,
    "urn:meanwave:sound:prompt",
    "urn:meanwave:sound:negative",
    "urn:meanwave:sound:model",
    "urn:meanwave:sound:clip",
    "urn:meanwave:sound:clipBytes",
    "urn:meanwave:sound:clipLoops",
    "urn:meanwave:voice:file",
    "urn:meanwave:voice:model",
    "urn:meanwave:voice:fileHash",
};

typedef struct {
  const uint8_t *bytes;
  size_t size;
} state;

static const LV2_Descriptor *plugins[PLUGINS];
static LV2_Handle kept[PLUGINS];
static char *uris[MOST_URIS];
static size_t uri_count;
static bool stored; // something of the state was kept
static union {
  LV2_Atom_Sequence atom;
  float value[PORT_BYTES / sizeof(float)];
} ports[PORTS];

static LV2_URID map_uri(LV2_URID_Map_Handle handle, const char *uri);
static LV2_URID_Map map = {NULL, map_uri};
static const LV2_Feature map_feature = {LV2_URID__map, &map};
static const LV2_Feature *const features[] = {&map_feature, NULL};

static LV2_URID map_uri(LV2_URID_Map_Handle handle, const char *uri)
{
  (void)handle;
  for (size_t i = 0; i < uri_count; i++)
    if (strcmp(uris[i], uri) == 0) return (LV2_URID)i + 1;
  if (uri_count == MOST_URIS) abort();
  uris[uri_count++] = strdup(uri);
  return (LV2_URID)uri_count;
}

static void open_plugins(void)
{
  const char *places = getenv("LV2_PATH");
  char path[4096];
  // no state is of a model; opening the default one each time would take all of the time
  setenv("MEANWAVE_MODELS", "/dev/null", 1);
  for (int i = 0; i < PLUGINS; i++) {
    snprintf(path, sizeof path, "%.*s/%s", (int)strcspn(places != NULL ? places : "", ":"), places,
             files[i]);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) fprintf(stderr, "%s\n", dlerror());
    if (library == NULL) abort();
    LV2_Descriptor_Function find = NULL;
    *(void **)&find = dlsym(library, "lv2_descriptor");
    plugins[i] = find(0);
    // it stays, with what instances share
    kept[i] = plugins[i]->instantiate(plugins[i], 48000.0, "", features);
    if (kept[i] == NULL) abort();
  }
}

static LV2_URID number(uint8_t byte)
{
  return map_uri(NULL, names[byte % (sizeof names / sizeof names[0])]);
}

static const void *retrieve(LV2_State_Handle handle, uint32_t key, size_t *size, uint32_t *type,
                            uint32_t *flags)
{
  const state *s = handle;
  *flags = LV2_STATE_IS_POD;
  for (size_t at = 0; at + 4 <= s->size;) {
    const uint8_t *record = s->bytes + at;
    size_t length = (size_t)record[2] | (size_t)record[3] << 8;
    if (length > s->size - at - 4) length = s->size - at - 4;
    if (number(record[0]) == key) {
      *type = number(record[1]);
      *size = length;
      return record + 4;
    }
    at += 4 + length;
  }
  return NULL;
}

static LV2_State_Status store(LV2_State_Handle handle, uint32_t key, const void *value, size_t size,
                              uint32_t type, uint32_t flags)
{
  (void)handle;
  (void)flags;
  if (key == 0 || key > uri_count || type == 0 || type > uri_count || value == NULL) abort();
  for (size_t i = 0; i < size; i++) stored = stored || ((const char *)value)[i] != 0;
  return LV2_STATE_SUCCESS;
}

static void connect(const LV2_Descriptor *d, LV2_Handle handle)
{
  memset(ports, 0, sizeof ports);
  ports[0].atom.atom.size = sizeof(LV2_Atom_Sequence_Body);
  ports[0].atom.atom.type = map_uri(NULL, LV2_ATOM__Sequence);
  for (uint32_t i = 0; i < PORTS; i++) d->connect_port(handle, i, &ports[i]);
}

static void run(const LV2_Descriptor *d, LV2_Handle handle)
{
  ports[1].atom.atom.size = PORT_BYTES - sizeof(LV2_Atom);
  ports[1].atom.atom.type = map_uri(NULL, LV2_ATOM__Chunk);
  d->run(handle, FRAMES);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  if (plugins[0] == NULL) open_plugins();
  if (size == 0) return 0;
  const LV2_Descriptor *d = plugins[bytes[0] % PLUGINS];
  LV2_Handle handle = d->instantiate(d, 48000.0, "", features);
  if (handle == NULL) abort();
  const LV2_State_Interface *saved = d->extension_data(LV2_STATE__interface);
  state s = {bytes + 1, size - 1};
  stored = false;
  connect(d, handle);
  if (d->activate != NULL) d->activate(handle);
  saved->restore(handle, retrieve, &s, 0, features);
  for (int i = 0; i < RUNS; i++) run(d, handle);
  saved->save(handle, store, NULL, 0, features);
  if (d->deactivate != NULL) d->deactivate(handle);
  d->cleanup(handle);
  if (stored) fuzz_taken++;
  return 0;
}
