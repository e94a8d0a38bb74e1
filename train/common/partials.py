# SPDX-License-Identifier: GPL-3.0-or-later
"""Tones that last keep the phase of their own frequency (core/partials.c, whose numbers these are)."""
import numpy as np

FAINT, DROP, JUMP, NOISE = 7.0, 1.0, 1.0, 0.5
SIDE, LOBE, BORN = 3, 2, 3


def follow(log_magnitudes, noise, phases, turn):
    """log_magnitudes, phases [bins, T], noise [T]; turn: radians a hop per bin -> phases"""
    made, bins, before = phases.copy(), len(phases), []
    for t, a in enumerate(log_magnitudes.T):
        middle = a[SIDE:bins - SIDE]
        tops = (middle > a[SIDE - 1:bins - SIDE - 1]) & (middle >= a[SIDE + 1:bins - SIDE + 1]) & (middle > a.max() - FAINT)
        tops &= middle - np.maximum(a[:bins - 2 * SIDE], a[2 * SIDE:]) >= DROP
        now = []
        for k in np.flatnonzero(tops) + SIDE if noise[t] <= NOISE else ():
            place = k + np.clip(0.5 * (a[k - 1] - a[k + 1]) / (a[k - 1] - 2 * a[k] + a[k + 1]), -0.5, 0.5)
            near = min(before, key=lambda tone: abs(tone[1] - place), default=None)
            age = near[3] + 1 if near and abs(near[1] - place) < JUMP else 1
            phase = phases[k, t] + np.pi * k if age < BORN else near[2] + turn * 0.5 * (near[1] + place)
            now.append((k, place, phase, age))
        for i, (k, _, phase, age) in enumerate(now):
            first = max(k - LOBE, (now[i - 1][0] + k) // 2 + 1 if i else 0)
            last = min(k + LOBE, (k + now[i + 1][0]) // 2 if i + 1 < len(now) else bins)
            if age >= BORN:
                made[first:last + 1, t] = phase - np.pi * np.arange(first, last + 1)
        before = now
    return made
