#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the content encoder: which phone sounds in each 40 ms frame.

  python3 train/voice/train_encoder.py --packs PACKS --work WORK [--minutes M]

First from flite renderings, whose phone timings are exact; soon also from the transcribed clips of the
packs: three times in the run the network's own scores align flite's phones of each text to its clip
(Viterbi, silence allowed at both ends and between phones), and that path is the target. Every crop is
heard through another throat (perturb.py). Resumes from WORK/encoder.pt.
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
from voice.cache import Features, held_out
from voice.encoder import Encoder, filterbank
from voice.perturb import perturb
from voice.renderings import renderings

SMALL = dict(dim=128, heads=4, inner=512, layers=4, channels=32)
FRAMES = 259  # of a crop: 64 content frames
BATCH = 24
ALIGN_AT = (0.12, 0.3, 0.6)  # shares of the run


def phones_of(text):
    spoken = re.sub(r"[^A-Za-z0-9' ,.]", " ", text)
    said = subprocess.run(["flite", "-ps", "-o", "none", "-t", spoken], stdout=subprocess.PIPE).stdout
    return [phone for phone in said.decode().split() if phone != "pau"]


def transcribed(rows, work):
    """-> [(row, phones)] of the transcribed English clips"""
    saved = os.path.join(work, "phones.json")
    rows = [row for row in rows if row["lang"] == "en" and row["text"]
            and row["source"] != "wake-word-benchmark" and row["frames"] < 1400]
    if not os.path.exists(saved):
        texts = sorted({row["text"] for row in rows})
        with ThreadPoolExecutor(2) as workers:
            said = dict(zip(texts, workers.map(phones_of, texts)))
        with open(saved, "w", encoding="utf-8") as file:
            json.dump(said, file)
    with open(saved, encoding="utf-8") as file:
        said = json.load(file)
    return [(row, said[row["text"]]) for row in rows
            if 3 < len(said[row["text"]]) < content_frames(row["frames"]) * 0.7]


