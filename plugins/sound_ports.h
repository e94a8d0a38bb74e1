// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the plugin and its window have in common; plugins/sound.lv2/sound.ttl.in describes it.
#ifndef MEANWAVE_SOUND_PORTS_H
#define MEANWAVE_SOUND_PORTS_H

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

// Values of the status port; a symbol's meaning never changes.
typedef enum { SOUND_EMPTY, SOUND_READY, SOUND_BUSY, SOUND_NO_MODEL, SOUND_FAILED } sound_status;

#endif
