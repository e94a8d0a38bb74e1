# SPDX-License-Identifier: GPL-3.0-or-later
"""What the vocoder is trained on: segments of speech, sounds and made tones, with the pitch of each frame."""
import os

import numpy as np
import torch

from common import packs
from common.mel import HOP, RATE_HZ
from common.pitch import track

SEGMENT = 8000
EDGE = HOP  # samples at both ends that the Fourier transform's wrapping touches
TONE_CONTROL = 80  # samples between the control points of a made tone


def pitch_of_pack(samples, rows, work, name):
    """-> [frames, 2] (log2 of Hz, voicing) of all clips one after another; `row["pitch"]` is a clip's first"""
    at = 0
    for row in rows:
        row["pitch"] = at
        at += 1 + row["samples"] // HOP
    path = os.path.join(work, "pitch-%s.npy" % name)
    if not os.path.exists(path):
        found = np.zeros((at, 2), "f4")
        for row in rows:
            clip = torch.from_numpy(samples[row["offset"]:row["offset"] + row["samples"]].astype("f4") / 32768)
            count = 1 + len(clip) // HOP
            found[row["pitch"]:row["pitch"] + count] = np.stack(
                track(clip * (0.5 / (clip.abs().max() + 1e-3)), count), 1)
        np.save(path, found)
    return np.load(path, mmap_mode="r")


