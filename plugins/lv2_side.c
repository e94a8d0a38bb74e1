// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_side.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lv2/atom/util.h>
#include <lv2/buf-size/buf-size.h>
#include <lv2/midi/midi.h>
#include <lv2/options/options.h>
#include <lv2/patch/patch.h>

void *side_feature(const LV2_Feature *const *features, const char *uri)
{
  for (; features != NULL && *features != NULL; features++)
    if (strcmp((*features)->URI, uri) == 0) return (*features)->data;
  return NULL;
}

static LV2_URID urid(const lv2_side *s, const char *uri)
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
    if (options->key == urid(s, LV2_BUF_SIZE__maxBlockLength))
      longest = *(const int32_t *)options->value;
    if (options->key == urid(s, LV2_BUF_SIZE__nominalBlockLength))
      nominal = *(const int32_t *)options->value;
  }
  int32_t planned = nominal > 0 ? nominal : longest > 0 ? longest : USUAL;
  return (uint32_t)(planned < LONGEST ? planned : LONGEST);
}

bool side_init(lv2_side *s, const LV2_Feature *const *features)
{
  s->map = side_feature(features, LV2_URID__map);
  s->log = side_feature(features, LV2_LOG__log);
  s->schedule = side_feature(features, LV2_WORKER__schedule);
  if (s->map == NULL) return false;
  s->atom_Blank = urid(s, LV2_ATOM__Blank);
  s->atom_Bool = urid(s, LV2_ATOM__Bool);
  s->atom_Chunk = urid(s, LV2_ATOM__Chunk);
  s->atom_Double = urid(s, LV2_ATOM__Double);
  s->atom_Float = urid(s, LV2_ATOM__Float);
  s->atom_Int = urid(s, LV2_ATOM__Int);
  s->atom_Long = urid(s, LV2_ATOM__Long);
  s->atom_Object = urid(s, LV2_ATOM__Object);
  s->atom_Path = urid(s, LV2_ATOM__Path);
  s->atom_Resource = urid(s, LV2_ATOM__Resource);
  s->atom_Sequence = urid(s, LV2_ATOM__Sequence);
  s->atom_String = urid(s, LV2_ATOM__String);
  s->atom_URID = urid(s, LV2_ATOM__URID);
  s->log_Error = urid(s, LV2_LOG__Error);
  s->log_Note = urid(s, LV2_LOG__Note);
  s->midi_MidiEvent = urid(s, LV2_MIDI__MidiEvent);
  s->patch_Get = urid(s, LV2_PATCH__Get);
  s->patch_Set = urid(s, LV2_PATCH__Set);
  s->patch_property = urid(s, LV2_PATCH__property);
  s->patch_value = urid(s, LV2_PATCH__value);
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

side_paths side_paths_of(const LV2_Feature *const *features)
{
  return (side_paths){side_feature(features, LV2_STATE__mapPath),
                      side_feature(features, LV2_STATE__makePath),
                      side_feature(features, LV2_STATE__freePath)};
}

// Copies what the host made and gives it back.
static bool take_path(const side_paths *p, char *made, char path[SIDE_PATH_SIZE])
{
  if (made == NULL) return false;
  int length = snprintf(path, SIDE_PATH_SIZE, "%s", made);
  if (p->free != NULL)
    p->free->free_path(p->free->handle, made);
  else
    free(made);
  return length < SIDE_PATH_SIZE;
}

bool side_abstract(const side_paths *p, const char *absolute, char path[SIDE_PATH_SIZE])
{
  if (p->map == NULL) return snprintf(path, SIDE_PATH_SIZE, "%s", absolute) < SIDE_PATH_SIZE;
  return take_path(p, p->map->abstract_path(p->map->handle, absolute), path);
}

bool side_absolute(const side_paths *p, const char *abstract, char path[SIDE_PATH_SIZE])
{
  if (p->map == NULL) return snprintf(path, SIDE_PATH_SIZE, "%s", abstract) < SIDE_PATH_SIZE;
  return take_path(p, p->map->absolute_path(p->map->handle, abstract), path);
}

bool side_make(const side_paths *p, const char *name, char path[SIDE_PATH_SIZE])
{
  return p->make != NULL && take_path(p, p->make->path(p->make->handle, name), path);
}

// Text that may lack its NUL, of at most size - 1 bytes.
static bool copy_text(const void *from, size_t length, char *text, size_t size)
{
  length = strnlen(from, length);
  if (length >= size) return false;
  memcpy(text, from, length);
  text[length] = '\0';
  return true;
}

void side_retrieve(LV2_State_Retrieve_Function retrieve, LV2_State_Handle handle, LV2_URID key,
                   LV2_URID type, char *text, size_t size)
{
  size_t length = 0;
  uint32_t found = 0;
  uint32_t flags = 0;
  const void *value = retrieve(handle, key, &length, &found, &flags);
  if (value == NULL || found != type || !copy_text(value, length, text, size)) text[0] = '\0';
}

side_message side_read(const lv2_side *s, const LV2_Atom *atom)
{
  side_message m = {SIDE_OTHER, 0, NULL};
  const LV2_Atom *property = NULL;
  bool is_object =
      atom->type == s->atom_Object || atom->type == s->atom_Blank || atom->type == s->atom_Resource;
  if (!is_object || atom->size < sizeof(LV2_Atom_Object_Body)) return m;
  const LV2_Atom_Object *object = (const LV2_Atom_Object *)atom;
  if (object->body.otype != s->patch_Get && object->body.otype != s->patch_Set) return m;
  lv2_atom_object_get(object, s->patch_property, &property, s->patch_value, &m.value, 0);
  if (property != NULL && property->type == s->atom_URID && property->size == sizeof(LV2_URID))
    m.property = ((const LV2_Atom_URID *)property)->body;
  if (object->body.otype == s->patch_Get)
    m.kind = SIDE_GET;
  else if (m.property != 0 && m.value != NULL)
    m.kind = SIDE_SET;
  return m;
}

bool side_text(const LV2_Atom *value, LV2_URID type, char *text, size_t size)
{
  return value->type == type && copy_text(LV2_ATOM_BODY_CONST(value), value->size, text, size);
}

bool side_number(const lv2_side *s, const LV2_Atom *value, double *number)
{
  const void *body = LV2_ATOM_BODY_CONST(value);
  if ((value->type == s->atom_Int || value->type == s->atom_Bool) && value->size == 4)
    *number = *(const int32_t *)body;
  else if (value->type == s->atom_Long && value->size == 8)
    *number = (double)*(const int64_t *)body;
  else if (value->type == s->atom_Float && value->size == 4)
    *number = *(const float *)body;
  else if (value->type == s->atom_Double && value->size == 8)
    *number = *(const double *)body;
  else
    return false;
  return isfinite(*number);
}

static void begin_set(const lv2_side *s, LV2_Atom_Forge *forge, LV2_Atom_Forge_Frame *frame,
                      LV2_URID property)
{
  lv2_atom_forge_frame_time(forge, 0);
  lv2_atom_forge_object(forge, frame, 0, s->patch_Set);
  lv2_atom_forge_key(forge, s->patch_property);
  lv2_atom_forge_urid(forge, property);
  lv2_atom_forge_key(forge, s->patch_value);
}

// A half-written event would be a broken one: only what is sure to fit is begun.
static bool fits(const LV2_Atom_Forge *forge, size_t bytes)
{
  enum { AROUND = 128 };
  return forge->offset + bytes + AROUND <= forge->size;
}

void side_announce_text(const lv2_side *s, LV2_Atom_Forge *forge, LV2_URID property, LV2_URID type,
                        const char *text)
{
  LV2_Atom_Forge_Frame frame;
  size_t length = strlen(text);
  if (!fits(forge, length)) return;
  begin_set(s, forge, &frame, property);
  if (type == s->atom_Path)
    lv2_atom_forge_path(forge, text, (uint32_t)length);
  else
    lv2_atom_forge_string(forge, text, (uint32_t)length);
  lv2_atom_forge_pop(forge, &frame);
}

void side_announce_number(const lv2_side *s, LV2_Atom_Forge *forge, LV2_URID property, float number)
{
  LV2_Atom_Forge_Frame frame;
  if (!fits(forge, sizeof number)) return;
  begin_set(s, forge, &frame, property);
  lv2_atom_forge_float(forge, number);
  lv2_atom_forge_pop(forge, &frame);
}

#if defined(__x86_64__)
#include <xmmintrin.h>

unsigned side_enter_run(void)
{
  enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };
  unsigned before = _mm_getcsr();
  _mm_setcsr(before | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
  return before;
}

void side_leave_run(unsigned before)
{
  _mm_setcsr(before);
}
#elif defined(__aarch64__)
unsigned side_enter_run(void)
{
  enum { FLUSH_TO_ZERO = 1 << 24 };
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"(before | FLUSH_TO_ZERO));
  return (unsigned)before;
}

void side_leave_run(unsigned before)
{
  __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)before));
}
#else
unsigned side_enter_run(void)
{
  return 0;
}

void side_leave_run(unsigned before)
{
  (void)before;
}
#endif
