// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_host_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <lv2/atom/util.h>
#include <lv2/midi/midi.h>
#include <lv2/patch/patch.h>
#include <lv2/state/state.h>

static void begin_set(lv2_host *h, LV2_Atom_Forge_Frame *frame, const char *property)
{
  lv2_atom_forge_frame_time(&h->forge, 0);
  lv2_atom_forge_object(&h->forge, frame, 0, urid_of(LV2_PATCH__Set));
  lv2_atom_forge_key(&h->forge, urid_of(LV2_PATCH__property));
  lv2_atom_forge_urid(&h->forge, urid_of(property));
  lv2_atom_forge_key(&h->forge, urid_of(LV2_PATCH__value));
}

void host_send_text(lv2_host *h, const char *property, const char *type, const char *text)
{
  LV2_Atom_Forge_Frame frame;
  begin_set(h, &frame, property);
  lv2_atom_forge_typed_string(&h->forge, urid_of(type), text, (uint32_t)strlen(text));
  lv2_atom_forge_pop(&h->forge, &frame);
}

void host_send_number(lv2_host *h, const char *property, const char *type, double number)
{
  LV2_Atom_Forge_Frame frame;
  begin_set(h, &frame, property);
  if (strcmp(type, LV2_ATOM__Int) == 0)
    lv2_atom_forge_int(&h->forge, (int32_t)number);
  else if (strcmp(type, LV2_ATOM__Long) == 0)
    lv2_atom_forge_long(&h->forge, (int64_t)number);
  else if (strcmp(type, LV2_ATOM__Bool) == 0)
    lv2_atom_forge_bool(&h->forge, number != 0.0);
  else if (strcmp(type, LV2_ATOM__Double) == 0)
    lv2_atom_forge_double(&h->forge, number);
  else
    lv2_atom_forge_float(&h->forge, (float)number);
  lv2_atom_forge_pop(&h->forge, &frame);
}

void host_send_get(lv2_host *h, const char *property)
{
  LV2_Atom_Forge_Frame frame;
  lv2_atom_forge_frame_time(&h->forge, 0);
  lv2_atom_forge_object(&h->forge, &frame, 0, urid_of(LV2_PATCH__Get));
  if (property != NULL) {
    lv2_atom_forge_key(&h->forge, urid_of(LV2_PATCH__property));
    lv2_atom_forge_urid(&h->forge, urid_of(property));
  }
  lv2_atom_forge_pop(&h->forge, &frame);
}

void host_send_bytes(lv2_host *h, const char *type, const void *bytes, size_t count)
{
  lv2_atom_forge_frame_time(&h->forge, 0);
  lv2_atom_forge_atom(&h->forge, (uint32_t)count, urid_of(type));
  lv2_atom_forge_write(&h->forge, bytes, (uint32_t)count);
}

void host_send_midi(lv2_host *h, uint32_t frame, uint8_t status, uint8_t key, uint8_t value)
{
  const uint8_t bytes[3] = {status, key, value};
  lv2_atom_forge_frame_time(&h->forge, frame);
  lv2_atom_forge_atom(&h->forge, 3, urid_of(LV2_MIDI__MidiEvent));
  lv2_atom_forge_write(&h->forge, bytes, 3);
}

static void hear(lv2_host *h, const LV2_Atom *property, const LV2_Atom *value)
{
  const char *uri = uri_of(((const LV2_Atom_URID *)property)->body);
  const char *type = uri_of(value->type);
  const void *body = LV2_ATOM_BODY_CONST(value);
  size_t i = 0;
  assert_non_null(uri);
  assert_non_null(type);
  while (i < MOST_TOLD && h->tells[i].property != NULL && strcmp(h->tells[i].property, uri) != 0)
    i++;
  assert_true(i < MOST_TOLD);
  if (h->tells[i].property == NULL) h->tells[i].property = strdup(uri);
  char *text = h->tells[i].text;
  h->tells[i].floats = 0;
  if (strcmp(type, LV2_ATOM__Float) == 0)
    snprintf(text, LONGEST_TEXT, "%.9g", (double)*(const float *)body);
  else if (strcmp(type, LV2_ATOM__Int) == 0 || strcmp(type, LV2_ATOM__Bool) == 0)
    snprintf(text, LONGEST_TEXT, "%d", *(const int32_t *)body);
  else if (strcmp(type, LV2_ATOM__Long) == 0)
    snprintf(text, LONGEST_TEXT, "%lld", (long long)*(const int64_t *)body);
  else if (strcmp(type, LV2_ATOM__Vector) == 0) {
    const LV2_Atom_Vector_Body *vector = body;
    assert_int_equal(vector->child_type, urid_of(LV2_ATOM__Float));
    assert_int_equal(vector->child_size, sizeof(float));
    assert_true(value->size <= LONGEST_TEXT);
    h->tells[i].floats = (value->size - sizeof *vector) / sizeof(float);
    memcpy(text, vector + 1, value->size - sizeof *vector);
  } else
    snprintf(text, LONGEST_TEXT, "%s", (const char *)body);
  h->told_count++;
}

void hear_all(lv2_host *h, const LV2_Atom_Sequence *notify, size_t capacity)
{
  assert_int_equal(notify->atom.type, urid_of(LV2_ATOM__Sequence));
  assert_true(notify->atom.size + sizeof(LV2_Atom) <= capacity);
  LV2_ATOM_SEQUENCE_FOREACH(notify, event)
  {
    const LV2_Atom *property = NULL;
    const LV2_Atom *value = NULL;
    assert_true(lv2_atom_sequence_is_end(&notify->body, notify->atom.size, event) == false);
    if (h->listener != NULL) h->listener(h->listener_context, &event->body);
    if (event->body.type != urid_of(LV2_ATOM__Object)) continue;
    const LV2_Atom_Object *object = (const LV2_Atom_Object *)&event->body;
    if (object->body.otype == urid_of(LV2_STATE__StateChanged)) h->changes++;
    lv2_atom_object_get(object, urid_of(LV2_PATCH__property), &property, urid_of(LV2_PATCH__value),
                        &value, 0);
    if (property != NULL && value != NULL) hear(h, property, value);
  }
}

static const told *told_of(const lv2_host *h, const char *property)
{
  for (size_t i = 0; i < MOST_TOLD && h->tells[i].property != NULL; i++)
    if (strcmp(h->tells[i].property, property) == 0) return &h->tells[i];
  return NULL;
}

const char *host_told(const lv2_host *h, const char *property)
{
  const told *t = told_of(h, property);
  return t != NULL ? t->text : NULL;
}

const float *host_told_floats(const lv2_host *h, const char *property, size_t count)
{
  const told *t = told_of(h, property);
  return t != NULL && t->floats == count ? (const float *)t->text : NULL;
}

size_t host_told_count(const lv2_host *h)
{
  return h->told_count;
}

size_t host_changes(const lv2_host *h)
{
  return h->changes;
}

const char *host_logged(const lv2_host *h)
{
  return h->logged;
}
