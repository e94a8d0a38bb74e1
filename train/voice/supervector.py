# SPDX-License-Identifier: GPL-3.0-or-later
"""A speaker judge of the classic kind, independent of the teacher: a mixture of Gaussians of cepstra, how the means of
a recording differ from all recordings' (supervector), and the directions that tell speakers apart (LDA).

Fitted on the clips of the packs that are trained on, judged on the held-out; half a minute.
"""
import os

import numpy as np

from voice.cache import held_out

GAUSSIANS, RELEVANCE, KEPT, DIRECTIONS = 64, 12.0, 250, 80
CEPSTRA = np.cos(np.pi / 80 * (np.arange(80) + 0.5)[:, None] * np.arange(1, 25))  # [80, 24], without loudness
SHORTEST, LONGEST = 150, 600  # frames of a part


def cepstra(mel):
    """mel [T, 80] -> [t, 48] of the frames that sound: cepstra and their slopes"""
    x = mel.astype("f4") @ CEPSTRA
    slope = np.zeros_like(x)
    slope[2:-2] = x[4:] - x[:-4]
    level = mel.astype("f4").mean(1)
    return np.concatenate([x, slope], 1)[level > np.percentile(level, 95) - 0.6]


class Supervectors:
    def __init__(self, features, work):
        path = os.path.join(work, "supervectors.npz")
        if not os.path.exists(path):
            self.fit(features)
            np.savez(path, weights=self.weights, means=self.means, spreads=self.spreads, middle=self.middle,
                     directions=self.directions)
        for name, value in np.load(path).items():
            setattr(self, name, value)

    def shares(self, x):
        """[t, 48] -> [t, GAUSSIANS]: how likely each frame is of each Gaussian"""
        inverse = 1 / self.spreads
        score = x @ (self.means * inverse).T - 0.5 * (x * x) @ inverse.T
        score += np.log(self.weights) - 0.5 * (self.means ** 2 * inverse + np.log(self.spreads)).sum(1)
        score = np.exp(score - score.max(1, keepdims=True))
        return score / score.sum(1, keepdims=True)

    def supervector(self, mel):
        x = cepstra(mel)
        share = self.shares(x)
        count = share.sum(0)[:, None]
        moved = (share.T @ x - count * self.means) / (count + RELEVANCE) / np.sqrt(self.spreads)
        return (moved * np.sqrt(self.weights)[:, None]).ravel()

    def __call__(self, mel):
        """mel [T, 80] -> direction"""
        vector = (self.supervector(mel) - self.middle) @ self.directions
        return vector / np.linalg.norm(vector)

    def fit(self, features):
        random = np.random.default_rng(21)
        rows = [row for row in features.rows if row["speaker"] and not held_out(row)]
        parts, speakers = [], []
        for row in rows:
            for begin in range(0, max(1, row["frames"] - SHORTEST), LONGEST):
                end = min(row["frames"], begin + LONGEST)
                if end - begin >= SHORTEST:
                    parts.append(features.mel[row["frame"] + begin:row["frame"] + end])
                    speakers.append(row["speaker"])
        x = np.concatenate([cepstra(parts[i]) for i in random.permutation(len(parts))[:800]])
        x = x[random.permutation(len(x))[:150000]]
        self.weights = np.full(GAUSSIANS, 1 / GAUSSIANS)
        self.means = x[random.permutation(len(x))[:GAUSSIANS]]
        self.spreads = np.tile(x.var(0), (GAUSSIANS, 1))
        for _ in range(15):
            share = self.shares(x)
            count = share.sum(0)[:, None]
            self.weights = count[:, 0] / len(x)
            self.means = share.T @ x / count
            self.spreads = np.maximum(share.T @ (x * x) / count - self.means ** 2, 0.01 * x.var(0))
        names, who = np.unique(speakers, return_inverse=True)
        vectors = np.stack([self.supervector(part) for part in parts])
        self.middle = vectors.mean(0)
        vectors -= self.middle
        _, bases = np.linalg.eigh(vectors.T @ vectors)
        first = bases[:, -KEPT:]
        low = vectors @ first
        centres = np.stack([low[who == i].mean(0) for i in range(len(names))])
        within = low - centres[who]
        within = within.T @ within / len(within)
        between = np.cov(centres.T)
        whiten = np.linalg.inv(np.linalg.cholesky(within + 1e-3 * np.trace(within) / KEPT * np.eye(KEPT)))
        _, turn = np.linalg.eigh(whiten @ between @ whiten.T)
        self.directions = first @ whiten.T @ turn[:, -DIRECTIONS:]
