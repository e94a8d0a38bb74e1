// SPDX-License-Identifier: GPL-3.0-or-later
//
// All that belongs to one model and one voice between a plugin's input and its output: the
// converter with its inference thread, and the dry sound as late as the converted. A change of
// voice makes a new rig beside the old one and fades over.
#ifndef MEANWAVE_VOICE_RIG_H
#define MEANWAVE_VOICE_RIG_H

#include "lv2_side.h"
#include "meanwave.h"
#include "voice_ports.h"

enum { RIG_CHANNELS = 2, RIG_PIECE_FRAMES = 256, RIG_NAMES_SIZE = 4096 };

// What the user asks for. `number` 1 and up: that voice of the model; 0: the file, and without
// a file the model's first voice.
typedef struct {
  int number;
  char file[SIDE_PATH_SIZE];  // a recording or a .voice file; "": none
  char model[SIDE_PATH_SIZE]; // a bundle or a folder of published files; "": the default one
  unsigned serial;            // of the asking; for the asker
} rig_wish;

typedef struct {
  bool enabled; // else the input itself, delayed
  mw_voice_controls voice;
} rig_controls;

typedef struct voice_rig voice_rig;

// Makes what is wished. A model or voice that cannot be had makes a rig whose converted sound is
// silence and whose status and message say why: never the sound of another voice. NULL when memory
// is out. Not real time.
voice_rig *rig_new(const rig_wish *wish, unsigned rate_hz, size_t channels, size_t block_frames);
void rig_free(voice_rig *r); // NULL is fine

const rig_wish *rig_wished(const voice_rig *r);
void rig_wished_again(voice_rig *r, unsigned serial); // the same; only while it does not run
rig_status rig_state(const voice_rig *r);
const char *rig_message(const voice_rig *r); // one line; "" when all is well
const char *rig_names(const voice_rig *r);   // of the model's voices, a line each

// Writes the voice that is wished to a .voice file, which must not be there yet. Not real time.
mw_status rig_save_voice(const rig_wish *wish, const char *path, mw_error *error);

// Its inference thread; without it rig_run computes by itself. Not real time.
mw_status rig_start(voice_rig *r, mw_error *error);
void rig_stop(voice_rig *r);
void rig_reset(voice_rig *r); // silence everywhere; only while stopped

// Real time, from here on.
size_t rig_delay_frames(const voice_rig *r);
uint64_t rig_late_chunks(const voice_rig *r);
float rig_rtf(const voice_rig *r);
// in, out [channels][frames], frames at most RIG_PIECE_FRAMES; not the same arrays.
// `synchronous`: the host waits, so nothing may be late.
void rig_run(voice_rig *r, const rig_controls *c, float *const *in, float *const *out,
             size_t frames, bool synchronous);

#endif
