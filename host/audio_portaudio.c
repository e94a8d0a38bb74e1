// SPDX-License-Identifier: GPL-3.0-or-later
//
// The real device. Input and output are two streams with a clock each, for sound servers give no
// promise that a microphone and a loudspeaker run alike; only JACK does, and there one stream does
// both.
#include <dlfcn.h>
#include <portaudio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audio.h"
#include "audio_choose.h"
#include "report.h"

enum { MOST_CHANNELS = 64, STALL_SECONDS = 2, PATIENCE_SECONDS = 3 };
#define SAFE_SECONDS 0.04
static const unsigned usual_rates[AUDIO_RATE_COUNT] = {16000, 22050, 32000, 44100,
                                                       48000, 88200, 96000, 192000};

// A direction. `mono` [block] is the one channel that is taken, or that goes to all.
typedef struct {
  PaStream *stream;
  PaStreamParameters parameters;
  unsigned rate_hz;
  unsigned channel; // from 0
  float *mono;
  atomic_ullong calls; // made by the device
  unsigned long long seen;
  double seen_at;
} side;

struct audio {
  side in; // with one clock its stream is NULL and `out` carries both
  side out;
  bool two_clocks;
  bool captures;
  size_t block;
  audio_calls calls;
  atomic_ullong xruns;
  double looked_at;
  atomic_bool silent; // no call is made any more
  bool stuck;         // in a dead server: it is never freed
};

// Streams that hang keep PortAudio from starting anew; it goes on with the devices it knows then.
static bool any_stuck;

static mw_status fail(mw_error *error, mw_status status, const char *what, PaError code)
{
  snprintf(error->text, sizeof error->text, "%s: %s", what, Pa_GetErrorText(code));
  return status;
}

static mw_status initialize(mw_error *error)
{
  // ALSA, JACK and PortAudio print pages while they look for devices, and when one goes away
  report_alone();
  if (any_stuck) return MW_OK;
  setenv("JACK_NO_START_SERVER", "1", 0); // looking starts no server
  PaError code = Pa_Initialize();
  return code == paNoError ? MW_OK : fail(error, MW_ERROR_IO, "the sound system", code);
}

// ---- the device's threads ----

static void count_faults(audio *a, PaStreamCallbackFlags flags)
{
  if (flags & (paInputOverflow | paInputUnderflow | paOutputUnderflow | paOutputOverflow))
    atomic_fetch_add_explicit(&a->xruns, 1, memory_order_relaxed);
}

static const float *take_channel(const side *s, const float *frames, size_t count)
{
  unsigned channels = (unsigned)s->parameters.channelCount;
  if (channels == 1) return frames;
  for (size_t i = 0; i < count; i++) s->mono[i] = frames[i * channels + s->channel];
  return s->mono;
}

static void give_to_all(const side *s, const float *mono, float *frames, size_t count)
{
  unsigned channels = (unsigned)s->parameters.channelCount;
  for (size_t i = count; i-- > 0;)
    for (unsigned c = 0; c < channels; c++) frames[i * channels + c] = mono[i];
}

static int on_input(const void *in, void *out, unsigned long frames,
                    const PaStreamCallbackTimeInfo *times, PaStreamCallbackFlags flags,
                    void *context)
{
  audio *a = context;
  const float *from = in;
  (void)out;
  (void)times;
  if (atomic_load_explicit(&a->silent, memory_order_relaxed)) return paAbort;
  count_faults(a, flags);
  atomic_fetch_add_explicit(&a->in.calls, 1, memory_order_relaxed);
  for (size_t done = 0; in != NULL && done < frames;) {
    size_t count = frames - done < a->block ? frames - done : a->block;
    a->calls.in(a->calls.context,
                take_channel(&a->in, from + done * (size_t)a->in.parameters.channelCount, count),
                count);
    done += count;
  }
  return paContinue;
}

