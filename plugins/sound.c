// SPDX-License-Identifier: GPL-3.0-or-later
//
// Meanwave Sound as an LV2 instrument: plays a generated clip on MIDI keys and by a trigger port.
//
//   control -> prompt, MIDI -> sampler -> out
//   wishes -> work (generates, reads files, keeps the state) -> news: a clip
//
// `run` swaps the clip it is brought; the old one goes back once no voice reads it any more.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lv2/atom/util.h>

#include "lv2_side.h"
#include "sampler.h"
#include "factory_prompts.h"
#include "sound_work.h"

#define SOUND_URI "urn:meanwave:sound"

enum {
  PORT_CONTROL,
  PORT_NOTIFY,
  PORT_TRIGGER,
  PORT_GENERATE,
  PORT_CANCEL,
  PORT_AUTO,
  PORT_PROMPT,
  PORT_SEED,
  PORT_STEPS,
  PORT_SECONDS,
  PORT_LOOP,
  PORT_ROOT_KEY,
  PORT_ATTACK,
  PORT_RELEASE,
  PORT_VELOCITY,
  PORT_GAIN,
  PORT_PROGRESS,
  PORT_STATUS,
  PORT_CLIP_SECONDS,
  PORT_OUT_LEFT,
  PORT_OUT_RIGHT,
  PORT_COUNT,
};

// What a change of which is a change of the sound.
typedef struct {
  int prompt; // 0: the prompt property; else a factory prompt
  uint32_t seed;
  unsigned steps;
  float seconds;
  bool loop;
} sound_settings;

typedef struct {
  lv2_side host;
  sound_keys keys;
  unsigned rate_hz;
  void *ports[PORT_COUNT];
  LV2_Atom_Forge forge;
  sound_work *work;
  sampler *keyboard;

  // the audio thread's
  sound_wish wish;         // its prompt, model and file
  sound_settings settings; // as last seen
  size_t calm;             // frames in which a changed setting asks for nothing
  bool unread;             // wish.file waits to be read
  bool unkept;             // the prompt or model waits to be kept
  bool due;                // a sound is to be generated
  size_t patience;         // frames to wait first
  bool announce;
  bool trigger_down;
  bool generate_down;
  bool cancel_down;
  float gain;
  sound_status status;
  char message[512];
  sound_news *current; // brought the clip that plays; NULL: none
  sound_news *leaving; // brought the one before it
} sound_plugin;

static float port(const sound_plugin *p, int index, float low, float high, float standard)
{
  const float *value = p->ports[index];
  if (value == NULL || !isfinite(*value)) return standard;
  return *value < low ? low : *value > high ? high : *value;
}

static bool switched_on(const sound_plugin *p, int index)
{
  return port(p, index, 0.0f, 1.0f, 0.0f) > 0.0f;
}

static void set_port(const sound_plugin *p, int index, float value)
{
  if (p->ports[index] != NULL) *(float *)p->ports[index] = value;
}

static size_t patience(const sound_plugin *p)
{
  enum { MS = 300 }; // so long nothing must change before a sound is generated
  return (size_t)p->rate_hz * MS / 1000;
}

static sound_keys map_keys(LV2_URID_Map *map)
{
  return (sound_keys){
      .prompt = map->map(map->handle, SOUND_URI ":prompt"),
      .model = map->map(map->handle, SOUND_URI ":model"),
      .file = map->map(map->handle, SOUND_URI ":file"),
      .clip = map->map(map->handle, SOUND_URI ":clip"),
      .clip_bytes = map->map(map->handle, SOUND_URI ":clipBytes"),
      .clip_loops = map->map(map->handle, SOUND_URI ":clipLoops"),
      .message = map->map(map->handle, SOUND_URI ":message"),
  };
}

static void cleanup(LV2_Handle instance)
{
  sound_plugin *p = instance;
  // before the clips: nothing reads them from here on
  sampler_free(p->keyboard);
  news_free(p->current);
  news_free(p->leaving);
  work_free(p->work);
  free(p);
}

static LV2_Handle instantiate(const LV2_Descriptor *descriptor, double rate_hz,
                              const char *bundle_path, const LV2_Feature *const *features)
{
  (void)descriptor;
  (void)bundle_path;
  sound_plugin *p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  if (!side_init(&p->host, features) || !(rate_hz >= 1000.0 && rate_hz <= 768000.0)) {
    free(p);
    return NULL;
  }
  p->keys = map_keys(p->host.map);
  p->rate_hz = (unsigned)lrint(rate_hz);
  p->gain = -1.0f;
  lv2_atom_forge_init(&p->forge, p->host.map);
  p->keyboard = sampler_new(rate_hz);
  p->work = work_new(&p->host, &p->keys, p->rate_hz);
  if (p->keyboard == NULL || p->work == NULL) {
    cleanup(p);
    return NULL;
  }
  return p;
}

