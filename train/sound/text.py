# SPDX-License-Identifier: GPL-3.0-or-later
"""The sound model's text encoder (docs/sound-text-encoder.md): words -> text_f [rows, width], text_f_c [width]."""
import os
import re

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# words of the trade that the pack lacks, each the mean of words that it has
COINED = {"808": "kick bass drum electronic", "lumberjack": "axe timber wood", "hihat": "cymbal hat", "woof": "bark dog",
          "sawing": "saw cutting", "humpback": "whale", "cockerel": "rooster cock", "drawbar": "organ",
          "songbird": "canary bird", "sawtooth": "saw synth", "chiptune": "synth electronic game",
          "musket": "rifle gun", "turntable": "dj vinyl", "metronome": "tick clock", "stopwatch": "tick watch",
          "riser": "rising sweep", "uplifter": "rising sweep", "downlifter": "falling sweep", "theremin": "synth whistle",
          "overdriven": "distortion guitar", "tweeting": "tweet bird", "achoo": "sneeze", "cawing": "caw crow"}


def made_words(index, wanted, table, thesaurus):
    """-> {word: vector} for COINED, for inflections of wanted words and for kinds of what they name that are not known
    themselves: a kind has the vector of the wanted word with the fewest kinds"""
    made = {}
    for word, parts in COINED.items():
        if word not in index:
            made[word] = np.mean([table[index[part]] for part in parts.split() if part in index], 0)
    for word in sorted(wanted):
        if len(word) < 3 or index.get(word, 0) < 3000:
            continue  # unknown, or so common that its inflections are known
        stem = word[:-1] if word.endswith("e") else word
        for form in (word + "s", word + "es", stem + "ing", stem + stem[-1] + "ing", stem + "ed", stem + "er"):
            if form not in index and form not in made:
                made[form] = table[index[word]]
    named = [(thesaurus.names(word)[1], word) for word in sorted(wanted) if word in index]
    for kinds, word in sorted(named, key=lambda pair: len(pair[0])):
        made.update({kind: table[index[word]] for kind in kinds if kind.isalpha() and kind.isascii()
                     and kind not in index and kind not in made})
    return made


def jittered(ids, table, share):
    """-> ids and a table of only their words, the vectors off by a share of the deviation of all"""
    used = sorted({i for line in ids for i in line})
    place = {word: i for i, word in enumerate(used)}
    near = table[used] + share * table.std() * torch.randn(len(used), table.shape[1], device=table.device)
    return [[place[i] for i in line] for line in ids], near


class Vocabulary:
    """words; vectors int8 [n, 100]; scales float32 [n]."""

    def __init__(self, words, vectors, scales):
        self.words, self.vectors, self.scales = words, vectors, scales
        self.index = {word: i for i, word in enumerate(words)}

    @classmethod
    def from_pack(cls, pack, common, wanted, thesaurus, size=24000):
        """The `common` most frequent words that the splitting rule can produce, those `wanted` with their
        inflections and kinds of what they name, and of the rest those nearest to the wanted ones, up to `size`. A plural
        that is not wanted itself is found by its singular."""
        with open(os.path.join(pack, "words.txt"), encoding="utf-8") as file:
            words = file.read().split("\n")
        scales = np.fromfile(os.path.join(pack, "scales.f32"), "<f4")
        vectors = np.fromfile(os.path.join(pack, "vectors.i8"), "i1").reshape(len(scales), -1)
        usable = [i for i in range(len(scales)) if re.fullmatch("[a-z0-9]+", words[i])]
        index = {words[i]: i for i in usable}
        spare = lambda word: word[-1] == "s" and word[:-1] in index and word not in wanted and word not in thesaurus.senses
        usable = [i for i in usable if not spare(words[i])]
        index = {words[i]: i for i in usable}
        kept = dict.fromkeys(usable[:common])
        kinds = {form for word in wanted for kind in thesaurus.names(word)[1] for form in (kind, kind + "s")}
        kept.update((index[word], None) for word in [*wanted, *kinds] if word in index)
        unit = vectors / (np.linalg.norm(vectors.astype("f4"), axis=1, keepdims=True) + 1e-6)
        near = (unit @ unit[[index[word] for word in wanted if word in index and index[word] > 300]].T).max(1)
        extra = made_words(index, wanted, vectors * scales[:, None], thesaurus)
        for i in sorted((i for i in usable if i not in kept), key=lambda i: -near[i]):
            if len(kept) + len(extra) >= size:
                break
            kept[i] = None
        kept = sorted(kept)
        rows = np.stack(list(extra.values())).astype("f4")
        new_scales = np.abs(rows).max(1) / 127
        new_vectors = np.rint(rows / new_scales[:, None]).astype("i1")
        return cls([words[i] for i in kept] + list(extra), np.concatenate([vectors[kept], new_vectors]),
                   np.concatenate([scales[kept], new_scales]).astype("f4"))

    @classmethod
    def from_bundle(cls, tensors):
        return cls(bytes(tensors["text.words"]).decode().split("\n"), tensors["text.vectors"], tensors["text.scales"])

    def ids(self, text, rows):
        """Indices of the known words, at most `rows`; an unknown plural is what it is the plural of, another word
        dropped."""
        found = re.findall("[a-z0-9]+", text.lower().encode("ascii", "replace").decode())
        found = [word[:-1] if word not in self.index and len(word) > 1 and word[-1] == "s" else word for word in found]
        return [self.index[word] for word in found if word in self.index][:rows]

    def tensors(self):
        """as from_bundle reads them"""
        return {"text.words": np.frombuffer("\n".join(self.words).encode(), "u1"), "text.vectors": self.vectors,
                "text.scales": self.scales.astype("<f4")}

    def table(self):
        return torch.from_numpy(self.vectors.astype("f4") * self.scales[:, None])


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, rows, width = x.shape
        q, k, v = (part.reshape(batch, rows, self.heads, -1).transpose(1, 2)
                   for part in self.qkv(self.norm1(x)).chunk(3, -1))
        weights = torch.softmax(q @ k.transpose(2, 3) / (width // self.heads) ** 0.5, -1)
        x = x + self.out((weights @ v).transpose(1, 2).flatten(2))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class TextEncoder(nn.Module):
    def __init__(self, width=128, heads=2, layers=1, rows=24, vector=100):
        super().__init__()
        self.input = nn.Linear(vector, width)
        self.pad = nn.Parameter(torch.randn(width) * 0.02)
        self.position = nn.Parameter(torch.randn(rows, width) * 0.02)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.pool = nn.Linear(width, width)

    def forward(self, ids, table):
        """ids: a list of lists; table [n, 100] -> text_f [B, rows, width], text_f_c [B, width]"""
        rows = len(self.position)
        x = torch.stack([torch.cat([self.input(table[line]) if line else self.pad[:0].reshape(0, len(self.pad)),
                                    self.pad.expand(rows - len(line), -1)]) for line in ids])
        x = x + self.position
        for layer in self.layers:
            x = layer(x)
        text_f = self.norm(x)
        used = torch.tensor([max(len(line), 1) for line in ids], device=text_f.device)
        mask = torch.arange(rows, device=text_f.device)[None] < used[:, None]
        mean = (text_f * mask[..., None]).sum(1) / used[:, None]
        return text_f, self.pool(mean)