static int on_output(const void *in, void *out, unsigned long frames,
                     const PaStreamCallbackTimeInfo *times, PaStreamCallbackFlags flags,
                     void *context)
{
  audio *a = context;
  const float *from = in;
  float *to = out;
  (void)times;
  if (atomic_load_explicit(&a->silent, memory_order_relaxed)) return paAbort;
  count_faults(a, flags);
  atomic_fetch_add_explicit(&a->out.calls, 1, memory_order_relaxed);
  for (size_t done = 0; done < frames;) {
    size_t count = frames - done < a->block ? frames - done : a->block;
    if (a->captures && !a->two_clocks)
      a->calls.both(
          a->calls.context,
          take_channel(&a->in, from + done * (size_t)a->in.parameters.channelCount, count),
          a->out.mono, count);
    else
      a->calls.out(a->calls.context, a->out.mono, count);
    give_to_all(&a->out, a->out.mono, to + done * (size_t)a->out.parameters.channelCount, count);
    done += count;
  }
  return paContinue;
}

// ---- agreeing ----

static bool can_do(const side *s, bool input, double rate_hz)
{
  return Pa_IsFormatSupported(input ? &s->parameters : NULL, input ? NULL : &s->parameters,
                              rate_hz) == paFormatIsSupported;
}

static bool is_jack(const side *s)
{
  const PaDeviceInfo *info = Pa_GetDeviceInfo(s->parameters.device);
  return Pa_GetHostApiInfo(info->hostApi)->type == paJACK;
}

// The wished rate, the device's own, or any usual one.
static mw_status agree(side *s, bool input, const audio_wish *wish, mw_error *error)
{
  const PaDeviceInfo *info = Pa_GetDeviceInfo(s->parameters.device);
  double low = input ? info->defaultLowInputLatency : info->defaultLowOutputLatency;
  s->parameters.sampleFormat = paFloat32;
  // what sound servers call low drops out every second; JACK's is its own
  if (!is_jack(s) && low < SAFE_SECONDS) low = SAFE_SECONDS;
  s->parameters.suggestedLatency = wish->buffer_ms > 0.0 ? wish->buffer_ms / 1000.0 : low;
  unsigned rates[AUDIO_RATE_COUNT + 2] = {wish->rate_hz, (unsigned)info->defaultSampleRate};
  memcpy(rates + 2, usual_rates, sizeof usual_rates);
  s->channel = input ? wish->channel - 1 : 0;
  unsigned has = (unsigned)(input ? info->maxInputChannels : info->maxOutputChannels);
  if (s->channel >= has) {
    snprintf(error->text, sizeof error->text, "'%s' has %u %s channels, there is no channel %u; %s",
             info->name, has, input ? "input" : "output", s->channel + 1, AUDIO_SEE_LIST);
    return MW_ERROR_ARGUMENT;
  }
  // some hardware takes only as many channels as it has; two go everywhere else
  unsigned counts[3] = {s->channel + 1, has < 2 ? has : 2, has};
  if (!input) counts[0] = counts[1];
  for (size_t c = 0; c < 3; c++) {
    if (counts[c] <= s->channel || counts[c] > MOST_CHANNELS) continue;
    s->parameters.channelCount = (int)counts[c];
    for (size_t r = 0; r < AUDIO_RATE_COUNT + 2; r++) {
      s->rate_hz = rates[r];
      if (can_do(s, input, rates[r])) return MW_OK;
    }
  }
  snprintf(error->text, sizeof error->text,
           "'%s' takes no %s of 32-bit floats at any usual rate: in use, or of another kind; %s",
           info->name, input ? "input" : "output", AUDIO_SEE_LIST);
  return MW_ERROR_ARGUMENT;
}

static mw_status open_streams(audio *a, mw_error *error)
{
  PaError code = paNoError;
  bool both = a->captures && !a->two_clocks;
  if (a->captures && a->two_clocks)
    code = Pa_OpenStream(&a->in.stream, &a->in.parameters, NULL, a->in.rate_hz, a->block,
                         paClipOff | paDitherOff, on_input, a);
  if (code != paNoError) return fail(error, MW_ERROR_IO, "the input could not be opened", code);
  code = Pa_OpenStream(&a->out.stream, both ? &a->in.parameters : NULL, &a->out.parameters,
                       a->out.rate_hz, a->block, paClipOff | paDitherOff, on_output, a);
  return code == paNoError ? MW_OK
                           : fail(error, MW_ERROR_IO, "the output could not be opened", code);
}

