# SPDX-License-Identifier: GPL-3.0-or-later
"""Described mels: clips of the `sounds` pack, the same far away, soundfont renderings, own synthesis, mixtures."""
import json
import os

import numpy as np
import torch

from common import packs
from common.mel import Mel
from sound import captions, renderings, synthesis

LONGEST = 10.0  # seconds kept of a clip
DISTANT_SHARE = 0.35
SHARES = {"esc10": 0.09, "fx": 0.19, "openclonk": 0.12, "gm": 0.15, "sonicpi": 0.05, "soundfx": 0.05, "ui": 0.03,
          "rendered": 0.20, "made": 0.09, "mixed": 0.03}


def real_clips(folder, work):
    """[(samples, description, kind)] of the clips that may be trained on"""
    samples, rows = packs.open_pack(folder, work, "sounds")
    clips = []
    for row in rows:
        clip = samples[row["offset"]:row["offset"] + row["samples"]].astype("f4") / 32768
        peak = np.abs(clip).max(initial=0)
        if not packs.held_out(row) and len(clip) > 1600 and peak > 1e-3:
            clips.append((clip / peak * 0.8, captions.describe(row), row["path"].split("/")[0]))
    return clips


def variants(clips, random):
    """Some of the clips that are no music, as if far away; others said to be near."""
    far = []
    for clip, description, kind in clips:
        if description["attributes"] or kind in ("gm", "sonicpi", "ui"):
            continue
        if random.random() < DISTANT_SHARE:
            far.append((synthesis.distant(random, clip).astype("f4"),
                        dict(description, attributes={"place": "far"}), kind))
        elif random.random() < 0.5:
            description["attributes"] = {"place": "near"}
    return clips + far


def mixtures(clips, random, count):
    """Two sounds at once or one over the other, at levels that leave both to be heard."""
    mixed = []
    for _ in range(count):
        (a, first, _), (b, second, _) = (clips[i] for i in random.integers(len(clips), size=2))
        size = min(max(len(a), len(b)), int(5 * 16000))
        clip = np.zeros(size, "f4")
        for one, gain in ((a, 1.0), (b, 10 ** random.uniform(-0.4, 0))):
            start = random.integers(max(1, size - len(one) + 1))
            part = one[:size - start]
            clip[start:start + len(part)] += part * gain
        mixed.append((clip / np.abs(clip).max() * 0.8, [first, second], "mixed"))
    return mixed


def build(folder, work, seed):
    random = np.random.default_rng(seed)
    clips = real_clips(folder, work)
    _, rows = packs.open_pack(folder, work, "sounds")
    base = variants(clips, random)
    base += [(clip, description, "rendered")
             for clip, description in renderings.render(random, renderings.names_of(rows), 16, work)]
    base += [synthesis.make(random) + ("made",) for _ in range(3000)]
    everything = [(clip, [description], kind) for clip, description, kind in base]
    everything += mixtures(base, random, 800)
    analysis, mels = Mel(), []
    for clip, _, _ in everything:
        frames = min(len(clip), int(LONGEST * 16000)) // 320 * 2
        with torch.no_grad():
            mels.append(analysis(torch.from_numpy(clip[None, :frames * 160]))[0, :, :frames].numpy().astype("f2"))
    return mels, [{"of": descriptions, "kind": kind} for _, descriptions, kind in everything]


def load(folder, work, seed):
    """-> (list of mels [80, frames] float16, list of {"of": descriptions, "kind"}); kept in WORK"""
    cache = os.path.join(work, "sound-mels")
    if not os.path.exists(cache + ".json"):
        mels, described = build(folder, work, seed)
        np.savez(cache + ".npz", mels=np.concatenate(mels, 1), lengths=[mel.shape[1] for mel in mels])
        with open(cache + ".json", "w", encoding="utf-8") as file:
            json.dump(described, file)
    with open(cache + ".json", encoding="utf-8") as file:
        described = json.load(file)
    stored = np.load(cache + ".npz")
    return np.split(stored["mels"], np.cumsum(stored["lengths"])[:-1], axis=1), described


def chances(described):
    """How often to draw each: the kinds by SHARES, within a kind its labels by the root of their number."""
    labels = {}
    for row in described:
        key = row["kind"], row["of"][0]["label"]
        labels[key] = labels.get(key, 0) + 1
    weight = np.array([labels[row["kind"], row["of"][0]["label"]] ** -0.5 for row in described])
    kinds = np.array([row["kind"] for row in described])
    for kind, share in SHARES.items():
        weight[kinds == kind] *= share / max(weight[kinds == kind].sum(), 1e-9)
    return weight / weight.sum()


def silence():
    """[80, 1]: the mel of digital silence."""
    with torch.no_grad():
        return Mel()(torch.zeros(1, 3200))[0, :, 10:11].numpy()
