// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_side.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lv2/buf-size/buf-size.h>
#include <lv2/midi/midi.h>
#include <lv2/options/options.h>

#include "lv2_state.h"

void *side_feature(const LV2_Feature *const *features, const char *uri)
{
  for (; features != NULL && *features != NULL; features++)
    if (strcmp((*features)->URI, uri) == 0) return (*features)->data;
  return NULL;
}

LV2_URID side_urid(const lv2_side *s, const char *uri)
{
  return s->map->map(s->map->handle, uri);
}

static uint32_t planned_block(const lv2_side *s, const LV2_Options_Option *options)
{
  enum { USUAL = 1024, LONGEST = 1 << 16 };
  int32_t longest = 0;
  int32_t nominal = 0;
  for (; options != NULL && options->key != 0; options++) {
    if (options->type != s->atom_Int || options->size != sizeof(int32_t)) continue;
    if (options->key == side_urid(s, LV2_BUF_SIZE__maxBlockLength))
      longest = *(const int32_t *)options->value;
    if (options->key == side_urid(s, LV2_BUF_SIZE__nominalBlockLength))
      nominal = *(const int32_t *)options->value;
  }
  int32_t planned = nominal > 0 ? nominal : longest > 0 ? longest : USUAL;
  return (uint32_t)(planned < LONGEST ? planned : LONGEST);
}

bool side_init(lv2_side *s, double rate_hz, const LV2_Feature *const *features)
{
  s->map = side_feature(features, LV2_URID__map);
  s->log = side_feature(features, LV2_LOG__log);
  s->schedule = side_feature(features, LV2_WORKER__schedule);
  if (s->map == NULL || !(rate_hz >= 1000.0 && rate_hz <= 768000.0)) return false;
  s->rate_hz = (unsigned)lrint(rate_hz);
  lv2_atom_forge_init(&s->forge, s->map);
  patch_urids_init(&s->patch, s->map);
  s->atom_Bool = side_urid(s, LV2_ATOM__Bool);
  s->atom_Chunk = side_urid(s, LV2_ATOM__Chunk);
  s->atom_Float = side_urid(s, LV2_ATOM__Float);
  s->atom_Int = side_urid(s, LV2_ATOM__Int);
  s->atom_Path = side_urid(s, LV2_ATOM__Path);
  s->atom_String = side_urid(s, LV2_ATOM__String);
  s->atom_Vector = side_urid(s, LV2_ATOM__Vector);
  s->log_Error = side_urid(s, LV2_LOG__Error);
  s->log_Note = side_urid(s, LV2_LOG__Note);
  s->midi_MidiEvent = side_urid(s, LV2_MIDI__MidiEvent);
  s->state_StateChanged = side_urid(s, LV2_STATE__StateChanged);
  s->block_frames = planned_block(s, side_feature(features, LV2_OPTIONS__options));
  return true;
}

static int log_format(const lv2_side *s, LV2_URID type, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  int length = s->log->vprintf(s->log->handle, type, format, arguments);
  va_end(arguments);
  return length;
}

void side_log(const lv2_side *s, LV2_URID type, const char *line)
{
  if (s->log != NULL)
    log_format(s, type, "meanwave: %s\n", line);
  else
    fprintf(stderr, "meanwave: %s\n", line);
}

void side_connect_port(LV2_Handle instance, uint32_t index, void *data)
{
  lv2_side *s = instance;
  if (index < SIDE_PORTS) s->ports[index] = data;
}

static LV2_Worker_Status work(LV2_Handle instance, LV2_Worker_Respond_Function respond,
                              LV2_Worker_Respond_Handle handle, uint32_t size, const void *data)
{
  lv2_side *s = instance;
  (void)respond;
  (void)handle;
  (void)size;
  (void)data;
  worker_drain(s->slow);
  return LV2_WORKER_SUCCESS;
}

// Hosts want it; nothing responds.
static LV2_Worker_Status work_response(LV2_Handle instance, uint32_t size, const void *body)
{
  (void)instance;
  (void)size;
  (void)body;
  return LV2_WORKER_SUCCESS;
}

const void *side_extension_data(const char *uri)
{
  static const LV2_Worker_Interface worker_interface = {work, work_response, NULL};
  if (strcmp(uri, LV2_STATE__interface) == 0) return &side_state_interface;
  if (strcmp(uri, LV2_WORKER__interface) == 0) return &worker_interface;
  return NULL;
}

float side_port(const lv2_side *s, int index, float low, float high, float standard)
{
  const float *value = s->ports[index];
  if (value == NULL || !isfinite(*value)) return standard;
  return *value < low ? low : *value > high ? high : *value;
}

