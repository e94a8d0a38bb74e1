#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the default vocoder on speech and sounds together.

  python3 train/vocoder/train.py --packs PACKS --work WORK [--steps N] [--export models/vocoder.safetensors]

Resumes from WORK/vocoder.pt, or starts from the exported bundle when only that is there. Loss:
log and linear magnitudes at four resolutions, and the mel the models see.
"""
import argparse
import json
import math
import os
import sys
import time

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle, packs
from common.mel import Mel
from common.vocos import Vocos

RESOLUTIONS = ((256, 64), (512, 128), (1024, 256), (2048, 512))
SEGMENT = 16000
BATCH = 16


def spectral_loss(made, real, windows):
    total = 0.0
    for (size, hop), window in zip(RESOLUTIONS, windows):
        a, b = (torch.stft(x, size, hop, window=window, return_complex=True).abs() + 1e-5
                for x in (made, real))
        converge = torch.linalg.norm(b - a, dim=(1, 2)) / torch.linalg.norm(b, dim=(1, 2)).clamp(min=0.1)
        total = total + converge.mean() + (a.log() - b.log()).abs().mean()
    return total / len(RESOLUTIONS)


def voiced_tone(random):
    """Harmonics of a gliding pitch under a random envelope, over a little noise: clean periodic sound,
    which recordings hardly hold and synthetic voices and instruments do."""
    glide = np.interp(np.arange(SEGMENT), np.linspace(0, SEGMENT, 5), random.uniform(-0.3, 0.3, 5))
    phase = 2 * np.pi * np.cumsum(random.uniform(70, 500) * np.exp(glide)) / 16000
    pitch = np.gradient(phase) * 16000 / 2 / np.pi
    tilt = random.uniform(0.3, 1.5)
    centres = random.uniform(200, 5000, 4)
    widths = random.uniform(80, 600, 4)
    clip = np.zeros(SEGMENT)
    for harmonic in range(1, 90):
        hertz = pitch * harmonic
        if hertz.min() > 7900:
            break
        level = harmonic ** -tilt * (0.1 + sum(np.exp(-((hertz - c) / w) ** 2)
                                               for c, w in zip(centres, widths)))
        clip += np.where(hertz < 7900, level, 0) * np.cos(harmonic * phase)
    clip /= np.abs(clip).max() + 1e-6
    swell = np.interp(np.arange(SEGMENT), np.linspace(0, SEGMENT, 6), random.uniform(0, 1, 6))
    return clip * swell + random.standard_normal(SEGMENT) * 10 ** random.uniform(-4.5, -2)


class Clips:
    """Random segments at random gain and speed: of eight, five are speech, two sounds, one a tone."""

    def __init__(self, folder, work, seed, wanted):
        self.random = np.random.default_rng(seed)
        self.sets = []
        for names in (packs.SPEECH, ("sounds",)):
            found = []
            for name in names:
                samples, rows = packs.open_pack(folder, work, name)
                found += [(samples, row["offset"], row["samples"]) for row in rows
                          if packs.held_out(row) == wanted and row["samples"] > 1600]
            lengths = np.array([length for _, _, length in found], float)
            self.sets.append((found, lengths / lengths.sum()))

    def segment(self, of):
        found, share = of
        samples, offset, length = found[self.random.choice(len(found), p=share)]
        speed = self.random.uniform(0.8, 1.25)
        wanted = int(SEGMENT * speed) + 2
        start = self.random.integers(0, max(1, length - wanted))
        clip = samples[offset + start:offset + min(length, start + wanted)].astype("f4") / 32768
        clip = np.pad(clip, (0, wanted - len(clip)))
        return np.interp(np.arange(SEGMENT) * speed, np.arange(wanted), clip)

    def batch(self, count):
        rows = []
        for i in range(count):
            if i % 8 == 7:
                clip = voiced_tone(self.random)
            else:
                clip = self.segment(self.sets[1 if i % 4 == 3 or i % 8 == 1 else 0])
            peak = np.abs(clip).max() + 1e-4
            rows.append(clip * min(self.random.uniform(0.2, 1.0) / peak, 8.0))
        return torch.from_numpy(np.stack(rows).astype("f4"))


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--steps", type=int, default=20000)
    parse.add_argument("--minutes", type=float, default=1e9, help="stop and export after this long")
    parse.add_argument("--threads", type=int, default=1)
    parse.add_argument("--export", default="models/vocoder.safetensors")
    parse.add_argument("--seed", type=int, default=1)
    options = parse.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = Vocos().to(device)
    mel = Mel().to(device)
    windows = [torch.hann_window(size, device=device) for size, _ in RESOLUTIONS]
    adam = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.8, 0.99), weight_decay=0.01)
    average = {name: value.clone() for name, value in net.state_dict().items()}
    step = 0
    saved = os.path.join(options.work, "vocoder.pt")
    if os.path.exists(saved):
        state = torch.load(saved, map_location=device)
        net.load_state_dict(state["net"])
        adam.load_state_dict(state["adam"])
        average, step = state["average"], state["step"]
    elif os.path.exists(options.export):
        tensors, _ = bundle.load(options.export)
        net.load_state_dict({name[len("vocoder."):]: torch.from_numpy(value.astype("f4"))
                             for name, value in tensors.items()})
        average = {name: value.clone() for name, value in net.state_dict().items()}
    clips = Clips(options.packs, options.work, options.seed + step, False)
    unseen = Clips(options.packs, options.work, 7, True).batch(32).to(device)
    log = open(os.path.join(options.work, "vocoder.log"), "a", buffering=1)
    begun = time.time()

    def export():
        net_now = {name: value.clone() for name, value in net.state_dict().items()}
        net.load_state_dict(average)
        with torch.no_grad():
            made = net((mel(unseen) + 1) / 2)
            loss = spectral_loss(made, unseen[:, :made.shape[1]], windows).item()
            error = (mel(made) - mel(unseen)).abs().mean().item() * 57.5
        log.write("step %d held-out spectral %.4f mel_db %.3f\n" % (step, loss, error))
        config = dict(net.config, sample_rate_hz=16000)
        bundle.save(options.export, bundle.half(net, "vocoder."), {
            "format": "meanwave-bundle-1", "family": "vocos", "name": "default vocoder",
            "licence": "CC-BY-4.0", "config": json.dumps(config)})
        net.load_state_dict(net_now)
        torch.save({"net": net.state_dict(), "adam": adam.state_dict(), "average": average,
                    "step": step}, saved)

    running = 0.0
    while step < options.steps and time.time() - begun < options.minutes * 60:
        # the rate follows whichever ends first, the steps or the minutes
        progress = max(step / options.steps, (time.time() - begun) / 60 / options.minutes)
        for group in adam.param_groups:
            group["lr"] = 1e-3 * min(1.0, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(progress, 1))))
        real = clips.batch(BATCH).to(device)
        with torch.no_grad():
            seen = mel(real)
        made = net((seen + 1) / 2)
        loss = spectral_loss(made, real[:, :made.shape[1]], windows) + 10 * (mel(made) - seen).abs().mean()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        step += 1
        decay = min(0.998, step / (step + 50))
        for name, value in net.state_dict().items():
            average[name].lerp_(value, 1 - decay)
        running += loss.item()
        if step % 50 == 0:
            log.write("step %d loss %.4f seconds %.0f\n" % (step, running / 50, time.time() - begun))
            running = 0.0
        if step % 500 == 0:
            export()
    export()


main()
