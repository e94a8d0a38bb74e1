#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the text encoder alone: from a caption to what it tells of, label and attributes.

  python3 train/sound/train_text.py --packs PACKS --work WORK [--minutes M] [--bundle FILE]

Every caption is written anew (captions.py) and its word vectors are jittered, so that words near the known ones
mean the same. Other words are put in, and some that tell nothing; what the encoder says then is to be what it says
of the plain caption. Minutes of this give what hours of sound could not: the transformer's condition is ready.

Writes WORK/sound-text.pt. With --bundle it begins with the weights of a bundle's encoder, which goes on saying of plain
captions what it did, and puts the trained ones into it, and the words.
"""
import argparse
import copy
import json
import os
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from common import bundle
from sound import captions, data
from sound.text import TextEncoder, Vocabulary, jittered

BATCH = 64
JITTER = 0.2   # of the vectors' own deviation
STAYS = 4.0    # weight of what a bundle's encoder says of plain captions
VARIED = 0.6   # of the captions get another word for one
STRAY = 0.6    # of the captions get words that tell nothing
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
        """-> label scores, attribute scores, what the encoder says as one vector"""
        _, pooled = self.text(ids, table)
        return self.label(pooled), {name: head(pooled) for name, head in self.attributes.items()}, pooled


def vocabulary_of(folder, described):
    return Vocabulary.from_pack(os.path.join(folder, "wordvec"), 12000, captions.all_words(described), captions.Thesaurus())


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
    parser.add_argument("--bundle", help="a sound bundle whose text encoder is trained further")
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
    reader, strays = Reader(len(labels)), captions.Strays(vocabulary, described, SIZES["rows"])
    plain = reader.text
    if options.bundle:
        tensors, metadata = bundle.load(options.bundle)
        reader.text.load_state_dict({name[5:]: torch.from_numpy(value.astype("f4")) for name, value in tensors.items()
                                     if name.startswith("text.") and value.dtype == np.dtype("<f2")})
        plain = copy.deepcopy(reader.text)
    optimiser = torch.optim.AdamW(reader.parameters(), 2e-3, weight_decay=0.02)
    log = open(os.path.join(options.work, "sound-text.log"), "a", buffering=1, encoding="utf-8")
    begin, step, right, seen = time.time(), 0, 0, 0
    while True:
        spent = min(1.0, (time.time() - begin) / 60 / options.minutes)
        optimiser.param_groups[0]["lr"] = float(2e-3 * 0.5 * (1 + np.cos(np.pi * spent)) * min(1, (step + 1) / 100))
        rows = [described[i]["of"] for i in np.minimum(np.searchsorted(share, random.random(BATCH)), len(described) - 1)]
        told_of, attributes = zip(*(writer.caption(random, of) for of in rows))
        simple = [vocabulary.ids(caption, SIZES["rows"]) for caption in told_of]
        ids = [vocabulary.ids(writer.varied(random, caption, VARIED), SIZES["rows"]) for caption in told_of]
        target = torch.zeros(BATCH, len(labels))
        for line, of in zip(target, rows):
            for one in of:
                line[index[one["label"]]] = 1 / len(of)
        with torch.no_grad():
            text_f, text_f_c = plain(simple, table)
        said, told, pooled = reader(*jittered([strays.among(random, line, STRAY) for line in ids], table, JITTER))
        loss = -(target * F.log_softmax(said, 1)).sum(1).mean() + (pooled - text_f_c).pow(2).mean() / text_f_c.var()
        if options.bundle:
            again, again_c = reader.text(simple, table)
            loss = loss + STAYS * ((again - text_f).pow(2).mean() / text_f.var()
                                   + (again_c - text_f_c).pow(2).mean() / text_f_c.var())
        for name, values in captions.ATTRIBUTES.items():
            order = list(values)
            wanted = torch.tensor([1 + order.index(some[name]) if name in some else 0 for some in attributes])
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
    if options.bundle:
        tensors.update(bundle.half(reader.text, "text."))
        tensors.update(vocabulary.tensors())
        config = dict(json.loads(metadata["config"]), words=len(vocabulary.words))
        bundle.save(options.bundle, tensors, dict(metadata, config=json.dumps(config)))


if __name__ == "__main__":
    main()
