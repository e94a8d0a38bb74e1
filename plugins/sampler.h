// SPDX-License-Identifier: GPL-3.0-or-later
//
// Plays one clip on many keys: 16 voices, each the clip read faster or slower by a band-limited
// kernel, so that high keys do not alias; attack and release, one-shot or loop. Everything but
// making and freeing is real time.
#ifndef MEANWAVE_SAMPLER_H
#define MEANWAVE_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>

enum { SAMPLER_VOICES = 16 };

// At the sampler's rate; immutable, owned by the caller.
typedef struct {
  const float *samples; // [frames]
  size_t frames;
} sampler_clip;

typedef struct {
  float root_key;  // the key that plays the clip as it is; fractions tune
  float attack_ms; // straight rise, and fall from where it is
  float release_ms;
  float velocity_share; // how much the velocity counts: 0 not at all, 1 in full
  bool loop;            // while a key is held; else the whole clip whatever the key does
} sampler_sound;

typedef struct sampler sampler;

sampler *sampler_new(double rate_hz); // NULL when memory is out
void sampler_free(sampler *s);        // NULL is fine

// The clip from now on; NULL: none. Notes on the old one fade out over 50 ms; those still held go
// on with the new one. The old clip is read as long as sampler_uses says so.
void sampler_set_clip(sampler *s, const sampler_clip *clip);
bool sampler_uses(const sampler *s, const sampler_clip *clip);

void sampler_note_on(sampler *s, const sampler_sound *how, int key, int velocity);
void sampler_note_off(sampler *s, int key);
void sampler_pedal(sampler *s, bool down); // holds what is released until it goes up
void sampler_bend(sampler *s, float semitones);
void sampler_release_all(sampler *s);      // all keys and the pedal up
void sampler_silence(sampler *s);          // at once, with a fade of 5 ms
void sampler_reset(sampler *s);            // at once, as new
size_t sampler_sounding(const sampler *s); // voices

// What sounds, written to out [frames].
void sampler_run(sampler *s, const sampler_sound *how, float *out, size_t frames);

#endif
