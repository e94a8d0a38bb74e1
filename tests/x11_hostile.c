// SPDX-License-Identifier: GPL-3.0-or-later
#include "lv2_host_parts.h" // before the macros of Xlib

#include <math.h>
#include <string.h>

#include <lv2/patch/patch.h>

#include "x11_hostile.h"

enum { NOTIFY = 1, SIZE = 6000 };

typedef struct {
  _Alignas(8) uint8_t bytes[SIZE];
  uint32_t size;
} said;

static uint32_t random_state = 12345;

static uint32_t random_number(void)
{
  random_state = random_state * 1664525u + 1013904223u;
  return random_state >> 8;
}

static void say(x11_host *x, const said *s, uint32_t bytes)
{
  x11_say(x, NOTIFY, bytes, urid_of(LV2_ATOM__eventTransfer), s->bytes);
}

static void make(said *s, const char *property, const char *type, const void *value, uint32_t size)
{
  LV2_Atom_Forge forge;
  LV2_Atom_Forge_Frame frame;
  lv2_atom_forge_init(&forge, &uri_map);
  lv2_atom_forge_set_buffer(&forge, s->bytes, SIZE);
  lv2_atom_forge_object(&forge, &frame, 0, urid_of(LV2_PATCH__Set));
  lv2_atom_forge_key(&forge, urid_of(LV2_PATCH__property));
  lv2_atom_forge_urid(&forge, urid_of(property));
  lv2_atom_forge_key(&forge, urid_of(LV2_PATCH__value));
  lv2_atom_forge_atom(&forge, size, urid_of(type));
  lv2_atom_forge_write(&forge, value, size);
  lv2_atom_forge_pop(&forge, &frame);
  s->size = (uint32_t)sizeof(LV2_Atom) + ((const LV2_Atom *)s->bytes)->size;
}

static void say_noise(x11_host *x)
{
  said s;
  for (int round = 0; round < 300; round++) {
    for (size_t i = 0; i < sizeof s.bytes; i++) s.bytes[i] = (uint8_t)random_number();
    LV2_Atom *atom = (LV2_Atom *)s.bytes;
    if (round % 3 == 0) *atom = (LV2_Atom){round % 60, urid_of(LV2_ATOM__Object)};
    say(x, &s, random_number() % 100);
    x11_say(x, random_number() % 40, random_number() % 9, 0, s.bytes);
  }
  x11_say(x, NOTIFY, 0, urid_of(LV2_ATOM__eventTransfer), s.bytes);
  x11_say(x, NOTIFY, 1000, urid_of(LV2_ATOM__eventTransfer), NULL);
  x11_say(x, UINT32_MAX, 4, 0, s.bytes);
}

static void say_numbers(x11_host *x)
{
  const float numbers[] = {NAN, INFINITY, -INFINITY, 1e38f, -1e38f, 1e-40f, -1.0f, 1000.5f};
  for (uint32_t port = 0; port < 40; port++)
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
      x11_say(x, port, sizeof(float), 0, &numbers[i]);
      if (i % 4 == 3) x11_turn(x, 0); // it draws what it believes
    }
}

// Each byte of a good message as another one, and the message cut off everywhere.
static void say_broken(x11_host *x, const said *good)
{
  said s = *good;
  for (uint32_t bytes = 0; bytes < good->size && bytes < 200; bytes++) say(x, good, bytes);
  for (uint32_t i = 0; i < good->size && i < 120; i++) {
    s.bytes[i] ^= 0xFF;
    say(x, &s, s.size);
    s.bytes[i] = good->bytes[i];
  }
}

void x11_be_hostile(x11_host *x, const char *const *properties, size_t count)
{
  static const char *const types[] = {LV2_ATOM__String, LV2_ATOM__Path,  LV2_ATOM__Float,
                                      LV2_ATOM__Vector, LV2_ATOM__Chunk, LV2_ATOM__Object};
  static const uint32_t sizes[] = {0, 1, 4, 8, 100, 8 + 2 * 256 * 4, 5000};
  static uint8_t values[3][5000];
  memset(values[0], 'x', sizeof values[0]);
  memset(values[1], 0xFF, sizeof values[1]); // no UTF-8, and no numbers
  for (size_t i = 0; i < sizeof values[2]; i++) values[2][i] = (uint8_t)random_number();
  const LV2_Atom_Vector_Body head = {sizeof(float), urid_of(LV2_ATOM__Float)};
  memcpy(values[2], &head, sizeof head);
  say_noise(x);
  say_numbers(x);
  for (size_t p = 0; p < count; p++)
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
      for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        said s;
        make(&s, properties[p], types[t], values[(p + t + i) % 3], sizes[i]);
        say(x, &s, s.size);
        say_broken(x, &s);
        x11_turn(x, 0);
      }
  for (size_t p = 0; p < count; p++) { // and what it keeps is no text
    said s;
    make(&s, properties[p], LV2_ATOM__String, "\xFF\xC3(\x80\n", 6);
    say(x, &s, s.size);
    make(&s, properties[p], LV2_ATOM__Path, "\xFF\xC3(\x80\n", 6);
    say(x, &s, s.size);
  }
  x11_turn(x, 100);
}