static void connect_port(LV2_Handle instance, uint32_t index, void *data)
{
  sound_plugin *p = instance;
  if (index < PORT_COUNT) p->ports[index] = data;
}

static void activate(LV2_Handle instance)
{
  sound_plugin *p = instance;
  sampler_reset(p->keyboard);
  p->calm = patience(p);
  p->announce = true;
  p->gain = -1.0f;
}

// ---- The audio thread ----

static sampler_sound read_sound(const sound_plugin *p)
{
  return (sampler_sound){
      .root_key = port(p, PORT_ROOT_KEY, 0.0f, 127.0f, 60.0f),
      .attack_ms = port(p, PORT_ATTACK, 0.0f, 10000.0f, 0.0f),
      .release_ms = port(p, PORT_RELEASE, 0.0f, 10000.0f, 50.0f),
      .velocity_share = port(p, PORT_VELOCITY, 0.0f, 100.0f, 50.0f) / 100.0f,
      .loop = switched_on(p, PORT_LOOP),
  };
}

static void change(sound_plugin *p)
{
  if (!switched_on(p, PORT_AUTO)) return;
  p->due = true;
  p->patience = patience(p);
}

static void read_settings(sound_plugin *p)
{
  sound_settings s = {
      .prompt = (int)lrintf(port(p, PORT_PROMPT, 0.0f, FACTORY_PROMPTS, 0.0f)),
      .seed = (uint32_t)port(p, PORT_SEED, 0.0f, 16777215.0f, 0.0f),
      .steps = (unsigned)lrintf(port(p, PORT_STEPS, 0.0f, MW_SOUND_MOST_STEPS, 0.0f)),
      .seconds = port(p, PORT_SECONDS, 0.0f, 60.0f, 0.0f),
      .loop = switched_on(p, PORT_LOOP),
  };
  const sound_settings *old = &p->settings;
  bool changed = s.prompt != old->prompt || s.seed != old->seed || s.steps != old->steps ||
                 s.seconds != old->seconds || s.loop != old->loop;
  // what a host sets at the beginning and with a state is no wish for another sound
  if (changed && p->calm == 0) change(p);
  p->settings = s;
}

static void start_generation(sound_plugin *p)
{
  const sound_settings *s = &p->settings;
  sound_wish *wish = &p->wish;
  const char *prompt = s->prompt > 0 ? factory_prompts[s->prompt - 1] : wish->prompt;
  p->announce = true;
  if (prompt[0] == '\0') {
    static const char line[] =
        "there is no prompt: choose a preset, a factory prompt or a prompt file";
    memcpy(p->message, line, sizeof line);
    p->due = false;
    return;
  }
  wish->seed = s->seed;
  wish->steps = s->steps;
  wish->seconds = s->seconds > 0.0f && s->seconds < (float)MW_SOUND_SHORTEST ? MW_SOUND_SHORTEST
                                                                             : (double)s->seconds;
  wish->loop = s->loop;
  p->due = !work_generate(p->work, wish, prompt);
  p->message[0] = '\0';
}

static void set_text(sound_plugin *p, const LV2_Atom *value, LV2_URID type, char *text, size_t size)
{
  if (!side_text(value, type, text, size)) return;
  p->unkept = true;
  p->announce = true;
  change(p);
}

static void read_message(sound_plugin *p, const LV2_Atom *atom)
{
  side_message m = side_read(&p->host, atom);
  if (m.kind == SIDE_GET) p->announce = true;
  if (m.kind != SIDE_SET) return;
  if (m.property == p->keys.prompt)
    set_text(p, m.value, p->host.atom_String, p->wish.prompt, sizeof p->wish.prompt);
  if (m.property == p->keys.model)
    set_text(p, m.value, p->host.atom_Path, p->wish.model, sizeof p->wish.model);
  if (m.property == p->keys.file &&
      side_text(m.value, p->host.atom_Path, p->wish.file, sizeof p->wish.file))
    p->unread = p->wish.file[0] != '\0';
}

