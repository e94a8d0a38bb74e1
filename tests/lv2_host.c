// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_host.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include <lv2/atom/forge.h>
#include <lv2/atom/util.h>
#include <lv2/buf-size/buf-size.h>
#include <lv2/log/log.h>
#include <lv2/midi/midi.h>
#include <lv2/options/options.h>
#include <lv2/patch/patch.h>
#include <lv2/state/state.h>
#include <lv2/urid/urid.h>
#include <lv2/worker/worker.h>

#include "lv2_trap.h"

enum {
  MOST_PORTS = 32,
  MOST_TOLD = 24,
  MESSAGE_BYTES = 4096,
  QUEUE = 16,
  LONGEST_TEXT = 8192,
  NOMINAL = 1024, // frames of a block, as Ardour says
};

// ---- URIDs, of all instances ----

static pthread_mutex_t uri_lock = PTHREAD_MUTEX_INITIALIZER;
static char *uris[512];
static LV2_URID uri_count;

static LV2_URID map_uri(LV2_URID_Map_Handle handle, const char *uri)
{
  (void)handle;
  pthread_mutex_lock(&uri_lock);
  LV2_URID found = 0;
  while (found < uri_count && strcmp(uris[found], uri) != 0) found++;
  if (found == uri_count && uri_count < 512) uris[uri_count++] = strdup(uri);
  pthread_mutex_unlock(&uri_lock);
  return found + 1;
}

static const char *unmap_uri(LV2_URID_Unmap_Handle handle, LV2_URID urid)
{
  (void)handle;
  pthread_mutex_lock(&uri_lock);
  const char *uri = urid > 0 && urid <= uri_count ? uris[urid - 1] : NULL;
  pthread_mutex_unlock(&uri_lock);
  return uri;
}

static LV2_URID_Map uri_map = {NULL, map_uri};
static LV2_URID_Unmap uri_unmap = {NULL, unmap_uri};

static LV2_URID urid_of(const char *uri)
{
  return map_uri(NULL, uri);
}

// ---- Buffers that end where memory ends ----

typedef struct {
  char *base;
  char *end; // the page behind must not be touched
  size_t bytes;
} guarded;

static guarded guarded_new(size_t bytes)
{
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t pages = (bytes + page - 1) / page + 1;
  char *base = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(base != MAP_FAILED);
  char *end = base + (pages - 1) * page;
  assert_int_equal(mprotect(end, page, PROT_NONE), 0);
  return (guarded){base, end, pages * page};
}

static void guarded_free(guarded *g)
{
  if (g->base != NULL) munmap(g->base, g->bytes);
}

// ---- The instance ----

typedef struct {
  char *property;
  char text[LONGEST_TEXT];
} told;

typedef struct {
  uint32_t size;
  unsigned char bytes[MESSAGE_BYTES];
} message;

// One thread writes, another reads.
typedef struct {
  message at[QUEUE];
  atomic_uint written;
  atomic_uint read;
} message_queue;

struct lv2_host {
  LilvWorld *world; // of all
  const LilvPlugin *plugin;
  LilvInstance *instance;
  uint32_t port_count;
  uint32_t longest;
  const char *symbols[MOST_PORTS];
  bool is_input[MOST_PORTS];
  enum { CONTROL, AUDIO, ATOM } kinds[MOST_PORTS];
  float values[MOST_PORTS];
  guarded buffers[MOST_PORTS]; // of audio and atom ports
  LV2_Atom_Forge forge;
  unsigned char inbox[LONGEST_TEXT * 2]; // events for the next run
  uint32_t inbox_bytes;
  told tells[MOST_TOLD];
  size_t told_count;
  char logged[1024];
  const LV2_Worker_Interface *worker;
  message_queue asked;
  message_queue answered;
  LV2_Worker_Schedule schedule;
  LV2_Log_Log log;
  int32_t block_lengths[2];
  LV2_Options_Option options[3];
};

static bool queue_put(message_queue *q, uint32_t size, const void *bytes)
{
  unsigned written = atomic_load(&q->written);
  if (written - atomic_load(&q->read) == QUEUE || size > MESSAGE_BYTES) return false;
  q->at[written % QUEUE].size = size;
  memcpy(q->at[written % QUEUE].bytes, bytes, size);
  atomic_store(&q->written, written + 1);
  return true;
}

static const message *queue_front(message_queue *q)
{
  unsigned read = atomic_load(&q->read);
  return read == atomic_load(&q->written) ? NULL : &q->at[read % QUEUE];
}

