#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the speaker encoder: what a pretrained one hears in the clip (teach_speaker.py), and an additive
angular margin over the speakers of the packs.

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
from voice.cache import Features, held_out
from voice.speaker import Speaker

FRAMES = 200
BATCH = 48


def by_speaker(features, unseen):
    """-> {speaker: [row, ...]}; clips without a speaker's name are left out."""
    found = {}
    for row in features.rows:
        if row["speaker"] and held_out(row) == unseen:
            found.setdefault(row["speaker"], []).append(row)
    return found


def crop(features, row, random, count=FRAMES):
    """-> mel [count, 80] from anywhere in the clip, a short clip repeated"""
    start = row["frame"] + int(random.integers(0, max(1, row["frames"] - count)))
    part = features.mel[start:min(start + count, row["frame"] + row["frames"])].astype("f4")
    return np.resize(part, (count, 80)) if len(part) < count else part


def other_room(mel, random):
    """mel [B, T, 80] -> the same through another microphone and over a floor of noise"""
    size = len(mel)
    cosines = np.cos(np.pi * (np.arange(80) + 0.5) * np.arange(5)[:, None] / 80)
    curve = torch.from_numpy((random.standard_normal((size, 5)) * 0.04 @ cosines).astype("f4"))[:, None]
    floor = torch.from_numpy(random.uniform(-1.2, -0.3, (size, 1, 1)).astype("f4"))
    floor = floor + curve + 0.08 * torch.randn(mel.shape)
    return torch.logaddexp(13.2 * (mel + curve), 13.2 * floor) / 13.2  # powers: 57.5 dB a unit


def equal_error(speakers, net, features, random):
    vectors, owners = [], []
    with torch.no_grad():
        for owner, clips in speakers.items():
            if len(clips) < 2:
                continue
            for i in random.permutation(len(clips))[:4]:
                part = torch.from_numpy(crop(features, clips[i], random, 300).T[None])
                vectors.append(torch.nn.functional.normalize(net(part))[0].numpy())
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
    features = Features(options.packs, options.work)
    speakers, unseen = by_speaker(features, False), by_speaker(features, True)
    names = sorted(speakers)
    taught = np.load(os.path.join(options.work, "taught.npy"))
    for row, vector in zip(features.rows, taught):
        row["taught"] = vector
    net = Speaker()
    pupil = torch.nn.Linear(net.config["out"], taught.shape[1])
    centres = torch.nn.Parameter(torch.randn(len(names), net.config["out"]) * 0.1)
    adam = torch.optim.AdamW([*net.parameters(), *pupil.parameters(), centres], lr=1e-3, weight_decay=2e-2)
    saved = os.path.join(options.work, "speaker.pt")
    step, spent = 0, 0.0
    if os.path.exists(saved):
        state = torch.load(saved)
        net.load_state_dict(state["net"])
        centres.data.copy_(state["centres"])
        pupil.load_state_dict(state["pupil"])
        adam.load_state_dict(state["adam"])
        step, spent = state["step"], state["spent"]
    random = np.random.default_rng(options.seed + step)
    log = open(os.path.join(options.work, "speaker.log"), "a", buffering=1)
    log.write("speakers %d, held out %d\n" % (len(names), len(unseen)))
    begun, running, hits, count = time.process_time() - spent, 0.0, 0.0, 0

    def save():
        net.eval()
        rate, owners = equal_error(unseen, net, features, np.random.default_rng(3))
        net.train()
        log.write("step %d equal error %.1f %% on %d held-out speakers\n" % (step, 100 * rate, owners))
        torch.save({"net": net.state_dict(), "centres": centres.data, "pupil": pupil.state_dict(), "adam": adam.state_dict(),
                    "step": step, "spent": spent, "names": names, "config": net.config}, saved)

    while spent < options.minutes * 60:
        progress = spent / 60 / options.minutes
        for group in adam.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 30) * (
                0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        owner = random.integers(0, len(names), BATCH)
        rows = [speakers[names[i]][random.integers(0, len(speakers[names[i]]))] for i in owner]
        parts = [crop(features, row, random) for row in rows]
        wanted = torch.from_numpy(np.stack([row["taught"] for row in rows]))
        owner = torch.from_numpy(owner)
        heard = other_room(torch.from_numpy(np.stack(parts)), random).transpose(1, 2)
        heard = net(heard)
        far = 1 - torch.nn.functional.cosine_similarity(pupil(heard), wanted).mean()
        vectors = torch.nn.functional.normalize(heard)
        cosine = vectors @ torch.nn.functional.normalize(centres).T
        margin = 0.2 * min(1.0, step / 300)
        mine = torch.nn.functional.one_hot(owner, len(names)).bool()
        angle = cosine.clamp(-0.999, 0.999).acos() + margin
        margins = torch.nn.functional.cross_entropy(24 * torch.where(mine, angle.cos(), cosine), owner)
        loss = margins + 20 * far
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        hits += (cosine.argmax(1) == owner).float().mean().item()
        step, running, count = step + 1, running + far.item(), count + 1
        spent = time.process_time() - begun
        if step % 50 == 0:
            log.write("step %d far from the teacher %.3f right %.3f seconds %.0f\n"
                      % (step, running / count, hits / count, spent))
            running, hits, count = 0.0, 0.0, 0
        if step % 500 == 0:
            save()
    save()


if __name__ == "__main__":
    main()
