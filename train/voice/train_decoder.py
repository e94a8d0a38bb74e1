#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the decoder: mel from noise, content features, pitch, a speaker vector and a prompt.

  python3 train/voice/train_decoder.py --packs PACKS --work WORK [--minutes M]

The content encoder hears the clip through another throat (perturb.py) and follows at a part of the
rate, held to the phones of the aligned clips. Pitch is the clip's own. Speaker vector (network fixed)
and prompt come from another clip of the speaker, or from elsewhere in it where there is but one. Every
batch is used twice: first the past chunks are the recording, blurred and with noise, then what the
network just made of them, as when it streams. A past in the right voice would tell the timbre, and
neither vector nor prompt would be heard: so two of five are moved to another throat, one is silent.
The second time half of the clips are converted to the voice of a neighbour in the batch, where only
the speaker encoder's judgement and the loudness of the frames are known. Resumes from WORK/decoder.pt.
"""
import argparse
import math
import os
import sys
import time

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common.mel import slaney_to_hz
from voice.cache import Features, held_out
from voice.convert import sample, to_mel_rate
from voice.decoder import Decoder
from voice.encoder import Encoder
from voice.perturb import perturb
from voice.speaker import Speaker
from voice.train_encoder import SMALL
from voice.train_speaker import crop

FRAMES = 128
PROMPT = 160
BATCH = 10
SIZES = dict(dim=256, heads=2, dim_head=64, depth=4, ff_mult=2, bn=SMALL["dim"], chunk=8,
             pitch=dict(bins=64, lowest_hz=50, highest_hz=600))
SOURCES = {"LibriSpeech train-clean-100": 0.30, "speechocean762": 0.28, "LJSpeech": 0.11,
           "Kathleen": 0.09, "Kerstin": 0.06, "Nathalie": 0.06, "Arabic Speech Commands": 0.05,
           "speech-to-intent-benchmark": 0.05}  # shares of the crops


def load_encoder(work):
    """-> the content encoder and its phone classifier"""
    state = torch.load(os.path.join(work, "encoder.pt"))
    net, head = Encoder(**SMALL), torch.nn.Linear(SMALL["dim"], len(state["symbols"]))
    torch.nn.ModuleList([net, head]).load_state_dict(state["net"])
    return net, head


def load_centres(work):
    """-> {speaker: the direction of its vectors}, of those the speaker encoder was trained on"""
    state = torch.load(os.path.join(work, "speaker.pt"))
    return dict(zip(state["names"], torch.nn.functional.normalize(state["centres"].detach())))


def load_speaker(work):
    net = Speaker()
    net.load_state_dict(torch.load(os.path.join(work, "speaker.pt"))["net"])
    return net.eval().requires_grad_(False)


class Pairs:
    """Crops with a prompt of the same speaker and the phones where they are known."""

    def __init__(self, features, work, unseen, seed):
        self.features = features
        self.random = np.random.default_rng(seed)
        rows = [row for row in features.rows if row["source"] in SOURCES
                and held_out(row) == unseen and row["frames"] > FRAMES + 4
                and (row["speaker"] or row["frames"] > FRAMES + PROMPT + 50)]
        self.rows = rows
        self.clips = {}
        for row in rows:
            self.clips.setdefault(row["speaker"] or row["path"], []).append(row)
        total = {}
        for row in rows:
            total[row["source"]] = total.get(row["source"], 0) + row["frames"]
        share = np.array([SOURCES[row["source"]] * row["frames"] / total[row["source"]] for row in rows])
        self.share = share / share.sum()
        paths = np.load(os.path.join(work, "paths.npz"))
        begin, path = paths["begin"], paths["path"]
        self.paths = {frame: path[a:b] for frame, a, b in zip(paths["frame"], begin, begin[1:])}

    def batch(self, size):
        """-> fbank [B, 131, 80], mel [B, 128, 80], pitch [B, 128, 2], prompt [B, 160, 80],
        phones [B, 32], -1 where unknown"""
        random, f = self.random, self.features
        made = [[], [], [], [], []]
        self.drawn = random.choice(len(self.rows), size, p=self.share)
        for i in self.drawn:
            row = self.rows[i]
            start = 4 * int(random.integers(0, (row["frames"] - FRAMES - 4) // 4 + 1))
            at = row["frame"] + start
            made[0].append(f.fbank[at:at + FRAMES + 3])
            made[1].append(f.mel[at:at + FRAMES])
            made[2].append(f.pitch[at:at + FRAMES])
            others = self.clips[row["speaker"] or row["path"]]
            if len(others) > 1:
                other = others[int(random.integers(len(others)))]
                while other is row:
                    other = others[int(random.integers(len(others)))]
            else:  # the longer of the parts before and behind
                before, behind = start, row["frames"] - start - FRAMES
                other = dict(frame=row["frame"] + (0 if before > behind else start + FRAMES),
                             frames=max(before, behind))
            made[3].append((crop(f, other, random, PROMPT) + random.uniform(-0.15, 0.1)).clip(-1, 1))
            path = self.paths.get(row["frame"])
            made[4].append(np.full(FRAMES // 4, -1) if path is None
                           else path[start // 4:start // 4 + FRAMES // 4].astype("i8"))
        return [torch.from_numpy(np.stack(x).astype("i8" if k == 4 else "f4"))
                for k, x in enumerate(made)]


def weighted(error):
    """Per-frame squared error with MeanVC's adaptive weight (power 0.5)."""
    frame = (error ** 2).mean(-1)
    return (frame / (frame.detach() + 1e-3).sqrt()).mean()


