// SPDX-License-Identifier: GPL-3.0-or-later
//
// meanwave latency: how long a sound takes from this program through the output and back through
// the input, told from chirps that are looked for in what comes back.
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audio.h"
#include "commands.h"
#include "report.h"
#include "shared_options.h"

#define PERIOD_SECONDS 0.8 // the longest round trip
#define CHIRP_SECONDS 0.03
#define LEAD_SECONDS 0.8   // until devices have settled
#define LEAST_LIKENESS 0.3 // of what came back with the chirp: noise reaches 0.15

static const option options[] = {
    {"in", 'i', OPTION_TEXT, "DEVICE", "where the chirp comes back", 0, 0},
    {"out", 'o', OPTION_TEXT, "DEVICE", "where it is played", 0, 0},
    {"count", 'n', OPTION_WHOLE, "N", "chirps (default 5)", 1, 100},
    DEVICE_OPTIONS,
    {NULL, 0, OPTION_FLAG, NULL, NULL, 0, 0},
};

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int number)
{
  (void)number;
  asked_to_stop = 1;
}

typedef struct {
  float *chirp;
  size_t chirp_frames; // at the output's rate
  size_t lead;         // frames before the first
  size_t period;
  size_t count;
  size_t room;
  float *heard; // [room]
  double ratio; // frames of input to a frame of output
  atomic_size_t in_count;
  atomic_size_t out_count;
  double apart; // sum over calls of the input: frames that the output is ahead
  size_t apart_count;
} probe;

// ---- the device's threads ----

static void play(probe *p, float *out, size_t frames)
{
  size_t at = atomic_load_explicit(&p->out_count, memory_order_relaxed);
  for (size_t i = 0; i < frames; i++, at++) {
    size_t since = at < p->lead ? p->chirp_frames : (at - p->lead) % p->period;
    bool last = at >= p->lead + p->count * p->period;
    out[i] = since < p->chirp_frames && !last ? p->chirp[since] : 0.0f;
  }
  atomic_store_explicit(&p->out_count, at, memory_order_relaxed);
}

static void hear(probe *p, const float *in, size_t frames)
{
  size_t at = atomic_load_explicit(&p->in_count, memory_order_relaxed);
  size_t left = p->room - at;
  if (frames > left) frames = left;
  memcpy(p->heard + at, in, frames * sizeof(float));
  atomic_store_explicit(&p->in_count, at + frames, memory_order_release);
}

static void on_in(void *context, const float *in, size_t frames)
{
  probe *p = context;
  hear(p, in, frames);
  size_t out = atomic_load_explicit(&p->out_count, memory_order_relaxed);
  size_t at = atomic_load_explicit(&p->in_count, memory_order_relaxed);
  if (out == 0 || at == p->room) return;
  p->apart += (double)out * p->ratio - (double)at;
  p->apart_count++;
}

static void on_out(void *context, float *out, size_t frames)
{
  play(context, out, frames);
}

static void on_both(void *context, const float *in, float *out, size_t frames)
{
  hear(context, in, frames);
  play(context, out, frames);
}

// ---- before and after ----

// From 500 Hz to 5 kHz, with soft ends.
static float chirp_at(double seconds)
{
  double share = seconds / CHIRP_SECONDS;
  if (share < 0.0 || share > 1.0) return 0.0f;
  double phase = 2.0 * M_PI * (500.0 * seconds + 4500.0 / 2.0 / CHIRP_SECONDS * seconds * seconds);
  return (float)(0.5 * sin(phase) * sin(M_PI * share) * sin(M_PI * share));
}

static bool prepare(probe *p, const audio_facts *facts, size_t count)
{
  *p = (probe){.count = count, .ratio = (double)facts->in_hz / facts->out_hz};
  p->chirp_frames = (size_t)(CHIRP_SECONDS * facts->out_hz);
  p->lead = (size_t)(LEAD_SECONDS * facts->out_hz);
  p->period = (size_t)(PERIOD_SECONDS * facts->out_hz);
  p->room = (size_t)((LEAD_SECONDS + PERIOD_SECONDS * (double)(count + 2)) * facts->in_hz);
  p->chirp = malloc(p->chirp_frames * sizeof(float));
  p->heard = calloc(p->room, sizeof(float));
  if (p->chirp == NULL || p->heard == NULL) return false;
  for (size_t i = 0; i < p->chirp_frames; i++) p->chirp[i] = chirp_at((double)i / facts->out_hz);
  return true;
}

// Where in x [frames + length] the pattern [length] lies, and how like it is there (0 to 1).
static size_t find(const float *x, size_t frames, const float *pattern, size_t length,
                   double *likeness)
{
  size_t found = 0;
  double power = 0.0;
  *likeness = 0.0;
  for (size_t i = 0; i < length; i++) power += (double)pattern[i] * pattern[i];
  for (size_t at = 0; at < frames; at++) {
    double dot = 0.0;
    double own = 1e-9; // digital silence is like nothing
    for (size_t i = 0; i < length; i++) {
      dot += (double)x[at + i] * pattern[i];
      own += (double)x[at + i] * x[at + i];
    }
    double like = fabs(dot) / sqrt(own * power);
    if (like <= *likeness) continue;
    *likeness = like;
    found = at;
  }
  return found;
}

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a;
  double y = *(const double *)b;
  return x < y ? -1 : x > y;
}

