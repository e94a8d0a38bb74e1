// SPDX-License-Identifier: GPL-3.0-or-later
#include "batch.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

typedef enum { WAITING, RUNNING, DONE, SKIPPED, FAILED, STOPPED } item_state;

typedef struct {
  struct run *run;
  item_state state;
  mw_status status;
  double share; // done
  mw_error error;
} item_run;

typedef struct run {
  const batch *b;
  item_run *items;
  pthread_mutex_t lock; // over all below, and over the printer
  size_t next;
  double begun;
  double printed; // when the bar was drawn last
} run;

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
  (void)signal_number;
  stopping = 1;
}

// A second signal ends the program at once.
static void watch_signals(void)
{
  struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool batch_add(batch *b, const char *input, const char *output, double weight)
{
  if ((b->count & (b->count - 1)) == 0) { // full: room for twice as many
    batch_item *moved = realloc(b->items, (b->count > 0 ? 2 * b->count : 1) * sizeof *moved);
    if (moved == NULL) return false;
    b->items = moved;
  }
  batch_item item = {strdup(input), strdup(output), weight};
  b->items[b->count++] = item;
  return item.input != NULL && item.output != NULL;
}

void batch_free(batch *b)
{
  for (size_t i = 0; i < b->count; i++) {
    free(b->items[i].input);
    free(b->items[i].output);
  }
  free(b->items);
  b->items = NULL;
  b->count = 0;
}

unsigned batch_processors(void)
{
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static void draw_bar(run *r)
{
  double all = 0.0;
  double done = 0.0;
  for (size_t i = 0; i < r->b->count; i++) {
    all += r->b->items[i].weight;
    done += r->b->items[i].weight * r->items[i].share;
  }
  r->printed = now();
  if (all > 0.0 && done < all) report_progress(r->b->what, done / all, r->printed - r->begun);
}

static bool progress(void *context, double share)
{
  static const double BETWEEN_SECONDS = 0.1;
  item_run *item = context;
  run *r = item->run;
  pthread_mutex_lock(&r->lock);
  item->share = share;
  if (now() - r->printed > BETWEEN_SECONDS) draw_bar(r);
  pthread_mutex_unlock(&r->lock);
  return !stopping;
}

static void say(const run *r, size_t index, double took)
{
  static const char *const states[] = {"waiting", "running", "done",
                                       "skipped", "failed",  "stopped"};
  const item_run *item = &r->items[index];
  report_progress(r->b->what, 1.0, 0.0); // clears the line
  if (item->state == DONE && strcmp(r->b->items[index].output, "-") != 0)
    report_note("%s", r->b->items[index].output);
  if (item->state == SKIPPED) report_note("%s is there already", r->b->items[index].output);
  report_begin();
  report_text("input", r->b->items[index].input);
  report_text("output", r->b->items[index].output);
  report_text("status", states[item->state]);
  if (item->state == FAILED) report_text("error", item->error.text);
  report_number("took_s", took);
  report_end();
}

// The folders above a file.
static mw_status make_folders(const char *file, mw_error *error)
{
  char path[4096];
  int length = snprintf(path, sizeof path, "%s", file);
  if (length == 0 || length >= (int)sizeof path) return MW_OK; // told later
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
      snprintf(error->text, sizeof error->text, "%.300s: %s", path, strerror(errno));
      return MW_ERROR_IO;
    }
    *slash = '/';
  }
  return MW_OK;
}

static void run_item(run *r, size_t index)
{
  const batch_item *what = &r->b->items[index];
  item_run *item = &r->items[index];
  double begun = now();
  item_state state = SKIPPED;
  bool pipe = strcmp(what->output, "-") == 0;
  if (!r->b->skip_made || pipe || access(what->output, F_OK) != 0) {
    item->status = pipe ? MW_OK : make_folders(what->output, &item->error);
    if (item->status == MW_OK)
      item->status = r->b->work(r->b->context, what, progress, item, &item->error);
    state = item->status == MW_OK ? DONE : item->status == MW_ERROR_CANCELLED ? STOPPED : FAILED;
  }
  pthread_mutex_lock(&r->lock);
  item->state = state;
  item->share = 1.0;
  say(r, index, now() - begun);
  pthread_mutex_unlock(&r->lock);
}

static void *work(void *context)
{
  run *r = context;
  for (;;) {
    pthread_mutex_lock(&r->lock);
    size_t index = stopping ? r->b->count : r->next++;
    pthread_mutex_unlock(&r->lock);
    if (index >= r->b->count) return NULL;
    run_item(r, index);
  }
}

// The lines of what failed, and the code that tells its kind when all failed alike.
static int sum_up(const run *r)
{
  size_t counts[STOPPED + 1] = {0};
  int code = EXIT_GOOD;
  for (size_t i = 0; i < r->b->count; i++) {
    counts[r->items[i].state]++;
    if (r->items[i].state != FAILED) continue;
    int one = report_status(r->items[i].status, &r->items[i].error);
    code = code == EXIT_GOOD || code == one ? one : EXIT_FAILED;
  }
  if (r->b->count > 1)
    report_note("%zu done, %zu skipped, %zu failed", counts[DONE], counts[SKIPPED], counts[FAILED]);
  size_t left = counts[STOPPED] + counts[WAITING];
  if (left > 0) {
    report_error("stopped with %zu of %zu left; --resume goes on with them", left, r->b->count);
    code = EXIT_FAILED;
  }
  return code;
}

int batch_run(batch *b)
{
  enum { MOST_THREADS = 64 };
  pthread_t threads[MOST_THREADS];
  size_t started = 0;
  run r = {.b = b, .lock = PTHREAD_MUTEX_INITIALIZER, .begun = now()};
  r.items = calloc(b->count + 1, sizeof *r.items);
  if (r.items == NULL) {
    report_error("out of memory");
    return EXIT_FAILED;
  }
  for (size_t i = 0; i < b->count; i++) r.items[i].run = &r;
  watch_signals();
  // this thread is one of them, so that all is done when none can be had
  while (started + 1 < b->jobs && started + 1 < b->count && started < MOST_THREADS &&
         pthread_create(&threads[started], NULL, work, &r) == 0)
    started++;
  work(&r);
  for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
  int code = sum_up(&r);
  free(r.items);
  return code;
}
