# SPDX-License-Identifier: GPL-3.0-or-later
"""Captioned mels: the clips of the `sounds` pack and synthesised material whose captions name its parameters."""
import os

import numpy as np
import torch

from common import packs
from common.mel import Mel

RATE_HZ = 16000
SECONDS = 2.6


def shaped_noise(random, samples, tilt):
    spectrum = np.fft.rfft(random.standard_normal(samples))
    spectrum /= np.maximum(np.arange(len(spectrum)), 20.0) ** tilt
    noise = np.fft.irfft(spectrum, samples)
    return noise / np.abs(noise).max()


def tone(hertz, time, partials=1):
    """A sum of harmonics 1 / n; hertz is a number or an array over time."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, time.shape)) / RATE_HZ
    return sum(np.sin(n * phase) / n for n in range(1, partials + 1))


def synthesise(random):
    """-> (samples, caption)"""
    time = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    high, fast, near, minor = random.random(4) < 0.5
    place, speed, pitch = ("near", "distant")[not near], ("fast", "slow")[not fast], ("high", "low")[not high]
    base = random.uniform(500, 900) if high else random.uniform(90, 200)
    rate = random.uniform(5, 8) if fast else random.uniform(0.7, 1.5)
    beat = (time * rate) % 1 / rate
    kind = random.integers(10)
    if kind == 0:
        swell = 0.6 + 0.4 * np.sin(2 * np.pi * 0.4 * rate * time + random.uniform(0, 6))
        clip, caption = shaped_noise(random, len(time), 1.0) * swell, f"{place} wind gusts"
    elif kind == 1:
        drops = np.convolve((random.random(len(time)) < 0.003) * random.random(len(time)),
                            np.exp(-np.arange(80) / 15), "same")
        clip = shaped_noise(random, len(time), 0.2) * 0.5 + drops * random.standard_normal(len(time))
        caption = f"{place} " + str(random.choice(["rain falling", "heavy downpour", "rain on a roof"]))
    elif kind == 2:
        firing = base / (8 if high else 4)
        clip = tone(firing, time, 40) + 0.4 * shaped_noise(random, len(time), 0.7)
        caption = f"{place} {pitch} engine running"
    elif kind == 3:
        clip = tone(base * (1 + 0.4 * np.sin(2 * np.pi * rate / 3 * time)), time, 5)
        caption = f"{speed} {pitch} siren"
    elif kind == 4:
        clip, caption = tone(base * 2, time) * (beat * rate < 0.5), f"{speed} {pitch} beeps"
    elif kind == 5:
        clip = tone(50 + 150 * np.exp(-beat * 30), time) * np.exp(-beat * 8)
        caption = f"{speed} kick drum"
    elif kind == 6:
        clip, caption = tone(base / 2, time, 12), f"{pitch} drone"
    elif kind == 7:
        clip, caption = tone(base * (1 + 2 * time / SECONDS), time, 4) * time, f"{pitch} riser sweep"
    elif kind == 8:
        clip = tone(base * 4 * np.exp(-beat * 6) + 80, time, 3) * np.exp(-beat * 5)
        caption = f"{speed} " + str(random.choice(["laser shots", "sci-fi laser", "blaster"]))
    else:
        degrees = np.array([0, 3 if minor else 4, 7, 12])
        step = (time * rate).astype(int) % 4
        clip = tone(base * 2.0 ** (degrees[step] / 12), time, 6) * np.exp(-beat * 4)
        caption = f"{speed} {pitch} arpeggio in a {('major', 'minor')[minor]} key"
    clip = clip / (np.abs(clip).max() + 1e-6) * (0.8 if near else 0.15)
    return clip.astype("f4"), caption


def load(pack_folder, work, made, seed):
    """-> (list of mels [80, frames] float16, list of caption lists); cached in WORK/sound-mels.npz"""
    cache = os.path.join(work, "sound-mels.npz")
    if not os.path.exists(cache):
        samples, rows = packs.open_pack(pack_folder, work, "sounds")
        random = np.random.default_rng(seed)
        analysis, mels, captions = Mel(), [], []

        def add(clip, names):
            frames = min(len(clip) // 160, 520)
            with torch.no_grad():
                mel = analysis(torch.from_numpy(clip[None, :frames * 160]))[0, :, :frames]
            mels.append(mel.numpy().astype("f2"))
            captions.append("|".join(names))

        for row in rows:
            if packs.held_out(row) or row["samples"] < 1600:
                continue
            clip = samples[row["offset"]:row["offset"] + row["samples"]].astype("f4") / 32768
            label = row["label"].replace("_", " ")
            add(clip / max(np.abs(clip).max(), 0.01) * 0.8, [row["caption"], label])
        for _ in range(made):
            clip, caption = synthesise(random)
            add(clip, [caption])
        lengths = [mel.shape[1] for mel in mels]
        np.savez(cache, mels=np.concatenate(mels, 1), lengths=lengths, captions=captions)
    stored = np.load(cache)
    ends = np.cumsum(stored["lengths"])[:-1]
    return np.split(stored["mels"], ends, axis=1), [text.split("|") for text in stored["captions"]]


def crop(mel, frames, random):
    """[80, frames]: a random part, or the clip and then silence."""
    start = random.integers(max(mel.shape[1] - frames, 0) + 1)
    part = mel[:, start:start + frames].astype("f4")
    return np.pad(part, ((0, 0), (0, frames - part.shape[1])), constant_values=-1)
