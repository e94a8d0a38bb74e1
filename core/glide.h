// SPDX-License-Identifier: GPL-3.0-or-later
//
// A control that moves in a straight line to where it is set, so that no step is heard. Real time.
#ifndef MEANWAVE_GLIDE_H
#define MEANWAVE_GLIDE_H

#include <stddef.h>

typedef struct {
  float now;
  float target;
  float step; // a frame
  size_t left;
} glide;

static inline void glide_jump(glide *g, float target)
{
  *g = (glide){.now = target, .target = target};
}

// A target that is there already changes nothing, so that callers may set it before every block.
static inline void glide_to(glide *g, float target, size_t frames)
{
  if (target == g->target) return;
  g->target = target;
  g->left = frames;
  g->step = (target - g->now) / (float)frames;
}

static inline float glide_next(glide *g)
{
  if (g->left > 0) g->now = --g->left == 0 ? g->target : g->now + g->step;
  return g->now;
}

#endif
