// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the plugin and its window have in common; plugins/voice.lv2/voice.ttl.in describes it.
#ifndef MEANWAVE_VOICE_PORTS_H
#define MEANWAVE_VOICE_PORTS_H

#define VOICE_URI "urn:meanwave:voice"
#define VOICE_STEREO_URI "urn:meanwave:voice-stereo"

enum {
  PORT_CONTROL,
  PORT_NOTIFY,
  PORT_ENABLED,
  PORT_FREEWHEEL,
  PORT_VOICE,
  PORT_PITCH,
  PORT_MIX,
  PORT_GATE,
  PORT_GAIN,
  PORT_LATENCY,
  PORT_LATE_CHUNKS,
  PORT_RTF,
  PORT_STATUS,
  PORT_DELAY,
  PORT_LEVEL_IN,
  PORT_LEVEL_OUT,
  PORT_AUDIO, // inputs, then outputs
};

#define VOICE_LEVEL_FLOOR (-90.0f) // dB, of the level ports

// Values of the status port; a symbol's meaning never changes.
typedef enum { RIG_READY, RIG_LOADING, RIG_NO_MODEL, RIG_NO_VOICE } rig_status;

#endif
