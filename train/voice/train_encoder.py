#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the content encoder: which phone sounds in each 40 ms frame.

  python3 train/voice/train_encoder.py --packs PACKS --work WORK [--minutes M]

Stage one learns from flite renderings, whose phone timings are exact. Stage two adds the transcribed
clips of the packs: the network's own scores align flite's phones of the text to the clip (Viterbi,
silence allowed at both ends and between phones), and that path is the target. Every clip is heard
through another throat each time: resampling moves pitch and formants together (-15 .. +18 %),
stretching the mel axis moves formants alone, a tilt changes the microphone, noise is added; the phones
stay the same, so the features must drop the speaker. Resumes from WORK/encoder.pt.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import packs
from voice.encoder import Encoder, filterbank, warp_formants
from voice.renderings import renderings

SMALL = dict(dim=128, heads=4, inner=512, layers=4, channels=32)


def phones_of(text):
    spoken = re.sub(r"[^A-Za-z0-9' ,.]", " ", text)
    said = subprocess.run(["flite", "-ps", "-o", "none", "-t", spoken], stdout=subprocess.PIPE).stdout
    return [phone for phone in said.decode().split() if phone != "pau"]


def transcribed(folder, work):
    """-> [(samples, row, phones)] of the transcribed English clips, and the texts"""
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
    kept = [(samples, row, phones) for (samples, row), phones in zip(clips, said)
            if 3 < len(phones) < row["samples"] / 640 * 0.8 and row["samples"] < 5 * 16000]
    return kept, sorted({row["text"] for _, row in clips})


def perturb(clip, random):
    """-> (clip through another throat and microphone, how much faster it runs)"""
    speed = random.uniform(0.85, 1.18)
    at = np.arange(0, len(clip) - 1, speed)
    clip = np.interp(at, np.arange(len(clip)), clip)
    tilt = random.uniform(-0.5, 0.5)
    clip = clip - tilt * np.concatenate([[0], clip[:-1]])
    peak = np.abs(clip).max() + 1e-4
    clip = clip / peak * random.uniform(0.1, 0.9)
    noise = random.standard_normal(len(clip)) * clip.std() * 10 ** (-random.uniform(15, 50) / 20)
    return (clip + noise).astype("f4"), speed


def align(scores, phones):
    """scores [t, symbols] (log), phones of the text -> the best path [t]; symbol 0 is silence."""
    states = [0]
    for phone in phones:
        states += [phone, 0]
    states = np.array(states)
    best = np.full(len(states), -1e9)
    best[:2] = scores[0, states[:2]]
    back = np.zeros((len(scores), len(states)), "i4")
    index = np.arange(len(states))
    for t in range(1, len(scores)):
        step = np.concatenate([[-1e9], best[:-1]])
        skip = np.concatenate([[-1e9, -1e9], best[:-2]])
        skip[0::2] = -1e9
        moves = np.stack([best, step, skip])
        choice = moves.argmax(0)
        back[t] = index - choice
        best = moves[choice, index] + scores[t, states]
    state = len(states) - 1 - int(best[-2] > best[-1])
    path = np.zeros(len(scores), "i8")
    for t in range(len(scores) - 1, -1, -1):
        path[t] = states[state]
        state = back[t, state]
    return path


def rendered_targets(phones, speed, count, number):
    """The phone at the centre of each frame; frame j is centred on filterbank frame 4 j + 3."""
    ends = np.array([end for _, end in phones]) / speed
    names = np.array([number[phone] for phone, _ in phones])
    centre = (np.arange(count) * 4 + 3) * 0.01 + 0.0125
    return names[np.minimum(np.searchsorted(ends, centre), len(names) - 1)]


