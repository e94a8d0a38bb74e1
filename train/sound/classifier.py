# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge's ear: a small convolutional classifier of real clips, kept apart from everything that is trained with."""
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from common import packs
from common.mel import Mel
from sound import renderings, synthesis

FRAMES = 200
FAMILIES = ("piano", "mallets", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe", "lead", "pad",
            "synth effect", "plucked folk", "drums")
ESC = ("chainsaw", "clock_tick", "crackling_fire", "crying_baby", "dog_bark", "helicopter", "rain", "rooster", "sea_waves",
       "sneezing")
# other concepts, by parts of the labels that belong to them; the first match counts
OTHERS = (("thunder", "thunder"), ("wind", "wind_loop windbag_gust wind"), ("cat", "cat_meow"), ("bird", "bird canary chirp"),
          ("cow", "cow_moo"), ("horse", "horse_neigh horse_snort"), ("gunshot", "pistol_fire rifle_fire gunshot gun_shoot ar_fire"),
          ("explosion", "explosion blast cineboom"), ("laser", "laser plasma"), ("whoosh", "whoosh woosh swoosh swash"),
          ("door", "door_close door_open"), ("glass", "glass_break glass_shatter"), ("laughter", "laugh"),
          ("kick", "kick bd_ bass_hard bass_soft"), ("snare", "snare sn_"), ("cymbal", "cymbal hi_hat"), ("bell", "bell chime"),
          ("beep", "beep blip error"), ("alarm", "siren alarm"), ("engine", "engine motor"), ("drum beat", "drum_groove drum_beat"),
          ("drone", "drone"), ("splash", "splash waterdrop water_drip bubble"), ("footstep", "step_hard step_soft"),
          ("applause", "applause hand_clap"), ("insect", "cricket cicada bee grasshopper mosquito"), ("roar", "roar growl snarl"),
          ("riser", "riser"), ("static", "static vinyl_hiss"), ("telephone", "telephone_ring"))
CONCEPTS = ESC + FAMILIES + tuple(name for name, _ in OTHERS)


def concept(label, path=""):
    """The concept of a clip, None for none. Paths gm/NNN_ tell the instrument family."""
    if label in ESC:
        return label
    if label.startswith("808") or label == "kick":
        return "kick"
    if path[:3] == "gm/" and path[3:6].isdigit() and int(path[3:6]) < 112:
        return FAMILIES[int(path[3:6]) // 8]
    for name, parts in OTHERS:
        if any(part in label for part in parts.split()):
            return name
    return None


class Ear(nn.Module):
    """Three 2-D convolutions that halve both axes; mean and maximum over time, ten places in frequency."""

    def __init__(self, classes=len(CONCEPTS)):
        super().__init__()
        sizes = ((1, 16, 5), (16, 32, 3), (32, 64, 3))
        self.layers = nn.ModuleList(nn.Conv2d(a, b, k, 2, k // 2) for a, b, k in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for _, b, _ in sizes)
        self.out = nn.Linear(2 * 64 * 10, classes)

    def forward(self, mel):
        x = mel[:, None]
        for layer, norm in zip(self.layers, self.norms):
            x = F.relu(norm(layer(x)))
        x = torch.cat([x.mean(3), x.amax(3)], 1).flatten(1)
        return self.out(F.dropout(x, 0.4, self.training))


def analyse(analysis, clip):
    """samples -> mel [80, frames] with its peak at one level, so that loudness tells nothing."""
    clip = clip / max(np.abs(clip).max(initial=0), 1e-4) * 0.8
    with torch.no_grad():
        return analysis(torch.from_numpy(clip.astype("f4"))[None])[0].numpy()


def loudest(mel, frames=FRAMES):
    """The loudest part of a clip, filled up with its quietest value."""
    if mel.shape[1] < frames:
        return np.pad(mel, ((0, 0), (0, frames - mel.shape[1])), constant_values=-0.81)
    level = np.concatenate([[0], np.cumsum(mel.mean(0))])
    start = int(np.argmax(level[frames:] - level[:-frames]))
    return mel[:, start:start + frames]


def real_clips(folder, work, unseen):
    """[(samples, concept, row)] of one side of the split"""
    samples, rows = packs.open_pack(folder, work, "sounds")
    clips = []
    for row in rows:
        clip = samples[row["offset"]:row["offset"] + row["samples"]].astype("f4") / 32768
        if packs.held_out(row) == unseen and len(clip) > 1600 and np.abs(clip).max() > 1e-3:
            clips.append((clip[:160000], concept(row["label"], row["path"]), row))
    return clips


def train(folder, work, steps=1500, seed=11):
    """-> an Ear trained on the clips that the model was trained on, too, on renderings and own synthesis; kept in
    WORK"""
    path = os.path.join(work, "sound-ear.pt")
    ear = Ear()
    if os.path.exists(path):
        ear.load_state_dict(torch.load(path, map_location="cpu"))
        return ear.eval()
    torch.manual_seed(seed)
    random, analysis = np.random.default_rng(seed), Mel()
    known = [(analyse(analysis, clip), CONCEPTS.index(name)) for clip, name, _ in real_clips(folder, work, False) if name]
    _, rows = packs.open_pack(folder, work, "sounds")
    names = {int(row["path"][3:6]): row["label"] for row in rows if row["path"][3:6].isdigit()}
    programs = {name: program for program, name in names.items() if program < 112}
    for clip, of in renderings.render(random, [names.get(i, "") for i in range(128)], 4, work):
        if of["label"] in programs:
            known.append((analyse(analysis, clip), CONCEPTS.index(FAMILIES[programs[of["label"]] // 8])))
    for _ in range(500):
        clip, of = synthesis.make(random)
        if concept(of["label"]):
            known.append((analyse(analysis, clip), CONCEPTS.index(concept(of["label"]))))
    counts = np.bincount([name for _, name in known], minlength=len(CONCEPTS))
    share = np.cumsum([counts[name] ** -0.6 for _, name in known])
    optimiser = torch.optim.AdamW(ear.parameters(), 2e-3, weight_decay=0.05)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 2e-3 * 0.5 * (1 + np.cos(np.pi * step / steps))
        mels, names = [], []
        for i in np.searchsorted(share, random.random(32) * share[-1]):
            mel, name = known[i]
            part = loudest(mel) if random.random() < 0.5 or mel.shape[1] <= FRAMES else \
                mel[:, (start := random.integers(mel.shape[1] - FRAMES)):start + FRAMES]
            part = np.roll(part, random.integers(-15, 16), 1) + random.normal(0, 0.05) \
                + random.normal(0, 0.06, (80, 1)) * (random.random() < 0.5)
            low, wide = random.integers(80), random.integers(12)
            part[low:low + wide] = part.mean()
            mels.append(part + random.normal(0, 0.04, part.shape))
            names.append(name)
        loss = F.cross_entropy(ear(torch.from_numpy(np.stack(mels).astype("f4"))), torch.tensor(names), label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.save(ear.state_dict(), path)
    return ear.eval()


@torch.no_grad()
def hear(ear, mels, among=CONCEPTS):
    """-> the likeliest concept of each mel among some"""
    places = [CONCEPTS.index(name) for name in among]
    said = ear(torch.from_numpy(np.stack([loudest(mel) for mel in mels]).astype("f4")))[:, places]
    return [among[i] for i in said.argmax(1)]
