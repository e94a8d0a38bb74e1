# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge's ear: a convolutional classifier of real clips, kept apart from everything that is trained with.

  python3 train/sound/classifier.py --packs PACKS --work WORK [--fold N] [--steps N]

prints how many held-out clips it tells right; with --fold, of one quarter of the clips that may be trained on, left out, the
figure to choose by. It has a front end of its own: two spectra of semitone bands, of long frames that part
harmonics and of short ones that part onsets.
"""
import argparse
import os
import re
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import packs
from sound import renderings, synthesis

FRAMES, HOP = 100, 320   # 2 s
BANDS, LOWEST_HZ = 86, 55.0
FLOOR = -8.0             # of log10 of power
ROUNDS, STEPS, RATE, MIX = 16, 4500, 3e-3, 0.5
FAMILIES = ("piano", "mallets", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe", "lead", "pad",
            "synth effect", "plucked folk", "drums")
ESC = ("chainsaw", "clock_tick", "crackling_fire", "crying_baby", "dog_bark", "helicopter", "rain", "rooster", "sea_waves",
       "sneezing")
# instruments that General MIDI files under another family than they belong to by how they sound
MOVED = {"timpani": "drums", "fiddle": "strings", "bagpipe": "reed", "shanai": "reed"}
# other concepts, by words of the labels or beginnings of them; the first match counts
OTHERS = (("thunder", "thunder"), ("wind", "wind"), ("cat", "cat_meow"), ("bird", "bird canary parrot"),
          ("cow", "cow_moo"), ("horse", "horse_neigh horse_snort"), ("gunshot", "pistol_fire rifle_fire gunshot gun_shoot ar_fire"),
          ("explosion", "explosion blast cineboom"), ("laser", "laser plasma"), ("whoosh", "whoosh woosh swoosh swash"),
          ("door", "door_close door_open"), ("glass", "glass_break glass_shatter"), ("laughter", "laugh"),
          ("kick", "kick bd_ drum_bass"), ("snare", "snare sn_"), ("cymbal", "cymbal hi_hat drum_splash"),
          ("roar", "roar growl snarl bellow"), ("bell", "bell doorbell cowbell chime"), ("beep", "beep blip error"),
          ("alarm", "siren alarm"), ("engine", "engine motor"), ("drum beat", "drum_groove drum_beat"), ("drone", "drone"),
          ("splash", "splash waterdrop water_drip bubble"), ("footstep", "step_hard step_soft"), ("applause", "applause"),
          ("insect", "cricket cicada bee bumble_bee grasshopper mosquito"), ("riser", "riser"), ("static", "static vinyl_hiss"),
          ("telephone", "telephone_ring"))
CONCEPTS = ESC + FAMILIES + tuple(name for name, _ in OTHERS)


def concept(label, path=""):
    """The concept of a clip, None for none. Paths gm/NNN_ tell the instrument family."""
    if label in ESC or label in MOVED:
        return MOVED.get(label, label)
    if label.startswith("808") or label == "kick":
        return "kick"
    if path[:3] == "gm/" and path[3:6].isdigit() and int(path[3:6]) < 119 and label != "tinkle_bell":
        return FAMILIES[int(path[3:6]) // 8]
    for name, parts in OTHERS:
        if any("_" + part in "_" + label for part in parts.split()) and not label.endswith("_dry"):  # a gun's click
            return name
    return None


class Spectra(nn.Module):
    """samples [n] -> [2, BANDS, 1 + n / HOP]: log10 of power around each semitone."""

    def __init__(self):
        super().__init__()
        centres = LOWEST_HZ * 2 ** (np.arange(BANDS) / 12)
        hertz = np.arange(1025) * 16000 / 2048
        wide = np.maximum(centres * (2 ** (1 / 12) - 1), 16000 / 2048)
        triangles = np.maximum(0, 1 - np.abs(hertz - centres[:, None]) / wide[:, None])
        self.register_buffer("basis", torch.from_numpy(triangles.astype("f4")))

    def forward(self, samples):
        both = [torch.stft(samples, 2048, HOP, size, torch.hann_window(size) / size, pad_mode="constant",
                           return_complex=True).abs() ** 2 for size in (2048, 512)]
        return torch.log10(self.basis @ torch.stack(both) + 10 ** FLOOR)


class Block(nn.Module):
    """Halves both axes; two convolutions beside a shortcut."""

    def __init__(self, inside, outside):
        super().__init__()
        self.first, self.second = nn.Conv2d(inside, outside, 3, 2, 1), nn.Conv2d(outside, outside, 3, 1, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outside) for _ in range(2))
        self.short = nn.Conv2d(inside, outside, 1)

    def forward(self, x):
        y = self.norms[1](self.second(F.relu(self.norms[0](self.first(x)))))
        return F.relu(self.short(F.avg_pool2d(x, 2, ceil_mode=True)) + y)


class Ear(nn.Module):
    """Mean and maximum over time of what four layers hear, six places in frequency; concepts first, then all labels."""

    def __init__(self, outputs, widths=(16, 32, 64, 128)):
        super().__init__()
        self.entry, self.norm = nn.Conv2d(2, widths[0], 5, 2, 2), nn.BatchNorm2d(widths[0])
        self.blocks = nn.ModuleList(Block(a, b) for a, b in zip(widths, widths[1:]))
        self.out = nn.Linear(2 * widths[-1] * 6, outputs)

    def forward(self, x):
        x = F.relu(self.norm(self.entry(x / 2 + 2)))
        for block in self.blocks:
            x = block(x)
        return self.out(F.dropout(torch.cat([x.mean(3), x.amax(3)], 1).flatten(1), 0.3, self.training))


def analyse(clip, spectra=Spectra()):
    """samples -> [2, BANDS, frames], the peak at one level, so that loudness tells nothing."""
    with torch.no_grad():
        return spectra(torch.from_numpy((clip / max(np.abs(clip).max(initial=0), 1e-4)).astype("f4")))


def group(row):
    """What must not be on both sides of a split: parts of one recording, takes of one sound."""
    if row["origin"].startswith("http"):
        return row["origin"]
    return row["path"] if row["path"].startswith("gm/") else re.sub(r"\d+(alt)?\.opus$", "", row["path"])


def real_clips(folder, work, unseen):
    """[(samples, concept, row)] of one side of the split"""
    samples, rows = packs.open_pack(folder, work, "sounds")
    clips = []
    for row in rows:
        clip = samples[row["offset"]:row["offset"] + row["samples"]].astype("f4") / 32768
        if packs.held_out(row) == unseen and len(clip) > 1600 and np.abs(clip).max() > 1e-3:
            clips.append((clip[:160000], concept(row["label"], row["path"]), row))
    return clips


def in_fold(row, fold):
    return sum(group(row).encode()) % 4 == fold


def material(folder, work, seed, fold):
    """-> [(spectra, concept or None, label)]: clips without those of the fold or of recordings that are held out,
    renderings, own synthesis"""
    random, real = np.random.default_rng(seed), real_clips(folder, work, False)
    unseen = {group(row) for _, _, row in real_clips(folder, work, True)}
    clips = [(clip, name, row["label"]) for clip, name, row in real
             if group(row) not in unseen and not in_fold(row, fold)]
    _, rows = packs.open_pack(folder, work, "sounds")
    names = renderings.names_of(rows)
    programs = {name: "gm/%03d" % program for program, name in enumerate(names)}
    for clip, of in renderings.render(random, names, ROUNDS, work):
        clips.append((clip, concept(of["label"], programs.get(of["label"], "")), of["label"]))
    for _ in range(1500):
        clip, of = synthesis.make(random)
        clips.append((clip, concept(of["label"]), of["label"]))
    return [(analyse(clip).half(), name, label) for clip, name, label in clips]


def part(spectra, start, frames=FRAMES):
    """A part, filled up with silence where the clip ends."""
    some = spectra[:, :, start:start + frames].float()
    return F.pad(some, (0, frames - some.shape[2]), value=FLOOR)


def disturb(random, some):
    """Random parts at another speed and pitch, louder or fainter, coloured, in noise, with holes: [n, 2, BANDS, FRAMES]"""
    frames, parts = int(FRAMES * 2 ** random.uniform(-0.3, 0.3)), []
    for spectra in some:
        start = int(random.integers(-frames // 4, max(spectra.shape[2] - frames, 0) + frames // 4 + 1))
        x = F.pad(part(spectra, max(start, 0), frames + min(start, 0)), (max(-start, 0), 0), value=FLOOR)
        shift, low, early = int(random.integers(-3, 4)), random.integers(BANDS), random.integers(frames)
        x = F.pad(x, (0, 0, shift, -shift), value=FLOOR)
        x[:, low:low + random.integers(12)] = x.mean()
        x[:, :, early:early + random.integers(15)] = FLOOR
        parts.append(x)
    many = len(parts)
    knots = random.normal(0, 0.25, (many, 1, 6)) + random.normal(0, 0.4, (many, 1, 1))
    colour = F.interpolate(torch.from_numpy(knots), BANDS, mode="linear")
    noise = random.uniform(FLOOR - 1, -5, (many, 1)) + np.linspace(0, random.uniform(-1, 2, many), BANDS, axis=1)
    x = F.interpolate(torch.stack(parts), (BANDS, FRAMES)) + colour.float()[..., None]
    return torch.maximum(x, torch.from_numpy(noise.astype("f4"))[:, None, :, None] + 0.3 * torch.randn(x.shape))


def train(folder, work, fold=None, steps=STEPS, seed=11):
    """-> an Ear trained on the clips that the model was trained on, too, on renderings and own synthesis; kept in
    WORK. It is the running mean of the weights."""
    path = os.path.join(work, "sound-ear%s.pt" % ("" if fold is None else fold))
    if os.path.exists(path):
        saved = torch.load(path, map_location="cpu")
        ear = Ear(len(saved["out.bias"]))
        ear.load_state_dict(saved)
        return ear.eval()
    torch.manual_seed(seed)
    random, known = np.random.default_rng(seed), material(folder, work, seed, fold)
    labels = sorted({label for _, _, label in known})
    concepts = torch.tensor([CONCEPTS.index(name) if name else -1 for _, name, _ in known])
    details = torch.tensor([labels.index(label) for _, _, label in known])
    classes = [name or label for _, name, label in known]
    share = np.cumsum([classes.count(one) ** -0.6 * (1.0 if name else 0.3) for one, (_, name, _) in zip(classes, known)])
    ear = Ear(len(CONCEPTS) + len(labels))
    mean = torch.optim.swa_utils.AveragedModel(ear, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.997),
                                               use_buffers=True)
    optimiser = torch.optim.AdamW(ear.parameters(), RATE, weight_decay=0.05)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = RATE * min(1, step / 100) * 0.5 * (1 + np.cos(np.pi * step / steps))
        places = np.searchsorted(share, random.random(32) * share[-1])
        x = disturb(random, [known[i][0] for i in places])
        other = torch.randperm(32)
        keep = float(random.beta(0.3, 0.3)) if random.random() < MIX else 1.0
        with torch.autocast("cpu", torch.bfloat16):
            said = ear(keep * x + (1 - keep) * x[other]).float()
        loss = 0
        for weight, some in ((keep, places), (1 - keep, places[other])):
            for part_of, right, share_of in ((said[:, :len(CONCEPTS)], concepts[some], 1.0),
                                             (said[:, len(CONCEPTS):], details[some], 0.5)):
                loss += weight * share_of * F.cross_entropy(part_of, right, ignore_index=-1, label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        mean.update_parameters(ear)
    torch.save(mean.module.state_dict(), path)
    return mean.module.eval()


@torch.no_grad()
def scores(ear, clip, among=CONCEPTS):
    """-> log of how likely each of some concepts is: the mean over parts half of their length apart, each counted by its
    level"""
    spectra = analyse(clip)
    starts = range(0, max(spectra.shape[2] - FRAMES // 2, 1), FRAMES // 2)
    parts = torch.stack([part(spectra, start) for start in starts])
    level = torch.softmax(parts[:, 0].mean((1, 2)) * 2, 0)
    places = [CONCEPTS.index(name) for name in among]
    return (torch.log_softmax(ear(parts)[:, places], 1) * level[:, None]).sum(0)


def hear(ear, clips, among=CONCEPTS):
    """-> the likeliest concept of each clip among some"""
    return [among[scores(ear, clip, among).argmax()] for clip in clips]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--packs", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--fold", type=int, choices=range(4))
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ear = train(options.packs, options.work, options.fold, options.steps)
    test = [(clip, name, row) for clip, name, row in real_clips(options.packs, options.work, options.fold is None)
            if name and (options.fold is None or in_fold(row, options.fold))]
    for title, names in (("ESC-10 classes", ESC), ("instrument families", FAMILIES), ("all concepts", CONCEPTS)):
        some = [(clip, name) for clip, name, _ in test if name in names]
        heard = hear(ear, [clip for clip, _ in some], names)
        hits = sum(a == b for a, (_, b) in zip(heard, some))
        print("%s: %d of %d right, %.0f %%" % (title, hits, len(some), 100 * hits / len(some)))
        wrong = sorted("%s->%s" % (b, a) for a, (_, b) in zip(heard, some) if a != b)
        print("   " + ", ".join("%s %d" % (one, wrong.count(one)) for one in dict.fromkeys(wrong)))


if __name__ == "__main__":
    main()
