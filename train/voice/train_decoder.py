#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the decoder: clean mel from noise, content features, a speaker vector and a prompt.

  python3 train/voice/train_decoder.py --packs PACKS --work WORK [--minutes M]

The content encoder hears the clip with moved formants and follows at three tenths of the rate; speaker
vector (network fixed) and prompt come from another clip of the same speaker. Half of the steps learn
the instantaneous velocity; after the warm-up the others learn the mean velocity by SplitMeanFlow: over
[r, t] it equals the weighted sum over [r, s] and [s, t]. Resumes from WORK/decoder.pt.
"""
import argparse
import math
import os
import sys
import time

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import packs
from common.mel import Mel
from voice.convert import sample, to_mel_rate
from voice.decoder import Decoder
from voice.encoder import Encoder, filterbank, warp_formants
from voice.speaker import Speaker
from voice.train_encoder import SMALL
from voice.train_speaker import by_speaker, crop

FRAMES = 128
PROMPT = 160


def load_encoder(work, device):
    state = torch.load(os.path.join(work, "encoder.pt"), map_location=device)
    net = Encoder(**SMALL).to(device)
    net.load_state_dict({name[2:]: value for name, value in state["net"].items()
                         if name.startswith("0.")})
    return net


def load_speaker(work, device):
    net = Speaker().to(device)
    net.load_state_dict(torch.load(os.path.join(work, "speaker.pt"), map_location=device)["net"])
    return net.eval().requires_grad_(False)


class Pairs:
    """Clips with another clip of their speaker, in tensors the networks take."""

    def __init__(self, speakers, seed, device):
        self.speakers = {name: clips for name, clips in speakers.items() if len(clips) > 1}
        self.names = sorted(self.speakers)
        share = np.array([len(self.speakers[name]) ** 0.5 for name in self.names])
        self.share = share / share.sum()
        self.random = np.random.default_rng(seed)
        self.mel = Mel().to(device)
        self.device = device

    def batch(self, size, warp=True):
        """-> fbank [B, 131, 80], mel [B, 128, 80], prompt [B, 160, 80]"""
        fbanks, clips, prompts = [], [], []
        for name in self.random.choice(self.names, size, p=self.share):
            mine = self.speakers[name]
            a, b = self.random.choice(len(mine), 2, replace=False)
            clip = torch.from_numpy(crop(mine[a], self.random, 130 * 160 + 400))
            prompt = torch.from_numpy(crop(mine[b], self.random, (PROMPT - 1) * 160))
            clip, prompt = (x / (x.abs().max() + 1e-3) * self.random.uniform(0.3, 0.9)
                            for x in (clip, prompt))
            fbank = filterbank(clip)
            fbanks.append(warp_formants(fbank, self.random.uniform(0.88, 1.14)) if warp else fbank)
            clips.append(clip)
            prompts.append(prompt)
        mel = self.mel(torch.stack(clips).to(self.device)).transpose(1, 2)[:, :FRAMES]
        prompt = self.mel(torch.stack(prompts).to(self.device)).transpose(1, 2)
        return torch.stack(fbanks).to(self.device), mel, prompt


def weighted(error):
    """Per-frame squared error with MeanVC's adaptive weight (power 0.5)."""
    frame = (error ** 2).mean(-1)
    return (frame / (frame.detach() + 1e-3).sqrt()).mean()


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--minutes", type=float, default=120)
    parse.add_argument("--warm-up", type=int, default=120, help="steps of flow matching alone")
    parse.add_argument("--threads", type=int, default=1)
    parse.add_argument("--seed", type=int, default=1)
    options = parse.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder, speaker = load_encoder(options.work, device), load_speaker(options.work, device)
    net = Decoder(bn=encoder.dim).to(device)
    adam = torch.optim.AdamW([{"params": net.parameters(), "scale": 1.0},
                              {"params": encoder.parameters(), "scale": 0.3}], lr=1e-3,
                             weight_decay=0.01)
    saved = os.path.join(options.work, "decoder.pt")
    step = 0
    if os.path.exists(saved):
        state = torch.load(saved, map_location=device)
        net.load_state_dict(state["net"])
        encoder.load_state_dict(state["encoder"])
        adam.load_state_dict(state["adam"])
        step = state["step"]
    pairs = Pairs(by_speaker(options.packs, options.work, False), options.seed + step, device)
    unseen = Pairs(by_speaker(options.packs, options.work, True), 5, device).batch(12, False)
    log = open(os.path.join(options.work, "decoder.log"), "a", buffering=1)
    log.write("speakers %d\n" % len(pairs.names))
    begun, running, count = time.time(), {}, {}

    def save():
        fbank, mel, prompt = unseen
        with torch.no_grad():
            spk = speaker(prompt.transpose(1, 2))
            cond = to_mel_rate(encoder(fbank)[:, :FRAMES // 4])
            noise = torch.randn(mel.shape, generator=torch.Generator().manual_seed(9)).to(device)
            for times in ((1.0, 0.0), (1.0, 0.8, 0.0)):
                error = (sample(net, cond, spk, prompt, noise, times) - mel).abs().mean() * 57.5
                log.write("step %d held-out speakers, %d steps: mel error %.2f dB\n"
                          % (step, len(times) - 1, error))
        torch.save({"net": net.state_dict(), "encoder": encoder.state_dict(),
                    "adam": adam.state_dict(), "step": step}, saved)

    while time.time() - begun < options.minutes * 60:
        progress = (time.time() - begun) / 60 / options.minutes
        for group in adam.param_groups:
            group["lr"] = group["scale"] * 1.5e-3 * min(1, (step + 1) / 50) * (
                0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        fbank, mel, prompt = pairs.batch(8)
        with torch.no_grad():
            spk = speaker(prompt.transpose(1, 2))
        # streams count content frames up to 108 before they are set back
        position = int(pairs.random.integers(0, 109))
        cond = to_mel_rate(encoder(fbank, position)[:, :FRAMES // 4])
        timbre = net.timbre_encoder(cond, prompt, spk)
        size = len(mel)
        noise = torch.randn_like(mel)
        clean = mel + 0.06 * torch.rand(size, 1, 1, device=device) * torch.randn_like(mel)
        draw = torch.sigmoid(torch.randn(2, size, device=device) - 0.4)
        t, r = draw.max(0).values, draw.min(0).values
        whole = torch.rand(size, device=device) < 0.4
        t = torch.where(whole, torch.ones_like(t), t)
        velocity = noise - mel
        z = mel + t[:, None, None] * velocity
        mean = step >= options.warm_up and step % 2 == 1
        if mean:
            r = torch.where(whole, torch.zeros_like(r), r)
            s = r + (t - r) * torch.rand(size, device=device)
            with torch.no_grad():
                first = net(z, clean, timbre, spk, t, s)
                second = net(z - (t - s)[:, None, None] * first, clean, timbre, spk, s, r)
                share = ((t - s) / (t - r).clamp(min=1e-4))[:, None, None]
                target = share * first + (1 - share) * second
        else:
            r, target = t, velocity
        loss = weighted(net(z, clean, timbre, spk, t, r) - target)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(net.parameters()) + list(encoder.parameters()), 1.0)
        adam.step()
        step += 1
        running[mean] = running.get(mean, 0.0) + loss.item()
        count[mean] = count.get(mean, 0) + 1
        if step % 50 == 0:
            log.write("step %d %s seconds %.0f\n" % (step, " ".join(
                "%s %.4f" % ("mean" if kind else "flow", running[kind] / count[kind])
                for kind in sorted(running)), time.time() - begun))
            running, count = {}, {}
        if step % 250 == 0:
            save()
    save()


if __name__ == "__main__":
    main()
