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

#include "denormal.h"
#include "sampler.h"
#include "factory_prompts.h"
#include "sound_ports.h"
#include "sound_work.h"

_Static_assert((int)PORT_COUNT <= (int)SIDE_PORTS, "room for the ports");

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
  sound_work *work;
  sampler *keyboard;

  // the audio thread's
  sound_wish wish;         // its prompt, model and file
  sound_settings settings; // as last seen
  size_t calm;             // frames in which a changed setting asks for nothing
  bool unread;             // wish.file waits to be read
  bool unkept;             // the prompt or model waits to be kept
  bool looks;              // somebody wants to know what the model can do
  bool unlooked;           // it waits to be asked
  bool unsaved;            // the clip waits to be saved to save_path
  bool due;                // a sound is to be generated
  size_t patience;         // frames to wait first
  bool trigger_down;
  int trigger_key; // that it plays while it is down
  bool generate_down;
  bool cancel_down;
  float gain;
  sound_status status;
  char message[512];
  char save_path[SIDE_PATH_SIZE];
  char saved[SIDE_PATH_SIZE]; // the file saved last
  float guidance;             // of the model; below 0: not yet known
  struct {
    LV2_Atom_Vector_Body head;
    float values[2 * CLIP_COLUMNS];
  } wave;              // of the clip, for windows
  sound_news *current; // brought the clip that plays; NULL: none
  sound_news *leaving; // brought the one before it
} sound_plugin;

static size_t patience(const sound_plugin *p)
{
  enum { MS = 300 }; // so long nothing must change before a sound is generated
  return (size_t)p->host.rate_hz * MS / 1000;
}

static LV2_State_Status save(void *plugin, const side_state *st)
{
  return work_save(((sound_plugin *)plugin)->work, st);
}

static LV2_State_Status restore(void *plugin, const side_state *st)
{
  return work_restore(((sound_plugin *)plugin)->work, st);
}

static LV2_URID add_text(sound_plugin *p, const char *uri, char *text, size_t size)
{
  return side_add_property(&p->host, uri, p->host.atom_String, SIDE_READABLE, text, size);
}

static LV2_URID add_path(sound_plugin *p, const char *uri, side_manner manner, char *path)
{
  return side_add_property(&p->host, uri, p->host.atom_Path, manner, path, SIDE_PATH_SIZE);
}