def blurred(mel, random):
    """A past as the network would have made it: smoothed along time and frequency, with noise."""
    size = len(mel)
    smooth = torch.nn.functional.avg_pool2d(mel[:, None], (3, 3), 1, 1, count_include_pad=False)[:, 0]
    share, noise = (torch.from_numpy(random.random((size, 1, 1)).astype("f4")) for _ in range(2))
    return mel + share * (smooth - mel) + 0.15 * noise * torch.randn_like(mel)


def other_throat(mel, random):
    """mel [B, T, 80] -> the same with formants and pitch moved and another curve of gain, or silence"""
    centres = slaney_to_hz(np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), 82))[1:-1]
    made = mel.clone()
    for i in range(len(mel)):
        draw = random.random()
        if draw < 0.4:
            at = np.interp(centres * 2 ** random.uniform(-0.25, 0.25), centres, np.arange(80)).clip(0, 78.99)
            low = torch.from_numpy(at.astype("i8"))
            share = torch.from_numpy((at % 1).astype("f4"))
            slope = torch.linspace(-1, 1, 80) * random.uniform(-0.1, 0.1)
            made[i] = mel[i][:, low] * (1 - share) + mel[i][:, low + 1] * share + slope
        elif draw < 0.6:
            made[i] = -1
    return made