static void read_midi(sound_plugin *p, const sampler_sound *how, const uint8_t *bytes, size_t size)
{
  enum {
    NOTE_OFF = 0x80,
    NOTE_ON = 0x90,
    CONTROLLER = 0xB0,
    BEND = 0xE0,
    PEDAL = 64,
    SOUND_OFF = 120,
    NOTES_OFF = 123,
  };
  if (size != 3) return;
  int kind = bytes[0] & 0xF0;
  int first = bytes[1] & 0x7F;
  int second = bytes[2] & 0x7F;
  if (kind == NOTE_ON && second > 0)
    sampler_note_on(p->keyboard, how, first, second);
  else if (kind == NOTE_OFF || kind == NOTE_ON)
    sampler_note_off(p->keyboard, first);
  else if (kind == BEND)
    sampler_bend(p->keyboard, (float)(second * 128 + first - 8192) / 4096.0f);
  else if (kind == CONTROLLER && first == PEDAL)
    sampler_pedal(p->keyboard, second >= 64);
  else if (kind == CONTROLLER && first == SOUND_OFF)
    sampler_silence(p->keyboard);
  else if (kind == CONTROLLER && first >= NOTES_OFF)
    sampler_release_all(p->keyboard);
}

// True once for each time that a switch goes on.
static bool pressed(const sound_plugin *p, int index, bool *down)
{
  bool was = *down;
  *down = switched_on(p, index);
  return *down && !was;
}

static void read_switches(sound_plugin *p, const sampler_sound *how)
{
  bool was = p->trigger_down;
  int root = (int)lrintf(how->root_key);
  if (pressed(p, PORT_TRIGGER, &p->trigger_down))
    sampler_note_on(p->keyboard, how, root, 127);
  else if (was && !p->trigger_down)
    sampler_note_off(p->keyboard, root);
  if (pressed(p, PORT_GENERATE, &p->generate_down)) {
    p->due = true;
    p->patience = 0;
  }
  if (pressed(p, PORT_CANCEL, &p->cancel_down)) {
    p->due = false;
    work_cancel(p->work);
  }
}

static void take_news(sound_plugin *p)
{
  if (p->leaving != NULL || !work_room(p->work)) return;
  sound_news *n = work_news(p->work);
  if (n == NULL) return;
  p->announce = true;
  if (n->has_clip || n->status != SOUND_READY) p->status = n->status;
  memcpy(p->message, n->message, sizeof p->message);
  if (n->has_text) {
    memcpy(p->wish.prompt, n->prompt, sizeof p->wish.prompt);
    memcpy(p->wish.model, n->model, sizeof p->wish.model);
    memcpy(p->wish.file, n->file, sizeof p->wish.file);
    p->unkept = p->unread = false;
    if (!n->has_clip && n->status == SOUND_READY) change(p); // a prompt read from a file
  }
  if (n->has_text && n->has_clip) { // a state; its ports are being set
    p->due = n->generate;
    p->patience = p->calm = patience(p);
  }
  if (!n->has_clip) {
    work_give_back(p->work, n);
    return;
  }
  p->leaving = p->current;
  p->current = n;
  sampler_set_clip(p->keyboard, n->clip != NULL ? clip_played(n->clip) : NULL);
}

static void exchange(sound_plugin *p, uint32_t frames)
{
  work_retry(p->work);
  if (p->unread && work_read(p->work, &p->wish)) p->unread = false;
  if (p->unkept && work_keep(p->work, &p->wish)) p->unkept = false;
  if (p->due && p->patience == 0) start_generation(p);
  p->patience = p->patience > frames ? p->patience - frames : 0;
  p->calm = p->calm > frames ? p->calm - frames : 0;
  bool unheard = p->leaving != NULL && (p->leaving->clip == NULL ||
                                        !sampler_uses(p->keyboard, clip_played(p->leaving->clip)));
  if (unheard && work_room(p->work)) {
    work_give_back(p->work, p->leaving);
    p->leaving = NULL;
  }
  take_news(p);
}

static void answer(sound_plugin *p)
{
  LV2_Atom_Sequence *notify = p->ports[PORT_NOTIFY];
  LV2_Atom_Forge_Frame frame;
  if (notify == NULL) return;
  lv2_atom_forge_set_buffer(&p->forge, (uint8_t *)notify, notify->atom.size);
  lv2_atom_forge_sequence_head(&p->forge, &frame, 0);
  if (p->announce) {
    const lv2_side *host = &p->host;
    side_announce_text(host, &p->forge, p->keys.file, host->atom_Path, p->wish.file);
    side_announce_text(host, &p->forge, p->keys.model, host->atom_Path, p->wish.model);
    side_announce_text(host, &p->forge, p->keys.prompt, host->atom_String, p->wish.prompt);
    side_announce_text(host, &p->forge, p->keys.message, host->atom_String, p->message);
    p->announce = false;
  }
  lv2_atom_forge_pop(&p->forge, &frame);
}