// Hosts are not told that they may write the prompts and `save`: they have no place for words and
// none for a file that is not there yet.
static void add_properties(sound_plugin *p)
{
  lv2_side *host = &p->host;
  sound_words *words = &p->wish.words;
  p->wave.head = (LV2_Atom_Vector_Body){sizeof(float), host->atom_Float};
  p->guidance = -1.0f;
  p->keys = (sound_keys){
      .file = add_path(p, SOUND_URI ":file", SIDE_WRITABLE, words->file),
      .model = add_path(p, SOUND_URI ":model", SIDE_WRITABLE, words->model),
      .save = add_path(p, SOUND_URI ":save", SIDE_READABLE, p->saved),
      .prompt = add_text(p, SOUND_URI ":prompt", words->prompt, sizeof words->prompt),
      .negative = add_text(p, SOUND_URI ":negative", words->negative, sizeof words->negative),
      .message = add_text(p, SOUND_URI ":message", p->message, sizeof p->message),
      .guidance = side_add_value(host, SOUND_URI ":guidance", host->atom_Float, &p->guidance,
                                 sizeof p->guidance),
      .wave = side_add_value(host, SOUND_URI ":wave", host->atom_Vector, &p->wave, sizeof p->wave),
      .clip = side_urid(host, SOUND_URI ":clip"),
      .clip_bytes = side_urid(host, SOUND_URI ":clipBytes"),
      .clip_loops = side_urid(host, SOUND_URI ":clipLoops"),
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
  if (p == NULL || !side_init(&p->host, rate_hz, features)) {
    free(p);
    return NULL;
  }
  p->host.save = save;
  p->host.restore = restore;
  add_properties(p);
  p->gain = -1.0f;
  p->keyboard = sampler_new(rate_hz);
  p->work = work_new(&p->host, &p->keys);
  if (p->keyboard == NULL || p->work == NULL) {
    cleanup(p);
    return NULL;
  }
  return p;
}

static void activate(LV2_Handle instance)
{
  sound_plugin *p = instance;
  sampler_reset(p->keyboard);
  p->calm = patience(p);
  side_announce(&p->host);
  p->gain = -1.0f;
}

// ---- The audio thread ----

static sampler_sound read_sound(const sound_plugin *p)
{
  return (sampler_sound){
      .root_key = side_port(&p->host, PORT_ROOT_KEY, 0.0f, 127.0f, 60.0f),
      .attack_ms = side_port(&p->host, PORT_ATTACK, 0.0f, 10000.0f, 0.0f),
      .release_ms = side_port(&p->host, PORT_RELEASE, 0.0f, 10000.0f, 50.0f),
      .velocity_share = side_port(&p->host, PORT_VELOCITY, 0.0f, 100.0f, 50.0f) / 100.0f,
      .loop = side_switch(&p->host, PORT_LOOP, false),
  };
}

static void change(sound_plugin *p)
{
  if (!side_switch(&p->host, PORT_AUTO, false)) return;
  p->due = true;
  p->patience = patience(p);
}

static void read_settings(sound_plugin *p)
{
  sound_settings s = {
      .prompt = (int)lrintf(side_port(&p->host, PORT_PROMPT, 0.0f, FACTORY_PROMPTS, 0.0f)),
      .seed = (uint32_t)side_port(&p->host, PORT_SEED, 0.0f, 16777215.0f, 0.0f),
      .steps = (unsigned)lrintf(side_port(&p->host, PORT_STEPS, 0.0f, MW_SOUND_MOST_STEPS, 0.0f)),
      .seconds = side_port(&p->host, PORT_SECONDS, 0.0f, 60.0f, 0.0f),
      .loop = side_switch(&p->host, PORT_LOOP, false),
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
  const char *prompt = s->prompt > 0 ? factory_prompts[s->prompt - 1] : wish->words.prompt;
  if (prompt[0] == '\0') {
    side_set_text(&p->host, p->keys.message,
                  "there is no prompt: choose a preset, a factory prompt or a prompt file");
    p->due = false;
    return;
  }
  wish->seed = s->seed;
  wish->steps = s->steps;
  wish->seconds = s->seconds > 0.0f && s->seconds < (float)MW_SOUND_SHORTEST ? MW_SOUND_SHORTEST
                                                                             : (double)s->seconds;
  wish->loop = s->loop;
  p->due = !work_generate(p->work, wish, prompt);
  side_set_text(&p->host, p->keys.message, "");
}

static void read_message(sound_plugin *p, const LV2_Atom *atom)
{
  const sound_keys *keys = &p->keys;
  char text[SIDE_PATH_SIZE];
  side_message m = side_read(&p->host, atom);
  if (m.asked == keys->guidance) p->looks = p->unlooked = true;
  bool is_text = m.property == keys->prompt || m.property == keys->negative;
  bool is_path = m.property == keys->file || m.property == keys->model || m.property == keys->save;
  LV2_URID type = is_text ? p->host.atom_String : p->host.atom_Path;
  if ((!is_text && !is_path) || !patch_text(m.value, type, text, sizeof text)) return;
  if (m.property == keys->save) {
    memcpy(p->save_path, text, sizeof text);
    p->unsaved = text[0] != '\0';
    return;
  }
  side_set_text(&p->host, m.property, text);
  side_announce(&p->host);
  if (m.property == keys->file) {
    p->unread = text[0] != '\0';
  } else {
    p->unkept = true;
    if (m.property == keys->model) p->unlooked = p->looks;
    side_changed(&p->host);
    change(p);
  }
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
  *down = side_switch(&p->host, index, false);
  return *down && !was;
}

static void read_switches(sound_plugin *p, const sampler_sound *how)
{
  bool was = p->trigger_down;
  if (pressed(p, PORT_TRIGGER, &p->trigger_down)) {
    p->trigger_key = (int)lrintf(how->root_key);
    sampler_note_on(p->keyboard, how, p->trigger_key, 127);
  } else if (was && !p->trigger_down) {
    sampler_note_off(p->keyboard, p->trigger_key);
  }
  if (pressed(p, PORT_GENERATE, &p->generate_down)) {
    p->due = true;
    p->patience = 0;
  }
  if (pressed(p, PORT_CANCEL, &p->cancel_down)) {
    p->due = false;
    work_cancel(p->work);
  }
}

static void take_words(sound_plugin *p, const sound_words *words)
{
  const sound_keys *keys = &p->keys;
  side_set_text(&p->host, keys->prompt, words->prompt);
  side_set_text(&p->host, keys->negative, words->negative);
  side_set_text(&p->host, keys->model, words->model);
  side_set_text(&p->host, keys->file, words->file);
  p->unkept = p->unread = false;
}

// The news stay with the clip they brought.
static void take_clip(sound_plugin *p, sound_news *n)
{
  p->leaving = p->current;
  p->current = n;
  sampler_set_clip(p->keyboard, n->clip != NULL ? clip_played(n->clip) : NULL);
  if (n->clip != NULL)
    memcpy(p->wave.values, clip_shape(n->clip), sizeof p->wave.values);
  else
    memset(p->wave.values, 0, sizeof p->wave.values);
  side_due(&p->host, p->keys.wave);
}

static void take_looked_or_saved(sound_plugin *p, const sound_news *n)
{
  if (n->status != SOUND_READY) side_set_text(&p->host, p->keys.message, n->message);
  if (n->kind == NEWS_SAVED) {
    side_set_text(&p->host, p->keys.save, n->saved);
    side_due(&p->host, p->keys.save);
  } else {
    p->guidance = n->guidance;
    side_due(&p->host, p->keys.guidance);
  }
}

static void take_news(sound_plugin *p)
{
  if (p->leaving != NULL || !work_room(p->work)) return;
  sound_news *n = work_news(p->work);
  if (n == NULL) return;
  if (n->kind == NEWS_LOOKED || n->kind == NEWS_SAVED) {
    take_looked_or_saved(p, n);
    work_give_back(p->work, n);
    return;
  }
  bool brings_clip = n->kind == NEWS_STATE || (n->kind == NEWS_MADE && n->status == SOUND_READY);
  if (n->kind != NEWS_STATE && n->status == SOUND_READY) side_changed(&p->host);
  if (brings_clip || n->status != SOUND_READY) p->status = n->status;
  side_set_text(&p->host, p->keys.message, n->message);
  if (n->kind != NEWS_MADE) take_words(p, &n->words);
  if (n->kind == NEWS_READ && n->status == SOUND_READY) change(p);
  if (n->kind == NEWS_STATE) { // its ports are being set
    p->due = n->generate;
    p->patience = p->calm = patience(p);
    p->unlooked = p->looks;
  }
  if (brings_clip)
    take_clip(p, n);
  else
    work_give_back(p->work, n);
}

static void exchange(sound_plugin *p, uint32_t frames)
{
  worker_retry(p->host.slow);
  if (p->unread && work_read(p->work, &p->wish.words)) p->unread = false;
  if (p->unkept && work_keep(p->work, &p->wish.words)) p->unkept = false;
  if (p->unsaved && work_save_clip(p->work, p->save_path)) p->unsaved = false;
  if (p->unlooked && work_look(p->work, &p->wish.words)) p->unlooked = false;
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

static void report(const sound_plugin *p)
{
  bool busy = work_busy(p->work);
  const sound_clip *clip = p->current != NULL ? p->current->clip : NULL;
  double frames = clip != NULL ? (double)clip_played(clip)->frames : 0.0;
  side_set_port(&p->host, PORT_PROGRESS, busy ? 100.0f * work_progress(p->work) : 0.0f);
  side_set_port(&p->host, PORT_STATUS, busy ? (float)SOUND_BUSY : (float)p->status);
  side_set_port(&p->host, PORT_CLIP_SECONDS, (float)(frames / p->host.rate_hz));
}

// Frames begin to end of the output, with the gain gliding to its port's value.
static void play(sound_plugin *p, const sampler_sound *how, uint32_t begin, uint32_t end)
{
  float *left = p->host.ports[PORT_OUT_LEFT];
  float *right = p->host.ports[PORT_OUT_RIGHT];
  float step = 1.0f / (0.02f * (float)p->host.rate_hz);
  float gain = powf(10.0f, side_port(&p->host, PORT_GAIN, -60.0f, 24.0f, 0.0f) / 20.0f);
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
  uint64_t before = denormal_flush();
  const LV2_Atom_Sequence *control = p->host.ports[PORT_CONTROL];
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
  side_tell(&p->host, p->host.ports[PORT_NOTIFY]);
  report(p);
  denormal_restore(before);
}

static const LV2_Descriptor sound = {SOUND_URI, instantiate, side_connect_port,  activate, run,
                                     NULL,      cleanup,     side_extension_data};

LV2_SYMBOL_EXPORT const LV2_Descriptor *lv2_descriptor(uint32_t index)
{
  return index == 0 ? &sound : NULL;
}
