# SPDX-License-Identifier: GPL-3.0-or-later
"""What the vocoder is trained on: segments of speech, sounds, renderings and made tones, with pitch and noise of each
frame."""
import json
import os

import numpy as np
import torch
from torch.nn import functional as F

from common import packs
from common.mel import HOP, RATE_HZ
from common.pitch import track
from sound import renderings, synthesis

SEGMENT = 8000
EDGE = HOP  # samples at both ends that the Fourier transform's wrapping touches
TONE_CONTROL = 80  # samples between the control points of a made tone
SYNTHESISED, ROUNDS = 900, 4  # clips of own synthesis, phrases of each instrument
SMOOTH_HZ = 45            # the width over which a spectrum is flattened
LINES, EVEN = 0.15, 0.4   # flatness of a spectrum of lines, and of noise


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


def coloured_noise(random):
    """Noise of a random band and tilt that swells -> samples"""
    low = 20 * 100 ** random.uniform(0, 1)
    high = low * 1.5 * 100 ** random.uniform(0, 1)
    clip = synthesis.band(synthesis.noise(random, SEGMENT, random.uniform(0, 1)), low, high)
    return clip * np.interp(np.arange(SEGMENT), np.linspace(0, SEGMENT, 5), random.uniform(0.2, 1, 5))


def made_sounds(folder, work, seed):
    """Own synthesis and rendered instruments, kept in WORK -> samples int16 [n], rows as of a pack"""
    samples, listed = (os.path.join(work, "made" + end) for end in (".npy", ".json"))
    if not os.path.exists(listed):
        random = np.random.default_rng(seed)
        _, rows = packs.open_pack(folder, work, "sounds")
        clips = renderings.render(random, renderings.names_of(rows), ROUNDS, work)
        clips += [synthesis.make(random) for _ in range(SYNTHESISED)]
        sizes = [len(clip) for clip, _ in clips]
        np.save(samples, np.concatenate([np.rint(clip * 32767).astype("i2") for clip, _ in clips]))
        with open(listed, "w", encoding="utf-8") as file:
            json.dump([{"path": "made/%d" % i, "offset": int(at), "samples": size}
                       for i, (at, size) in enumerate(zip(np.cumsum([0] + sizes), sizes))], file)
    with open(listed, encoding="utf-8") as file:
        return np.load(samples, mmap_mode="r"), json.load(file)


KINDS = ("remade speech", "remade speech", "remade speech", "remade speech", "speech", "speech", "speech", "sounds",
         "remade sounds", "remade sounds", "remade sounds", "made", "remade made", "remade made", "noise",
         "tone")  # of sixteen segments