static void report(const sound_plugin *p)
{
  bool busy = work_busy(p->work);
  const sound_clip *clip = p->current != NULL ? p->current->clip : NULL;
  double frames = clip != NULL ? (double)clip_played(clip)->frames : 0.0;
  set_port(p, PORT_PROGRESS, busy ? 100.0f * work_progress(p->work) : 0.0f);
  set_port(p, PORT_STATUS, busy ? (float)SOUND_BUSY : (float)p->status);
  set_port(p, PORT_CLIP_SECONDS, (float)(frames / p->rate_hz));
}

// Frames begin to end of the output, with the gain gliding to its port's value.
static void play(sound_plugin *p, const sampler_sound *how, uint32_t begin, uint32_t end)
{
  float *left = p->ports[PORT_OUT_LEFT];
  float *right = p->ports[PORT_OUT_RIGHT];
  float step = 1.0f / (0.02f * (float)p->rate_hz);
  float gain = powf(10.0f, port(p, PORT_GAIN, -60.0f, 24.0f, 0.0f) / 20.0f);
  if (end <= begin) return;
  if (p->gain < 0.0f) p->gain = gain;
  sampler_run(p->keyboard, how, left + begin, end - begin);
  for (uint32_t i = begin; i < end; i++) {
    p->gain = p->gain < gain ? fminf(p->gain + step, gain) : fmaxf(p->gain - step, gain);
    left[i] *= p->gain;
    right[i] = left[i];
  }
}

static void run(LV2_Handle instance, uint32_t frames)
{
  sound_plugin *p = instance;
  unsigned before = side_enter_run();
  const LV2_Atom_Sequence *control = p->ports[PORT_CONTROL];
  sampler_sound how = read_sound(p);
  uint32_t at = 0;
  read_settings(p);
  read_switches(p, &how);
  exchange(p, frames);
  if (control != NULL) {
    LV2_ATOM_SEQUENCE_FOREACH(control, event)
    {
      int64_t time = event->time.frames;
      uint32_t when = time < at ? at : time > frames ? frames : (uint32_t)time;
      play(p, &how, at, when);
      at = when;
      if (event->body.type == p->host.midi_MidiEvent)
        read_midi(p, &how, LV2_ATOM_BODY_CONST(&event->body), event->body.size);
      else
        read_message(p, &event->body);
    }
  }
  play(p, &how, at, frames);
  answer(p);
  report(p);
  side_leave_run(before);
}

// ---- The rest ----

static LV2_State_Status save(LV2_Handle instance, LV2_State_Store_Function store,
                             LV2_State_Handle handle, uint32_t flags,
                             const LV2_Feature *const *features)
{
  sound_plugin *p = instance;
  (void)flags;
  side_paths paths = side_paths_of(features);
  return work_save(p->work, store, handle, &paths);
}

static LV2_State_Status restore(LV2_Handle instance, LV2_State_Retrieve_Function retrieve,
                                LV2_State_Handle handle, uint32_t flags,
                                const LV2_Feature *const *features)
{
  sound_plugin *p = instance;
  (void)flags;
  side_paths paths = side_paths_of(features);
  return work_restore(p->work, retrieve, handle, &paths);
}

static LV2_Worker_Status work(LV2_Handle instance, LV2_Worker_Respond_Function respond,
                              LV2_Worker_Respond_Handle handle, uint32_t size, const void *data)
{
  sound_plugin *p = instance;
  (void)respond;
  (void)handle;
  (void)size;
  (void)data;
  work_drain(p->work);
  return LV2_WORKER_SUCCESS;
}

// What the worker does reaches `run` as news.
static LV2_Worker_Status work_response(LV2_Handle instance, uint32_t size, const void *body)
{
  (void)instance;
  (void)size;
  (void)body;
  return LV2_WORKER_SUCCESS;
}

static const void *extension_data(const char *uri)
{
  static const LV2_State_Interface state = {save, restore};
  static const LV2_Worker_Interface worker_interface = {work, work_response, NULL};
  if (strcmp(uri, LV2_STATE__interface) == 0) return &state;
  if (strcmp(uri, LV2_WORKER__interface) == 0) return &worker_interface;
  return NULL;
}

static const LV2_Descriptor sound = {SOUND_URI, instantiate, connect_port, activate,
                                     run,       NULL,        cleanup,      extension_data};

LV2_SYMBOL_EXPORT const LV2_Descriptor *lv2_descriptor(uint32_t index)
{
  return index == 0 ? &sound : NULL;
}
