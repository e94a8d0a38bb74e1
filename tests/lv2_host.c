// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_host_parts.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <lv2/buf-size/buf-size.h>

#include "trap.h"

enum {
  NOMINAL = 1024, // frames of a block, as Ardour says
  BEHIND = 0xa5
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
  return uri_of(urid);
}

LV2_URID_Map uri_map = {NULL, map_uri};
LV2_URID_Unmap uri_unmap = {NULL, unmap_uri};

LV2_URID urid_of(const char *uri)
{
  return map_uri(NULL, uri);
}

const char *uri_of(LV2_URID urid)
{
  pthread_mutex_lock(&uri_lock);
  const char *uri = urid > 0 && urid <= uri_count ? uris[urid - 1] : NULL;
  pthread_mutex_unlock(&uri_lock);
  return uri;
}

// ---- Buffers that end where memory ends ----

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

uint32_t port_index(const lv2_host *h, const char *symbol)
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

void host_narrow(lv2_host *h, size_t notify_bytes)
{
  assert_true(notify_bytes == 0 || notify_bytes >= sizeof(LV2_Atom) + sizeof(LV2_Atom_Sequence));
  h->notify_bytes = notify_bytes;
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

static size_t notify_capacity(const lv2_host *h, const guarded *g)
{
  return h->notify_bytes > 0 ? h->notify_bytes : (size_t)(g->end - g->base);
}

// As near to the end as an atom may lie; what is left behind it holds BEHIND.
static char *notify_place(const guarded *g, size_t capacity)
{
  return g->end - (capacity + 7) / 8 * 8;
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
      size_t capacity = notify_capacity(h, g);
      char *at = notify_place(g, capacity);
      memset(at + capacity, BEHIND, (size_t)(g->end - at) - capacity);
      *(LV2_Atom *)at =
          (LV2_Atom){(uint32_t)(capacity - sizeof(LV2_Atom)), urid_of(LV2_ATOM__Chunk)};
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
    const float *at = h->kinds[i] == AUDIO ? (const float *)h->buffers[i].end - frames : NULL;
    if (h->kinds[i] == ATOM && !h->is_input[i]) {
      size_t capacity = notify_capacity(h, &h->buffers[i]);
      const char *notify = notify_place(&h->buffers[i], capacity);
      hear_all(h, (const LV2_Atom_Sequence *)notify, capacity);
      for (notify += capacity; notify < h->buffers[i].end; notify++)
        assert_int_equal((unsigned char)*notify, BEHIND);
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

static double thread_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

double host_run_us(const lv2_host *h)
{
  return h->run_us;
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
  double before_us = thread_us();
  trap_set(!free_wheels);
  lilv_instance_run(h->instance, frames);
  h->run_us = thread_us() - before_us;
  const message *m;
  while (h->worker != NULL && (m = queue_front(&h->answered)) != NULL) {
    h->worker->work_response(handle, m->size, m->bytes);
    atomic_fetch_add(&h->answered.read, 1);
  }
  if (h->worker != NULL && h->worker->end_run != NULL) h->worker->end_run(handle);
  trap_set(false);
  collect_outputs(h, out, frames, in_place);
}

const char *host_trapped(void)
{
  return trap_take();
}