static mw_status agree_all(audio *a, const audio_wish *wish, mw_error *error)
{
  mw_status status = audio_choose(&a->out.parameters.device, wish->out, false, error);
  if (status == MW_OK) status = agree(&a->out, false, wish, error);
  if (status == MW_OK && a->captures) {
    status = audio_choose(&a->in.parameters.device, wish->in, true, error);
    if (status == MW_OK) status = agree(&a->in, true, wish, error);
    if (status == MW_OK) a->two_clocks = !(is_jack(&a->in) && is_jack(&a->out));
  }
  if (status != MW_OK) return status;
  a->in.mono = calloc(a->block, sizeof(float));
  a->out.mono = calloc(a->block, sizeof(float));
  if (a->in.mono != NULL && a->out.mono != NULL) return MW_OK;
  snprintf(error->text, sizeof error->text, "out of memory");
  return MW_ERROR_MEMORY;
}

static void tell_facts(const audio *a, audio_facts *facts)
{
  *facts = (audio_facts){.in_hz = a->captures ? a->in.rate_hz : a->out.rate_hz,
                         .out_hz = a->out.rate_hz,
                         .two_clocks = a->two_clocks,
                         .in_block = a->block,
                         .out_block = a->block};
  facts->out_latency_s = Pa_GetStreamInfo(a->out.stream)->outputLatency;
  snprintf(facts->out_name, sizeof facts->out_name, "%s",
           Pa_GetDeviceInfo(a->out.parameters.device)->name);
  if (!a->captures) return;
  facts->in_latency_s =
      Pa_GetStreamInfo(a->two_clocks ? a->in.stream : a->out.stream)->inputLatency;
  snprintf(facts->in_name, sizeof facts->in_name, "%s",
           Pa_GetDeviceInfo(a->in.parameters.device)->name);
}

static void terminate(void)
{
  if (!any_stuck) Pa_Terminate();
}

static void *end_streams(void *argument)
{
  audio *a = argument;
  side *sides[2] = {&a->in, &a->out};
  for (size_t i = 0; i < 2; i++) {
    if (sides[i]->stream == NULL) continue;
    Pa_AbortStream(sides[i]->stream);
    Pa_CloseStream(sides[i]->stream);
  }
  return NULL;
}

// ALSA's way to a sound server that died may never return: then the streams are left to themselves.
static mw_status stop_device(audio *a, mw_error *error)
{
  struct timespec deadline;
  pthread_t ending;
  (void)error;
  atomic_store(&a->silent, true);
  if ((a->in.stream == NULL && a->out.stream == NULL) || a->stuck) return MW_OK;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += PATIENCE_SECONDS;
  if (pthread_create(&ending, NULL, end_streams, a) != 0) {
    end_streams(a);
  } else if (pthread_clockjoin_np(ending, NULL, CLOCK_MONOTONIC, &deadline) != 0) {
    pthread_detach(ending);
    a->stuck = any_stuck = true;
    return MW_OK;
  }
  a->in.stream = a->out.stream = NULL;
  return MW_OK;
}

static void close_device(audio *a)
{
  if (a == NULL) return;
  stop_device(a, NULL);
  if (!a->stuck) {
    free(a->in.mono);
    free(a->out.mono);
    free(a);
  }
  terminate();
}

static mw_status open_device(audio **opened, const audio_wish *wish, audio_facts *facts,
                             mw_error *error)
{
  mw_status status = initialize(error);
  if (status != MW_OK) return status;
  audio *a = calloc(1, sizeof *a);
  if (a == NULL) {
    terminate();
    snprintf(error->text, sizeof error->text, "out of memory");
    return MW_ERROR_MEMORY;
  }
  a->captures = !wish->out_only;
  a->block = wish->block_frames;
  status = agree_all(a, wish, error);
  if (status == MW_OK) status = open_streams(a, error);
  if (status != MW_OK) {
    close_device(a);
    return status;
  }
  tell_facts(a, facts);
  *opened = a;
  return MW_OK;
}