bool side_switch(const lv2_side *s, int index, bool standard)
{
  return side_port(s, index, 0.0f, 1.0f, standard) > 0.0f;
}

void side_set_port(const lv2_side *s, int index, float value)
{
  if (s->ports[index] != NULL) *(float *)s->ports[index] = value;
}

// ---- Properties ----

LV2_URID side_add_property(lv2_side *s, const char *uri, LV2_URID type, side_manner manner,
                           char *text, size_t size)
{
  LV2_URID key = side_urid(s, uri);
  s->properties[s->property_count++] =
      (side_property){.key = key, .type = type, .text = text, .size = size, .manner = manner};
  return key;
}

LV2_URID side_add_value(lv2_side *s, const char *uri, LV2_URID type, const void *value, size_t size)
{
  LV2_URID key = side_urid(s, uri);
  s->properties[s->property_count++] = (side_property){
      .key = key, .type = type, .size = size, .value = value, .manner = SIDE_ON_DEMAND};
  return key;
}

static side_property *property(lv2_side *s, LV2_URID key)
{
  size_t i = 0;
  while (i < s->property_count && s->properties[i].key != key) i++;
  return i < s->property_count ? &s->properties[i] : NULL;
}

void side_announce(lv2_side *s)
{
  for (size_t i = 0; i < s->property_count; i++)
    if (s->properties[i].manner == SIDE_WRITABLE) s->properties[i].due = true;
}

void side_due(lv2_side *s, LV2_URID key)
{
  side_property *p = property(s, key);
  p->due = p->due || p->asked || p->manner != SIDE_ON_DEMAND;
}

void side_set_text(lv2_side *s, LV2_URID key, const char *text)
{
  side_property *p = property(s, key);
  if (strcmp(p->text, text) == 0) return;
  size_t length = strnlen(text, p->size - 1);
  memcpy(p->text, text, length);
  p->text[length] = '\0';
  side_due(s, key);
}

// A half-written event would be a broken one: only what is sure to fit is begun.
static bool fits(const LV2_Atom_Forge *forge, size_t bytes)
{
  enum { AROUND = 128 };
  return forge->offset + bytes + AROUND <= forge->size;
}

static void tell(lv2_side *s, side_property *p)
{
  LV2_Atom_Forge *forge = &s->forge;
  LV2_Atom_Forge_Frame frame;
  size_t length = p->text != NULL ? strlen(p->text) : p->size;
  if (!fits(forge, length)) return;
  lv2_atom_forge_frame_time(forge, 0);
  patch_begin_set(&s->patch, forge, &frame, p->key);
  if (p->text != NULL) {
    lv2_atom_forge_typed_string(forge, p->type, p->text, (uint32_t)length);
  } else {
    lv2_atom_forge_atom(forge, (uint32_t)length, p->type);
    lv2_atom_forge_write(forge, p->value, (uint32_t)length);
  }
  lv2_atom_forge_pop(forge, &frame);
  p->due = false;
}

void side_changed(lv2_side *s)
{
  s->changed = true;
}

static void tell_changed(lv2_side *s)
{
  LV2_Atom_Forge_Frame frame;
  if (!s->changed || !fits(&s->forge, 0)) return;
  lv2_atom_forge_frame_time(&s->forge, 0);
  lv2_atom_forge_object(&s->forge, &frame, 0, s->state_StateChanged);
  lv2_atom_forge_pop(&s->forge, &frame);
  s->changed = false;
}

void side_tell(lv2_side *s, LV2_Atom_Sequence *notify)
{
  LV2_Atom_Forge_Frame frame;
  if (notify == NULL) return;
  lv2_atom_forge_set_buffer(&s->forge, (uint8_t *)notify, notify->atom.size);
  lv2_atom_forge_sequence_head(&s->forge, &frame, 0);
  for (size_t i = 0; i < s->property_count; i++)
    if (s->properties[i].due) tell(s, &s->properties[i]);
  tell_changed(s);
  lv2_atom_forge_pop(&s->forge, &frame);
}

static LV2_URID ask(lv2_side *s, LV2_URID key)
{
  side_property *p = property(s, key);
  if (key == 0) side_announce(s);
  if (p == NULL) return 0;
  p->due = p->asked = true;
  return key;
}

side_message side_read(lv2_side *s, const LV2_Atom *atom)
{
  patch_message m;
  if (!patch_read(&s->patch, atom, &m)) return (side_message){0, NULL, 0};
  if (m.is_get) return (side_message){0, NULL, ask(s, m.property)};
  return (side_message){m.property, m.value, 0};
}
