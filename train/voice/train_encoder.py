#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the content encoder: phones of rendered speech by their exact times, and phones of the
transcribed English clips by CTC.

  python3 train/voice/train_encoder.py --packs PACKS --work WORK [--minutes M]

flite renders some of the sentences and tells when each phone sounds: frame labels without any
alignment, which start the classifier (CTC alone stays on its plateau of blanks for thousands of
steps). Phones of the recorded clips come from flite's letter-to-sound rules. Every clip is heard through another throat each
time: resampling moves pitch and formants together (-15 .. +18 %), a tilt and a band limit change the
microphone, noise is added; the phones stay the same, so the features must drop the speaker.
Resumes from WORK/encoder.pt.
"""
import argparse
import json
import math
import os
import pickle
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import packs
from voice.encoder import Encoder, filterbank


def phones_of(text):
    spoken = re.sub(r"[^A-Za-z0-9' ,.]", " ", text)
    said = subprocess.run(["flite", "-ps", "-o", "none", "-t", spoken], stdout=subprocess.PIPE).stdout
    return [phone for phone in said.decode().split() if phone != "pau"]


def transcribed(folder, work):
    saved = os.path.join(work, "phones.json")
    clips = []
    for name in packs.SPEECH:
        samples, rows = packs.open_pack(folder, work, name)
        clips += [(samples, row) for row in rows
                  if row["lang"] == "en" and row["text"] and 1.0 < row["samples"] / 16000 < 14]
    if not os.path.exists(saved):
        with ThreadPoolExecutor(2) as workers:
            said = list(workers.map(lambda clip: phones_of(clip[1]["text"]), clips))
        with open(saved, "w", encoding="utf-8") as file:
            json.dump(said, file)
    with open(saved, encoding="utf-8") as file:
        said = json.load(file)
    symbols = sorted({phone for clip in said for phone in clip})
    number = {symbol: i + 1 for i, symbol in enumerate(symbols)}
    kept = [(samples, row, [number[p] for p in phones]) for (samples, row), phones in zip(clips, said)
            if 3 < len(phones) < row["samples"] / 640 * 0.8]
    return kept, symbols


EXACT_STEPS = 300  # with exact labels only
RENDERERS = ("rms", "slt", "awb", "kal16")


def render(text, voice):
    """-> samples, [(phone, end in seconds)]"""
    with tempfile.NamedTemporaryFile(suffix=".wav") as wav:
        spoken = re.sub(r"[^A-Za-z0-9' ,.]", " ", text)
        said = subprocess.run(["flite", "-voice", voice, "-psdur", "-o", wav.name, "-t", spoken],
                              stdout=subprocess.PIPE).stdout.decode()
        data = open(wav.name, "rb").read()
    times = [(part.split(":")[0], float(part.split(":")[1])) for part in said.split()]
    return np.frombuffer(data[44:len(data) // 2 * 2], "<i2"), times


def rendered(clips, work, number, count):
    """Renderings with their phone times, kept in WORK/rendered.pkl."""
    saved = os.path.join(work, "rendered.pkl")
    if not os.path.exists(saved):
        texts = [row["text"] for _, row, _ in clips if 20 < len(row["text"]) < 90]
        jobs = [(texts[i * len(texts) // count], RENDERERS[i % len(RENDERERS)]) for i in range(count)]
        with ThreadPoolExecutor(2) as workers:
            made = list(workers.map(lambda job: render(*job), jobs))
        with open(saved, "wb") as file:
            pickle.dump(made, file)
    with open(saved, "rb") as file:
        made = pickle.load(file)
    return [(samples, [(number.get(phone, 0), end) for phone, end in times])
            for samples, times in made if len(samples) > 8000]


def frame_labels(times, frames, speed):
    """The phone under the centre of each content frame; 0 in pauses."""
    centres = (4 * np.arange(frames) + 3) * 0.01 + 0.0125
    ends = np.array([end for _, end in times]) / speed
    index = np.minimum(np.searchsorted(ends, centres), len(times) - 1)
    return torch.tensor([times[i][0] for i in index])


def perturb(clip, random):
    speed = random.uniform(0.85, 1.18)
    at = np.arange(0, len(clip) - 1, speed)
    clip = np.interp(at, np.arange(len(clip)), clip)
    tilt = random.uniform(-0.5, 0.5)
    clip = clip - tilt * np.concatenate([[0], clip[:-1]])
    peak = np.abs(clip).max() + 1e-4
    clip = clip / peak * random.uniform(0.1, 0.9)
    noise = random.standard_normal(len(clip)) * clip.std() * 10 ** (-random.uniform(10, 50) / 20)
    return (clip + noise).astype("f4"), speed


def batch(clips, indices, random, train):
    features, targets = [], []
    for i in indices:
        samples, row, phones = clips[i]
        clip = samples[row["offset"]:row["offset"] + row["samples"]].astype("f4") / 32768
        if train:
            clip, _ = perturb(clip, random)
        features.append(filterbank(torch.from_numpy(clip)))
        targets.append(torch.tensor(phones))
    length = torch.tensor([((len(f) - 1) // 2 - 1) // 2 for f in features])
    return (torch.nn.utils.rnn.pad_sequence(features, True, -10.0), length,
            torch.cat(targets), torch.tensor([len(t) for t in targets]))


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
    clips, symbols = transcribed(options.packs, options.work)
    seen = sorted((i for i in range(len(clips)) if not packs.held_out(clips[i][1])),
                  key=lambda i: clips[i][1]["samples"])
    unseen = [i for i in range(len(clips)) if packs.held_out(clips[i][1])][:48]
    net = Encoder()
    head = torch.nn.Linear(net.dim, len(symbols) + 1)
    both = torch.nn.ModuleList([net, head])
    adam = torch.optim.AdamW(both.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-2)
    saved = os.path.join(options.work, "encoder.pt")
    step = 0
    if os.path.exists(saved):
        state = torch.load(saved, map_location="cpu")
        both.load_state_dict(state["net"])
        adam.load_state_dict(state["adam"])
        step = state["step"]
    random = np.random.default_rng(options.seed + step)
    exact = rendered(clips, options.work, {symbol: i + 1 for i, symbol in enumerate(symbols)}, 600)
    log = open(os.path.join(options.work, "encoder.log"), "a", buffering=1)
    log.write("clips %d, held out %d, phones %d\n" % (len(seen), len(unseen), len(symbols)))
    begun = time.time()

    def loss_of(indices, train):
        features, length, targets, target_length = batch(clips, indices, random, train)
        offset = int(random.integers(0, 60)) if train else 0
        logits = head(net(features, offset)).log_softmax(-1)
        return torch.nn.functional.ctc_loss(logits.transpose(0, 1), targets, length, target_length,
                                            zero_infinity=True), logits, length, targets, target_length

    def rendered_loss():
        """Frame-wise cross entropy on a batch of renderings."""
        features, labels = [], []
        for i in random.choice(len(exact), 8, replace=False):
            clip, speed = perturb(exact[i][0].astype("f4") / 32768, random)
            features.append(filterbank(torch.from_numpy(clip)))
            frames = ((len(features[-1]) - 1) // 2 - 1) // 2
            labels.append(frame_labels(exact[i][1], frames, speed))
        padded = torch.nn.utils.rnn.pad_sequence(features, True, -10.0)
        wanted = torch.nn.utils.rnn.pad_sequence(labels, True, -100)
        logits = head(net(padded, int(random.integers(0, 60))))[:, :wanted.shape[1]]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())

    def evaluate():
        """Phone error rate of greedy decoding on speakers never trained on."""
        wrong = total = 0
        both.eval()
        with torch.no_grad():
            for i in unseen:
                _, logits, length, targets, _ = loss_of([i], False)
                path = logits[0, :length[0]].argmax(-1).tolist()
                heard = [p for j, p in enumerate(path) if p and (j == 0 or p != path[j - 1])]
                wrong += edit_distance(heard, targets.tolist())
                total += len(targets)
        both.train()
        return wrong / total

    running, count = 0.0, 0
    while time.time() - begun < options.minutes * 60:
        progress = (time.time() - begun) / 60 / options.minutes
        for group in adam.param_groups:
            group["lr"] = 1.5e-3 * min(1, (step + 1) / 300) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        exact_loss = rendered_loss()
        loss = exact_loss
        if step >= EXACT_STEPS:
            start = int(random.integers(0, len(seen) - 8))
            loss = 0.3 * exact_loss + loss_of(seen[start:start + 8], True)[0]
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        adam.step()
        step, running, count = step + 1, running + loss.item(), count + 1
        if step % 50 == 0:
            log.write("step %d loss %.3f seconds %.0f\n" % (step, running / count, time.time() - begun))
            running, count = 0.0, 0
        if step % 200 == 0:
            log.write("step %d held-out phone errors %.1f %%\n" % (step, 100 * evaluate()))
            torch.save({"net": both.state_dict(), "adam": adam.state_dict(), "step": step,
                        "symbols": symbols}, saved)
    log.write("step %d held-out phone errors %.1f %%\n" % (step, 100 * evaluate()))
    torch.save({"net": both.state_dict(), "adam": adam.state_dict(), "step": step,
                "symbols": symbols}, saved)


def edit_distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


if __name__ == "__main__":
    main()
