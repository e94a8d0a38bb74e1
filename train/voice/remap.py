# SPDX-License-Identifier: GPL-3.0-or-later
"""The filterbank of a mel, so that the content encoder can hear what the decoder made without a vocoder."""
import numpy as np
import torch

NEIGHBOURS, CLIPS = 3, 400


def _rows(mel):
    """mel [..., T, 80] -> [..., T, 241]: filterbank frame i is centred between mel frames i + 1 and i + 2"""
    last = mel[..., -1:, :]
    mel = torch.cat([mel] + [last] * (NEIGHBOURS - 1), -2)
    count = mel.shape[-2] - NEIGHBOURS + 1
    near = [mel[..., i:i + count, :] for i in range(NEIGHBOURS)]
    return torch.cat([*near, torch.ones_like(near[0][..., :1])], -1)


class Remap:
    def __init__(self, features):
        """Least squares over clips of the packs."""
        random = np.random.default_rng(11)
        square, product = np.zeros((241, 241)), np.zeros((241, 80))
        for i in random.choice(len(features.rows), CLIPS, replace=False):
            row = features.rows[i]
            part = slice(row["frame"], row["frame"] + row["frames"])
            x = _rows(torch.from_numpy(features.mel[part].astype("f4"))).numpy()
            square += x.T @ x
            product += x.T @ features.fbank[part].astype("f4")
        self.matrix = torch.from_numpy(np.linalg.solve(square + 1e-3 * np.eye(241), product).astype("f4"))

    def __call__(self, mel, frames):
        """mel [B, T, 80] -> filterbank [B, frames, 80], its last frame repeated"""
        made = _rows(mel) @ self.matrix
        return torch.cat([made] + [made[:, -1:]] * (frames - made.shape[1]), 1)