static LV2_Worker_Status schedule_work(LV2_Worker_Schedule_Handle handle, uint32_t size,
                                       const void *bytes)
{
  lv2_host *h = handle;
  return queue_put(&h->asked, size, bytes) ? LV2_WORKER_SUCCESS : LV2_WORKER_ERR_NO_SPACE;
}

static LV2_Worker_Status respond(LV2_Worker_Respond_Handle handle, uint32_t size, const void *bytes)
{
  lv2_host *h = handle;
  assert_true(size > 0);
  return queue_put(&h->answered, size, bytes) ? LV2_WORKER_SUCCESS : LV2_WORKER_ERR_NO_SPACE;
}

void host_work(lv2_host *h)
{
  const message *m;
  while (h->worker != NULL && (m = queue_front(&h->asked)) != NULL) {
    h->worker->work(lilv_instance_get_handle(h->instance), respond, h, m->size, m->bytes);
    atomic_fetch_add(&h->asked.read, 1);
  }
}

static int log_vprintf(LV2_Log_Handle handle, LV2_URID type, const char *format, va_list arguments)
{
  lv2_host *h = handle;
  (void)type;
  return vsnprintf(h->logged, sizeof h->logged, format, arguments);
}

static int log_printf(LV2_Log_Handle handle, LV2_URID type, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  int length = log_vprintf(handle, type, format, arguments);
  va_end(arguments);
  return length;
}

static bool is_a(const lv2_host *h, const LilvPort *port, const char *uri)
{
  LilvNode *node = lilv_new_uri(h->world, uri);
  bool yes = lilv_port_is_a(h->plugin, port, node);
  lilv_node_free(node);
  return yes;
}

static size_t minimum_bytes(const lv2_host *h, const LilvPort *port)
{
  LilvNode *key = lilv_new_uri(h->world, "http://lv2plug.in/ns/ext/resize-port#minimumSize");
  LilvNode *value = lilv_port_get(h->plugin, port, key);
  assert_non_null(value);
  size_t bytes = (size_t)lilv_node_as_int(value);
  lilv_node_free(value);
  lilv_node_free(key);
  return bytes;
}

static void read_ports(lv2_host *h)
{
  h->port_count = lilv_plugin_get_num_ports(h->plugin);
  assert_in_range(h->port_count, 1, MOST_PORTS);
  lilv_plugin_get_port_ranges_float(h->plugin, NULL, NULL, h->values);
  for (uint32_t i = 0; i < h->port_count; i++) {
    const LilvPort *port = lilv_plugin_get_port_by_index(h->plugin, i);
    h->symbols[i] = lilv_node_as_string(lilv_port_get_symbol(h->plugin, port));
    h->is_input[i] = is_a(h, port, LILV_URI_INPUT_PORT);
    if (is_a(h, port, LILV_URI_CONTROL_PORT)) {
      h->kinds[i] = CONTROL;
      if (!h->is_input[i]) h->values[i] = NAN;
      lilv_instance_connect_port(h->instance, i, &h->values[i]);
    } else if (is_a(h, port, LILV_URI_ATOM_PORT)) {
      h->kinds[i] = ATOM;
      h->buffers[i] = guarded_new(minimum_bytes(h, port));
    } else {
      h->kinds[i] = AUDIO;
      h->buffers[i] = guarded_new(h->longest * sizeof(float));
    }
  }
}

// States belong to a world too and outlive their instance: there is one world for all.
static LilvWorld *the_world;

static void free_world(void)
{
  lilv_world_free(the_world);
}

static LilvWorld *world_of_all(void)
{
  if (the_world == NULL) {
    the_world = lilv_world_new();
    lilv_world_load_all(the_world);
    atexit(free_world);
  }
  return the_world;
}