// The delays of the chirps that came back, in ms, sorted.
static size_t measure(const probe *p, const audio_facts *facts, double *delays)
{
  size_t length = (size_t)(CHIRP_SECONDS * facts->in_hz);
  float *pattern = malloc(length * sizeof(float));
  size_t found = 0;
  double ahead = p->apart_count > 0 ? p->apart / (double)p->apart_count : 0.0;
  for (size_t i = 0; pattern != NULL && i < length; i++)
    pattern[i] = chirp_at((double)i / facts->in_hz);
  for (size_t k = 0; pattern != NULL && k < p->count; k++) {
    double played = (double)(p->lead + k * p->period) * p->ratio - ahead;
    size_t first = played > 0.0 ? (size_t)played : 0;
    size_t span = (size_t)((double)p->period * p->ratio) - length;
    double like;
    if (first + span + length > p->in_count) break;
    size_t at = find(p->heard + first, span, pattern, length, &like);
    report_begin();
    report_text("event", "chirp");
    report_number("likeness", like);
    report_number("ms", 1000.0 * ((double)(first + at) - played) / facts->in_hz);
    report_end();
    if (like >= LEAST_LIKENESS)
      delays[found++] = 1000.0 * ((double)(first + at) - played) / facts->in_hz;
  }
  free(pattern);
  qsort(delays, found, sizeof *delays, compare);
  return found;
}

static int tell(const probe *p, const audio_facts *facts, uint64_t xruns)
{
  double delays[100];
  size_t found = measure(p, facts, delays);
  if (found == 0) {
    report_error("the chirp did not come back from '%s': connect the output to the input, or put "
                 "the microphone to the loudspeaker and turn it up",
                 facts->in_name);
    return EXIT_FAILED;
  }
  double median = (delays[(found - 1) / 2] + delays[found / 2]) / 2.0;
  report_result("%.1f ms there and back (%zu of %zu chirps, %.1f to %.1f ms; the devices claim "
                "%.1f ms)",
                median, found, p->count, delays[0], delays[found - 1],
                1000.0 * (facts->in_latency_s + facts->out_latency_s));
  report_begin();
  report_text("event", "result");
  report_number("median_ms", median);
  report_number("least_ms", delays[0]);
  report_number("most_ms", delays[found - 1]);
  report_number("heard", (double)found);
  report_number("played", (double)p->count);
  report_number("claimed_ms", 1000.0 * (facts->in_latency_s + facts->out_latency_s));
  report_number("xruns", (double)xruns);
  report_end();
  return EXIT_GOOD;
}

static mw_status run_device(audio *device, probe *p, uint64_t *xruns, mw_error *error)
{
  const struct timespec pause = {.tv_nsec = 50000000};
  const audio_calls calls = {.both = on_both, .in = on_in, .out = on_out, .context = p};
  mw_status status = audio_portaudio.start(device, &calls, error);
  while (status == MW_OK && !asked_to_stop && atomic_load(&p->in_count) < p->room) {
    if (audio_portaudio.look(device, xruns) == AUDIO_LOST) {
      *error = (mw_error){"the sound device is gone"};
      status = MW_ERROR_IO;
    }
    nanosleep(&pause, NULL);
  }
  mw_error ignored;
  audio_portaudio.stop(device, &ignored);
  return status;
}

static int run(const arguments *a)
{
  mw_error error;
  audio *device = NULL;
  audio_facts facts;
  probe p = {0};
  uint64_t xruns = 0;
  const audio_wish wish = read_device_wish(a);
  if (a->file_count > 0) {
    report_error("latency takes no '%s'; name devices with --in and --out", a->files[0]);
    return EXIT_USAGE;
  }
  mw_status status = audio_portaudio.open(&device, &wish, &facts, &error);
  if (status != MW_OK) {
    int code = report_status(status, &error);
    return status == MW_ERROR_ARGUMENT ? EXIT_DEVICE : code;
  }
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  int code = EXIT_FAILED;
  if (!prepare(&p, &facts, (size_t)arguments_number(a, "count", 5)))
    report_error("out of memory");
  else if ((status = run_device(device, &p, &xruns, &error)) != MW_OK)
    code = report_status(status, &error);
  else
    code = asked_to_stop ? EXIT_GOOD : tell(&p, &facts, xruns);
  audio_portaudio.close(device);
  free(p.chirp);
  free(p.heard);
  return code;
}

const verb latency_verb = {"latency", "measures the way through the devices and back", "", options,
                           run};