// ---- running ----

// Of no clock that anybody can set.
static double seconds_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// ALSA's own threads run as everybody's unless told; where the system does not grant it nothing
// changes.
static void ask_for_real_time(const side *s)
{
  void (*enable)(PaStream *, int) =
      (void (*)(PaStream *, int))dlsym(RTLD_DEFAULT, "PaAlsa_EnableRealtimeScheduling");
  if (s->stream != NULL && enable != NULL && Pa_GetStreamHostApiType(s->stream) == paALSA)
    enable(s->stream, 1);
}

static mw_status start_device(audio *a, const audio_calls *calls, mw_error *error)
{
  a->calls = *calls;
  ask_for_real_time(&a->in);
  ask_for_real_time(&a->out);
  a->looked_at = a->in.seen_at = a->out.seen_at = seconds_now();
  PaError code = a->in.stream != NULL ? Pa_StartStream(a->in.stream) : paNoError;
  if (code == paNoError) code = Pa_StartStream(a->out.stream);
  return code == paNoError ? MW_OK : fail(error, MW_ERROR_IO, "the device did not start", code);
}

// A stream that says it is dead, or that has called nobody for a while. `slept`: it could not, the
// process was stopped.
static bool is_lost(side *s, double now, bool slept)
{
  if (s->stream == NULL) return false;
  unsigned long long calls = atomic_load_explicit(&s->calls, memory_order_relaxed);
  if (calls != s->seen || slept) {
    s->seen = calls;
    s->seen_at = now;
  }
  return Pa_IsStreamActive(s->stream) != 1 || now - s->seen_at > STALL_SECONDS;
}

static audio_state look(audio *a, uint64_t *xruns)
{
  *xruns = atomic_load_explicit(&a->xruns, memory_order_relaxed);
  double now = seconds_now();
  bool slept = now - a->looked_at > 1.0;
  a->looked_at = now;
  return is_lost(&a->in, now, slept) || is_lost(&a->out, now, slept) ? AUDIO_LOST : AUDIO_RUNNING;
}

// ---- the list ----

static void fill_rates(audio_info *info, const PaDeviceInfo *device)
{
  side s = {.parameters = {.device = info->index, .sampleFormat = paFloat32}};
  bool input = info->in_channels > 0;
  size_t count = 0;
  s.parameters.channelCount = (int)(input ? info->in_channels : info->out_channels);
  if (s.parameters.channelCount > 2) s.parameters.channelCount = 2;
  s.parameters.suggestedLatency =
      input ? device->defaultLowInputLatency : device->defaultLowOutputLatency;
  for (size_t i = 0; i < AUDIO_RATE_COUNT; i++)
    if (can_do(&s, input, usual_rates[i])) info->rates[count++] = usual_rates[i];
}

static mw_status list_devices(void (*each)(void *context, const audio_info *info), void *context,
                              mw_error *error)
{
  mw_status status = initialize(error);
  if (status != MW_OK) return status;
  for (int i = 0; i < Pa_GetDeviceCount(); i++) {
    const PaDeviceInfo *device = Pa_GetDeviceInfo(i);
    audio_info info = {.index = i,
                       .in_channels = (unsigned)device->maxInputChannels,
                       .out_channels = (unsigned)device->maxOutputChannels,
                       .default_hz = (unsigned)device->defaultSampleRate,
                       .default_in = i == Pa_GetDefaultInputDevice(),
                       .default_out = i == Pa_GetDefaultOutputDevice()};
    snprintf(info.api, sizeof info.api, "%s", Pa_GetHostApiInfo(device->hostApi)->name);
    snprintf(info.name, sizeof info.name, "%s", device->name);
    if (info.in_channels > 0) info.in_latency_ms = device->defaultLowInputLatency * 1000.0;
    if (info.out_channels > 0) info.out_latency_ms = device->defaultLowOutputLatency * 1000.0;
    fill_rates(&info, device);
    each(context, &info);
  }
  terminate();
  return MW_OK;
}

const audio_backend audio_portaudio = {list_devices, open_device, start_device,
                                       look,         stop_device, close_device};
