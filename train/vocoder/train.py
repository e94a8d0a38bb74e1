#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the default vocoder on speech and sounds together.

  python3 train/vocoder/train.py --packs PACKS --work WORK --minutes M [--export models/vocoder.safetensors]

Resumes from WORK/vocoder.pt. Loss: log and linear magnitudes at three of six resolutions, drawn anew
every step, and the mel the models see. The rate falls to nothing at the end of the minutes.
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

RESOLUTIONS = (128, 256, 512, 768, 1024, 2048)
SEGMENT = 8000
BATCH = 16
RATE = 1e-3
CONTROL = 80  # samples between the control points of a made tone


def spectral_loss(made, real, sizes):
    total = 0.0
    for size in sizes:
        window = torch.hann_window(size, device=real.device)
        a, b = (torch.stft(x, size, size // 4, window=window, return_complex=True).abs() + 1e-5
                for x in (made, real))
        converge = torch.linalg.norm(b - a, dim=(1, 2)) / torch.linalg.norm(b, dim=(1, 2)).clamp(min=0.1)
        total = total + converge.mean() + (a.log() - b.log()).abs().mean()
    return total / len(sizes)


def voiced_tone(random):
    """Harmonics of a gliding pitch under a random envelope, over a little noise: clean periodic sound,
    which recordings hardly hold and synthetic voices and instruments do."""
    points = SEGMENT // CONTROL + 1
    glide = np.interp(np.arange(points), np.linspace(0, points, 5), random.uniform(-0.3, 0.3, 5))
    hertz = 60 * 20 ** random.uniform(0, 1) * np.exp(glide)
    ramp = np.arange(CONTROL) / CONTROL
    between = lambda x: (x[:-1, None] + np.diff(x)[:, None] * ramp).ravel().astype("f4")
    turn = np.exp(2j * np.pi * np.cumsum(between(hertz), dtype="f8") / 16000).astype("c8")
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
    return clip * swell + random.standard_normal(SEGMENT) * 10 ** random.uniform(-4.5, -2)


class Clips:
    """Random segments at random gain, half of them at another speed: of eight, five are speech, two
    sounds, one a tone."""

    def __init__(self, folder, work, seed, wanted):
        self.random = np.random.default_rng(seed)
        self.sets = []
        for names in (packs.SPEECH, ("sounds",)):
            found = []
            for name in names:
                samples, rows = packs.open_pack(folder, work, name)
                found += [(samples, row["offset"], row["samples"]) for row in rows
                          if packs.held_out(row) == wanted and row["samples"] > 1600]
            share = np.cumsum([length for _, _, length in found], dtype="f8")
            self.sets.append((found, share / share[-1]))

    def segment(self, of):
        found, share = of
        samples, offset, length = found[np.searchsorted(share, self.random.random())]
        edge = 160  # the Fourier transform wraps around: cut off what it touches
        speed = self.random.uniform(0.8, 1.25) if self.random.random() < 0.5 else 1.0
        wanted = int((SEGMENT + 2 * edge) * speed) // 16 * 16
        start = self.random.integers(0, max(1, length - wanted))
        clip = samples[offset + start:offset + min(length, start + wanted)].astype("f4") / 32768
        clip = np.pad(clip, (0, wanted - len(clip)))
        if speed != 1.0:
            whole = SEGMENT + 2 * edge
            bins = min(wanted, whole) // 2
            clip = np.fft.irfft(np.fft.rfft(clip)[:bins], whole) * (whole / wanted)
        return clip[edge:edge + SEGMENT]

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
    parse.add_argument("--minutes", type=float, default=35)
    parse.add_argument("--threads", type=int, default=1)
    parse.add_argument("--export", default="models/vocoder.safetensors")
    parse.add_argument("--seed", type=int, default=1)
    options = parse.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = Vocos().to(device)
    mel = Mel().to(device)
    adam = torch.optim.AdamW(net.parameters(), lr=RATE, betas=(0.8, 0.99), weight_decay=0.01)
    average = {name: value.clone() for name, value in net.state_dict().items()}
    step, seconds = 0, 0.0
    saved = os.path.join(options.work, "vocoder.pt")
    if os.path.exists(saved):
        state = torch.load(saved, map_location=device)
        net.load_state_dict(state["net"])
        adam.load_state_dict(state["adam"])
        average, step, seconds = state["average"], state["step"], state["seconds"]
    clips = Clips(options.packs, options.work, options.seed + step, False)
    unseen = Clips(options.packs, options.work, 7, True).batch(64).to(device)
    log = open(os.path.join(options.work, "vocoder.log"), "a", buffering=1)
    begun = time.time() - seconds

    def export():
        net_now = {name: value.clone() for name, value in net.state_dict().items()}
        net.load_state_dict(average)
        with torch.no_grad():
            made = net((mel(unseen) + 1) / 2)
            loss = spectral_loss(made, unseen[:, :made.shape[1]], RESOLUTIONS).item()
            error = (mel(made) - mel(unseen)).abs().mean().item() * 57.5
        log.write("step %d held-out spectral %.4f mel_db %.3f\n" % (step, loss, error))
        config = dict(net.config, sample_rate_hz=16000)
        bundle.save(options.export, bundle.half(net, "vocoder."), {
            "format": "meanwave-bundle-1", "family": "vocos", "name": "default vocoder",
            "licence": "CC-BY-4.0", "config": json.dumps(config)})
        net.load_state_dict(net_now)
        torch.save({"net": net.state_dict(), "adam": adam.state_dict(), "average": average,
                    "step": step, "seconds": time.time() - begun}, saved)

    running = 0.0
    while True:
        progress = (time.time() - begun) / 60 / options.minutes
        if progress >= 1:
            break
        for group in adam.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * progress))
        sizes = [int(size) for size in clips.random.choice(RESOLUTIONS, 3, replace=False)]
        real = clips.batch(BATCH).to(device)
        with torch.no_grad():
            seen = mel(real)
        made = net((seen + 1) / 2)
        loss = spectral_loss(made, real[:, :made.shape[1]], sizes) + 10 * (mel(made) - seen).abs().mean()
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