def content_frames(fbank_frames):
    return ((fbank_frames - 1) // 2 - 1) // 2


def align(scores, lengths, phones):
    """scores [B, t, symbols] (log), phones of each text -> the best paths [B, t]; symbol 0 is silence."""
    size, longest = scores.shape[:2]
    states = np.zeros((size, 2 * max(map(len, phones)) + 1), "i8")
    for i, said in enumerate(phones):
        states[i, 1:2 * len(said):2] = said
    count = states.shape[1]
    emit = np.take_along_axis(scores, np.broadcast_to(states[:, None], (size, longest, count)), 2)
    best = np.full((size, count), -1e9)
    best[:, :2] = emit[:, 0, :2]
    back = np.zeros((longest, size, count), "i1")
    skips = (np.arange(count) % 2 == 0) | (np.arange(count) < 2)
    moves = np.full((3, size, count), -1e9)
    for t in range(1, longest):
        moves[0] = best
        moves[1, :, 1:] = best[:, :-1]
        moves[2, :, 2:] = best[:, :-2]
        moves[2, :, skips] = -1e9
        back[t] = moves.argmax(0)
        best = moves.max(0) + emit[:, t]
        for i in np.nonzero(lengths == t + 1)[0]:
            end = 2 * len(phones[i])
            states_end = end - int(best[i, end - 1] > best[i, end])
            phones[i] = (phones[i], states_end)
    paths = np.zeros((size, longest), "i8")
    for i, (_, state) in enumerate(phones):
        for t in range(lengths[i] - 1, -1, -1):
            paths[i, t] = states[i, state]
            state -= back[t, i, state]
    return paths


def rendered_targets(phones, count, number):
    """The phone at the centre of each frame; frame j is centred on filterbank frame 4 j + 3."""
    ends = np.array([end for _, end in phones])
    names = np.array([number[phone] for phone, _ in phones])
    centre = (np.arange(count) * 4 + 3) * 0.01 + 0.0125
    return names[np.minimum(np.searchsorted(ends, centre), len(names) - 1)]


def align_all(net, head, features, clips):
    """-> targets of every clip, by the network's own scores"""
    order = sorted(range(len(clips)), key=lambda i: clips[i][0]["frames"])
    targets = [None] * len(clips)
    with torch.no_grad():
        for begin in range(0, len(order), 32):
            chosen = order[begin:begin + 32]
            heard = [torch.from_numpy(features.fbank[row["frame"]:row["frame"] + row["frames"]]
                                      .astype("f4")) for row, _ in (clips[i] for i in chosen)]
            padded = torch.nn.utils.rnn.pad_sequence(heard, True, -10.0)
            scores = head(net(padded)).log_softmax(-1).numpy()
            lengths = np.array([content_frames(len(x)) for x in heard])
            for i, path, length in zip(chosen, align(scores, lengths, [clips[i][1] for i in chosen]),
                                       lengths):
                targets[i] = path[:length].astype("u1")
    return targets


def phone_errors(net, head, features, clips):
    """Phone error rate of greedy decoding."""
    wrong = total = 0
    with torch.no_grad():
        for row, said in clips:
            heard = features.fbank[row["frame"]:row["frame"] + row["frames"]].astype("f4")
            path = head(net(torch.from_numpy(heard)[None]))[0].argmax(-1).tolist()
            found = [p for j, p in enumerate(path) if p and (j == 0 or p != path[j - 1])]
            wrong += edit_distance(found, said)
            total += len(said)
    return wrong / total


def edit_distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


class Crops:
    """Crops of FRAMES filterbank frames, with the phone of each of their content frames, from clips
    laid one after another."""

    def __init__(self, clips):
        """clips: [(fbank [T, 80], targets)]"""
        self.targets = np.concatenate([path for _, path in clips])
        self.fbank = np.concatenate([fbank[:4 * len(path)] for fbank, path in clips])

    def draw(self, random, size):
        count = content_frames(FRAMES)
        starts = random.integers(0, len(self.targets) - count - 1, size)
        return (np.stack([self.fbank[4 * i:4 * i + FRAMES] for i in starts]).astype("f4"),
                np.stack([self.targets[i:i + count] for i in starts]).astype("i8"))


def main():
    parse = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parse.add_argument("--packs", required=True)
    parse.add_argument("--work", required=True)
    parse.add_argument("--minutes", type=float, default=60)
    parse.add_argument("--threads", type=int, default=1)
    parse.add_argument("--sentences", type=int, default=1000)
    parse.add_argument("--seed", type=int, default=1)
    options = parse.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    features = Features(options.packs, options.work)
    clips = transcribed(features.rows, options.work)
    texts = sorted({row["text"] for row, _ in clips})
    order = np.random.default_rng(options.seed).permutation(len(texts))
    sound, rendered = renderings(options.work, [texts[i] for i in order[:options.sentences]])
    symbols = ["pau"] + sorted({phone for _, _, said in rendered for phone, _ in said} - {"pau"})
    number = {symbol: i for i, symbol in enumerate(symbols)}
    clips = [(row, [number[p] for p in said]) for row, said in clips if all(p in number for p in said)]
    seen = [clip for clip in clips if not held_out(clip[0])]
    unseen = [clip for clip in clips if held_out(clip[0])][::4][:60]
    exact = []
    for offset, count, said in rendered:
        clip = torch.from_numpy(sound[offset:offset + count].astype("f4") / 32768)
        fbank = filterbank(clip * (0.5 / clip.abs().max())).numpy().astype("f2")
        exact.append((fbank, rendered_targets(said, content_frames(len(fbank)), number)))
    exact = Crops(exact)

    net = Encoder(**SMALL)
    head = torch.nn.Linear(net.dim, len(symbols))
    both = torch.nn.ModuleList([net, head])
    adam = torch.optim.AdamW(both.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-2)
    saved = os.path.join(options.work, "encoder.pt")
    step, spent, aligned = 0, 0.0, 0
    if os.path.exists(saved):
        state = torch.load(saved)
        both.load_state_dict(state["net"])
        adam.load_state_dict(state["adam"])
        step, spent, aligned = state["step"], state["spent"], state["aligned"]
    random = np.random.default_rng(options.seed + step)
    log = open(os.path.join(options.work, "encoder.log"), "a", buffering=1)
    log.write("rendered %d, clips %d, held out %d, phones %d\n"
              % (len(rendered), len(seen), len(unseen), len(symbols)))
    begun = time.process_time() - spent
    real = None

    def save():
        log.write("step %d held-out phone errors %.1f %%\n"
                  % (step, 100 * phone_errors(net, head, features, unseen)))
        torch.save({"net": both.state_dict(), "adam": adam.state_dict(), "step": step, "spent": spent,
                    "aligned": aligned, "symbols": symbols, "config": net.config}, saved)

    running, hits, count = 0.0, 0.0, 0
    while spent < options.minutes * 60:
        progress = spent / 60 / options.minutes
        if (aligned < len(ALIGN_AT) and progress >= ALIGN_AT[aligned]) or (aligned and real is None):
            aligned = sum(progress >= at for at in ALIGN_AT)
            targets = align_all(net, head, features, seen)
            real = Crops([(features.fbank[row["frame"]:row["frame"] + row["frames"]], path)
                          for (row, _), path in zip(seen, targets)])
            log.write("step %d aligned, seconds %.0f\n" % (step, time.process_time() - begun))
        for group in adam.param_groups:
            group["lr"] = 2.5e-3 * min(1, (step + 1) / 60) * (
                0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        parts = [exact.draw(random, BATCH if real is None else BATCH // 6)]
        if real is not None:
            parts.append(real.draw(random, BATCH - BATCH // 6))
        heard, path = (torch.from_numpy(np.concatenate(arrays)) for arrays in zip(*parts))
        logits = head(net(perturb(heard, random), int(random.integers(0, 120))))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), path.flatten())
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        adam.step()
        step, running, count = step + 1, running + loss.item(), count + 1
        hits += (logits.argmax(-1) == path).float().mean().item()
        spent = time.process_time() - begun
        if step % 25 == 0:
            log.write("step %d loss %.3f frames right %.3f seconds %.0f\n"
                      % (step, running / count, hits / count, spent))
            running, hits, count = 0.0, 0.0, 0
        if step % 500 == 0:
            save()
    save()
    targets = align_all(net, head, features, seen)  # for the decoder's training
    np.savez(os.path.join(options.work, "paths.npz"), frame=[row["frame"] for row, _ in seen],
             begin=np.cumsum([0] + [len(t) for t in targets]), path=np.concatenate(targets))


if __name__ == "__main__":
    main()