lv2_host *host_open(const char *uri, unsigned rate_hz, unsigned features, uint32_t longest_block)
{
  lv2_host *h = calloc(1, sizeof *h);
  assert_non_null(h);
  h->world = world_of_all();
  h->longest = longest_block;
  LilvNode *node = lilv_new_uri(h->world, uri);
  h->plugin = lilv_plugins_get_by_uri(lilv_world_get_all_plugins(h->world), node);
  lilv_node_free(node);
  if (h->plugin == NULL) fail_msg("%s is not in %s", uri, getenv("LV2_PATH"));
  h->schedule = (LV2_Worker_Schedule){h, schedule_work};
  h->log = (LV2_Log_Log){h, log_printf, log_vprintf};
  h->block_lengths[0] = (int32_t)longest_block;
  h->block_lengths[1] = longest_block < NOMINAL ? (int32_t)longest_block : NOMINAL;
  const LV2_URID int_type = urid_of(LV2_ATOM__Int);
  h->options[0] = (LV2_Options_Option){
      LV2_OPTIONS_INSTANCE, 0, urid_of(LV2_BUF_SIZE__maxBlockLength), 4, int_type,
      &h->block_lengths[0]};
  h->options[1] = (LV2_Options_Option){
      LV2_OPTIONS_INSTANCE, 0, urid_of(LV2_BUF_SIZE__nominalBlockLength), 4, int_type,
      &h->block_lengths[1]};
  LV2_Feature map = {LV2_URID__map, &uri_map};
  LV2_Feature worker = {LV2_WORKER__schedule, &h->schedule};
  LV2_Feature options = {LV2_OPTIONS__options, h->options};
  LV2_Feature log = {LV2_LOG__log, &h->log};
  LV2_Feature bounded = {LV2_BUF_SIZE__boundedBlockLength, NULL};
  const LV2_Feature *list[8] = {&map};
  size_t count = 1;
  if (features & HOST_WORKER) list[count++] = &worker;
  if (features & HOST_OPTIONS) list[count++] = &options;
  if (features & HOST_LOG) list[count++] = &log;
  if (features & HOST_BOUNDED) list[count++] = &bounded;
  h->instance = lilv_plugin_instantiate(h->plugin, rate_hz, list);
  if (h->instance == NULL) fail_msg("%s at %u Hz: no instance", uri, rate_hz);
  if (features & HOST_WORKER)
    h->worker = lilv_instance_get_extension_data(h->instance, LV2_WORKER__interface);
  lv2_atom_forge_init(&h->forge, &uri_map);
  lv2_atom_forge_set_buffer(&h->forge, h->inbox, sizeof h->inbox);
  read_ports(h);
  return h;
}

void host_close(lv2_host *h)
{
  lilv_instance_free(h->instance);
  for (uint32_t i = 0; i < h->port_count; i++) guarded_free(&h->buffers[i]);
  for (size_t i = 0; i < MOST_TOLD; i++) free(h->tells[i].property);
  free(h);
}

void host_activate(lv2_host *h)
{
  lilv_instance_activate(h->instance);
}

void host_deactivate(lv2_host *h)
{
  lilv_instance_deactivate(h->instance);
}

static uint32_t port_index(const lv2_host *h, const char *symbol)
{
  uint32_t i = 0;
  while (i < h->port_count && strcmp(h->symbols[i], symbol) != 0) i++;
  if (i == h->port_count) fail_msg("no port %s", symbol);
  return i;
}

float host_value(const lv2_host *h, const char *symbol)
{
  return h->values[port_index(h, symbol)];
}

void host_set(lv2_host *h, const char *symbol, float value)
{
  h->values[port_index(h, symbol)] = value;
}

// ---- Messages ----

static void begin_set(lv2_host *h, LV2_Atom_Forge_Frame *frame, const char *property)
{
  lv2_atom_forge_frame_time(&h->forge, 0);
  lv2_atom_forge_object(&h->forge, frame, 0, urid_of(LV2_PATCH__Set));
  lv2_atom_forge_key(&h->forge, urid_of(LV2_PATCH__property));
  lv2_atom_forge_urid(&h->forge, urid_of(property));
  lv2_atom_forge_key(&h->forge, urid_of(LV2_PATCH__value));
}

void host_send_text(lv2_host *h, const char *property, const char *type, const char *text)
{
  LV2_Atom_Forge_Frame frame;
  begin_set(h, &frame, property);
  lv2_atom_forge_typed_string(&h->forge, urid_of(type), text, (uint32_t)strlen(text));
  lv2_atom_forge_pop(&h->forge, &frame);
}

void host_send_number(lv2_host *h, const char *property, const char *type, double number)
{
  LV2_Atom_Forge_Frame frame;
  begin_set(h, &frame, property);
  if (strcmp(type, LV2_ATOM__Int) == 0)
    lv2_atom_forge_int(&h->forge, (int32_t)number);
  else if (strcmp(type, LV2_ATOM__Long) == 0)
    lv2_atom_forge_long(&h->forge, (int64_t)number);
  else if (strcmp(type, LV2_ATOM__Bool) == 0)
    lv2_atom_forge_bool(&h->forge, number != 0.0);
  else if (strcmp(type, LV2_ATOM__Double) == 0)
    lv2_atom_forge_double(&h->forge, number);
  else
    lv2_atom_forge_float(&h->forge, (float)number);
  lv2_atom_forge_pop(&h->forge, &frame);
}

