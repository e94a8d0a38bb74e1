#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the default vocoder on speech and sounds together.

  python3 train/vocoder/train.py --packs PACKS --work WORK --minutes M [--export models/vocoder.safetensors]

Resumes from WORK/vocoder.pt. First log and linear magnitudes at three of six resolutions, drawn anew every
step, and the mel the models see; for the last part of the minutes small judges of spectrograms join, against
which the vocoder makes its noise and edges real. The excitation's network learns from the tracker's pitch.
Half of the segments are told the pitch, as the voice model tells it, half hear it. The rate falls to
nothing at the end of the minutes. Once the voice and the sound model are there, WORK/remade.npz (remade.py) brings
mels as they make them, blurred, for which the vocoder learns to make the recording.
"""
import argparse
import json
import math
import os
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle
from common.mel import Mel
from common.vocos import Vocos, open_vocoder
from vocoder.clips import Clips
from vocoder.discriminator import judges, likeness_loss, loss_of_judge

RESOLUTIONS = (128, 256, 512, 768, 1024, 2048)
BATCH = 16
EXCITATION_RATE, JUDGE_RATE = 1e-3, 5e-4
ADVERSARIAL_FROM = 0.5, 0.2  # of the minutes; from a bundle
PITCH = dict(bins=64, lowest_hz=50, highest_hz=600, width=48)


def spectral_loss(made, real, sizes):
    total = 0.0
    for size in sizes:
        window = torch.hann_window(size, device=real.device)
        a, b = (torch.stft(x, size, size // 4, window=window, return_complex=True).abs() + 1e-5
                for x in (made, real))
        converge = torch.linalg.norm(b - a, dim=(1, 2)) / torch.linalg.norm(b, dim=(1, 2)).clamp(min=0.1)
        total = total + converge.mean() + (a.log() - b.log()).abs().mean()
    return total / len(sizes)


def excitation_loss(heard, told, noise):
    voicing = told[..., 1]
    off = (heard[..., 0] - told[..., 0]).abs()
    both = torch.nn.functional.binary_cross_entropy_with_logits
    return ((voicing * off).sum() / voicing.sum().clamp(min=1) + both(heard[..., 1], voicing)
            + both(heard[..., 2], noise))


class Trainer:
    def __init__(self, options):
        self.options = options
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.net = (open_vocoder(options.bundle) if options.bundle else Vocos(pitch=PITCH)).to(self.device)
        self.mel = Mel().to(self.device)
        self.judges = judges().to(self.device)
        rest = [value for name, value in self.net.named_parameters() if not name.startswith("excitation.")]
        self.adam = torch.optim.AdamW([{"params": rest, "rate": options.rate},
                                       {"params": list(self.net.excitation.parameters()), "rate": EXCITATION_RATE}],
                                      betas=(0.8, 0.99), weight_decay=0.01)
        self.judge_adam = torch.optim.AdamW(self.judges.parameters(), lr=JUDGE_RATE, betas=(0.8, 0.99))
        self.average = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.step, self.spent = 0, 0.0
        self.saved = os.path.join(options.work, "vocoder.pt")
        if os.path.exists(self.saved):
            state = torch.load(self.saved, map_location=self.device)
            for name in ("net", "adam", "judges", "judge_adam"):
                getattr(self, name).load_state_dict(state[name])
            self.average, self.step, self.spent = state["average"], state["step"], state["spent"]
        remade = os.path.join(options.work, "remade.npz")
        self.clips = Clips(options.packs, options.work, options.seed + self.step, False,
                           remade if os.path.exists(remade) else None)
        self.unseen = [x.to(self.device) for x in Clips(options.packs, options.work, 7, True).batch(64)[:2]]
        self.log = open(os.path.join(options.work, "vocoder.log"), "a", buffering=1)
        self.begun = time.process_time() - self.spent

    def save(self):
        """Judged and exported with averaged weights."""
        own = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.net.load_state_dict(self.average)
        real, told = self.unseen
        for name, pitch in (("told", told), ("heard", None)):
            torch.manual_seed(1)
            with torch.no_grad():
                made = self.net((self.mel(real) + 1) / 2, pitch)
                loss = spectral_loss(made, real[:, :made.shape[1]], RESOLUTIONS).item()
                error = (self.mel(made) - self.mel(real)).abs().mean().item() * 57.5
            self.log.write("step %d held-out, pitch %s: spectral %.4f mel_db %.3f\n"
                           % (self.step, name, loss, error))
        torch.manual_seed(self.options.seed + self.step)
        bundle.save(self.options.export, bundle.half(self.net, "vocoder."), {
            "format": "meanwave-bundle-1", "family": "vocos", "name": "default vocoder",
            "licence": "CC-BY-4.0", "config": json.dumps(dict(self.net.config, sample_rate_hz=16000))})
        self.net.load_state_dict(own)
        torch.save({"net": own, "adam": self.adam.state_dict(), "judges": self.judges.state_dict(),
                    "judge_adam": self.judge_adam.state_dict(), "average": self.average,
                    "step": self.step, "spent": self.spent}, self.saved)

    def train_on(self, real, told, noise, remade, adversarial):
        sizes = [int(size) for size in self.clips.random.choice(RESOLUTIONS, 3, replace=False)]
        with torch.no_grad():
            seen = self.mel(real)
        mel01 = (torch.where(remade.isnan(), seen, remade) + 1) / 2
        heard = self.net.excitation(mel01)
        own = torch.cat([heard[..., :1], torch.sigmoid(heard[..., 1:2])], -1).detach()
        by_ear = torch.rand(len(real), 1, 1, device=real.device) < 0.5
        made = self.net(mel01, torch.where(by_ear, own, told))
        real = real[:, :made.shape[1]]
        loss = spectral_loss(made, real, sizes) + 10 * (self.mel(made) - seen).abs().mean()
        total = loss + excitation_loss(heard, told, noise)
        losses = {"spectral": loss.item(), "excitation": (total - loss).item()}
        if adversarial:
            judge = self.judges[int(self.clips.random.integers(len(self.judges)))]
            part = slice(None, None, 2) if self.step % 2 else slice(1, None, 2)
            real_score, real_seen = judge(real[part])
            false = loss_of_judge(real_score, judge(made[part].detach())[0])
            self.judge_adam.zero_grad(set_to_none=True)
            false.backward()
            torch.nn.utils.clip_grad_norm_(judge.parameters(), 10.0)
            self.judge_adam.step()
            judge.requires_grad_(False)
            score, made_seen = judge(made[part])
            judge.requires_grad_(True)
            like = likeness_loss(real_seen, made_seen)
            total = total + 0.3 * torch.relu(1 - score).mean() + like
            losses.update(judge=false.item(), fooled=score.mean().item(), like=like.item())
        self.adam.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.adam.step()
        return losses

    def run(self):
        running, count = {}, 0
        while self.spent < self.options.minutes * 60:
            progress = self.spent / 60 / self.options.minutes
            share = min(1.0, (self.step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * progress))
            for group in self.adam.param_groups:
                group["lr"] = group["rate"] * share
            losses = self.train_on(*(x.to(self.device) for x in self.clips.batch(BATCH)),
                                   progress >= ADVERSARIAL_FROM[bool(self.options.bundle)])
            self.step += 1
            decay = min(0.998, self.step / (self.step + 50))
            for name, value in self.net.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)
            for name, value in losses.items():
                running[name] = running.get(name, 0.0) + value
            count += 1
            self.spent = time.process_time() - self.begun
            if self.step % 50 == 0:
                self.log.write("step %d %s seconds %.0f\n" % (self.step, " ".join(
                    "%s %.4f" % (name, running[name] / count) for name in sorted(running)), self.spent))
                running, count = {}, 0
            if self.step % 500 == 0:
                self.save()
        self.save()


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--minutes", type=float, default=120)
    parse.add_argument("--threads", type=int, default=1)
    parse.add_argument("--export", default="models/vocoder.safetensors")
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--bundle", help="a vocoder to go on from")
    parse.add_argument("--rate", type=float, default=1e-3)
    options = parse.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    Trainer(options).run()


main()
