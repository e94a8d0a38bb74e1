# SPDX-License-Identifier: GPL-3.0-or-later
"""A small judge of mels: recorded or made, and does it sound like this speaker? (projection, arXiv 1802.05637)"""
from torch import nn


class Judge(nn.Module):
    """mel [B, T, 80], speaker vector [B, s] -> scores [B, t, f]"""

    def __init__(self, speaker, width=24):
        super().__init__()
        norm = nn.utils.spectral_norm
        self.layers = nn.ModuleList([
            norm(nn.Conv2d(1, width, (5, 5), (1, 2), (2, 2))),
            norm(nn.Conv2d(width, width, (5, 5), (2, 2), (2, 2))),
            norm(nn.Conv2d(width, 2 * width, (3, 5), (2, 2), (1, 2))),
            norm(nn.Conv2d(2 * width, 2 * width, 3, 1, 1))])
        self.out = norm(nn.Conv2d(2 * width, 1, 3, 1, 1))
        self.voice = norm(nn.Linear(speaker, 2 * width * 10))

    def forward(self, mel, speaker):
        x = mel[:, None]
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
        heard = x.mean(2).flatten(1)  # over time
        fit = (heard * self.voice(nn.functional.normalize(speaker))).sum(1) / heard.shape[1] ** 0.5
        return self.out(x)[:, 0] + fit[:, None, None]