def voiced_tone(random):
    """Harmonics of a gliding pitch under a random envelope, over a little noise: clean periodic sound,
    which recordings hardly hold and synthetic voices and instruments do. -> samples, Hz of each frame"""
    points = SEGMENT // TONE_CONTROL + 1
    glide = np.interp(np.arange(points), np.linspace(0, points, 5), random.uniform(-0.3, 0.3, 5))
    hertz = 60 * 9 ** random.uniform(0, 1) * np.exp(glide * (random.random() < 0.7))
    ramp = np.arange(TONE_CONTROL) / TONE_CONTROL
    between = lambda x: (x[:-1, None] + np.diff(x)[:, None] * ramp).ravel().astype("f4")
    turn = np.exp(2j * np.pi * np.cumsum(between(hertz), dtype="f8") / RATE_HZ).astype("c8")
    tilt = random.uniform(0.3, 1.5)
    centres, widths = random.uniform(200, 5000, 4), random.uniform(80, 600, 4)
    scatter = random.uniform(0, 2 * np.pi) if random.random() < 0.5 else 0.0
    clip, wave = np.zeros(SEGMENT, "f4"), np.ones(SEGMENT, "c8")
    for harmonic in range(1, 130):
        place = hertz * harmonic
        if place.min() > 7900:
            break
        wave *= turn
        level = harmonic ** -tilt * (0.1 + np.exp(-((place[:, None] - centres) / widths) ** 2).sum(1))
        start = np.exp(1j * scatter * random.uniform(-1, 1))
        clip += between(np.where(place < 7900, level, 0)) * (wave * np.complex64(start)).real
    clip /= np.abs(clip).max() + 1e-6
    swell = np.interp(np.arange(SEGMENT), np.linspace(0, SEGMENT, 6), random.uniform(0, 1, 6))
    return clip * swell + random.standard_normal(SEGMENT) * 10 ** random.uniform(-4.5, -2), hertz[::HOP // TONE_CONTROL]


class Remade:
    """Segments whose mel is what a model made of it (remade.py), of one kind: speech or sounds."""

    def __init__(self, path, found):
        stored = np.load(path)
        places = {row["path"]: i for i, (_, _, row) in enumerate(found)}
        self.found, self.mels = found, stored["mels"]
        self.of = [(i, places[clip], start, peak) for i, (clip, start, peak)
                   in enumerate(zip(stored["paths"], stored["starts"], stored["peaks"])) if clip in places]

    def segment(self, random):
        """-> samples [SEGMENT], pitch [1 + SEGMENT / HOP, 2], mel [80, 1 + SEGMENT / HOP]"""
        mel, clip, start, peak = self.of[random.integers(len(self.of))]
        samples, pitch, row = self.found[clip]
        count = 1 + SEGMENT // HOP
        later = random.integers(self.mels.shape[1] - count + 1)
        sound = samples[row["offset"]:row["offset"] + row["samples"]].astype("f4")
        sound *= peak / (np.abs(sound).max() + 32)
        begin = (start + later) * HOP
        sound = np.pad(sound[begin:begin + SEGMENT], (0, max(0, begin + SEGMENT - len(sound))))[:SEGMENT]
        last = row["samples"] // HOP
        near = np.array(pitch[row["pitch"] + np.minimum(start + later + np.arange(count), last)])
        return sound, near, self.mels[mel, later:later + count].astype("f4").T


class Clips:
    """Random segments at random gain, half of them at another speed: of eight, five are speech, two
    sounds, one a tone. With `remade`, of sixteen four of the speech and two of the sounds are what the models make."""

    def __init__(self, folder, work, seed, wanted, remade=None):
        self.random = np.random.default_rng(seed)
        self.sets = []
        for names in (packs.SPEECH, ("sounds",)):
            found = []
            for name in names:
                samples, rows = packs.open_pack(folder, work, name)
                pitch = pitch_of_pack(samples, rows, work, name)
                found += [(samples, pitch, row) for row in rows
                          if packs.held_out(row) == wanted and row["samples"] > 1600]
            share = np.cumsum([row["samples"] for _, _, row in found], dtype="f8")
            self.sets.append((found, share / share[-1]))
        self.remade = [Remade(remade, found) for found, _ in self.sets] if remade else None

    def segment(self, of):
        """-> samples [SEGMENT], pitch [1 + SEGMENT / HOP, 2]"""
        found, share = of
        samples, pitch, row = found[np.searchsorted(share, self.random.random())]
        speed = self.random.uniform(0.8, 1.25) if self.random.random() < 0.5 else 1.0
        whole = SEGMENT + 2 * EDGE
        wanted = int(whole * speed) // 16 * 16
        start = self.random.integers(0, max(1, row["samples"] - wanted))
        clip = samples[row["offset"] + start:row["offset"] + min(row["samples"], start + wanted)].astype("f4")
        clip = np.pad(clip / 32768, (0, wanted - len(clip)))
        if speed != 1.0:
            bins = min(wanted, whole) // 2
            clip = np.fft.irfft(np.fft.rfft(clip)[:bins], whole) * (whole / wanted)
        speed = wanted / whole
        at = (start + (EDGE + np.arange(1 + SEGMENT // HOP) * HOP) * speed) / HOP
        last = row["samples"] // HOP
        near = np.array(pitch[row["pitch"] + np.minimum(np.rint(at).astype(int), last)])
        near[:, 0] += np.log2(speed)
        near[at > last, 1] = 0
        return clip[EDGE:EDGE + SEGMENT], near

    def batch(self, count):
        """-> samples [count, SEGMENT], pitch [count, 1 + SEGMENT / HOP, 2], mel [count, 80, 1 + SEGMENT / HOP]
        of the remade, the others' full of NaN"""
        rows, told, mels = [], [], []
        unknown = np.full((80, 1 + SEGMENT // HOP), np.nan)
        for i in range(count):
            kind = 1 if i % 4 == 3 or i % 8 == 1 else 0  # speech, sounds
            mel = unknown
            if i % 8 == 7:
                clip, hertz = voiced_tone(self.random)
                pitch = np.stack([np.log2(hertz), np.ones(len(hertz))], 1)
            elif self.remade and i % 16 in (0, 1, 3, 4, 6, 8):
                clip, pitch, mel = self.remade[kind].segment(self.random)
            else:
                clip, pitch = self.segment(self.sets[kind])
            if mel is unknown:
                peak = np.abs(clip).max() + 1e-4
                clip = clip * min(self.random.uniform(0.2, 1.0) / peak, 8.0)
            rows.append(clip)
            told.append(pitch)
            mels.append(mel)
        return [torch.from_numpy(np.stack(x).astype("f4")) for x in (rows, told, mels)]


def noisiness(samples, voicing):
    """samples [batch, n], voicing [batch, T] -> [batch, T]: 1 where unvoiced and even over 40 ms, 0 where
    voiced or where something strikes"""
    power = samples[:, :samples.shape[1] // 40 * 40].view(len(samples), -1, 40).pow(2).mean(2) + 1e-9
    near = torch.nn.functional.pad(power, (8, 8), mode="replicate").unfold(1, 16, 4)[:, :voicing.shape[1]]
    even = ((3.0 - near.amax(2) / near.mean(2)) / 1.0).clamp(0, 1)
    return torch.nn.functional.pad(even, (0, voicing.shape[1] - even.shape[1])) * (1 - voicing)