void host_send_get(lv2_host *h, const char *property)
{
  LV2_Atom_Forge_Frame frame;
  lv2_atom_forge_frame_time(&h->forge, 0);
  lv2_atom_forge_object(&h->forge, &frame, 0, urid_of(LV2_PATCH__Get));
  if (property != NULL) {
    lv2_atom_forge_key(&h->forge, urid_of(LV2_PATCH__property));
    lv2_atom_forge_urid(&h->forge, urid_of(property));
  }
  lv2_atom_forge_pop(&h->forge, &frame);
}

void host_send_bytes(lv2_host *h, const char *type, const void *bytes, size_t count)
{
  lv2_atom_forge_frame_time(&h->forge, 0);
  lv2_atom_forge_atom(&h->forge, (uint32_t)count, urid_of(type));
  lv2_atom_forge_write(&h->forge, bytes, (uint32_t)count);
}

void host_send_midi(lv2_host *h, uint32_t frame, uint8_t status, uint8_t key, uint8_t value)
{
  const uint8_t bytes[3] = {status, key, value};
  lv2_atom_forge_frame_time(&h->forge, frame);
  lv2_atom_forge_atom(&h->forge, 3, urid_of(LV2_MIDI__MidiEvent));
  lv2_atom_forge_write(&h->forge, bytes, 3);
}

static void hear(lv2_host *h, const LV2_Atom *property, const LV2_Atom *value)
{
  const char *uri = unmap_uri(NULL, ((const LV2_Atom_URID *)property)->body);
  const char *type = unmap_uri(NULL, value->type);
  const void *body = LV2_ATOM_BODY_CONST(value);
  size_t i = 0;
  assert_non_null(uri);
  assert_non_null(type);
  while (i < MOST_TOLD && h->tells[i].property != NULL && strcmp(h->tells[i].property, uri) != 0)
    i++;
  assert_true(i < MOST_TOLD);
  if (h->tells[i].property == NULL) h->tells[i].property = strdup(uri);
  char *text = h->tells[i].text;
  if (strcmp(type, LV2_ATOM__Float) == 0)
    snprintf(text, LONGEST_TEXT, "%.9g", (double)*(const float *)body);
  else if (strcmp(type, LV2_ATOM__Int) == 0 || strcmp(type, LV2_ATOM__Bool) == 0)
    snprintf(text, LONGEST_TEXT, "%d", *(const int32_t *)body);
  else if (strcmp(type, LV2_ATOM__Long) == 0)
    snprintf(text, LONGEST_TEXT, "%lld", (long long)*(const int64_t *)body);
  else
    snprintf(text, LONGEST_TEXT, "%s", (const char *)body);
  h->told_count++;
}

static void hear_all(lv2_host *h, const LV2_Atom_Sequence *notify, size_t capacity)
{
  assert_int_equal(notify->atom.type, urid_of(LV2_ATOM__Sequence));
  assert_true(notify->atom.size + sizeof(LV2_Atom) <= capacity);
  LV2_ATOM_SEQUENCE_FOREACH(notify, event)
  {
    const LV2_Atom *property = NULL;
    const LV2_Atom *value = NULL;
    assert_true(lv2_atom_sequence_is_end(&notify->body, notify->atom.size, event) == false);
    if (event->body.type != urid_of(LV2_ATOM__Object)) continue;
    lv2_atom_object_get((const LV2_Atom_Object *)&event->body, urid_of(LV2_PATCH__property),
                        &property, urid_of(LV2_PATCH__value), &value, 0);
    if (property != NULL && value != NULL) hear(h, property, value);
  }
}

const char *host_told(const lv2_host *h, const char *property)
{
  for (size_t i = 0; i < MOST_TOLD && h->tells[i].property != NULL; i++)
    if (strcmp(h->tells[i].property, property) == 0) return h->tells[i].text;
  return NULL;
}

size_t host_told_count(const lv2_host *h)
{
  return h->told_count;
}

const char *host_logged(const lv2_host *h)
{
  return h->logged;
}

// ---- Running ----