def frames_of(fbank_frames):
    return ((fbank_frames - 1) // 2 - 1) // 2


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--minutes", type=float, default=60)
    parse.add_argument("--threads", type=int, default=1)
    parse.add_argument("--sentences", type=int, default=1200)
    parse.add_argument("--seed", type=int, default=1)
    options = parse.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    clips, texts = transcribed(options.packs, options.work)
    order = np.random.default_rng(options.seed).permutation(len(texts))
    sound, rendered = renderings(options.work, [texts[i] for i in order[:options.sentences]])
    symbols = ["pau"] + sorted({phone for _, _, phones in rendered for phone, _ in phones} - {"pau"})
    number = {symbol: i for i, symbol in enumerate(symbols)}
    clips = [(samples, row, [number[p] for p in phones]) for samples, row, phones in clips
             if all(p in number for p in phones)]
    seen = [clip for clip in clips if not packs.held_out(clip[1])]
    unseen = [clip for clip in clips if packs.held_out(clip[1])][:96]
    short = [row for row in rendered if row[1] < 5 * 16000]
    net = Encoder(**SMALL).to(device)
    head = torch.nn.Linear(net.dim, len(symbols)).to(device)
    both = torch.nn.ModuleList([net, head])
    adam = torch.optim.AdamW(both.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-2)
    saved = os.path.join(options.work, "encoder.pt")
    step = 0
    if os.path.exists(saved):
        state = torch.load(saved, map_location=device)
        both.load_state_dict(state["net"])
        adam.load_state_dict(state["adam"])
        step = state["step"]
    random = np.random.default_rng(options.seed + step)
    log = open(os.path.join(options.work, "encoder.log"), "a", buffering=1)
    log.write("rendered %d, clips %d, held out %d, phones %d\n"
              % (len(short), len(seen), len(unseen), len(symbols)))
    begun = time.time()

    def batch(real, train):
        """real: clips of the packs; half as many rendered ones join -> features, targets or phones"""
        features, targets = [], []
        items = [(samples[row["offset"]:row["offset"] + row["samples"]], phones, False)
                 for samples, row, phones in real]
        for i in (random.integers(0, len(short), 16 - len(real)) if train else ()):
            offset, count, phones = short[i]
            items.append((sound[offset:offset + count], phones, True))
        for samples, phones, timed in items:
            clip, speed = samples.astype("f4") / 32768, 1.0
            if train:
                clip, speed = perturb(clip, random)
            fbank = filterbank(torch.from_numpy(clip))
            if train:
                fbank = warp_formants(fbank, random.uniform(0.9, 1.12))
            features.append(fbank)
            targets.append(rendered_targets(phones, speed, frames_of(len(fbank)), number)
                           if timed else phones)
        return features, targets, [timed for _, _, timed in items]

    def loss_of(real, train):
        features, targets, timed = batch(real, train)
        offset = int(random.integers(0, 120)) if train else 0
        padded = torch.nn.utils.rnn.pad_sequence(features, True, -10.0).to(device)
        logits = head(net(padded, offset)).log_softmax(-1)
        scores = logits.detach().cpu().numpy()
        total, right, count = 0.0, 0, 0
        for i, target in enumerate(targets):
            length = frames_of(len(features[i]))
            path = target if timed[i] else align(scores[i, :length], target)
            right += int((scores[i, :length].argmax(-1) == path).sum())
            count += length
            total = total + torch.nn.functional.nll_loss(
                logits[i, :length], torch.from_numpy(path).to(device), reduction="sum")
        return total / count, right / count, scores, features

    def evaluate():
        """Phone error rate of greedy decoding on speakers never trained on."""
        wrong = total = 0
        with torch.no_grad():
            for clip in unseen:
                _, _, scores, _ = loss_of([clip], False)
                path = scores[0].argmax(-1).tolist()
                heard = [p for j, p in enumerate(path) if p and (j == 0 or p != path[j - 1])]
                wrong += edit_distance(heard, clip[2])
                total += len(clip[2])
        return wrong / total

    def save():
        log.write("step %d held-out phone errors %.1f %%\n" % (step, 100 * evaluate()))
        torch.save({"net": both.state_dict(), "adam": adam.state_dict(), "step": step,
                    "symbols": symbols, "config": net.config}, saved)

    running, hits, count = 0.0, 0.0, 0
    while time.time() - begun < options.minutes * 60:
        progress = (time.time() - begun) / 60 / options.minutes
        for group in adam.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        real = 10 if progress > 0.35 else 0
        chosen = [seen[i] for i in random.integers(0, len(seen), real)]
        loss, right, _, _ = loss_of(chosen, True)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        adam.step()
        step, running, hits, count = step + 1, running + loss.item(), hits + right, count + 1
        if step % 25 == 0:
            log.write("step %d loss %.3f frames right %.3f seconds %.0f\n"
                      % (step, running / count, hits / count, time.time() - begun))
            running, hits, count = 0.0, 0.0, 0
        if step % 500 == 0:
            save()
    save()


def edit_distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


if __name__ == "__main__":
    main()
