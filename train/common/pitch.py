# SPDX-License-Identifier: GPL-3.0-or-later
"""The pitch tracker of the default voice, equal to core/pitch.c: every 10 ms an F0 and how voiced it is.

Around the centre of mel frame i, sample 160 i, 720 samples under a Hann window; autocorrelation below
about 1 kHz divided by the window's own (Boersma 1993); among the peaks of 60 to 500 Hz the best one by
height, short period and nearness to the frame before. It looks 360 samples ahead.
"""
import math

import numpy as np
import torch

WINDOW, TRANSFORM, HOP = 720, 1024, 160
SHORTEST, LONGEST = 32, 266  # periods in samples
RATE_HZ = 16000
FLOOR = 3e-4  # power that counts as silence
SHARE = 0.75  # of the highest peak: lower ones are no candidates
SHORT_COST, JUMP_COST = 0.06, 0.12  # per octave


def _tables():
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)
    hertz = np.arange(TRANSFORM // 2 + 1) * RATE_HZ / TRANSFORM
    keep = np.clip((1500 - hertz) / 500, 0, 1) * np.clip((hertz - 30) / 30, 0, 1)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, TRANSFORM)) ** 2)[:LONGEST + 2]
    return (torch.from_numpy(window.astype("f4")), torch.from_numpy(keep.astype("f4")),
            torch.from_numpy((own[0] / own).astype("f4")))


_window, _keep, _gain = _tables()


def correlation(samples, count):
    """samples [n] in [-1, 1] -> r [count, LONGEST + 2], frame i centred on sample 160 i"""
    padded = torch.nn.functional.pad(samples, (WINDOW // 2, WINDOW // 2 + HOP))
    frames = padded.unfold(0, WINDOW, HOP)[:count] * _window
    power = torch.fft.rfft(frames, TRANSFORM).abs() ** 2 * _keep
    r = torch.fft.irfft(power, TRANSFORM)[:, :LONGEST + 2]
    return r * _gain / (r[:, :1] + FLOOR * WINDOW / 2)


def track(samples, count=None):
    """samples [n] (tensor) -> log2 of F0 in Hz [count], voicing 0..1 [count]"""
    if count is None:
        count = 1 + len(samples) // HOP
    r = correlation(samples, count)
    middle = r[:, SHORTEST:LONGEST + 1]
    peak = (middle > r[:, SHORTEST - 1:LONGEST]) & (middle >= r[:, SHORTEST + 1:LONGEST + 2])
    best = (middle * peak).max(1, keepdim=True).values
    frame, at = torch.nonzero(peak & (middle >= SHARE * best) & (middle > 0), as_tuple=True)
    at = at + SHORTEST
    a, b, c = r[frame, at - 1], r[frame, at], r[frame, at + 1]
    shift = 0.5 * (a - c) / (a - 2 * b + c)
    height = b - 0.25 * (a - c) * shift
    octave = torch.log2(RATE_HZ / (at + shift))
    score = height + SHORT_COST * octave
    pitch, voicing = [math.log2(150)] * count, [0.0] * count
    last, strength, top, current = math.log2(150), 0.0, -1e9, -1
    for i, o, h, s in zip(frame.tolist(), octave.tolist(), height.tolist(), score.tolist()):
        if i != current:
            for k in range(current + 1, i):  # frames without a candidate
                pitch[k], strength = pitch[k - 1] if k else last, 0.0
            if current >= 0 and i == current + 1:
                last, strength = pitch[current], voicing[current]
            elif current >= 0:
                last, strength = pitch[current], 0.0
            current, top = i, -1e9
        s -= JUMP_COST * strength * min(1.0, abs(o - last))
        if s > top:
            top, pitch[i], voicing[i] = s, o, min(1.0, max(0.0, (h - 0.35) / 0.3))
    for k in range(current + 1, count):
        pitch[k] = pitch[k - 1] if k else last
    return np.array(pitch, "f4"), np.array(voicing, "f4")