static void fill_inbox(lv2_host *h, guarded *g)
{
  LV2_Atom_Sequence head = {
      {sizeof(LV2_Atom_Sequence_Body) + h->forge.offset, urid_of(LV2_ATOM__Sequence)}, {0, 0}};
  size_t bytes = sizeof head + h->forge.offset;
  char *at = g->end - (bytes + 7) / 8 * 8;
  assert_true(at >= g->base);
  memcpy(at, &head, sizeof head);
  memcpy(at + sizeof head, h->inbox, h->forge.offset);
  lv2_atom_forge_set_buffer(&h->forge, h->inbox, sizeof h->inbox);
}

static void connect_buffers(lv2_host *h, const float *const *in, uint32_t frames, bool in_place)
{
  size_t inputs = 0;
  float *places[MOST_PORTS];
  size_t outputs = 0;
  for (uint32_t i = 0; i < h->port_count; i++) {
    guarded *g = &h->buffers[i];
    if (h->kinds[i] == AUDIO) {
      float *at = (float *)g->end - frames;
      if (h->is_input[i]) {
        memcpy(at, in[inputs], frames * sizeof(float));
        places[inputs++] = at;
      } else {
        if (in_place && outputs < inputs)
          at = places[outputs];
        else
          for (uint32_t k = 0; k < frames; k++) at[k] = NAN; // whatever is not written shows
        outputs++;
      }
      lilv_instance_connect_port(h->instance, i, at);
    } else if (h->kinds[i] == ATOM && h->is_input[i]) {
      size_t bytes = sizeof(LV2_Atom_Sequence) + h->forge.offset;
      lilv_instance_connect_port(h->instance, i, g->end - (bytes + 7) / 8 * 8);
      fill_inbox(h, g);
    } else if (h->kinds[i] == ATOM) {
      size_t capacity = (size_t)(g->end - g->base);
      LV2_Atom *at = (LV2_Atom *)g->base;
      *at = (LV2_Atom){(uint32_t)(capacity - sizeof(LV2_Atom)), urid_of(LV2_ATOM__Chunk)};
      lilv_instance_connect_port(h->instance, i, at);
    }
  }
}

static void collect_outputs(lv2_host *h, float *const *out, uint32_t frames, bool in_place)
{
  size_t inputs = 0;
  size_t outputs = 0;
  const float *places[MOST_PORTS];
  for (uint32_t i = 0; i < h->port_count; i++) {
    const float *at = (const float *)h->buffers[i].end - frames;
    if (h->kinds[i] == ATOM && !h->is_input[i]) {
      hear_all(h, (const LV2_Atom_Sequence *)h->buffers[i].base,
               (size_t)(h->buffers[i].end - h->buffers[i].base));
    } else if (h->kinds[i] == AUDIO && h->is_input[i]) {
      places[inputs++] = at;
    } else if (h->kinds[i] == AUDIO) {
      if (in_place && outputs < inputs) at = places[outputs];
      memcpy(out[outputs++], at, frames * sizeof(float));
    } else if (h->kinds[i] == CONTROL && !h->is_input[i]) {
      assert_true(isfinite(h->values[i]));
    }
  }
  for (size_t i = 0; i < outputs; i++)
    for (uint32_t k = 0; k < frames; k++) assert_true(isfinite(out[i][k]));
}

void host_run(lv2_host *h, const float *const *in, float *const *out, uint32_t frames,
              bool in_place)
{
  bool free_wheels = false;
  assert_true(frames <= h->longest);
  for (uint32_t i = 0; i < h->port_count; i++)
    if (strcmp(h->symbols[i], "freewheel") == 0) free_wheels = h->values[i] > 0.0f;
  connect_buffers(h, in, frames, in_place);
  LV2_Handle handle = lilv_instance_get_handle(h->instance);
  trap_set(!free_wheels);
  lilv_instance_run(h->instance, frames);
  const message *m;
  while (h->worker != NULL && (m = queue_front(&h->answered)) != NULL) {
    h->worker->work_response(handle, m->size, m->bytes);
    atomic_fetch_add(&h->answered.read, 1);
  }
  if (h->worker != NULL && h->worker->end_run != NULL) h->worker->end_run(handle);
  trap_set(false);
  collect_outputs(h, out, frames, in_place);
}

// ---- State ----

static const void *get_value(const char *symbol, void *data, uint32_t *size, uint32_t *type)
{
  lv2_host *h = data;
  *size = sizeof(float);
  *type = urid_of(LV2_ATOM__Float);
  return &h->values[port_index(h, symbol)];
}

