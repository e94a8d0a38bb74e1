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
AHEAD, CANDIDATES = 3, 4
START_HZ = 150
FLOOR = 3e-4  # power that counts as silence
SHARE = 0.5  # of the highest peak: lower ones are no candidates
SHORT_COST, JUMP_COST = 0.06, 0.25  # per octave


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
    padded = torch.nn.functional.pad(samples, (WINDOW // 2, WINDOW // 2 + (1 + AHEAD) * HOP))
    frames = padded.unfold(0, WINDOW, HOP)[:count] * _window
    power = torch.fft.rfft(frames, TRANSFORM).abs() ** 2 * _keep
    r = torch.fft.irfft(power, TRANSFORM)[:, :LONGEST + 2]
    return r * _gain / (r[:, :1] + FLOOR * WINDOW / 2)


def candidates(r):
    """r [count, LONGEST + 2] -> of each frame the best peaks, a list of (log2 of Hz, voicing, height and what its
    shortness is worth) arrays"""
    middle = r[:, SHORTEST:LONGEST + 1]
    peak = (middle > r[:, SHORTEST - 1:LONGEST]) & (middle >= r[:, SHORTEST + 1:LONGEST + 2])
    best = (middle * peak).max(1, keepdim=True).values
    frame, at = torch.nonzero(peak & (middle >= SHARE * best) & (middle > 0), as_tuple=True)
    at = at + SHORTEST
    a, b, c = r[frame, at - 1], r[frame, at], r[frame, at + 1]
    shift = 0.5 * (a - c) / (a - 2 * b + c)
    height = b - 0.25 * (a - c) * shift
    octave = torch.log2(RATE_HZ / (at + shift))
    voicing = ((height - 0.35) / 0.3).clamp(0, 1)
    found = torch.stack([octave, voicing, height + SHORT_COST * octave]).numpy()
    borders = torch.bincount(frame, minlength=len(r)).cumsum(0)[:-1].numpy()
    return [few[:, np.argsort(-few[2], kind="stable")[:CANDIDATES]] for few in np.split(found, borders, axis=1)]


def track(samples, count=None):
    """samples [n] (tensor) -> log2 of F0 in Hz [count], voicing 0..1 [count]"""
    if count is None:
        count = 1 + len(samples) // HOP
    frames = candidates(correlation(samples, count + AHEAD))
    scores, before = [], []
    for i, (octave, _, height) in enumerate(frames):
        score, came = height, np.zeros(len(octave), int)
        if i > 0 and len(octave) > 0 and len(scores[-1]) > 0:
            jump = np.minimum(1, np.abs(octave[:, None] - frames[i - 1][0]))
            ways = scores[-1] - JUMP_COST * frames[i - 1][1] * jump
            came = ways.argmax(1)
            score = height + ways.max(1)
        scores.append(score - score.max() if len(score) else score)
        before.append(came)
    pitch, voicing, last = np.zeros(count, "f4"), np.zeros(count, "f4"), math.log2(START_HZ)
    for i in range(count):
        end = i
        while end < i + AHEAD and len(scores[end + 1]) > 0:
            end += 1
        if len(scores[i]) > 0:
            at = scores[end].argmax()
            for k in range(end, i, -1):
                at = before[k][at]
            last, voicing[i] = frames[i][0][at], frames[i][1][at]
        pitch[i] = last
    return pitch, voicing