class Trainer:
    def __init__(self, options):
        self.options = options
        self.encoder, self.head = load_encoder(options.work)
        self.speaker = load_speaker(options.work)
        self.centres = load_centres(options.work)
        self.net = Decoder(**SIZES)
        self.all = torch.nn.ModuleList([self.net, self.encoder, self.head])
        self.average = {name: value.clone() for name, value in self.all.state_dict().items()}
        self.adam = torch.optim.AdamW([{"params": self.net.parameters(), "scale": 1.0},
                                       {"params": self.encoder.parameters(), "scale": 0.5},
                                       {"params": self.head.parameters(), "scale": 0.5}],
                                      lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)
        self.saved = os.path.join(options.work, "decoder.pt")
        self.step, self.spent = 0, 0.0
        if os.path.exists(self.saved):
            state = torch.load(self.saved)
            self.all.load_state_dict(state["all"])
            self.average = state["average"]
            self.adam.load_state_dict(state["adam"])
            self.step, self.spent = state["step"], state["spent"]
        features = Features(options.packs, options.work)
        self.pairs = Pairs(features, options.work, False, options.seed + self.step)
        self.unseen = Pairs(features, options.work, True, 5).batch(24)
        self.random = np.random.default_rng(options.seed + self.step)
        self.log = open(os.path.join(options.work, "decoder.log"), "a", buffering=1)
        self.log.write("clips %d of %d speakers, %.2f M parameters\n"
                       % (len(self.pairs.rows), len(self.pairs.clips),
                          sum(p.numel() for p in self.net.parameters()) / 1e6))
        self.begun = time.process_time() - self.spent

    def rate(self):
        progress = self.spent / 60 / self.options.minutes
        fall = max(0.0, progress - 0.5) / 0.5
        return 1.5e-3 * min(1, (self.step + 1) / 100) * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * fall)))

    def save(self):
        """Judged and kept with averaged weights."""
        fbank, mel, pitch, prompt, _ = self.unseen
        own = {name: value.clone() for name, value in self.all.state_dict().items()}
        self.all.load_state_dict(self.average)
        with torch.no_grad():
            spk = self.speaker(prompt.transpose(1, 2))
            cond = to_mel_rate(self.encoder(fbank)[:, :FRAMES // 4])
            cond = cond + self.net.pitch_embed(pitch)
            noise = torch.randn(mel.shape, generator=torch.Generator().manual_seed(9))
            for times in ((1.0, 0.0), (1.0, 0.8, 0.0)):
                error = (sample(self.net, cond, spk, prompt, noise, times) - mel).abs().mean() * 57.5
                self.log.write("step %d held-out speakers, %d steps: mel error %.2f dB\n"
                               % (self.step, len(times) - 1, error))
        self.all.load_state_dict(own)
        torch.save({"all": own, "average": self.average, "adam": self.adam.state_dict(),
                    "step": self.step, "spent": self.spent, "config": self.net.config}, self.saved)

    def swapped(self, batch, spk, voices):
        """The first half of the batch converted to their neighbours in the second half."""
        fbank, mel, pitch, prompt, phones = batch
        size = len(mel)
        order = torch.cat([torch.arange(size // 2, size), torch.arange(size // 2, size)])[:size]
        voiced = pitch[..., 1].sum(1)
        mean = (pitch[..., 0] * pitch[..., 1]).sum(1) / voiced.clamp(min=1)
        known = (voiced > 10) & (voiced[order] > 10)
        moved = pitch.clone()
        moved[..., 0] += torch.where(known, mean[order] - mean, torch.zeros(size))[:, None]
        return (fbank, mel, moved, prompt[order], phones), spk[order], voices[order]

    def train_on(self, batch, spk, past, voices=None):
        """`voices` [B, s]: directions of the speaker vectors wanted, when the first half of the batch
        is converted -> (the mel made in one step, detached; losses)"""
        fbank, mel, pitch, prompt, phones = batch
        size = len(mel)
        # streams count content frames up to 108 before they are set back
        features = self.encoder(perturb(fbank, self.random), int(self.random.integers(0, 109)))
        features = features[:, :FRAMES // 4]
        said = torch.nn.functional.cross_entropy(self.head(features).flatten(0, 1), phones.flatten(),
                                                 ignore_index=-1, reduction="sum")
        said = said / (phones >= 0).sum().clamp(min=1)
        cond = to_mel_rate(features) + self.net.pitch_embed(pitch)
        timbre = self.net.timbre_encoder(cond, prompt, spk)
        t = torch.where(torch.rand(size) < 0.8, torch.ones(size), 0.2 + 0.8 * torch.rand(size))
        r = torch.where((t == 1) & (torch.rand(size) < 0.25), torch.rand(size), torch.zeros(size))
        noise = torch.randn_like(mel)
        length = t[:, None, None]
        z = mel + length * (noise - mel)
        u = self.net(z, past, timbre, spk, t, r)
        made = z - length * u
        own = slice(0, size) if voices is None else slice(size // 2, size)
        loss = weighted((made - mel)[own])
        total = loss + 0.1 * said
        losses = {"mel": loss.item(), "phones": said.item()}
        if voices is not None:
            heard = torch.nn.functional.normalize(self.speaker(made.transpose(1, 2)))
            far = 1 - (heard * voices).sum(1)
            louder = (made - mel)[:size // 2].mean(2)
            louder = (louder - louder.mean(1, keepdim=True)).abs().mean()
            total = total + 0.4 * far.mean() + 0.3 * louder
            losses.update(far_own=far[size // 2:].mean().item(), far_other=far[:size // 2].mean().item(),
                          louder=louder.item())
        self.adam.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.all.parameters(), 1.0)
        self.adam.step()
        return made.detach().clamp(-1, 1), losses

    def run(self):
        running, count = {}, 0
        while self.spent < self.options.minutes * 60:
            for group in self.adam.param_groups:
                group["lr"] = group["scale"] * self.rate()
            batch = self.pairs.batch(BATCH)
            with torch.no_grad():
                spk = self.speaker(batch[3].transpose(1, 2))
            rows = [self.pairs.rows[i] for i in self.pairs.drawn]
            voices = torch.stack([self.centres.get(row["speaker"], vector) for row, vector in
                                  zip(rows, torch.nn.functional.normalize(spk))])
            past = other_throat(blurred(batch[1], self.random), self.random)
            past, first = self.train_on(batch, spk, past)
            batch, spk, voices = self.swapped(batch, spk, voices)
            _, second = self.train_on(batch, spk, other_throat(past, self.random), voices)
            second["second"], second["first"] = second.pop("mel"), first["mel"]
            for name, value in second.items():
                running[name] = running.get(name, 0.0) + value
            self.step += 2
            count += 1
            if self.step % 4 == 0:
                for name, value in self.all.state_dict().items():
                    self.average[name] += min(0.02, 20 / (self.step + 20)) * (value - self.average[name])
            self.spent = time.process_time() - self.begun
            if self.step % 50 == 0:
                self.log.write("step %d %s seconds %.0f\n" % (self.step, " ".join(
                    "%s %.4f" % (name, running[name] / count) for name in sorted(running)), self.spent))
                running, count = {}, 0
            if self.step % 400 == 0:
                self.save()
        self.save()


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--minutes", type=float, default=120)
    parse.add_argument("--threads", type=int, default=1)
    parse.add_argument("--seed", type=int, default=1)
    options = parse.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    Trainer(options).run()


if __name__ == "__main__":
    main()