static void set_value(const char *symbol, void *data, const void *value, uint32_t size,
                      uint32_t type)
{
  assert_int_equal(size, sizeof(float));
  assert_int_equal(type, urid_of(LV2_ATOM__Float));
  host_set(data, symbol, *(const float *)value);
}

LilvState *host_save(lv2_host *h, const char *folder)
{
  char scratch[512];
  snprintf(scratch, sizeof scratch, "%s/scratch", folder);
  LilvState *state = lilv_state_new_from_instance(h->plugin, h->instance, &uri_map, scratch, folder,
                                                  folder, folder, get_value, h,
                                                  LV2_STATE_IS_POD | LV2_STATE_IS_PORTABLE, NULL);
  assert_non_null(state);
  // to a file and back, as a session does
  char bundle[600];
  snprintf(bundle, sizeof bundle, "%s/state", folder);
  assert_int_equal(
      lilv_state_save(h->world, &uri_map, &uri_unmap, state, NULL, bundle, "state.ttl"), 0);
  lilv_state_free(state);
  char file[640];
  snprintf(file, sizeof file, "%s/state.ttl", bundle);
  state = lilv_state_new_from_file(h->world, &uri_map, NULL, file);
  assert_non_null(state);
  return state;
}

void host_restore(lv2_host *h, const LilvState *state)
{
  lilv_state_restore(state, h->instance, set_value, h, 0, NULL);
}

void host_load_preset(lv2_host *h, const char *uri)
{
  LilvNode *node = lilv_new_uri(h->world, uri);
  lilv_world_load_resource(h->world, node);
  LilvState *state = lilv_state_new_from_world(h->world, &uri_map, node);
  lilv_node_free(node);
  if (state == NULL) fail_msg("there is no preset %s", uri);
  host_restore(h, state);
  lilv_state_free(state);
}

struct host_table {
  size_t count;
  struct {
    LV2_URID key;
    LV2_URID type;
    size_t size;
    void *value;
  } rows[32];
};

static LV2_State_Status store(LV2_State_Handle handle, uint32_t key, const void *value, size_t size,
                              uint32_t type, uint32_t flags)
{
  host_table *t = handle;
  assert_true(t->count < 32);
  assert_true(flags & LV2_STATE_IS_POD);
  t->rows[t->count].key = key;
  t->rows[t->count].type = type;
  t->rows[t->count].size = size;
  t->rows[t->count].value = malloc(size + 1);
  memcpy(t->rows[t->count++].value, value, size);
  return LV2_STATE_SUCCESS;
}

static const void *retrieve(LV2_State_Handle handle, uint32_t key, size_t *size, uint32_t *type,
                            uint32_t *flags)
{
  const host_table *t = handle;
  for (size_t i = 0; i < t->count; i++) {
    if (t->rows[i].key != key) continue;
    *size = t->rows[i].size;
    *type = t->rows[i].type;
    *flags = LV2_STATE_IS_POD;
    return t->rows[i].value;
  }
  return NULL;
}

static const LV2_State_Interface *state_of(const lv2_host *h)
{
  const LV2_State_Interface *state =
      lilv_instance_get_extension_data(h->instance, LV2_STATE__interface);
  assert_non_null(state);
  return state;
}

host_table *host_save_plain(lv2_host *h)
{
  static const LV2_Feature *const none[] = {NULL};
  host_table *t = calloc(1, sizeof *t);
  LV2_Handle handle = lilv_instance_get_handle(h->instance);
  assert_int_equal(state_of(h)->save(handle, store, t, 0, none), LV2_STATE_SUCCESS);
  return t;
}

void host_restore_plain(lv2_host *h, const host_table *table)
{
  static const LV2_Feature *const none[] = {NULL};
  LV2_Handle handle = lilv_instance_get_handle(h->instance);
  state_of(h)->restore(handle, retrieve, (LV2_State_Handle)table, 0, none);
}

void host_table_free(host_table *t)
{
  for (size_t i = 0; i < t->count; i++) free(t->rows[i].value);
  free(t);
}

const char *host_table_text(const host_table *t, const char *key)
{
  for (size_t i = 0; i < t->count; i++)
    if (t->rows[i].key == urid_of(key)) return t->rows[i].value;
  return NULL;
}

const char *host_trapped(void)
{
  return trap_take();
}
