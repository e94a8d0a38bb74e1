#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the text encoder alone: from a caption to what it tells of, label and attributes.

  python3 train/sound/train_text.py --packs PACKS --work WORK [--minutes M]

Every caption is written anew (captions.py) and its word vectors are jittered, so that words near the known ones
mean the same. Minutes of this give what hours of sound could not: the transformer's condition is ready.
"""
import argparse
import os
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from sound import captions, data
from sound.text import TextEncoder, Vocabulary

BATCH = 64
JITTER = 0.35  # of the vectors' own deviation
SIZES = {"width": 128, "heads": 2, "layers": 1, "rows": 24}


class Reader(torch.nn.Module):
    """The encoder with linear heads: the labels and each attribute (0: not told)."""

    def __init__(self, labels):
        super().__init__()
        self.text = TextEncoder(**SIZES)
        self.label = torch.nn.Linear(SIZES["width"], labels)
        self.attributes = torch.nn.ModuleDict({name: torch.nn.Linear(SIZES["width"], len(values) + 1)
                                               for name, values in captions.ATTRIBUTES.items()})

    def forward(self, ids, table):
        _, pooled = self.text(ids, table)
        return self.label(pooled), {name: head(pooled) for name, head in self.attributes.items()}


def vocabulary_of(folder, described):
    return Vocabulary.from_pack(os.path.join(folder, "wordvec"), 12000, captions.all_words(described))


def labels_of(described):
    return sorted({of["label"] for row in described for of in row["of"]})


def load_reader(work, labels):
    reader = Reader(len(labels))
    reader.load_state_dict(torch.load(os.path.join(work, "sound-text.pt"), map_location="cpu")["model"])
    return reader.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    _, described = data.load(options.packs, options.work, options.seed)
    vocabulary = vocabulary_of(options.packs, described)
    table = vocabulary.table()
    writer = captions.Writer(vocabulary.index, captions.Thesaurus())
    labels = labels_of(described)
    index = {label: i for i, label in enumerate(labels)}
    share = np.cumsum(data.chances(described))
    reader = Reader(len(labels))
    optimiser = torch.optim.AdamW(reader.parameters(), 2e-3, weight_decay=0.02)
    log = open(os.path.join(options.work, "sound-text.log"), "a", buffering=1, encoding="utf-8")
    begin, step, right, seen = time.time(), 0, 0, 0
    jitter = JITTER * float(table.std())
    while True:
        spent = min(1.0, (time.time() - begin) / 60 / options.minutes)
        optimiser.param_groups[0]["lr"] = float(2e-3 * 0.5 * (1 + np.cos(np.pi * spent)) * min(1, (step + 1) / 100))
        rows = [described[i]["of"] for i in np.minimum(np.searchsorted(share, random.random(BATCH)), len(described) - 1)]
        ids = [vocabulary.ids(writer.caption(random, of), SIZES["rows"]) for of in rows]
        target = torch.zeros(BATCH, len(labels))
        for line, of in zip(target, rows):
            for one in of:
                line[index[one["label"]]] = 1 / len(of)
        used = sorted({i for line in ids for i in line})
        place = {word: i for i, word in enumerate(used)}
        near = table[used] + jitter * torch.randn(len(used), table.shape[1])
        said, told = reader([[place[i] for i in line] for line in ids], near)
        loss = -(target * F.log_softmax(said, 1)).sum(1).mean()
        for name, values in captions.ATTRIBUTES.items():
            order = list(values)
            wanted = torch.tensor([0 if len(of) > 1 or name not in of[0]["attributes"]
                                   else 1 + order.index(of[0]["attributes"][name]) for of in rows])
            loss = loss + 0.2 * F.cross_entropy(told[name], wanted)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimiser.step()
        step += 1
        right += int((target.gather(1, said.argmax(1)[:, None]) > 0).sum())
        seen += BATCH
        if step % 100 == 0:
            log.write("text step %d loss %.3f label %.3f seconds %.0f\n"
                      % (step, loss.item(), right / seen, time.time() - begin))
            right = seen = 0
        if spent >= 1:
            break
    torch.save({"model": reader.state_dict(), "labels": labels}, os.path.join(options.work, "sound-text.pt"))


if __name__ == "__main__":
    main()
