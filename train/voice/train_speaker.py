#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the speaker encoder: additive angular margin over the speakers of the packs.

  python3 train/voice/train_speaker.py --packs PACKS --work WORK [--minutes M]

Measures the equal error rate on speakers never trained on. Resumes from WORK/speaker.pt.
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
from voice.speaker import Speaker

FRAMES = 200


def by_speaker(folder, work, unseen):
    """-> {speaker: [(samples, row), ...]}; clips without a speaker's name are one speaker's alone
    only in LibriSpeech, elsewhere they are left out."""
    found = {}
    for name in packs.SPEECH:
        samples, rows = packs.open_pack(folder, work, name)
        for row in rows:
            if row["speaker"] and row["samples"] > 16000 and packs.held_out(row) == unseen:
                found.setdefault(row["speaker"], []).append((samples, row))
    return found


def crop(clip, random, count=FRAMES * 160):
    samples, row = clip
    start = row["offset"] + int(random.integers(0, max(1, row["samples"] - count)))
    part = samples[start:min(start + count, row["offset"] + row["samples"])].astype("f4") / 32768
    return np.resize(part, count) if len(part) < count else part


def equal_error(speakers, net, mel, random, device):
    vectors, owners = [], []
    with torch.no_grad():
        for owner, clips in speakers.items():
            if len(clips) < 2:
                continue
            for i in random.permutation(len(clips))[:4]:
                part = torch.from_numpy(crop(clips[i], random, 48000))[None].to(device)
                vectors.append(torch.nn.functional.normalize(net(mel(part)))[0].cpu().numpy())
                owners.append(owner)
    score = np.stack(vectors) @ np.stack(vectors).T
    same = np.array(owners)[:, None] == np.array(owners)[None]
    upper = np.triu(np.ones_like(same), 1)
    good, bad = np.sort(score[same & upper]), np.sort(score[~same & upper])
    miss = np.searchsorted(good, bad) / len(good)
    false = 1 - np.arange(len(bad)) / len(bad)
    at = np.abs(miss - false).argmin()
    return (miss[at] + false[at]) / 2, len(set(owners))


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--minutes", type=float, default=60)
    parse.add_argument("--threads", type=int, default=1)
    parse.add_argument("--seed", type=int, default=1)
    options = parse.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    speakers = by_speaker(options.packs, options.work, False)
    unseen = by_speaker(options.packs, options.work, True)
    names = sorted(speakers)
    net, mel = Speaker().to(device), Mel().to(device)
    centres = torch.nn.Parameter(torch.randn(len(names), net.config["out"], device=device) * 0.1)
    adam = torch.optim.AdamW(list(net.parameters()) + [centres], lr=1e-3, weight_decay=2e-2)
    saved = os.path.join(options.work, "speaker.pt")
    step = 0
    if os.path.exists(saved):
        state = torch.load(saved, map_location=device)
        net.load_state_dict(state["net"])
        centres.data.copy_(state["centres"])
        adam.load_state_dict(state["adam"])
        step = state["step"]
    random = np.random.default_rng(options.seed + step)
    log = open(os.path.join(options.work, "speaker.log"), "a", buffering=1)
    log.write("speakers %d, held out %d\n" % (len(names), len(unseen)))
    begun, running, hits, count = time.time(), 0.0, 0.0, 0

    def save():
        net.eval()
        rate, owners = equal_error(unseen, net, mel, np.random.default_rng(3), device)
        net.train()
        log.write("step %d equal error %.1f %% on %d held-out speakers\n" % (step, 100 * rate, owners))
        torch.save({"net": net.state_dict(), "centres": centres.data, "adam": adam.state_dict(),
                    "step": step, "config": net.config}, saved)

    while time.time() - begun < options.minutes * 60:
        progress = (time.time() - begun) / 60 / options.minutes
        for group in adam.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 30) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        owner = random.integers(0, len(names), 32)
        parts = []
        for i in owner:
            clips = speakers[names[i]]
            part = crop(clips[random.integers(0, len(clips))], random)
            part = part + random.standard_normal(len(part)).astype("f4") * part.std() * 10 ** (
                -random.uniform(15, 50) / 20)
            parts.append(part.astype("f4"))
        owner = torch.from_numpy(owner).to(device)
        vectors = torch.nn.functional.normalize(net(mel(torch.from_numpy(np.stack(parts)).to(device))))
        cosine = vectors @ torch.nn.functional.normalize(centres).T
        margin = 0.2 * min(1.0, step / 300)
        mine = torch.nn.functional.one_hot(owner, len(names)).bool()
        angle = cosine.clamp(-0.999, 0.999).acos() + margin
        loss = torch.nn.functional.cross_entropy(24 * torch.where(mine, angle.cos(), cosine), owner)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        hits += (cosine.argmax(1) == owner).float().mean().item()
        step, running, count = step + 1, running + loss.item(), count + 1
        if step % 25 == 0:
            log.write("step %d loss %.3f right %.3f seconds %.0f\n"
                      % (step, running / count, hits / count, time.time() - begun))
            running, hits, count = 0.0, 0.0, 0
        if step % 500 == 0:
            save()
    save()


if __name__ == "__main__":
    main()
