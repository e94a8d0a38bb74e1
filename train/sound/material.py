# SPDX-License-Identifier: GPL-3.0-or-later
"""What the transformer learns from: normalised latents of clips, and what the text encoder says of their captions."""
import os

import numpy as np
import torch

from sound import captions, data, train_vae

TILED = ("esc10", "made")
STRAY = 0.35  # of the captions get up to three words that tell nothing


class Latents:
    """Normalised latents of all clips and random parts of them."""

    def __init__(self, work, described):
        stored = np.load(os.path.join(work, "sound-latents.npz"))
        self.mean, self.std = stored["mean"], stored["std"]
        self.code = train_vae.Code(stored["middle"], stored["basis"])
        every = ((stored["latents"] - self.mean) / self.std).astype("f4")
        self.clips = np.split(every, np.cumsum(stored["lengths"])[:-1])
        self.silence = ((stored["silence"] - self.mean) / self.std).astype("f4")
        self.tiled = [row["kind"] in TILED for row in described]
        self.share = np.cumsum(data.chances(described))

    def draw(self, random, count):
        return np.minimum(np.searchsorted(self.share, random.random(count)), len(self.clips) - 1)

    def part(self, random, i, length):
        """[length, channels]: the loudest of three random parts; a short clip again and again or then silence."""
        clip = self.clips[i]
        spare = len(clip) - length
        if spare > 0:
            starts = [0] + [int(start) for start in random.integers(spare + 1, size=2)]
            loud = [np.abs(clip[start:start + length] - self.silence).mean() for start in starts]
            start = starts[int(np.argmax(loud))] if random.random() < 0.6 else 0
            return clip[start:start + length]
        if self.tiled[i] and len(clip) > 40:
            return np.concatenate([clip] * (length // len(clip) + 1))[:length]
        return np.concatenate([clip, np.repeat(self.silence[None], -spare, 0)])


class Material:
    def __init__(self, latents, described, text, vocabulary, seed):
        """text: the encoder, which stays as it is"""
        self.latents, self.described, self.text = latents, described, text
        self.vocabulary, self.table = vocabulary, vocabulary.table().to(text.pad.device)
        self.writer = captions.Writer(vocabulary.index, captions.Thesaurus())
        self.strays = captions.Strays(vocabulary, described, len(text.position))
        self.random = np.random.default_rng(seed)

    def features(self, ids):
        with torch.no_grad():
            return self.text(ids, self.table)

    def batch(self, count, length, dropout):
        """-> latents [count, length, channels], what the encoder says of their captions (of none, for a share of
        `dropout`), the clips' descriptions, the attributes that the captions tell"""
        chosen = self.latents.draw(self.random, count)
        described = [self.described[i] for i in chosen]
        kept = self.random.random(count) >= dropout
        rows = len(self.text.position)
        said, told = zip(*(self.writer.caption(self.random, row["of"]) for row in described))
        said = [self.vocabulary.ids(self.writer.varied(self.random, caption), rows) for caption in said]
        ids = [self.strays.among(self.random, line, STRAY) if keep else [] for line, keep in zip(said, kept)]
        some = np.stack([self.latents.part(self.random, i, length) for i in chosen])
        return torch.from_numpy(some).to(self.table.device), self.features(ids), described, told