class Remade:
    """Segments whose mel is what a model made of it (remade.py), of one kind: speech, sounds or made."""

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
    """Random segments at random gain, half of them at another speed: of sixteen, seven are speech, four sounds, three
    own synthesis or rendered instruments, one noise and one a tone. With `remade`, four of the speech, three of the sounds
    and two of the others are what the models make."""

    def __init__(self, folder, work, seed, wanted, remade=None):
        self.random = np.random.default_rng(seed)
        self.sets = {}
        for kind, names in (("speech", packs.SPEECH), ("sounds", ("sounds",))):
            found = []
            for name in names:
                samples, rows = packs.open_pack(folder, work, name)
                pitch = pitch_of_pack(samples, rows, work, name)
                found += [(samples, pitch, row) for row in rows
                          if packs.held_out(row) == wanted and row["samples"] > 1600]
            self.sets[kind] = found, shares(found)
        samples, rows = made_sounds(folder, work, seed=1)
        pitch = pitch_of_pack(samples, rows, work, "made")
        found = [(samples, pitch, row) for row in rows]
        self.sets["made"] = found, shares(found)
        self.remade = {kind: Remade(remade, some) for kind, (some, _) in self.sets.items()} if remade else {}

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

    def one(self, kind):
        """-> samples [SEGMENT], pitch [1 + SEGMENT / HOP, 2], the mel of a remade one or None"""
        mel = None
        if kind.startswith("remade "):
            clip, pitch, mel = self.remade[kind[7:]].segment(self.random)
        elif kind == "tone":
            clip, hertz = voiced_tone(self.random)
            pitch = np.stack([np.log2(hertz), np.ones(len(hertz))], 1)
        elif kind == "noise":
            clip, pitch = coloured_noise(self.random), np.zeros((1 + SEGMENT // HOP, 2))
        else:
            clip, pitch = self.segment(self.sets[kind])
        if mel is None:
            peak = np.abs(clip).max() + 1e-4
            clip = clip * min(self.random.uniform(0.2, 1.0) / peak, 8.0)
        return clip, pitch, mel

    def batch(self, count):
        """-> samples [count, SEGMENT], pitch [count, 1 + SEGMENT / HOP, 2], noise [count, 1 + SEGMENT / HOP], mel
        [count, 80, 1 + SEGMENT / HOP] of the remade, the others' full of NaN"""
        kinds = [KINDS[i % len(KINDS)] for i in range(count)]
        if not self.remade:
            kinds = [kind.replace("remade ", "") for kind in kinds]
        clips, pitch, mels = zip(*(self.one(kind) for kind in kinds))
        unknown = np.full((80, 1 + SEGMENT // HOP), np.nan)
        samples, pitch, mels = (torch.from_numpy(np.stack(x).astype("f4")) for x in (
            clips, pitch, [unknown if mel is None else mel for mel in mels]))
        spoken = torch.tensor(["speech" in kind or kind == "tone" for kind in kinds])
        noise = evenness(samples, pitch.shape[1]) * (1 - pitch[..., 1])
        pitch[~spoken, :, 1], noise[~spoken] = coloured(samples[~spoken], pitch[~spoken, :, 1])
        return samples, pitch, noise, mels


def shares(found):
    """How often to draw each clip: by its length."""
    share = np.cumsum([row["samples"] for _, _, row in found], dtype="f8")
    return share / share[-1]


def evenness(samples, frames):
    """samples [batch, n] -> [batch, frames]: 1 where power is even over 40 ms, 0 where something strikes"""
    power = samples[:, :samples.shape[1] // 40 * 40].view(len(samples), -1, 40).pow(2).mean(2) + 1e-9
    near = F.pad(power, (8, 8), mode="replicate").unfold(1, 16, 4)[:, :frames]
    even = (3.0 - near.amax(2) / near.mean(2)).clamp(0, 1)
    return F.pad(even, (0, frames - even.shape[1]))


def coloured(samples, voicing):
    """Sounds may be noise of any colour: rumbles, which a tracker takes for voiced. samples [batch, n], voicing [batch, T]
    -> voicing, noise: what is no spectrum of lines, the power of the whitened sound being even"""
    size = samples.shape[1]
    samples = samples + 1e-5 * torch.randn_like(samples)
    half = int(SMOOTH_HZ * size / RATE_HZ) // 2
    smooth = lambda power: F.avg_pool1d(F.pad(power[:, None], (half, half), mode="reflect"), 2 * half + 1, 1)[:, 0]
    spectrum = torch.fft.rfft(samples)
    floor = 1e-9 * spectrum.abs().pow(2).amax(1, keepdim=True)
    white = torch.fft.irfft(spectrum / (smooth(spectrum.abs() ** 2) + floor).sqrt(), size)
    power = torch.fft.rfft(samples * torch.hann_window(size)).abs() ** 2
    level = smooth(power) + floor
    weight = level.sqrt() / level.sqrt().sum(1, keepdim=True)
    near = power / level
    flat = (weight * (near + 1e-6).log()).sum(1).exp() / (weight * near).sum(1)
    gliding = (voicing.mean(1) - 0.4) / 0.4  # what is voiced all along is so, though its lines are wide
    lines = torch.maximum((EVEN - flat) / (EVEN - LINES), gliding).clamp(0, 1)[:, None]
    return voicing * lines, evenness(white, voicing.shape[1]) * (1 - lines) * (1 - voicing)
