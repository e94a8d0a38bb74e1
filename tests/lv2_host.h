// SPDX-License-Identifier: GPL-3.0-or-later
//
// A strict LV2 host for tests: gives what it is told to and nothing else, puts every buffer right
// in front of a page that must not be touched, and notes every allocation, lock and file access in
// `run`.
#ifndef MEANWAVE_LV2_HOST_H
#define MEANWAVE_LV2_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lilv/lilv.h>

// Features beside urid:map.
enum {
  HOST_WORKER = 1,
  HOST_OPTIONS = 2,
  HOST_LOG = 4,
  HOST_BOUNDED = 8,
  HOST_EVERYTHING = 15,
};

typedef struct lv2_host lv2_host;

// An instance, not active. Everything that fails here fails the test.
lv2_host *host_open(const char *uri, unsigned rate_hz, unsigned features, uint32_t longest_block);
void host_close(lv2_host *h);
void host_activate(lv2_host *h);
void host_deactivate(lv2_host *h);

float host_value(const lv2_host *h, const char *symbol);
void host_set(lv2_host *h, const char *symbol, float value);
// From now on that much room for what it tells, of which no byte more is written; 0: what it asks
// for. At least an empty sequence and, as plugins count, its head once more.
void host_narrow(lv2_host *h, size_t notify_bytes);

// Messages of the next run.
void host_send_text(lv2_host *h, const char *property, const char *type, const char *text);
void host_send_number(lv2_host *h, const char *property, const char *type, double number);
void host_send_get(lv2_host *h, const char *property); // NULL: all
void host_send_midi(lv2_host *h, uint32_t frame, uint8_t status, uint8_t key, uint8_t value);
void host_send_bytes(lv2_host *h, const char *type, const void *bytes, size_t count);

// What the plugin last said of a property; NULL when it never did. Numbers come as text.
const char *host_told(const lv2_host *h, const char *property);
// A vector of floats instead; NULL when none of so many was told.
const float *host_told_floats(const lv2_host *h, const char *property, size_t count);
size_t host_told_count(const lv2_host *h);  // so far, of all properties
size_t host_changes(const lv2_host *h);     // how often it said that its state is another
const char *host_logged(const lv2_host *h); // the last line of log, "" when none

// One run. in, out [ports][frames]; `in_place`: one buffer is both. Real time unless the plugin's
// free-wheel port is on. Never more than longest_block frames.
void host_run(lv2_host *h, const float *const *in, float *const *out, uint32_t frames,
              bool in_place);
// What the last one took of its thread's processor time.
double host_run_us(const lv2_host *h);
// Work that the plugin has asked for, and its responses in the next run.
void host_work(lv2_host *h);

// Through lilv, as real hosts do it: files go into `folder`. Then into another instance.
LilvState *host_save(lv2_host *h, const char *folder);
void host_restore(lv2_host *h, const LilvState *state);
void host_load_preset(lv2_host *h, const char *uri);
// A host without path features, through a table of its own.
typedef struct host_table host_table;
host_table *host_save_plain(lv2_host *h);
// As Carla does it: what nothing is stored over stays in the table, a key keeps its first type, and
// a file goes into `folder` under the name that is asked for.
void host_save_over(lv2_host *h, host_table *table, const char *folder);
void host_restore_plain(lv2_host *h, const host_table *table);
// A state of one text.
host_table *host_table_of(const char *key, const char *type, const char *text);
void host_table_free(host_table *table);
const char *host_table_text(const host_table *table, const char *key); // NULL: not there

// What was done in a real-time run that must not be: its name, and NULL again after the call.
const char *host_trapped(void);

#endif
