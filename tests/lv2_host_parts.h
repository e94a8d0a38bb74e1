// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of the test host, for its parts: lv2_host.c instantiates and runs, lv2_host_messages.c
// speaks and listens, lv2_host_state.c saves and restores.
#ifndef MEANWAVE_LV2_HOST_PARTS_H
#define MEANWAVE_LV2_HOST_PARTS_H

#include <stdatomic.h>

#include <lv2/atom/forge.h>
#include <lv2/log/log.h>
#include <lv2/options/options.h>
#include <lv2/urid/urid.h>
#include <lv2/worker/worker.h>

#include "lv2_host.h"

enum {
  MOST_PORTS = 32,
  MOST_TOLD = 24,
  MESSAGE_BYTES = 4096,
  QUEUE = 16,
  LONGEST_TEXT = 8192,
};

// URIDs, of all instances.
extern LV2_URID_Map uri_map;
extern LV2_URID_Unmap uri_unmap;
LV2_URID urid_of(const char *uri);
const char *uri_of(LV2_URID urid); // NULL: none

// A buffer that ends where memory ends.
typedef struct {
  char *base;
  char *end; // the page behind must not be touched
  size_t bytes;
} guarded;

typedef struct {
  char *property;
  size_t floats; // of a vector, in `text`
  _Alignas(float) char text[LONGEST_TEXT];
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
  size_t notify_bytes;         // of the buffer for what it tells; 0: the plugin's minimum
  LV2_Atom_Forge forge;
  unsigned char inbox[LONGEST_TEXT * 2]; // events for the next run
  told tells[MOST_TOLD];
  size_t told_count;
  size_t changes;
  void (*listener)(void *context, const LV2_Atom *atom); // to all it writes to its notify port
  void *listener_context;
  char logged[1024];
  double run_us;
  const LV2_Worker_Interface *worker;
  message_queue asked;
  message_queue answered;
  LV2_Worker_Schedule schedule;
  LV2_Log_Log log;
  int32_t block_lengths[2];
  LV2_Options_Option options[3];
};

uint32_t port_index(const lv2_host *h, const char *symbol); // a wrong one fails the test

// Takes in what the plugin has written to its notify port of `capacity` bytes.
void hear_all(lv2_host *h, const LV2_Atom_Sequence *notify, size_t capacity);

#endif
